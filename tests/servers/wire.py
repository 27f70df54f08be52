"""Bytes on loopback between a client and its server, which can be held up and cut off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

__all__ = ["Wire", "wired"]

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wire:
    """What becomes of the bytes.

    Attributes:
        port: Where it listens.
        dead: Nothing passes, and nobody is told.
        cut_after: A request with these bytes is the last: it is answered, but not to the client.
    """

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.dead = False
        self.cut_after: bytes | None = None
        self._upstream = upstream

    async def serve(self, ready: threading.Event, end: asyncio.Event) -> None:
        """Pass bytes on until the end."""
        passing: list[asyncio.Task[None]] = []
        server = await asyncio.start_server(
            lambda *near: passing.append(asyncio.create_task(self._pass(near))), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await end.wait()
        server.close()
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _pass(self, near: Stream) -> None:
        far = await asyncio.open_connection("127.0.0.1", self._upstream)
        cut = asyncio.Event()

        async def forth() -> None:
            while data := await self._read(near):
                if self.cut_after is not None and self.cut_after in data:
                    cut.set()
                far[1].write(data)

        async def back() -> None:
            while (data := await self._read(far)) and not cut.is_set():
                near[1].write(data)

        tasks = [asyncio.create_task(forth()), asyncio.create_task(back())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _, writer in (near, far):
                writer.close()

    async def _read(self, stream: Stream) -> bytes:
        with suppress(ConnectionError):
            data = await stream[0].read(65536)
            if not self.dead:
                return data
            # Whoever waits hears of it when the network is back.
            while self.dead:
                await asyncio.sleep(0.005)
        return b""


@contextmanager
def wired(upstream: int) -> Iterator[Wire]:
    """Pass bytes on to a port of 127.0.0.1."""
    wire, ready = Wire(upstream), threading.Event()
    end: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        end.append((asyncio.get_running_loop(), asyncio.Event()))
        await wire.serve(ready, end[0][1])

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    try:
        assert ready.wait(600)
        yield wire
    finally:
        loop, event = end[0]
        loop.call_soon_threadsafe(event.set)
        thread.join()
