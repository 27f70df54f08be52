"""The backend that makes connections, its resolver and its exceptions, apart from the network."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpcore
import httpx
import pytest

from charimg import (
    AsyncDownloader,
    ConfigurationError,
    Downloader,
    DownloadError,
    DownloadLimits,
    InvalidArgument,
    RetryPolicy,
)
from charimg._assembly.embedded import embedded
from charimg._http.guard import _AsyncBackend, _Backend
from charimg._http.resolve import Resolver
from charimg._http.stream import AsyncDownloadClient, DownloadClient
from charimg.cli.session import Settings

from ..ingest.samples import png
from ..patience import until
from .inward import CDN, MODES, PUBLIC, Names, names

OTHER = "2600::1"
NO_CONNECTION = [httpcore.ConnectError, httpcore.ConnectTimeout]


class Dialled(httpcore.NetworkBackend):
    """Answers each dial in turn: with an exception, or with a stream."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.dialled: list[tuple[str, int, float | None]] = []

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *rest: Any, **options: Any
    ) -> Any:
        self.dialled.append((host, port, timeout))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class AsyncDialled(httpcore.AsyncNetworkBackend):
    def __init__(self, inner: Dialled) -> None:
        self._inner = inner

    async def connect_tcp(self, *args: Any, **options: Any) -> Any:
        return self._inner.connect_tcp(*args, **options)


def connect(
    mode: str, answer: Sequence[str], dialled: Dialled, *, timeout: float | None = 8.0
) -> Any:
    """Connect to a host that has these addresses."""
    resolver = Resolver(lookups=1)
    with names(Names({CDN: answer})):
        if mode == "sync":
            backend = _Backend(exempt=False, resolver=resolver, network=dialled)
            return backend.connect_tcp(CDN, 443, timeout)

        async def run() -> Any:
            network = AsyncDialled(dialled)
            abackend = _AsyncBackend(exempt=False, resolver=resolver, network=network)
            return await abackend.connect_tcp(CDN, 443, timeout)

        return anyio.run(run)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failure", NO_CONNECTION)
def test_the_next_address_is_tried(mode: str, failure: type[Exception]) -> None:
    stream = httpcore.MockStream([])
    dialled = Dialled(failure("x"), stream)
    assert connect(mode, [OTHER, PUBLIC], dialled) is stream
    assert [each[:2] for each in dialled.dialled] == [(OTHER, 443), (PUBLIC, 443)]
    first, last = (each[2] for each in dialled.dialled)
    assert first is not None
    assert last is not None
    assert 0 < first <= 4, "one address does not take all the time"
    assert first < last <= 8


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("failure", NO_CONNECTION)
def test_the_last_failure_counts(mode: str, failure: type[Exception]) -> None:
    last = failure("last")
    dialled = Dialled(httpcore.ConnectError("first"), last)
    with pytest.raises(failure, match="last"):
        connect(mode, [OTHER, PUBLIC], dialled)


@pytest.mark.parametrize("mode", MODES)
def test_another_failure_is_not_passed_over(mode: str) -> None:
    dialled = Dialled(ZeroDivisionError("a bug"), httpcore.MockStream([]))
    with pytest.raises(ZeroDivisionError):
        connect(mode, [OTHER, PUBLIC], dialled)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_limit_there_is_none(mode: str) -> None:
    dialled = Dialled(httpcore.ConnectError("x"), httpcore.MockStream([]))
    connect(mode, [OTHER, PUBLIC], dialled, timeout=None)
    assert [each[2] for each in dialled.dialled] == [None, None]


@pytest.mark.parametrize("mode", MODES)
def test_an_address_is_tried_once_and_in_order(mode: str) -> None:
    dialled = Dialled(httpcore.ConnectError("x"), httpcore.ConnectError("x"))
    with pytest.raises(httpcore.ConnectError):
        connect(mode, [OTHER, PUBLIC, OTHER], dialled)
    assert [each[0] for each in dialled.dialled] == [OTHER, PUBLIC]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_bad_address_refuses_them_all(mode: str, at: int) -> None:
    answer = [PUBLIC, OTHER]
    answer.insert(at, "10.0.0.1")
    dialled = Dialled()
    with pytest.raises(DownloadError) as caught:
        connect(mode, answer, dialled)
    assert (caught.value.code, caught.value.retryable) == ("ADDRESS_REFUSED", False)
    assert CDN in str(caught.value)
    assert "10.0.0.1" not in str(caught.value)
    assert dialled.dialled == []


