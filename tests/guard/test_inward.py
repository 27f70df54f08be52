"""Nothing that a server can name leads a download inward; a plain client goes there."""

from __future__ import annotations

import pytest

from ..figures import Figure
from .inward import (
    CDN,
    MODES,
    PUBLIC,
    Listener,
    Names,
    Network,
    OnlyLoopback,
    guarded,
    listening,
    moved,
    names,
    streamed,
    unguarded,
)
from .vectors import LEADING_TO_REDIRECTS, NAMES, direct, filled

REFUSALS = {"URL_REFUSED", "ADDRESS_REFUSED"}


def test_no_url_leads_inward(figure: Figure) -> None:
    with listening(Listener(), Listener(), Listener("::1")) as inner:
        four, other, six = (each.port for each in inner)
        targets = filled(LEADING_TO_REDIRECTS, four, six)
        redirector = Listener(
            answer=lambda line: moved(targets[int(line.split("/")[1].split()[0])])
        )
        with listening(redirector):
            urls = direct(four, other, six)
            urls += [f"http://{CDN}:{redirector.port}/{index}" for index in range(len(targets))]
            assert len(set(urls)) == len(urls) >= 200
            ports = (80, 443, four, other, six, redirector.port)
            for mode in MODES:
                network = Network()
                with names(Names({**NAMES, CDN: [PUBLIC]})):
                    outcomes = guarded(mode, urls, network, ports=ports)
                    # The same without the policy of URLs, for whatever httpx makes of them.
                    below = streamed(mode, urls, network)
                assert [url for url, got in zip(urls, outcomes, strict=True) if got == "ok"] == []
                wrong = {
                    url: code
                    for url, code in zip(urls, outcomes, strict=True)
                    if code not in REFUSALS and CDN not in url
                }
                assert wrong == {}
                assert "200" not in below
                assert set(network.dialled) == {PUBLIC}
            reached = sum(each.reached for each in inner)
            assert reached == 0
            assert redirector.reached >= 4 * len(targets), "the redirects were tried"
            with names(OnlyLoopback({**NAMES, CDN: ["127.0.0.1"]})):
                plain = unguarded(urls, inner)
    assert len(plain) >= 20
    figure(
        "URLs that lead inward",
        f"{len(urls)} in both modes, {reached} connections inward; a plain client: {len(plain)}",
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_public_host_is_reached(mode: str) -> None:
    network = Network()
    with listening(Listener()) as (server,), names(Names({CDN: [PUBLIC]})) as table:
        url = f"http://{CDN}:{server.port}/a.png"
        assert guarded(mode, [url, url], network, ports=[server.port]) == ["ok", "ok"]
        assert guarded(mode, [url], network) == ["URL_REFUSED"]
    assert server.reached == 2
    assert network.dialled == [PUBLIC, PUBLIC]
    assert table.asked == {CDN: 2}


@pytest.mark.parametrize("mode", MODES)
def test_an_exempt_origin_is_reached_and_its_neighbours_are_not(mode: str) -> None:
    network = Network()
    with listening(Listener(), Listener()) as (mine, other), names(Names(NAMES)):
        urls = [
            f"http://inward.test:{mine.port}/",
            f"http://127.0.0.1:{mine.port}/",
            f"http://inward.test:{other.port}/",
            f"https://inward.test:{mine.port}/",
            "http://instance-data.test/",
        ]
        origins = [f"http://inward.test:{mine.port}", "http://instance-data.test"]
        ports = [80, mine.port, other.port]
        outcomes = guarded(mode, urls, network, allowed_origins=origins, ports=ports)
    assert outcomes == ["ok", *["ADDRESS_REFUSED"] * 4]
    assert (mine.reached, other.reached) == (1, 0)


@pytest.mark.parametrize("mode", MODES)
def test_a_stranger_does_not_find_the_connection_of_an_exempt_one(mode: str) -> None:
    """The connection that the exemption opened stays in its pool, alive, and is no way in."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    with (
        listening(
            Listener(answer=lambda line: body),
        ) as (inner,),
        names(Names({**NAMES, CDN: [PUBLIC]})),
    ):
        target = f"http://inward.test:{inner.port}/"
        with listening(Listener(answer=lambda line: moved(target))) as (stranger,):
            urls = [target, f"http://{CDN}:{stranger.port}/"]
            ports = [inner.port, stranger.port]
            outcomes = guarded(
                mode, urls, Network(), allowed_origins=[target.rstrip("/")], ports=ports
            )
    assert outcomes == ["NOT_AN_IMAGE", "ADDRESS_REFUSED"]
    assert (inner.reached, stranger.reached) == (1, 1)
