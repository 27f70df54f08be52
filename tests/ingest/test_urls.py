from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from charimg._ingest.urls import MAX_LENGTH, check_url, next_url, public, redact
from charimg.errors import DownloadError, ErrorCode

BASE = "https://library.example.org/api/"
LONGEST = "http://example.org/" + "a" * (8192 - len("http://example.org/"))


def refusal(url: str, base: str = "") -> str:
    with pytest.raises(DownloadError) as caught:
        check_url(url, base)
    assert caught.value.code == ErrorCode.URL_REFUSED
    assert not caught.value.retryable
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.org", "http://example.org/"),
        ("HTTPS://Example.ORG/A/b.PNG", "https://example.org/A/b.PNG"),
        ("http://example.org:80/x", "http://example.org/x"),
        ("https://example.org:443/x", "https://example.org/x"),
        ("https://example.org:0443/x", "https://example.org/x"),
        ("https://example.org:80/x", "https://example.org:80/x"),
        ("http://example.org:8080/x?a=1&b=%20#part", "http://example.org:8080/x?a=1&b=%20"),
        ("http://example.org/a b/ü.png?c d", "http://example.org/a%20b/%C3%BC.png?c%20d"),
        ("http://example.org?x=1", "http://example.org/?x=1"),
        ("http://127.0.0.1:3000/m", "http://127.0.0.1:3000/m"),
        ("http://[0:0::1]:3000/m", "http://[::1]:3000/m"),
        ("http://[::1]/m", "http://[::1]/m"),
        ("http://character_library:3000/m", "http://character_library:3000/m"),
        ("http://localhost/m", "http://localhost/m"),
        ("http://a.b-c.1x/m", "http://a.b-c.1x/m"),
        ("http://xn--mller-kva.example/", "http://xn--mller-kva.example/"),
        ("http://example.org:1/", "http://example.org:1/"),
        ("http://example.org:65535/", "http://example.org:65535/"),
        ("http://" + "a." * 123 + "example/", "http://" + "a." * 123 + "example/"),
        (LONGEST, LONGEST),
    ],
)
def test_good_urls_are_normalised(url: str, expected: str) -> None:
    assert check_url(url) == expected
    assert check_url(expected) == expected
    assert check_url(url, BASE) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/media/a.png", "https://library.example.org/media/a.png"),
        ("media/a.png", "https://library.example.org/api/media/a.png"),
        ("../a.png", "https://library.example.org/a.png"),
        ("?x=1", "https://library.example.org/api/?x=1"),
        ("//cdn.example.org/a.png", "https://cdn.example.org/a.png"),
        ("http://cdn.example.org/a.png", "http://cdn.example.org/a.png"),
    ],
)
def test_relative_urls_are_resolved(url: str, expected: str) -> None:
    assert check_url(url, BASE) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        " http://example.org/",
        "http://example.org/ ",
        "/media/a.png",
        "media",
        "//example.org/a",
        "ftp://example.org/a",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "http:",
        "http:/example.org/a",
        "http:///a",
        "http://",
        "http://:80/",
        "http://?x",
        "http://example.org\\@evil.example/",
        "http:\\\\example.org/",
        "http://example.org/a\\b",
        "http://exa\tmple.org/",
        "http://example.org/\n",
        "http://example.org/\x00",
        "http://example.org/\x7f",
        "http://example.org/\u2028",
        "http://example.org/\ud800",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://@example.org/",
        "http://example.org:0/",
        "http://example.org:/",
        "http://example.org:65536/",
        "http://example.org:99999999/",
        "http://example.org:8o/",
        "http://example.org:+80/",
        "http://example.org:\u0661/",
        "http://example.org./",
        "http://.example.org/",
        "http://a..b/",
        "http://-a.example/",
        "http://a-.example/",
        "http://exa%6dple.org/",
        "http://ex ample.org/",
        "http://exam!ple.org/",
        "http://ｅxample.org/",
        "http://müller.example/",
        "http://\u212a.example/",
        "http://127.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://example.0x/",
        "http://256.1.1.1/",
        "http://1.2.3.4.5/",
        "http://127.0.0.1./",
        "http://127。0。0。1/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://[::g]/",
        "http://[1::2::3]/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.a]/",
        "http://[]/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 123 + "example1/",
        "http://" + "a." * 127 + "example/",
        "http://example.org/" + "a" * (8193 - len("http://example.org/")),
        "http://example.org/" + "a" * MAX_LENGTH,
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    message = refusal(url)
    assert "secret" not in message
    assert "user" not in message.replace("user info", "")


