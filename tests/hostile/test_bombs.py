"""Bombs and trickles: refused within the deadline, and never held in memory."""

from __future__ import annotations

import io
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import anyio
import httpx
import pytest

from charimg import (
    AsyncDownloader,
    Downloader,
    DownloadLimits,
    IngestionError,
    RetryPolicy,
)

from ..figures import Figure
from ..http.raw_server import RawServer, head, raw_server
from ..http.scripted import Chunks
from ..ingest.samples import avif, box, chunk, drawn, ihdr, jpeg, png, segment

Image = pytest.importorskip("PIL.Image")

MODES = ("sync", "async")
DEADLINE = 0.3
PATIENCE = 120.0
"""Seconds after which a deadline counts as missed; without one these servers never end."""
LONG = 3600.0
"""Of a download that something else ends."""
OFF = RetryPolicy.off()
MIB = 1024 * 1024


def refused(mode: str, url: str, **options: Any) -> tuple[IngestionError, float]:
    """Return how a download fails, and the seconds that it took."""
    options = {"retries": OFF, **options}
    begun = time.monotonic()
    with pytest.raises(IngestionError) as caught:
        _FETCH[mode](url, options)
    return caught.value, time.monotonic() - begun


def _fetch(url: str, options: dict[str, Any]) -> None:
    with Downloader(**options) as downloader:
        downloader.fetch(url).close()


def _afetch(url: str, options: dict[str, Any]) -> None:
    async def main() -> None:
        async with AsyncDownloader(**options) as downloader:
            (await downloader.fetch(url)).close()

    anyio.run(main)


_FETCH = {"sync": _fetch, "async": _afetch}


# Trickles


class Endless:
    """A script that sends the same for ever."""

    def __init__(self, first: bytes, again: bytes, wait: float = 0.01) -> None:
        self._first = first
        self._steps = (again, wait) if wait else (again,)

    def __iter__(self) -> Iterator[bytes | float]:
        yield self._first
        while True:
            yield from self._steps


