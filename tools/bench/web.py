"""The listing route under load, one worker, against other routes of FastAPI.

One answers from memory, the other is what people write with SQLAlchemy and pydantic.
Each server is a process of its own; the requests come from this one, over connections that are kept
alive, and nothing is made of the answers but a look at their length. Before that the JSON of all is
compared.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import frozen

from charimg import CharacterImage, CharacterReference
from charimg.stores._documents import dump

from .measure import Contest, Goal, Job, Missing, Row, demand
from .peers import OTHERS, program
from .pictures import PORTFOLIO
from .records import add_all, record

__all__ = ["CONTESTS", "server"]

REQUESTS = 400
"""In one job."""
CONNECTIONS = 8
LENA = "lena"
MEDIA = "https://media.example.org"
"""What the files are served under."""
_NUMBERS = range(PORTFOLIO)
PATH = f"/v1/characters/{LENA}/images"
_SECONDS = 60.0


@frozen(kw_only=True)
class _Asked:
    """What is asked for again and again, and how it is answered.

    Attributes:
        port: Of the server.
        request: The bytes that are sent.
        status: Of every answer.
        length: How many bytes its body has.
    """

    port: int
    request: bytes
    status: int
    length: int


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as the answer is whole, while there is work."""

    def __init__(self, asked: _Asked, left: list[None], ended: asyncio.Future[None]) -> None:
        self._asked = asked
        self._left = left
        self._ended = ended
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
        whole = head.startswith(b"HTTP/1.1 %d" % self._asked.status)
        demand(whole, f"the server answered {head[:40]!r}")
        if len(body) == self._asked.length:
            self._received.clear()
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_exception(error or SystemExit("bench: the server hung up"))

    def _ask(self) -> None:
        if self._left:
            self._left.pop()
            self._transport.write(self._asked.request)
        elif not self._ended.done():
            self._ended.set_result(None)


async def _load(asked: _Asked) -> None:
    loop = asyncio.get_running_loop()
    left = [None] * REQUESTS
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    opened = [
        await loop.create_connection(partial(_Client, asked, left, end), "127.0.0.1", asked.port)
        for end in ends
    ]
    await asyncio.gather(*ends)
    for transport, _ in opened:
        transport.abort()


def _asked(port: int, tag: str | None = None) -> tuple[_Asked, Any, str | None]:
    """Ask once; return what to ask again, the JSON that came, and its ETag."""
    import httpx

    known = {} if tag is None else {"If-None-Match": tag}
    answer = httpx.get(f"http://127.0.0.1:{port}{PATH}", headers=known, timeout=_SECONDS)
    status = 200 if tag is None else 304
    demand(answer.status_code == status, f"the server answered {answer.status_code}")
    lines = "".join(f"{name}: {value}\r\n" for name, value in known.items())
    asked = _Asked(
        port=port,
        request=f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode(),
        status=status,
        length=len(answer.content),
    )
    return asked, answer.json() if answer.content else None, answer.headers.get("ETag")


