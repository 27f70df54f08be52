"""A name that answers differently the second time: there is no second time."""

from __future__ import annotations

import socket
from collections import Counter
from typing import Any

import httpcore
import httpx
import pytest

from charimg._ingest.addresses import fits

from ..figures import Figure
from .inward import (
    MODES,
    PUBLIC,
    AsyncNetwork,
    Listener,
    Names,
    Network,
    guarded,
    listening,
    names,
    whole_png,
)

PRIVATE = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00::1"]


class Flipping(Names):
    """Answers with a public address, then with a private one, then with a public one again."""

    def __init__(self) -> None:
        super().__init__({})

    def __call__(self, host: Any, *args: Any, **options: Any) -> list[Any]:
        if str(host).endswith(".test"):
            again = self.asked[host] % 2
            private = PRIVATE[len(self.asked) % len(PRIVATE)]
            self.table[host] = [private if again else PUBLIC]
        return super().__call__(host, *args, **options)


class Canned(Network):
    """Connects to nothing; whoever is dialled sends an image and closes."""

    def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        self.dialled.append(host)
        return httpcore.MockStream([whole_png("")])


class AsyncCanned(AsyncNetwork):
    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        self._network.dialled.append(host)
        return httpcore.AsyncMockStream([whole_png("")])


def test_a_thousand_flips(figure: Figure) -> None:
    flips = 1_000
    # Each name twice in a row: it is public when it is first asked for, and then it is not.
    urls = [f"http://n{index // 2}.test/a.png" for index in range(flips)]
    reached = lookups = 0
    for mode in MODES:
        canned = Canned()
        network: Any = canned if mode == "sync" else AsyncCanned(canned)
        with names(Flipping()) as table:
            outcomes = guarded(mode, urls, network)
        assert outcomes == ["ok", "ADDRESS_REFUSED"] * (flips // 2)
        assert set(table.asked.values()) == {2}, "one lookup for each connection that was tried"
        lookups += table.asked.total()
        reached += sum(not fits(each, exempt=False) for each in canned.dialled)
        assert Counter(canned.dialled) == {PUBLIC: flips // 2}
    assert (lookups, reached) == (2 * flips, 0)
    figure(
        "rebinding",
        f"{flips} flips in both modes, {lookups / flips / 2:g} lookup per connection, "
        f"{reached} private addresses dialled; "
        f"a client that checks, then connects by name: {_checking_first(50)} of 50 caught",
    )


def _checking_first(tries: int) -> int:
    """Return how often a client is led inward that checks the name before it connects."""
    with listening(Listener()) as (inner,), httpx.Client(trust_env=False) as client:
        for host in (f"n{index}.test" for index in range(tries)):
            with names(Names({host: [PUBLIC]})):
                (checked,) = socket.getaddrinfo(host, inner.port, type=socket.SOCK_STREAM)
            assert fits(checked[4][0], exempt=False)
            with names(Names({host: ["127.0.0.1"]})):
                client.get(f"http://{host}:{inner.port}/")
        return inner.reached


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_is_kept_needs_no_second_lookup(mode: str) -> None:
    """Its address was checked; what the name says by now does not matter to it."""
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"

    class Kept(Canned):
        def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
            self.dialled.append(host)
            return httpcore.MockStream([body, body])

    class AsyncKept(AsyncCanned):
        async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
            self._network.dialled.append(host)
            return httpcore.AsyncMockStream([body, body])

    kept = Kept()
    network: Any = kept if mode == "sync" else AsyncKept(kept)
    with names(Flipping()) as table:
        outcomes = guarded(mode, ["http://a.test/1", "http://a.test/2"], network)
    assert outcomes == ["NOT_AN_IMAGE"] * 2
    assert kept.dialled == [PUBLIC]
    assert table.asked == {"a.test": 1}
