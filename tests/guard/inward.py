"""A network in miniature: servers on the loopback addresses that nobody may reach, names that lead
to them, and clients that try. Nothing here ever connects to an address that is not loopback."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from typing import Any

import anyio
import httpcore
import httpx
import pytest

from charimg import AsyncDownloader, Downloader, DownloadError, ImageRejected, RetryPolicy
from charimg._http.stream import AsyncDownloadClient, DownloadClient

from ..ingest.samples import png

MODES = ("sync", "async")
PUBLIC = "93.184.216.34"
"""Stands for any public address; what connects to it lands on a server here that may be reached."""
CDN = "cdn.test"
"""A name that leads there."""

_REAL = socket.getaddrinfo
_FAMILY = {False: socket.AF_INET, True: socket.AF_INET6}

Answer = Callable[[str], bytes]
"""Makes an answer of the first line of a request."""


def whole_png(line: str) -> bytes:
    body = png()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def moved(location: str, status: int = 302) -> bytes:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n"
    return f"{head}Connection: close\r\n\r\n".encode()


class Listener:
    """A server that counts who connects, whatever they say."""

    def __init__(self, host: str = "127.0.0.1", answer: Answer = whole_png) -> None:
        try:
            self._socket = socket.create_server((host, 0), family=_FAMILY[":" in host], backlog=128)
        except OSError:  # a machine without IPv6
            self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        self.reached = 0
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.reached += 1
            with connection:
                connection.settimeout(10)
                try:
                    # Once only: who speaks TLS here waits for an answer, too.
                    received = connection.recv(65536)
                    connection.sendall(self._answer(received.decode("latin-1").split("\r\n")[0]))
                except OSError:
                    pass

    def close(self) -> None:
        # A listening socket that is only closed leaves its thread in accept().
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


class Names:
    """What the resolver answers, and how often it was asked. Addresses written out need no name."""

    def __init__(self, table: dict[str, Sequence[str]]) -> None:
        self.table = dict(table)
        self.asked: Counter[str] = Counter()

    def __call__(
        self,
        host: Any,
        port: Any,
        family: int = 0,
        kind: int = 0,
        proto: int = 0,
        flags: int = 0,
        **named: int,
    ) -> list[Any]:
        family, kind = named.get("family", family), named.get("type", kind)
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name.lower().rstrip(".") in self.table:
            self.asked[name] += 1
            texts: Iterable[str] = self.table[name.lower().rstrip(".")]
        else:
            flags |= socket.AI_NUMERICHOST
            texts = [each[4][0] for each in _REAL(host, port, family, kind, proto, flags)]
        found = []
        for text in texts:
            six = ":" in text
            if family in (0, _FAMILY[six]):
                address = (text, port, 0, 0) if six else (text, port)
                found.append((_FAMILY[six], socket.SOCK_STREAM, 6, "", address))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return found


class OnlyLoopback(Names):
    """The same for a client without guard: what is not loopback is not there."""

    def __call__(self, *args: Any, **options: Any) -> list[Any]:
        found = [each for each in super().__call__(*args, **options) if is_here(each[4][0])]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "not here")
        return found


def is_here(text: str) -> bool:
    """Tell whether this machine itself answers at an address."""
    address = ip_address(text.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


class Network(httpcore.NetworkBackend):
    """Connects for a guarded client; remembers to where. Public addresses are on this machine."""

    def __init__(self) -> None:
        self.dialled: list[str] = []

    def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        return httpcore.SyncBackend().connect_tcp(self.here(host, port), port, *args, **options)

    def here(self, host: str, port: int) -> str:
        """Note an address, and return which one of this machine stands for it."""
        self.dialled.append(host)
        if host == PUBLIC and port not in (80, 443):
            return "127.0.0.1"
        if not is_here(host):
            raise httpcore.ConnectError("not here")
        return host


class AsyncNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, network: Network) -> None:
        self._network = network

    async def connect_tcp(self, host: str, port: int, *args: Any, **options: Any) -> Any:
        here = self._network.here(host, port)
        return await httpcore.AnyIOBackend().connect_tcp(here, port, *args, **options)


def guarded(
    mode: str,
    urls: Iterable[str],
    network: Any,
    *,
    ssl_context: Any = None,
    library_url: str | None = None,
    **options: Any,
) -> list[str]:
    """Download each URL with one guarded downloader; return what came of it: ``ok`` or a code."""
    options = {"retries": RetryPolicy.off(), **options}
    parts: Any = {"connections": 4, "ssl_context": ssl_context}
    found: list[str] = []
    if mode == "sync":
        with Downloader(**options) as downloader:
            downloader.close()
            downloader._client = DownloadClient(**parts, network=network)
            for url in urls:
                try:
                    downloader.fetch(url, library_url=library_url).close()
                    found.append("ok")
                except (DownloadError, ImageRejected) as error:
                    found.append(_code(error))
        return found

    async def run() -> list[str]:
        async with AsyncDownloader(**options) as downloader:
            await downloader.aclose()
            downloader._client = AsyncDownloadClient(**parts, network=_as_async(network))
            for url in urls:
                try:
                    (await downloader.fetch(url, library_url=library_url)).close()
                    found.append("ok")
                except (DownloadError, ImageRejected) as error:
                    found.append(_code(error))
        return found

    return anyio.run(run)


def _as_async(network: Any) -> Any:
    return AsyncNetwork(network) if isinstance(network, Network) else network


def _code(error: DownloadError | ImageRejected) -> str:
    assert "secret" not in f"{error}{error!r}"
    return error.code


def streamed(mode: str, urls: Iterable[str], network: Any) -> list[str]:
    """Ask for each URL below the policy of URLs: only the guard of connections is left."""
    times = {"timeout": 10, "connect_timeout": 10}
    found: list[str] = []
    if mode == "sync":
        client = DownloadClient(connections=4, network=network)
        for url in urls:
            try:
                with client.stream(url, **times) as answer:
                    found.append(str(answer.status))
            except DownloadError as error:
                found.append(_code(error))
        client.close()
        return found

    async def run() -> None:
        client = AsyncDownloadClient(connections=4, network=_as_async(network))
        for url in urls:
            try:
                async with client.stream(url, **times) as answer:
                    found.append(str(answer.status))
            except DownloadError as error:
                found.append(_code(error))
        await client.aclose()

    anyio.run(run)
    return found


def unguarded(urls: Iterable[str], listeners: Sequence[Listener]) -> list[str]:
    """Return the URLs by which a plain httpx client reaches one of the servers."""
    reached = []
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=10) as client:
        for url in urls:
            before = sum(each.reached for each in listeners)
            with suppress(httpx.HTTPError, httpx.InvalidURL, UnicodeError):
                client.get(url)
            if sum(each.reached for each in listeners) > before:
                reached.append(url)
    return reached


@contextmanager
def listening(*listeners: Listener) -> Iterator[tuple[Listener, ...]]:
    """Close servers at the end of a block."""
    with ExitStack() as stack:
        for each in listeners:
            stack.callback(each.close)
        yield listeners


@contextmanager
def names(table: Names) -> Iterator[Names]:
    """Let a table answer in place of the system's resolver for the length of a block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", table)
        yield table