def test_a_refusal_holds_against_a_base_too() -> None:
    assert "user info" in refusal("//user:secret@example.org/x", BASE)
    assert "http" in refusal("data:image/png;base64,AAAA", BASE)
    assert "malformed" in refusal("//[::1/x", BASE)


def test_a_refusal_says_why() -> None:
    assert "no host" in refusal("http:///a")
    assert "longer than 8192" in refusal(LONGEST + "a")
    assert "backslash" in refusal("http://example.org/a\\b")


PIECES = [*"htp:/@[]%\\?#. \t019axZ-_ü\u212a｡", "http://", "https://", "::1", "0x7f", "ab.example"]
URLISH = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)


@given(URLISH.map(lambda rest: "http://" + rest) | URLISH | st.text(max_size=40))
@example("http://example.org/")
@example("http://[::1]:8080/a?b")
@example("http://a/[]?[]")
def test_what_passes_reads_the_same_for_everyone(url: str) -> None:
    try:
        checked = check_url(url, BASE)
    except DownloadError:
        return
    assert check_url(checked) == checked
    assert checked.isascii()
    assert checked.isprintable()
    parts, seen = urlsplit(checked), httpx.URL(checked)
    assert parts.scheme in ("http", "https")
    assert (seen.scheme, seen.host) == (parts.scheme, parts.hostname)
    assert seen.port == parts.port
    assert seen.userinfo == b""
    assert parts.username is None
    assert not parts.fragment
    assert f"{parts.scheme}://{parts.netloc}{seen.raw_path.decode()}" == checked


def test_redirects_are_checked_and_never_lose_tls() -> None:
    assert next_url("https://a.example/x/y", "z?q") == "https://a.example/x/z?q"
    assert next_url("http://a.example/x", "https://b.example/") == "https://b.example/"
    assert next_url("http://a.example/x", "http://b.example/") == "http://b.example/"
    assert next_url("https://a.example/x/y", "//b.example/z") == "https://b.example/z"
    assert next_url("https://a.example/x/y", "https:z") == "https://a.example/x/z"
    assert next_url("https://a.example/x", "https://b.example/y;") == "https://b.example/y;"
    for location in ("http://a.example/x?token=secret", "ftp://a.example/", "", "//u:p@a.example/"):
        with pytest.raises(DownloadError) as caught:
            next_url("https://a.example/x", location)
        assert caught.value.code == ErrorCode.URL_REFUSED
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:pw@example.org:8443/a/b.png?sig=1#f", "https://example.org:8443/a/b.png"),
        ("http://user:80@example.org/a", "http://example.org/a"),
        ("http://[::1]/a", "http://[::1]/a"),
        ("http://[::1]:80/a", "http://[::1]:80/a"),
        ("http://example.org:pw/a", "http://example.org/a"),
        ("http://exämple.org/a\u2028b", "http://ex%C3%A4mple.org/a%E2%80%A8b"),
        ("http://example.org/" + "a" * 999, "http://example.org/" + "a" * 199 + "..."),
        ("http://example.org/" + "a" * 199, "http://example.org/" + "a" * 199),
        ("ftp://example.org/a", "(not an http URL)"),
        ("http:/user:pw@example.org/a", "(not an http URL)"),
        ("user:pw@example.org/a", "(not an http URL)"),
        ("/relative?sig=1", "(not an http URL)"),
        ("http://[::1", "(not an http URL)"),
        ("", "(not an http URL)"),
    ],
)
def test_shown_urls_carry_no_secrets(url: str, expected: str) -> None:
    assert redact(url) == expected


@given(URLISH.map(lambda rest: "http://" + rest) | st.text(max_size=400))
@example("http://\ud800/\udfff")
def test_showing_never_fails_and_fits_on_a_line(url: str) -> None:
    shown = redact(url)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) < 450


@given(st.text(st.sampled_from("abc123~"), min_size=6))
def test_showing_hides_user_info_query_and_fragment(secret: str) -> None:
    secret = "SECRET" + secret
    assert "SECRET" not in redact(f"http://{secret}:{secret}@example.org/a?{secret}#{secret}")


def test_a_url_that_cannot_be_read_shows_nothing_of_itself() -> None:
    assert "SECRET" not in public("http://[SECRET")
    assert public("http://u:p@h.test/a%20b?sig=SECRET#x") == "http://h.test/a%20b"
