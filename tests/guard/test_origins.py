"""Origins and ports: who is exempt, for how long, and from what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest.origins import DEFAULT_PORTS, FetchPolicy, Hop
from charimg._ingest.urls import next_url
from charimg.errors import DownloadError, InvalidArgument

PLAIN = FetchPolicy.checked(origins=(), ports=(80, 443))
MINE = FetchPolicy.checked(
    origins=("http://10.0.0.5:9000", "https://Images.Internal", "http://[fd00:0::1]:80"),
    ports=(80, 443),
)


def code_of(policy: FetchPolicy, url: str, *, after: Hop | None = None) -> str:
    with pytest.raises(DownloadError) as caught:
        policy.first(url) if after is None else policy.redirected(after, next_url(after.url, url))
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    ("url", "exempt"),
    [
        ("http://10.0.0.5:9000/a", True),
        ("https://images.internal/a", True),
        ("https://images.internal:443/a", True),
        ("http://[fd00::1]/a", True),
        ("https://cdn.example/a", False),
        ("http://cdn.example:443/a", False),
        ("http://images.internal/a", False),
        ("https://a.images.internal/a", False),
        ("https://93.184.216.34/a", False),
        ("https://[2600::1]/a", False),
        ("https://cdn1/a", False),
        ("https://cdn.a1/a", False),
    ],
)
def test_only_the_exact_origin_is_exempt(url: str, exempt: bool) -> None:
    assert MINE.first(url).exempt == exempt


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://10.0.0.5:9000/a?secret", "URL_REFUSED"),
        ("http://10.0.0.5:9001/a?secret", "URL_REFUSED"),
        ("http://10.0.0.5/a?secret", "ADDRESS_REFUSED"),
        ("http://10.0.0.6:80/a?secret", "ADDRESS_REFUSED"),
        ("https://[fd00::1]/a?secret", "ADDRESS_REFUSED"),
        ("https://images.internal:8443/a?secret", "URL_REFUSED"),
        ("https://cdn.example:22/a?secret", "URL_REFUSED"),
        ("https://127.0.0.1/a?secret", "ADDRESS_REFUSED"),
        ("https://[::1]/a?secret", "ADDRESS_REFUSED"),
        ("https://[2002:7f00:1::]/a?secret", "ADDRESS_REFUSED"),
        ("ftp://10.0.0.5:9000/a?secret", "URL_REFUSED"),
    ],
)
def test_what_is_near_an_exempt_origin_is_not_exempt(url: str, code: str) -> None:
    assert code_of(MINE, url) == code
    assert code_of(PLAIN, url) == code


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "[fd00:ec2::254]"],
)
def test_no_exemption_reaches_the_metadata_of_a_cloud(host: str) -> None:
    policy = FetchPolicy.checked(origins=(f"http://{host}",), ports=(80,))
    assert code_of(policy, f"http://{host}/latest?secret") == "ADDRESS_REFUSED"
    assert code_of(PLAIN.with_library(f"http://{host}"), f"http://{host}/") == "ADDRESS_REFUSED"


def test_the_library_is_exempt_with_its_own_origin() -> None:
    policy = PLAIN.with_library("http://127.0.0.1:3000/api")
    assert policy.first("http://127.0.0.1:3000/media/a.png").exempt
    assert code_of(policy, "http://127.0.0.1/media/a.png") == "ADDRESS_REFUSED"
    assert code_of(PLAIN, "http://127.0.0.1:3000/a") == "URL_REFUSED"
    # A base URL that no checked URL can begin with exempts nothing.
    assert PLAIN.with_library("http://127.1:3000") == PLAIN


def test_an_exemption_ends_with_the_first_stranger() -> None:
    first = MINE.first("http://10.0.0.5:9000/a")
    inner = MINE.redirected(first, "https://images.internal/b")
    assert inner.exempt
    stranger = MINE.redirected(inner, "https://cdn.example/c")
    assert not stranger.exempt
    # The name alone is no harm: what it leads to is judged as for anyone.
    assert not MINE.redirected(stranger, "https://images.internal/b").exempt
    outer = MINE.first("http://cdn.example/")
    assert code_of(MINE, "http://10.0.0.5:9000/a?secret", after=outer) == "URL_REFUSED"
    assert code_of(MINE, "http://[fd00::1]/a?secret", after=outer) == "ADDRESS_REFUSED"
    assert code_of(MINE, "http://images.internal:9/a?secret", after=first) == "URL_REFUSED"
    assert code_of(MINE, "http://10.0.0.5:9000/a?secret", after=inner) == "URL_REFUSED"


def test_the_ports_of_the_web_are_allowed_unless_others_are_given() -> None:
    assert FetchPolicy() == PLAIN
    assert set(DEFAULT_PORTS) == {80, 443}


def test_other_ports_can_be_allowed() -> None:
    policy = FetchPolicy.checked(origins=(), ports=[8443])
    assert policy.first("https://cdn.example:8443/a") == Hop("https://cdn.example:8443/a", False)
    assert code_of(policy, "https://cdn.example/a") == "URL_REFUSED"


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "cdn.example",
        "ftp://cdn.example",
        "https://cdn.example/a?secret",
        "https://cdn.example/?secret",
        "https://cdn.example/#secret",
        "https://me:secret@cdn.example",
        "https://*.example",
        "http://127.1",
        "http://cdn.example:0",
    ],
)
def test_what_is_no_origin_is_refused_as_a_setting(origin: str) -> None:
    with pytest.raises(InvalidArgument, match="origin") as caught:
        FetchPolicy.checked(origins=[origin], ports=())
    assert "secret" not in str(caught.value)


def test_one_text_is_not_several_origins() -> None:
    with pytest.raises(InvalidArgument, match="several origins"):
        FetchPolicy.checked(origins="https://cdn.example", ports=())
    assert FetchPolicy.checked(origins=["https://a.example/"], ports=()).exempt


@pytest.mark.parametrize("port", [0, 65536, -1, True, "80", 80.0, None])
def test_what_is_no_port_is_refused_as_a_setting(port: Any) -> None:
    with pytest.raises(InvalidArgument, match="65535"):
        FetchPolicy.checked(origins=(), ports=[443, port])


def test_the_ends_of_the_range_are_ports() -> None:
    assert FetchPolicy.checked(origins=(), ports=[1, 65535]).ports == {1, 65535}


HOSTS = st.sampled_from(
    ["10.0.0.5", "127.0.0.1", "cdn.example", "images.internal", "[::1]", "[fd00::1]"]
)
URLS = st.builds(
    "{}://{}:{}/x".format,
    st.sampled_from(["http", "https"]),
    HOSTS,
    st.sampled_from([80, 443, 9000]),
)


@given(st.lists(URLS, min_size=1, max_size=5))
def test_an_exempt_hop_has_only_exempt_ones_before_it(urls: list[str]) -> None:
    hop: Hop | None = None
    passed: list[Hop] = []
    for url in urls:
        try:
            hop = MINE.first(url) if hop is None else MINE.redirected(hop, next_url(hop.url, url))
        except DownloadError:
            break
        passed.append(hop)
    flags = [each.exempt for each in passed]
    assert flags == sorted(flags, reverse=True)
    assert not any(":9000" in each.url for each in passed if not each.exempt)
