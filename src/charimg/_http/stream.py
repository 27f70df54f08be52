"""The thin shells around httpx that fetch files, sync and async, by hand.

Requests are made whole here, past the client's own defaults: no default header, cookie, parameter
or authentication of a client ever goes to the host of an image, an injected client's neither. What
an injected client does bring are its transport, proxies, event hooks, limits and TLS settings;
cookies that image hosts set stay in its jar. Only the own clients are guarded (see ``guard.py``):
what an injected one connects to is its own affair.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING

import httpx
from attrs import frozen

from .._ingest.urls import redact
from ..errors import DownloadError, ErrorCode
from .clients import AsyncClients, Clients
from .deadline import within
from .quiet import quiet

if TYPE_CHECKING:
    import ssl

    import httpcore

__all__ = ["AsyncDownloadAnswer", "AsyncDownloadClient", "DownloadAnswer", "DownloadClient"]

_HEADERS = {
    "Accept": "image/png,image/jpeg,image/webp,image/*;q=0.8,*/*;q=0.5",
    # Compressed bytes could swell beyond any limit, and images do not shrink.
    "Accept-Encoding": "identity",
    "User-Agent": "charimg",
}


@frozen(kw_only=True)
class DownloadAnswer:
    """One answer, its body still to come.

    Attributes:
        status: The HTTP status.
        headers: By lower-case name.
        chunks: The raw bytes as they arrive. Raises `DownloadError`.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


@frozen(kw_only=True)
class AsyncDownloadAnswer:
    """The async twin of `DownloadAnswer`."""

    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class DownloadClient:
    """Fetches files with guarded `httpx.Client`s of its own, or with an injected one.

    Args:
        connections: How many connections at most; all of them may be kept alive.
        client: Used, and never closed. Then nothing else is.
        ssl_context: TLS settings of the own clients.
        network: What connects the own clients to a checked address, instead of sockets.
    """

    def __init__(
        self,
        *,
        connections: int,
        client: httpx.Client | None = None,
        ssl_context: ssl.SSLContext | None = None,
        network: httpcore.NetworkBackend | None = None,
    ) -> None:
        def make() -> tuple[httpx.Client, ...]:
            # Together with httpcore, which an injected client may do without.
            from .guard import guarded_clients

            return guarded_clients(
                connections=connections, ssl_context=ssl_context, network=network
            )

        self._clients = Clients(make, client, "downloader")

    @property
    def in_one_loop(self) -> bool:
        """Whether its connections belong to an event loop."""
        return self._clients.in_one_loop

    def check(self) -> None:
        """Raise `ConfigurationError` if the client is closed, or in another event loop."""
        self._clients.get()

    @contextmanager
    def stream(
        self, url: str, *, timeout: float, connect_timeout: float, exempt: bool = False
    ) -> Iterator[DownloadAnswer]:
        """Ask for a checked URL; the connection is given back when the block ends.

        Args:
            url: The URL.
            timeout: Seconds for all of it, until the block ends.
            connect_timeout: Seconds that connecting may take.
            exempt: Whether the host may be private.

        Raises:
            ConfigurationError: The client is closed.
            DownloadError: No answer came.
        """
        public, *others = self._clients.get()
        client = others[0] if exempt and others else public
        with within(timeout):
            with _translated(url, "before it answered"), quiet():
                request = _request(url, timeout, connect_timeout)
                response = client.send(request, stream=True, auth=None, follow_redirects=False)
            try:
                with closing(_chunks(url, response)) as chunks:
                    yield DownloadAnswer(
                        status=response.status_code, headers=_lower(response), chunks=chunks
                    )
            finally:
                response.close()

    def close(self) -> None:
        """Close the client, unless it was injected. Idempotent."""
        self._clients.close()


class AsyncDownloadClient:
    """The async twin of `DownloadClient`."""

    def __init__(
        self,
        *,
        connections: int,
        client: httpx.AsyncClient | None = None,
        ssl_context: ssl.SSLContext | None = None,
        network: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        def make() -> tuple[httpx.AsyncClient, ...]:
            from .guard import async_guarded_clients

            return async_guarded_clients(
                connections=connections, ssl_context=ssl_context, network=network
            )

        self._clients = AsyncClients(make, client, "downloader")

    @property
    def in_one_loop(self) -> bool:
        """Whether its connections belong to an event loop."""
        return self._clients.in_one_loop

    def check(self) -> None:
        """See `DownloadClient.check`."""
        self._clients.get()

    @asynccontextmanager
    async def stream(
        self, url: str, *, timeout: float, connect_timeout: float, exempt: bool = False
    ) -> AsyncIterator[AsyncDownloadAnswer]:
        """See `DownloadClient.stream`."""
        public, *others = self._clients.get()
        client = others[0] if exempt and others else public
        with _translated(url, "before it answered"), quiet():
            request = _request(url, timeout, connect_timeout)
            response = await client.send(request, stream=True, auth=None, follow_redirects=False)
        try:
            async with aclosing(_achunks(url, response)) as chunks:
                yield AsyncDownloadAnswer(
                    status=response.status_code, headers=_lower(response), chunks=chunks
                )
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """See `DownloadClient.close`."""
        await self._clients.aclose()


def _chunks(url: str, response: httpx.Response) -> Generator[bytes, None, None]:
    # A transport that makes answers up may hand one over already read; then there is no raw stream.
    read = response.is_stream_consumed
    with _translated(url, "while it sent the file", cut=ErrorCode.TRUNCATED):
        yield from response.iter_bytes() if read else response.iter_raw()


async def _achunks(url: str, response: httpx.Response) -> AsyncGenerator[bytes, None]:
    read = response.is_stream_consumed
    with _translated(url, "while it sent the file", cut=ErrorCode.TRUNCATED):
        async for chunk in response.aiter_bytes() if read else response.aiter_raw():
            yield chunk


def _request(url: str, timeout: float, connect_timeout: float) -> httpx.Request:
    times = httpx.Timeout(timeout, connect=min(timeout, connect_timeout))
    return httpx.Request("GET", url, headers=_HEADERS, extensions={"timeout": times.as_dict()})


def _lower(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


@contextmanager
def _translated(url: str, when: str, *, cut: ErrorCode = ErrorCode.CONNECTION) -> Iterator[None]:
    """Turn httpx's exceptions into ours; ``cut`` is what a broken-off answer means."""
    try:
        yield
    except httpx.HTTPStatusError as error:
        # A response hook of an injected client raises for what is no success.
        status = error.response.status_code
        raise DownloadError(
            f"{redact(url)} answered with status {status} instead of 200. Try again later.",
            code=ErrorCode.BAD_STATUS,
            status_code=status,
            retryable=status >= 500,
        ) from error
    except httpx.InvalidURL as error:
        raise DownloadError(
            f"The image URL {redact(url)} was refused: it is malformed.",
            code=ErrorCode.URL_REFUSED,
        ) from error
    except httpx.TimeoutException as error:
        raise DownloadError(
            f"{redact(url)} was too slow {when}. Try again later.",
            code=ErrorCode.TIMEOUT,
            retryable=True,
        ) from error
    except httpx.RequestError as error:
        ours = isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError)
        raise DownloadError(
            f"The connection to {redact(url)} failed {when}. Try again later.",
            code=cut if isinstance(error, httpx.RemoteProtocolError) else ErrorCode.CONNECTION,
            retryable=not ours,
        ) from error
