"""Redirects, chain by chain, on real sockets in both modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from ..figures import Figure
from .inward import (
    CDN,
    MODES,
    PUBLIC,
    Listener,
    Names,
    Network,
    guarded,
    listening,
    moved,
    names,
    whole_png,
)

TABLE: dict[str, Sequence[str]] = {
    CDN: [PUBLIC],
    "mirror.test": [PUBLIC],
    "mine.test": ["127.0.0.1"],
    "mine-too.test": ["127.0.0.1"],
    "library.test": ["127.0.0.1"],
    "inward.test": ["127.0.0.1"],
    "both.test": [PUBLIC, "127.0.0.1"],
}


@frozen
class Chain:
    """Where one download is led, and what must come of it.

    Attributes:
        hops: URLs; ``OUT`` is the port of the public server, ``IN`` that of the private one. The
            last one has the image.
        outcome: ``ok`` or a code.
        inward: How many requests the private server may see.
    """

    hops: tuple[str, ...]
    outcome: str
    inward: int = 0


def chain(*hops: str, outcome: str, inward: int = 0) -> Chain:
    return Chain(hops, outcome, inward)


REFUSED, ADDRESS = "URL_REFUSED", "ADDRESS_REFUSED"
OUT, MINE, TOO, LIBRARY = (
    "http://cdn.test:OUT",
    "http://mine.test:IN",
    "http://mine-too.test:IN",
    "http://library.test:IN",
)
CHAINS = [
    chain(OUT, outcome="ok"),
    chain(OUT, "http://mirror.test:OUT", outcome="ok"),
    chain(OUT, OUT, OUT, OUT, outcome="ok"),
    chain(OUT, OUT, OUT, OUT, OUT, outcome="TOO_MANY_REDIRECTS"),
    chain(MINE, TOO, MINE, TOO, MINE, outcome="TOO_MANY_REDIRECTS", inward=4),
    # From a stranger inward.
    chain(OUT, "http://127.0.0.1:IN", outcome=ADDRESS),
    chain(OUT, "http://[::ffff:127.0.0.1]:IN", outcome=ADDRESS),
    chain(OUT, "http://inward.test:IN", outcome=ADDRESS),
    chain(OUT, "http://both.test:IN", outcome=ADDRESS),
    chain(OUT, OUT, OUT, "http://inward.test:IN", outcome=ADDRESS),
    chain(OUT, "//inward.test:IN", outcome=ADDRESS),
    chain(OUT, "http://127.1:IN", outcome=REFUSED),
    chain(OUT, "http://2130706433:IN", outcome=REFUSED),
    chain(OUT, "http://0x7f.1:IN", outcome=REFUSED),
    chain(OUT, "http://cdn.test@127.0.0.1:IN", outcome=REFUSED),
    chain(OUT, "http://127.0.0.1.:IN", outcome=REFUSED),
    chain(OUT, "http://cdn.test:22", outcome=REFUSED),
    chain(OUT, "ftp://cdn.test:OUT", outcome=REFUSED),
    chain(OUT, "file:///etc/passwd", outcome=REFUSED),
    chain(OUT, "http://169.254.169.254", outcome=ADDRESS),
    # An exempt origin: from the first hop on, and no longer than to the first stranger.
    chain(MINE, outcome="ok", inward=1),
    chain(MINE, TOO, outcome="ok", inward=2),
    chain(LIBRARY, LIBRARY, outcome="ok", inward=2),
    chain(LIBRARY, MINE, outcome="ok", inward=2),
    chain(MINE, OUT, outcome="ok", inward=1),
    chain(OUT, MINE, outcome=ADDRESS),
    chain(OUT, LIBRARY, outcome=ADDRESS),
    chain(MINE, OUT, MINE, outcome=ADDRESS, inward=1),
    chain(LIBRARY, OUT, LIBRARY, outcome=ADDRESS, inward=1),
    chain(MINE, "http://inward.test:IN", outcome=ADDRESS, inward=1),
    chain(MINE, "http://127.0.0.1:IN", outcome=ADDRESS, inward=1),
    chain(MINE, "https://mine.test:IN", outcome=ADDRESS, inward=1),
    chain(MINE, "http://mine.test:80", outcome=ADDRESS, inward=1),
    chain(MINE, "http://mine.test:81", outcome=REFUSED, inward=1),
    chain(MINE, "http://169.254.169.254", outcome=ADDRESS, inward=1),
]


def _answer(line: str) -> bytes:
    """Lead to the next hop: a path is ``/`` and the rest of the chain."""
    return ANSWERS[line.split()[1].partition("?")[0]]


ANSWERS: dict[str, bytes] = {}


def _laid(index: int, each: Chain, ports: dict[str, int], status: int) -> str:
    """Make the servers lead along a chain; return its first URL."""
    urls = []
    for step, hop in enumerate(each.hops):
        for name, port in ports.items():
            hop = hop.replace(f":{name}", f":{port}")
        urls.append(f"{hop}/{index}-{step}-{status}?secret")
    for step, following in enumerate(urls[1:]):
        ANSWERS[f"/{index}-{step}-{status}"] = moved(following, status)
    ANSWERS[f"/{index}-{len(urls) - 1}-{status}"] = whole_png("")
    return urls[0]


def test_redirects_lead_where_they_may(figure: Figure) -> None:
    statuses = (301, 302, 303, 307, 308)
    with (
        listening(Listener(answer=_answer), Listener(answer=_answer)) as (outer, inner),
        names(Names(TABLE)),
    ):
        ports = {"OUT": outer.port, "IN": inner.port}
        options: dict[str, Any] = {
            "ports": [80, 443, outer.port, inner.port],
            "allowed_origins": [
                f"http://{host}.test:{inner.port}" for host in ("mine", "mine-too", "library")
            ],
        }
        for index, each in enumerate(CHAINS):
            for mode in MODES:
                before = inner.reached
                status = statuses[index % len(statuses)]
                url = _laid(index, each, ports, status)
                network = Network()
                assert guarded(mode, [url], network, **options) == [each.outcome], each
                assert inner.reached - before == each.inward, each
    figure("redirects", f"{len(CHAINS)} chains in both modes, each led where the rules say")


def test_the_library_of_a_call_is_exempt() -> None:
    """Its origin holds for this download, and is not remembered."""
    with (
        listening(Listener(answer=_answer), Listener(answer=_answer)) as (outer, inner),
        names(Names(TABLE)),
    ):
        ports = {"OUT": outer.port, "IN": inner.port}
        options: dict[str, Any] = {"ports": [outer.port, inner.port]}
        library = f"http://library.test:{inner.port}/base"
        for index, each in enumerate(
            [
                chain(LIBRARY, LIBRARY, OUT, outcome="ok", inward=2),
                chain(LIBRARY, MINE, outcome=ADDRESS, inward=1),
                chain(OUT, LIBRARY, outcome=ADDRESS),
            ]
        ):
            for mode in MODES:
                before = inner.reached
                url = _laid(index, each, ports, 302)
                outcome = guarded(mode, [url], Network(), library_url=library, **options)
                assert outcome == [each.outcome]
                assert inner.reached - before == each.inward
                if each.inward:
                    assert guarded(mode, [url], Network(), **options) == [ADDRESS]
