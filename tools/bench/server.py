"""A Character Library that answers at once, and its files: a process of its own, over real HTTP.

What it says is what the simulator said when it was asked once, so that drawing costs nothing while
something is measured. Files go to the socket as they lie in memory.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from attrs import frozen

__all__ = ["Library", "serving"]

_BASE = "http://library.test"


@frozen(kw_only=True)
class Library:
    """Where the server is, and what it holds.

    Attributes:
        url: Its base URL.
        db_id: The id of the only character.
        files: The URLs of the images of its portfolio.
    """

    url: str
    db_id: str
    files: tuple[str, ...]


@contextmanager
def serving(files: list[Path], *, late: float = 0.0) -> Iterator[Library]:
    """Serve a character whose portfolio are these files.

    Args:
        files: 27 images.
        late: After how many seconds each file begins.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        db_id, script = _script(url, [f"{url}/files/{path.name}" for path in files])
        given = {"files": [str(path) for path in files], "script": script, "late": late}
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.server", str(listening.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listening.fileno()],
            cwd=Path(__file__).parents[1],
        )
    stdin = cast("IO[bytes]", process.stdin)
    stdin.write(json.dumps(given).encode() + b"\n")
    stdin.flush()
    try:
        yield Library(
            url=url, db_id=db_id, files=tuple(f"{url}/files/{path.name}" for path in files)
        )
    finally:
        stdin.close()
        process.terminate()
        process.wait()


def _script(url: str, files: list[str]) -> tuple[str, dict[str, str]]:
    """Ask a simulator what the service will ask; return the character's id and the answers."""
    import httpx

    from charimg.testing import Simulator

    simulator = Simulator(base_url=_BASE)
    simulator.switches.set360_mode = "images"
    db_id = simulator.add_character(name="Lena")
    simulator.set_reference(db_id)
    character = f"/api/v1/characters/{db_id}"
    script = {}
    with httpx.Client(transport=simulator.transport(), base_url=_BASE) as client:
        made = client.post(f"{character}/generate-360-set", json={}).json()
        places = {image["mediaId"]: file for image, file in zip(made["images"], files, strict=True)}
        script[f"POST {character}/generate-360-set"] = made
        for path in ("/api/health", "/api/v1/jobs", character, f"{character}/images"):
            script[f"GET {path}"] = client.get(path).json()
    return db_id, {
        line: json.dumps(_placed(answer, places)).replace(_BASE, url)
        for line, answer in script.items()
    }


def _placed(value: Any, places: dict[str, str]) -> Any:
    """Let the URLs of the images lead to the files."""
    if isinstance(value, list):
        return [_placed(each, places) for each in value]
    if not isinstance(value, dict):
        return value
    given = {name: _placed(each, places) for name, each in value.items()}
    place = places.get(given.get("mediaId") or given.get("imageId") or "")
    return given | {"url": place} if place else given


class _Connection(asyncio.Protocol):
    """One connection that is kept alive."""

    def __init__(self, answers: dict[str, tuple[bytes, bytes]], late: float) -> None:
        self._answers = answers
        self._late = late
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, rest = self._received.partition(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines[1:])
            }
            length = int(headers.get("content-length", "0"))
            if len(rest) < length:
                return
            self._received = rest[length:]
            method, target, _ = lines[0].split(" ")
            self._answer(f"{method} {target.partition('?')[0]}")

    def _answer(self, line: str) -> None:
        parts = self._answers.get(line)
        if parts is None:
            self._transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        elif self._late and " /files/" in line:
            asyncio.get_running_loop().call_later(self._late, self._transport.writelines, parts)
        else:
            self._transport.writelines(parts)


def _answers(given: dict[str, Any]) -> dict[str, tuple[bytes, bytes]]:
    found = {}
    bodies = {line: (text.encode(), "application/json") for line, text in given["script"].items()}
    for name in given["files"]:
        path = Path(name)
        bodies[f"GET /files/{path.name}"] = (path.read_bytes(), "image/jpeg")
    for line, (body, kind) in bodies.items():
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        found[line] = (head.encode(), body)
    return found


async def _serve(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    given = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    answers = _answers(given)
    listening = socket.socket(fileno=descriptor)
    server = await loop.create_server(lambda: _Connection(answers, given["late"]), sock=listening)
    async with server:
        # The other side is gone.
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
