"""A Character Library that answers at once, and its files: a process of its own, over real HTTP.

What it says is what the simulator said when it was asked once, so that drawing costs nothing while
something is measured. Files go to the socket as they lie in memory.

It has one character with a reference, or any number of them, each without anything at first: then
every id is one.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from attrs import frozen

__all__ = ["ID", "SET", "Library", "serving", "serving_many"]

_BASE = "http://library.test"
ID = "{id}"
"""Stands for the id of a character in the URLs of many."""
SET = "{set}"
"""Begins the ids of a character's media, in what is sent."""
_IDS = re.compile("(?<=/)[0-9a-f]{24}(?=/|$)")


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
    with _listening() as (listening, url):
        db_id, script = _script(url, [f"{url}/files/{path.name}" for path in files])
        given = {"files": [str(path) for path in files], "script": script, "late": late}
        with _process(listening, given):
            yield Library(
                url=url, db_id=db_id, files=tuple(f"{url}/files/{path.name}" for path in files)
            )


@contextmanager
def serving_many(files: list[Path]) -> Iterator[Library]:
    """Serve any number of characters, whose reference and portfolio are these files.

    The library that is given has `ID` in the URLs of its files, and no id of its own.

    Args:
        files: 28 images, that of the reference first.
    """
    with _listening() as (listening, url):
        urls = [f"{url}/files/{ID}/{path.name}" for path in files]
        given = {
            "files": [str(path) for path in files],
            "script": {},
            "stages": _stages(url, urls),
            "late": 0.0,
        }
        with _process(listening, given):
            yield Library(url=url, db_id="", files=tuple(urls))


@contextmanager
def _listening() -> Iterator[tuple[socket.socket, str]]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening, f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _process(listening: socket.socket, given: dict[str, Any]) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.server", str(listening.fileno())],
        stdin=subprocess.PIPE,
        pass_fds=[listening.fileno()],
        cwd=Path(__file__).parents[1],
    )
    listening.close()
    stdin = cast("IO[bytes]", process.stdin)
    stdin.write(json.dumps(given).encode() + b"\n")
    stdin.flush()
    try:
        yield
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


def _stages(url: str, files: list[str]) -> list[dict[str, tuple[int, str]]]:
    """Ask a simulator what it says of a character without images, with a reference, with a set.

    A POST leads to the next stage. Ids are those of the character's place.
    """
    import httpx

    from charimg.testing import Simulator

    simulator = Simulator(base_url=_BASE)
    simulator.switches.set360_mode = "images"
    # Names of files are no ids.
    db_id = simulator.add_character(name="Lena")
    character = f"/api/v1/characters/{db_id}"
    paths = ["/api/health", "/api/v1/jobs"]
    paths += [character, f"{character}/images", f"{character}/reference-image"]
    posts = (f"{character}/generate-initial-image", f"{character}/generate-360-set")
    told: list[dict[str, tuple[int, Any]]] = [{}, {}, {}]
    with httpx.Client(transport=simulator.transport(), base_url=_BASE) as client:
        for stage, post in enumerate((*posts, "")):
            for path in paths:
                answer = client.get(path)
                told[stage][f"GET {path}"] = (answer.status_code, answer.json())
            if post:
                made = client.post(post, json={"prompt": "Lena."})
                told[stage][f"POST {post}"] = (made.status_code, made.json())
    _, first = told[0][f"POST {posts[0]}"]
    _, whole = told[1][f"POST {posts[1]}"]
    media = [first["data"]["imageId"], *(each["mediaId"] for each in whole["images"])]
    places = dict(zip(media, files, strict=True))
    # A set may be drawn again.
    told[2][f"POST {posts[1]}"] = told[1][f"POST {posts[1]}"]

    def written(answer: Any) -> str:
        text = json.dumps(_placed(answer, places)).replace(_BASE, url).replace(db_id, ID)
        for each in media:
            text = text.replace(each, SET + each[8:])
        return text

    return [
        {line.replace(db_id, ID): (status, written(said)) for line, (status, said) in one.items()}
        for one in told
    ]


def _placed(value: Any, places: dict[str, str]) -> Any:
    """Let the URLs of the images lead to the files."""
    if isinstance(value, list):
        return [_placed(each, places) for each in value]
    if not isinstance(value, dict):
        return value
    given = {name: _placed(each, places) for name, each in value.items()}
    place = places.get(given.get("mediaId") or given.get("imageId") or "")
    if not place:
        return given
    return given | {name: place for name in ("url", "publicUrl", "imageUrl") if name in given}


class _Many:
    """The characters of which each is without anything at first."""

    def __init__(self, stages: list[dict[str, tuple[int, str]]]) -> None:
        self._stages = stages
        self._reached: dict[str, int] = {}

    def answer(self, line: str, db_id: str) -> tuple[bytes, bytes] | None:
        """Return what a character says, which a POST brings to its next stage."""
        stage = self._reached.get(db_id, 0)
        found = self._stages[stage].get(line) if self._stages else None
        if found is None:
            return None
        if line.startswith("POST "):
            self._reached[db_id] = min(stage + 1, len(self._stages) - 1)
        status, text = found
        return _parts(text.replace(ID, db_id).replace(SET, db_id[:8]).encode(), status=status)


class _Connection(asyncio.Protocol):
    """One connection that is kept alive."""

    def __init__(self, answers: dict[str, tuple[bytes, bytes]], many: _Many, late: float) -> None:
        self._answers = answers
        self._many = many
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
            found = _IDS.search(line)
            asked, db_id = (_IDS.sub(ID, line), found[0]) if found else (line, "0" * 24)
            parts = self._answers.get(asked) or self._many.answer(asked, db_id)
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
        read = path.read_bytes()
        for place in (path.name, f"{ID}/{path.name}"):
            bodies[f"GET /files/{place}"] = (read, "image/jpeg")
    for line, (body, kind) in bodies.items():
        found[line] = _parts(body, kind)
    return found


def _parts(
    body: bytes, kind: str = "application/json", *, status: int = 200
) -> tuple[bytes, bytes]:
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode(), body


async def _serve(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    given = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    answers = _answers(given)
    many = _Many(given.get("stages", []))
    listening = socket.socket(fileno=descriptor)
    server = await loop.create_server(
        lambda: _Connection(answers, many, given["late"]), sock=listening
    )
    async with server:
        # The other side is gone.
        await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