@pytest.mark.parametrize("mode", MODES)
def test_no_unix_socket_is_connected_to(mode: str) -> None:
    resolver = Resolver(lookups=1)
    if mode == "sync":
        backend = _Backend(exempt=True, resolver=resolver, network=Dialled())
        with pytest.raises(NotImplementedError):
            backend.connect_unix_socket("/var/run/docker.sock")
        return

    async def run() -> None:
        network = AsyncDialled(Dialled())
        abackend = _AsyncBackend(exempt=True, resolver=resolver, network=network)
        with pytest.raises(NotImplementedError):
            await abackend.connect_unix_socket("/var/run/docker.sock")

    anyio.run(run)


def test_an_empty_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: [])
    backend = _Backend(exempt=True, resolver=Resolver(lookups=1), network=Dialled())
    with pytest.raises(DownloadError, match=CDN):
        backend.connect_tcp(CDN, 80, 5)


# The resolver


class Hanging:
    """A resolver of the system that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = threading.Event()

    def __call__(self, *args: Any, **options: Any) -> list[Any]:
        self.asked += 1
        assert self.go_on.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, 80))]

    def asked_in_all(self, times: int) -> int:
        """Wait for so many lookups, which begin when their threads do, and tell how many began."""
        until(lambda: self.asked >= times)
        return self.asked


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Any:
    hanging = Hanging()
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    yield hanging
    hanging.go_on.set()


def test_a_lookup_that_hangs_is_left_behind_and_counted(hanging: Hanging) -> None:
    resolver = Resolver(lookups=2)
    for _ in range(2):
        with pytest.raises(httpcore.ConnectTimeout, match="took too long"):
            resolver.addresses(CDN, 80, 0.01)
    with pytest.raises(httpcore.ConnectTimeout, match="under way"):
        resolver.addresses(CDN, 80, 0.01)
    assert hanging.asked_in_all(2) == 2, "no further thread"
    hanging.go_on.set()
    for _ in range(5):
        assert resolver.addresses(CDN, 80, 60) == [PUBLIC]
    assert resolver.addresses(CDN, 80, None) == [PUBLIC]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "x"), UnicodeError("label too long")])
def test_a_failed_lookup_is_no_connection(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> list[Any]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    resolver = Resolver(lookups=1)
    for _ in range(3):
        with pytest.raises(httpcore.ConnectError, match="cannot be looked up") as caught:
            resolver.addresses(CDN, 80, 60)
        assert caught.value.__cause__ is error


def test_a_lookup_that_gets_no_thread_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    resolver = Resolver(lookups=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        for _ in range(3):
            with pytest.raises(httpcore.ConnectError, match="no thread"):
                resolver.addresses(CDN, 80, 5)
    with names(Names({CDN: [PUBLIC]})):
        assert resolver.addresses(CDN, 80, 60) == [PUBLIC]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_lookup_that_hangs_ends_with_the_download_async(backend: str, hanging: Hanging) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await anyio.lowlevel.checkpoint()
            ticks += 1

    async def run(timeout: float) -> None:
        limits = DownloadLimits(timeout=timeout)
        async with (
            AsyncDownloader(limits=limits, retries=RetryPolicy.off()) as downloader,
            anyio.create_task_group() as group,
        ):
            group.start_soon(tick)
            with pytest.raises(DownloadError) as caught:
                await downloader.fetch(f"http://{CDN}/a.png")
            assert (caught.value.code, caught.value.retryable) == ("TIMEOUT", True)
            group.cancel_scope.cancel()

    downloads = 0
    while not hanging.asked:  # a short time may be over before the lookup has begun
        anyio.run(run, 0.1 * 2**downloads, backend=backend)
        downloads += 1
    assert hanging.asked <= downloads, "one lookup each"
    assert not hanging.go_on.is_set(), "it was not waited for"
    assert ticks > 0, "the event loop went on"


def test_a_lookup_that_hangs_ends_with_the_download(hanging: Hanging) -> None:
    begun = time.monotonic()
    limits = DownloadLimits(timeout=30, connect_timeout=0.05)
    with (
        Downloader(limits=limits, retries=RetryPolicy.off()) as downloader,
        pytest.raises(DownloadError) as caught,
    ):
        downloader.fetch(f"http://{CDN}/a.png")
    assert caught.value.code == "TIMEOUT"
    assert time.monotonic() - begun < 20
    assert hanging.asked_in_all(1) == 1


# Exceptions


class Broken(httpcore.NetworkStream):
    """Sends the head of an answer, some of the body, and then fails."""

    def __init__(self, error: Exception, *, late: bool) -> None:
        self._error = error
        self._parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc"] if late else []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._parts:
            return self._parts.pop()
        raise self._error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass

    def close(self) -> None:
        pass


class AsyncBroken(httpcore.AsyncNetworkStream):
    def __init__(self, inner: Broken) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        pass

    async def aclose(self) -> None:
        pass


ERRORS: list[Exception] = [
    each("x")
    for name in httpcore.__all__
    if isinstance(each := getattr(httpcore, name), type)
    and issubclass(each, Exception)
    # The pool's own signal to itself.
    and each is not httpcore.ConnectionNotAvailable
]
ERRORS += [OSError("x"), ConnectionResetError("x"), ssl.SSLError("x"), TimeoutError("x")]


def test_all_exceptions_of_httpcore_are_tried() -> None:
    assert len(ERRORS) >= 18


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("when", ["connect", "head", "body"])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_exception_leaks(error: Exception, when: str, mode: str) -> None:
    inner = Broken(error, late=when == "body")
    stream: Any = inner if mode == "sync" else AsyncBroken(inner)
    dialled = Dialled(error if when == "connect" else stream)
    url = f"http://{CDN}/a.png?secret"
    times: Any = {"timeout": 5, "connect_timeout": 5}

    def sync() -> None:
        client = DownloadClient(connections=1, network=dialled)
        with client.stream(url, **times) as answer:
            list(answer.chunks)

    async def run() -> None:
        client = AsyncDownloadClient(connections=1, network=AsyncDialled(dialled))
        async with client.stream(url, **times) as answer:
            [chunk async for chunk in answer.chunks]

    with names(Names({CDN: [PUBLIC]})), pytest.raises(DownloadError) as caught:
        sync() if mode == "sync" else anyio.run(run)
    assert caught.value.code in {"CONNECTION", "TIMEOUT", "TRUNCATED"}
    timed_out = isinstance(error, httpcore.TimeoutException)
    assert (caught.value.code == "TIMEOUT") == timed_out
    assert "secret" not in f"{caught.value}{caught.value!r}"


# Settings


@pytest.mark.parametrize("mode", MODES)
def test_tls_settings_are_for_the_own_client(mode: str) -> None:
    context = ssl.create_default_context()
    make: Any = Downloader if mode == "sync" else AsyncDownloader
    client = httpx.Client() if mode == "sync" else httpx.AsyncClient()
    with pytest.raises(ConfigurationError, match="ssl_context"):
        make(client=client, ssl_context=context)


@pytest.mark.parametrize("setting", [{"allowed_origins": "http://a"}, {"ports": ["80"]}])
def test_settings_that_make_no_sense_are_refused(setting: Any) -> None:
    for downloader in (Downloader, AsyncDownloader):
        with pytest.raises((ConfigurationError, InvalidArgument)):
            downloader(**setting)


def test_an_injected_client_has_its_urls_checked_and_no_more() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=png())

    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        Downloader(client=client, retries=RetryPolicy.off()) as downloader,
    ):
        for url in ("http://10.0.0.1/", "http://[::1]/", "http://metadata.google.internal:81/"):
            with pytest.raises(DownloadError, match="refused"):
                downloader.fetch(url)
        # Its own affair: the name is not looked up here.
        downloader.fetch("http://metadata.google.internal/").close()


def test_the_command_takes_origins_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stores = embedded(tmp_path)
    stores.directory.get("nobody")  # makes the database
    stores.database.close()
    settings = Settings.of(tmp_path, "https://library.test")
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", "http://10.0.0.5:9000")
    with settings.service() as service:
        assert service._parts.downloader._policy.first("http://10.0.0.5:9000/a").exempt
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", "10.0.0.5:9000")
    with (
        pytest.raises(ConfigurationError, match="CHARIMG_ALLOWED_ORIGINS"),
        settings.service(),
    ):
        pytest.fail("it opened")
