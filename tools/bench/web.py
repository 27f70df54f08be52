"""The listing route under load, one worker, against a route that answers from memory.

Each server is a process of its own; the requests come from this one, over connections that are kept
alive, and nothing is made of the answers.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from .measure import Contest, Goal, Job, Missing, Row, demand
from .pictures import PORTFOLIO
from .records import record

__all__ = ["CONTESTS"]

REQUESTS = 400
"""In one job."""
CONNECTIONS = 8
LENA = "lena"
PATH = f"/v1/characters/{LENA}/images"
_SECONDS = 60.0


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as the answer is whole, while there is work."""

    def __init__(self, left: list[None], ended: asyncio.Future[None]) -> None:
        self._left = left
        self._ended = ended
        self._request = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        self._received = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) == length:
            demand(head.startswith(b"HTTP/1.1 200"), f"the server answered {head[:40]!r}")
            self._received.clear()
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(error or SystemExit("bench: the server hung up"))

    def _ask(self) -> None:
        if self._left:
            self._left.pop()
            self._transport.write(self._request)
        elif not self._ended.done():
            self._ended.set_result(None)


async def _load(port: int) -> None:
    loop = asyncio.get_running_loop()
    left = [None] * REQUESTS
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    opened = [
        await loop.create_connection(partial(_Client, left, end), "127.0.0.1", port) for end in ends
    ]
    await asyncio.gather(*ends)
    for transport, _ in opened:
        transport.abort()


@contextmanager
def _server(kind: str, folder: Path) -> Iterator[int]:
    """Run a server and give its port once it answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        # uvicorn does not know what kind of socket it was given, and would not set it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = int(listening.getsockname()[1])
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.web_server", kind, str(folder), str(listening.fileno())],
            pass_fds=[listening.fileno()],
            cwd=Path(__file__).parents[1],
        )
    try:
        end = time.monotonic() + _SECONDS
        while process.poll() is None and time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as asking:
                    asking.sendall(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
                    if asking.recv(1):
                        break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _fill(folder: Path) -> None:
    from charimg import CharacterReference
    from charimg import stores as kinds

    with kinds.SqliteDatabase(folder / "charimg.sqlite") as database:
        kinds.SqliteCharacterDirectory(database).put(CharacterReference(id=LENA, name="Lena"))
        records = kinds.SqliteMetadataRepository(database)
        for number in range(PORTFOLIO):
            records.add(record(f"0198c7d2e5f04b6c9a1d3e5f7a9b1c3d-{number:02}", LENA))


@contextmanager
def _servers() -> Iterator[Mapping[str, Job]]:
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise Missing("FastAPI is missing; install it with: pip install -e '.[dev]'") from error
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        _fill(folder)
        ours = stack.enter_context(_server("charimg", folder))
        bare = stack.enter_context(_server("bare", folder))
        runner = stack.enter_context(asyncio.Runner())
        yield {
            "ours": lambda: runner.run(_load(ours)),
            "bare": lambda: runner.run(_load(bare)),
        }


CONTESTS = (
    Contest(
        name="web",
        rounds=7,
        prepare=_servers,
        rows=(
            Row(
                work=f"{REQUESTS} x GET /v1/…/images, requests/s",
                ours="ours",
                other="bare",
                against="FastAPI, the same bytes from memory",
                reach=0.5,
                goal=Goal.AT_LEAST,
            ),
        ),
    ),
)