@contextmanager
def server(command: Callable[[int], list[str]], path: str = PATH) -> Iterator[int]:
    """Run a server and give its port once it answers.

    Args:
        command: Its arguments, by the descriptor of the socket that it listens on.
        path: What it is asked for.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        # uvicorn does not know what kind of socket it was given, and would not set it.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port = int(listening.getsockname()[1])
        process = subprocess.Popen(
            command(listening.fileno()),
            pass_fds=[listening.fileno()],
            cwd=Path(__file__).parents[1],
        )
    try:
        end = time.monotonic() + _SECONDS
        while process.poll() is None and time.monotonic() < end:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as asking:
                    asking.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                    if asking.recv(1):
                        break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _fill(folder: Path) -> list[CharacterImage]:
    from charimg import stores as kinds

    images = [record(f"0198c7d2e5f04b6c9a1d3e5f7a9b1c3d-{each:02}", LENA) for each in _NUMBERS]
    with kinds.SqliteDatabase(folder / "charimg.sqlite") as database:
        kinds.SqliteCharacterDirectory(database).put(CharacterReference(id=LENA, name="Lena"))
        add_all(kinds.SqliteMetadataRepository(database), images)
    return images


def _own(kind: str, folder: Path) -> Callable[[int], list[str]]:
    return lambda descriptor: [
        *(sys.executable, "-m", "bench.web_server", kind, str(folder), str(descriptor))
    ]


def _host(folder: Path, images: list[CharacterImage]) -> Callable[[int], list[str]]:
    """Return the command of the peer, over the same records in tables of its own."""
    documents = folder / "documents.jsonl"
    documents.write_text("\n".join(dump(each, what="the record") for each in images))
    given = {
        "url": f"sqlite:///{folder}/host.sqlite",
        "character": LENA,
        "documents": str(documents),
        "base": str(MEDIA),
    }
    python, script = program("python"), str(OTHERS / "api.py")
    return lambda descriptor: [python, script, json.dumps({**given, "descriptor": descriptor})]


@contextmanager
def _servers(*kinds: str) -> Iterator[Mapping[str, _Asked]]:
    """Run servers of these kinds, after a comparison of what they answer."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise Missing("FastAPI is missing; install it with: pip install -e '.[dev]'") from error
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        images = _fill(folder)
        found: dict[str, _Asked] = {}
        answers = []
        for kind in kinds:
            command = _host(folder, images) if kind == "host" else _own(kind, folder)
            port = stack.enter_context(server(command))
            found[kind], answer, tag = _asked(port)
            answers.append(answer)
            if tag is not None:
                found[f"{kind} unchanged"], _, _ = _asked(port, tag)
        demand(len(answers[0]["images"]) == PORTFOLIO, "not all images came")
        demand(all(each == answers[0] for each in answers), "the servers do not answer the same")
        yield found


def _jobs(found: Mapping[str, _Asked], runner: asyncio.Runner) -> dict[str, Job]:
    def job(asked: _Asked) -> Job:
        return lambda: runner.run(_load(asked))

    return {name: job(asked) for name, asked in found.items()}


@contextmanager
def _whole() -> Iterator[Mapping[str, Job]]:
    with _servers("charimg", "bare") as found, asyncio.Runner() as runner:
        jobs = _jobs(found, runner)
        yield {name: jobs[name] for name in ("charimg", "bare")}


@contextmanager
def _written() -> Iterator[Mapping[str, Job]]:
    with _servers("charimg", "host") as found, asyncio.Runner() as runner:
        jobs = _jobs(found, runner)
        yield {name: jobs[name] for name in ("charimg", "host")}


@contextmanager
def _unchanged() -> Iterator[Mapping[str, Job]]:
    with _servers("charimg", "bare") as found, asyncio.Runner() as runner:
        if "charimg unchanged" not in found:
            raise Missing("no ETag in the answer of charimg")
        jobs = _jobs(found, runner)
        yield {name: jobs[name] for name in ("charimg unchanged", "bare unchanged")}


_WORK = f"{REQUESTS} x GET /v1/…/images, requests/s"


def _row(work: str, ours: str, other: str, against: str, reach: float) -> tuple[Row, ...]:
    goal = Goal.AT_LEAST
    return (Row(work=work, ours=ours, other=other, against=against, reach=reach, goal=goal),)


CONTESTS = (
    Contest(
        name="web",
        rounds=7,
        prepare=_whole,
        rows=_row(_WORK, "charimg", "bare", "FastAPI, the same bytes from memory", 0.35),
    ),
    Contest(
        name="web-host",
        rounds=5,
        prepare=_written,
        rows=_row(_WORK, "charimg", "host", "FastAPI, SQLAlchemy, pydantic", 3),
    ),
    Contest(
        name="web-unchanged",
        rounds=7,
        prepare=_unchanged,
        rows=_row(
            f"{_WORK}, nothing changed",
            "charimg unchanged",
            "bare unchanged",
            "FastAPI, 304 from memory",
            0.7,
        ),
    ),
)
