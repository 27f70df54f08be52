"""The guarded clients: every connection of a download is checked where it is made.

httpcore asks its network backend for each new connection. Ours looks the host up once, checks every
address in the answer, and connects to one of just these: nobody can answer differently between
check and connection. The URL stays as it is, so TLS is verified against the name of the host, and a
pooled connection serves its own origin only. Connections that an exemption allowed have a pool of
their own, so nobody without it finds them there.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import anyio
import anyio.to_thread
import httpcore
import httpx

from .._ingest.addresses import fits
from .._ingest.origins import address_refused
from .deadline import left
from .defaults import usual_tls
from .resolve import Resolver
from .timed import AsyncTimedBackend, TimedBackend

__all__ = ["async_guarded_clients", "guarded_clients"]

_KEEPALIVE_SECONDS = 5.0

_NO_CONNECTION = (httpcore.ConnectError, httpcore.ConnectTimeout)

_TWINS: dict[type[Exception], type[httpx.RequestError]] = {
    httpcore.TimeoutException: httpx.TimeoutException,
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.NetworkError: httpx.NetworkError,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.ProtocolError: httpx.ProtocolError,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.ProxyError: httpx.ProxyError,
    # A broken TLS record passes through anyio as it is.
    OSError: httpx.NetworkError,
}
"""httpcore's exceptions as httpx's, which are translated to ours in one place."""


def guarded_clients(
    *,
    connections: int,
    ssl_context: ssl.SSLContext | None = None,
    network: httpcore.NetworkBackend | None = None,
) -> tuple[httpx.Client, httpx.Client]:
    """Return a client for the public Internet, and one for exempt origins.

    Both ignore the environment, use no proxy, follow no redirect and keep no cookie.

    Args:
        connections: How many connections at most, for each; all of them may be kept alive.
        ssl_context: TLS settings instead of the usual ones.
        network: What connects to a checked address, instead of sockets.
    """
    context = ssl_context or usual_tls(trust_env=False)
    resolver = Resolver(lookups=2 * connections)
    sockets: httpcore.NetworkBackend = httpcore.SyncBackend()
    dials = TimedBackend(sockets if network is None else network)
    public, exempt = (
        httpx.Client(
            transport=_Transport(
                connections, context, _Backend(exempt=exempt, resolver=resolver, network=dials)
            ),
            **_client_options(),
        )
        for exempt in (False, True)
    )
    return public, exempt


def async_guarded_clients(
    *,
    connections: int,
    ssl_context: ssl.SSLContext | None = None,
    network: httpcore.AsyncNetworkBackend | None = None,
) -> tuple[httpx.AsyncClient, httpx.AsyncClient]:
    """The async twin of `guarded_clients`."""
    context = ssl_context or usual_tls(trust_env=False)
    resolver = Resolver(lookups=2 * connections)
    sockets = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
    dials = AsyncTimedBackend(sockets if network is None else network)
    public, exempt = (
        httpx.AsyncClient(
            transport=_AsyncTransport(
                connections,
                context,
                _AsyncBackend(exempt=exempt, resolver=resolver, network=dials),
            ),
            **_client_options(),
        )
        for exempt in (False, True)
    )
    return public, exempt


def _client_options() -> dict[str, Any]:
    nothing_kept = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    return {"trust_env": False, "follow_redirects": False, "cookies": nothing_kept}


class _Limit:
    """The seconds that one connection may take, its lookup included."""

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        # Not 0, which a socket takes for "do not block".
        return None if self._end is None else max(0.001, self._end - time.monotonic())

    def half(self) -> float | None:
        left = self.left()
        return None if left is None else left / 2


def _checked(host: str, addresses: list[str], *, exempt: bool) -> list[str]:
    """Return the addresses, or refuse them all for the sake of one that does not fit."""
    if not addresses or not all(fits(each, exempt=exempt) for each in addresses):
        raise address_refused(host)
    return addresses


class _Backend(httpcore.NetworkBackend):
    """Connects to checked addresses only; to no Unix socket."""

    def __init__(
        self, *, exempt: bool, resolver: Resolver, network: httpcore.NetworkBackend
    ) -> None:
        self._exempt = exempt
        self._resolver = resolver
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = left(timeout, httpcore.ConnectTimeout)
        limit = _Limit(timeout)
        found = self._resolver.addresses(host, port, timeout)
        *others, last = _checked(host, found, exempt=self._exempt)
        for address in others:
            with suppress(*_NO_CONNECTION):
                return self._network.connect_tcp(
                    address, port, limit.half(), local_address, socket_options
                )
        return self._network.connect_tcp(last, port, limit.left(), local_address, socket_options)


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """The async twin of `_Backend`."""

    def __init__(
        self, *, exempt: bool, resolver: Resolver, network: httpcore.AsyncNetworkBackend
    ) -> None:
        self._exempt = exempt
        self._resolver = resolver
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        limit = _Limit(timeout)
        found = await anyio.to_thread.run_sync(
            self._resolver.addresses,
            host,
            port,
            timeout,
            abandon_on_cancel=True,
            # The pool bounds how many there are; the host's own threads are not used up.
            limiter=anyio.CapacityLimiter(1),
        )
        *others, last = _checked(host, found, exempt=self._exempt)
        for address in others:
            with suppress(*_NO_CONNECTION):
                return await self._network.connect_tcp(
                    address, port, limit.half(), local_address, socket_options
                )
        return await self._network.connect_tcp(
            last, port, limit.left(), local_address, socket_options
        )


class _Transport(httpx.BaseTransport):
    """A connection pool over a backend."""

    def __init__(
        self, connections: int, ssl_context: ssl.SSLContext, backend: httpcore.NetworkBackend
    ) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=backend,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            answer = self._pool.handle_request(_as_httpcore(request))
        return _response(answer, _Body(answer))

    def close(self) -> None:
        self._pool.close()


class _AsyncTransport(httpx.AsyncBaseTransport):
    """The async twin of `_Transport`."""

    def __init__(
        self, connections: int, ssl_context: ssl.SSLContext, backend: httpcore.AsyncNetworkBackend
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        with _as_httpx():
            answer = await self._pool.handle_async_request(_as_httpcore(request))
        return _response(answer, _AsyncBody(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _AsyncBody(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _as_httpx():
            async for chunk in self._answer.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


def _as_httpcore(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        extensions=request.extensions,
    )


def _response(
    answer: httpcore.Response, body: httpx.SyncByteStream | httpx.AsyncByteStream
) -> httpx.Response:
    return httpx.Response(
        answer.status, headers=answer.headers, stream=body, extensions=answer.extensions
    )


@contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except tuple(_TWINS) as error:
        kind = next(kind for kind in type(error).__mro__ if kind in _TWINS)
        raise _TWINS[kind](str(error)) from error