@contextmanager
def at_dns(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    over = threading.Event()
    real = socket.getaddrinfo

    def hang(host: Any, *args: Any, **options: Any) -> Any:
        if host == "slow.test":
            over.wait()
            raise socket.gaierror("no such host")
        return real(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        yield "http://slow.test:8080"
    finally:
        over.set()


@contextmanager
def at_connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A queue of connections that is full: the next one is never answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = []
        for _ in range(16):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(address)
            waiting.append(each)
        try:
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for each in waiting:
                each.close()


@contextmanager
def at_tls(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A handshake whose records come byte by byte."""

    class Handshake(Endless):
        def __init__(self) -> None:
            super().__init__(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", b"\x01")

    with _Impatient(Handshake()) as server:
        yield server.url.replace("http:", "https:")


class _Impatient:
    """A server that does not wait for a request, as nobody sends one before TLS."""

    def __init__(self, script: Endless) -> None:
        self._script = script
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        try:
            connection, _ = self._listening.accept()
            with connection:
                for step in self._script:
                    if isinstance(step, bytes):
                        connection.sendall(step)
                    else:
                        time.sleep(step)
        except OSError:
            return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        # Wakes it if nobody came, which would otherwise hide the failure that says why.
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join()
        self._listening.close()


def sending(*arguments: Any) -> Callable[[pytest.MonkeyPatch], Any]:
    """Return the context of a server that sends without end."""

    @contextmanager
    def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        script: Any = Endless(*arguments)
        with raw_server(script) as server:
            yield server.url

    return serve


TRICKLES: dict[str, Callable[[pytest.MonkeyPatch], Any]] = {
    "DNS": at_dns,
    "connect": at_connect,
    "TLS": at_tls,
    "status line": sending(b"HTTP/1.1 200 ", b"x"),
    "header": sending(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "headers": sending(b"HTTP/1.1 200 OK\r\n", b"X-Slow: x\r\n"),
    "1xx, slow": sending(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "1xx, flood": sending(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 20, 0),
    "body": sending(head(Content_Length=1_000_000), b"\x89"),
    "chunked body": sending(head(Transfer_Encoding="chunked"), b"1\r\nx\r\n"),
    "chunk extension": sending(head(Transfer_Encoding="chunked") + b"1;", b"x"),
    "body without a length": sending(head(), b"x"),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_trickle_ends_with_the_deadline(
    mode: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    longest = 0.0
    for name, serve in TRICKLES.items():
        with serve(monkeypatch) as url:
            error, seconds = refused(
                mode,
                url,
                limits=DownloadLimits(timeout=DEADLINE),
                allowed_origins=[url],
                ssl_context=ssl.create_default_context(),
            )
        assert error.code in ("TIMEOUT", "CONNECTION", "TRUNCATED"), name
        assert error.code == "TIMEOUT" or seconds < PATIENCE / 4, (name, error)
        assert seconds < PATIENCE, name
        longest = max(longest, seconds)
    figure(
        f"trickles at {len(TRICKLES)} points, {mode}",
        f"0 stored, deadline {DEADLINE:g} s, the slowest ended after {longest:.2f} s",
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_deadline_of_next_to_nothing(mode: str) -> None:
    client: Any = {"sync": httpx.Client, "async": httpx.AsyncClient}[mode](
        transport=httpx.MockTransport(lambda request: httpx.Response(200, content=png()))
    )
    error, _ = refused(
        mode, "https://cdn.test/a", client=client, limits=DownloadLimits(timeout=1e-9)
    )
    assert error.code == "TIMEOUT"


# Bombs


def png_of(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + png()[8 + 25 :]


def frames(kind: str, count: int) -> bytes:
    """Return an animation that is small as a file."""
    out = io.BytesIO()
    shades = [Image.new("P", (2000, 2000), each % 7) for each in range(count)]
    shades[0].save(out, kind, save_all=True, append_images=shades[1:])
    return out.getvalue()


def bombs() -> dict[str, httpx.Response | Callable[[], httpx.Response]]:
    """Return what an image host may answer, small on the way and large when believed."""
    blow = zlib.compress(bytes(64 * MIB), 9)
    wide = struct.pack(">HHB", 65500, 65500, 1)
    webp = drawn("WEBP", lossless=True)
    bits = int.from_bytes(webp[21:25], "little") | (1 << 28) - 1
    bodies = {
        "pixels in a PNG": b"\x89PNG\r\n\x1a\n" + ihdr(60_000, 60_000) + png()[8 + 25 :],
        "pixels in a JPEG": jpeg(65_000, 65_000),
        "pixels in a JPEG, twice": jpeg()[:-2] + b"\xff\xc0\x00\x0b\x08" + wide + b"\x01\x11\x00",
        "pixels in a WebP": webp[:21] + bits.to_bytes(4, "little") + webp[25:],
        "pixels in a GIF": b"GIF89a\xff\xff\xff\xff" + drawn("GIF")[10:],
        "frames of a GIF": frames("GIF", 12),
        "frames of a PNG": frames("PNG", 12),
        "text in a PNG": png_of(ihdr(), chunk(b"zTXt", b"Comment\0\0" + blow)),
        "profile in a PNG": png_of(ihdr(), chunk(b"iCCP", b"name\0\0" + blow)),
        "parts of a PNG": png_of(ihdr(), chunk(b"teSt") * 100_001),
    }
    gzipped = {"content-encoding": "gzip"}

    def endless() -> httpx.Response:
        class Body(Chunks):
            def __iter__(self) -> Iterator[bytes]:
                yield b"\x89PNG\r\n\x1a\n" + ihdr()
                block = chunk(b"teSt", bytes(MIB))
                while True:
                    yield block

        return httpx.Response(200, stream=Body())

    return {
        **{name: httpx.Response(200, content=body) for name, body in bodies.items()},
        "gzip": httpx.Response(200, headers=gzipped, stream=Chunks(blow)),
        "br": httpx.Response(200, headers={"content-encoding": "br"}, stream=Chunks(blow)),
        "gzip, gzip": httpx.Response(
            200, headers={"content-encoding": "gzip, gzip"}, stream=Chunks(blow)
        ),
        "announced size": httpx.Response(
            200, headers={"content-length": "9" * 18}, stream=Chunks(b"x")
        ),
        "endless": endless,
    }


@pytest.mark.parametrize("mode", MODES)
def test_a_bomb_is_refused_and_costs_little_memory(mode: str, figure: Figure) -> None:
    formats = ["png", "jpeg", "webp", "gif", "avif"]
    limits = DownloadLimits(formats=formats, max_pixels=40_000_000, timeout=LONG)
    most = 0
    answers = bombs()
    for name, answer in answers.items():

        def handle(request: httpx.Request, answer: Any = answer) -> httpx.Response:
            made: httpx.Response = answer() if callable(answer) else answer
            return made

        transport = httpx.MockTransport(handle)
        client: Any = {"sync": httpx.Client, "async": httpx.AsyncClient}[mode](transport=transport)
        tracemalloc.start()
        try:
            error, _ = refused(
                mode, "https://cdn.test/a", client=client, limits=limits, decode=True
            )
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # None of them: it took longer than the limits let a download take.
        assert error.code in ("NOT_AN_IMAGE", "TOO_MANY_PIXELS", "TOO_LARGE"), (name, error)
        assert peak < limits.max_bytes + 16 * MIB, name
        most = max(most, peak)
    figure(
        f"bombs, {mode}",
        f"{len(answers)} tried, 0 stored, at most {most / MIB:.1f} MiB of memory "
        f"(allowed: {limits.max_bytes / MIB + 16:.0f})",
    )


def hoards() -> dict[str, bytes]:
    """Return images with much in them that is none, in every form that might be held in memory."""
    evil = b"<script>alert(1)</script>"
    head, rest = png()[:33], png()[33:]
    between = b"".join(chunk(b"tEXt", evil) + chunk(b"tEXt", b"a") for _ in range(2_000))
    return {
        "a long trailer": png() + bytes(20 * MIB),
        "a long text": head + chunk(b"tEXt", evil + bytes(20 * MIB)) + rest,
        "a text of tags": head + chunk(b"tEXt", b"<img a on" * (MIB // 4)) + rest,
        "many texts": head + chunk(b"tEXt", evil) * 5_000 + rest,
        "many texts between others": head + between + rest,
        "bytes between segments": jpeg()[:2] + segment(0xFE, b"") + b"\xff\0" * MIB + jpeg()[2:],
        "a long box": avif() + box(b"free", evil, bytes(20 * MIB)),
    }


@pytest.mark.parametrize("mode", MODES)
def test_what_is_left_out_costs_little_memory(mode: str, figure: Figure) -> None:
    most, bodies = 0, hoards()
    for name, body in bodies.items():
        # In pieces, as a network gives it: the whole of it counts as the test's own.
        pieces = [body[start : start + MIB] for start in range(0, len(body), MIB)]
        transport = httpx.MockTransport(
            lambda request, pieces=pieces: httpx.Response(200, stream=Chunks(*pieces))  # type: ignore[misc]
        )
        client: Any = {"sync": httpx.Client, "async": httpx.AsyncClient}[mode](transport=transport)
        tracemalloc.start()
        try:
            options = {"limits": DownloadLimits(timeout=LONG), "decode": False, "retries": OFF}
            _FETCH[mode]("https://cdn.test/a", {"client": client, **options})
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 16 * MIB, name
        most = max(most, peak)
    figure(
        f"images full of what is none, {mode}",
        f"{len(bodies)} tried, all in, at most {most / MIB:.1f} MiB of memory (allowed: 16)",
    )


@pytest.mark.parametrize("mode", MODES)
def test_an_endless_body_on_a_socket_ends_at_the_cap(mode: str) -> None:
    block = chunk(b"teSt", bytes(64 * 1024))
    script: Any = Endless(head() + b"\x89PNG\r\n\x1a\n" + ihdr(), block, 0)
    server: RawServer
    with raw_server(script) as server:
        error, _ = refused(
            mode,
            server.url,
            limits=DownloadLimits(max_bytes=2 * MIB, timeout=LONG, connect_timeout=LONG),
            allowed_origins=[server.url],
        )
    assert error.code == "TOO_LARGE"
