"""The thin shells around httpx that talk to a host's CMS, sync and async, by hand.

What is asked and what an answer means is decided in `charimg.stores.payload`; here a request goes
out, an answer comes in whole or in chunks, and httpx's exceptions become ours. What goes wrong is
said without the server's words: they may quote a key or a prompt.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import (
    AsyncExitStack,
    ExitStack,
    aclosing,
    asynccontextmanager,
    closing,
    contextmanager,
    suppress,
)
from typing import Any
from urllib.parse import urlencode

import httpx
from attrs import Factory, field, frozen

from ..errors import StorageError
from ..models import Upload
from .clients import AsyncClients, Clients
from .defaults import client_options
from .quiet import quiet

__all__ = ["AsyncCmsTransport", "CmsAnswer", "CmsRequest", "CmsTransport"]

_CHUNK = 64 * 1024
_MAX_BODY = 64 * 1024 * 1024


def _boundary() -> str:
    return secrets.token_hex(16)


@frozen(kw_only=True)
class CmsRequest:
    """One request.

    Attributes:
        method: The HTTP method.
        url: Absolute.
        what: What it does, for messages, e.g. ``read media '12'``. Holds no secret.
        query: Sent as a form with a POST that stands for a GET, so that no length is too long.
        body: A JSON text.
        upload: A file to send; ``body`` goes along as ``_payload``.
        digest: Read the answer's body for its hash and size only.
    """

    method: str
    url: str
    what: str
    query: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    body: str | None = field(default=None, repr=False)
    upload: Upload | None = None
    digest: bool = False
    boundary: str = field(default=Factory(_boundary), repr=False)

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET" or self.query is not None

    def parts(self, upload: Upload) -> Iterator[bytes]:
        """Give the multipart body, checking the file against what was announced.

        Raises:
            StorageError: The file is another than was announced; the body stays unfinished, so
                that nothing is stored.
        """
        yield self._head(upload)
        size, digest = 0, hashlib.sha256()
        while chunk := upload.file.read(_CHUNK):
            size += len(chunk)
            digest.update(chunk)
            if size > upload.size:
                break
            yield chunk
        if size != upload.size or digest.hexdigest() != upload.sha256:
            raise StorageError(
                f"Media {upload.key!r} was announced with other bytes than its file gave. Nothing "
                "was stored; send it again from the source."
            )
        yield self._tail()

    def _head(self, upload: Upload) -> bytes:
        return (
            f"--{self.boundary}\r\n"
            'Content-Disposition: form-data; name="_payload"\r\n\r\n'
            f"{self.body}\r\n--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{upload.filename}"\r\n'
            f"Content-Type: {upload.mime_type}\r\n\r\n"
        ).encode()

    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()

    def arguments(self, headers: dict[str, str]) -> dict[str, Any]:
        """Return the arguments of httpx's ``stream``, but for the content of an upload."""
        headers = dict(headers)
        content: bytes | None = None
        if self.upload is not None:
            upload = self.upload
            length = len(self._head(upload)) + upload.size + len(self._tail())
            headers["Content-Type"] = f"multipart/form-data; boundary={self.boundary}"
            headers["Content-Length"] = str(length)
        elif self.query is not None:
            content = urlencode(self.query).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["X-Payload-HTTP-Method-Override"] = "GET"
        elif self.body is not None:
            content = self.body.encode()
            headers["Content-Type"] = "application/json"
        return {
            "method": self.method,
            "url": self.url,
            "headers": headers,
            "content": content,
            "follow_redirects": False,
        }


@frozen(kw_only=True)
class CmsAnswer:
    """One answer: its status, and its body or the body's hash.

    Attributes:
        status: The HTTP status.
        body: What came.
        sha256: Its hash, if that was asked for instead.
        size: Its size then.
        keyless: Whether the request had no credentials.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    sha256: str = ""
    size: int = 0
    keyless: bool = False


class _Reading:
    def __init__(self, request: CmsRequest) -> None:
        self._request = request
        self._body = bytearray()
        self._digest = hashlib.sha256()
        self._size = 0

    def add(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._request.digest:
            self._digest.update(chunk)
            return
        self._body += chunk
        if self._size > _MAX_BODY:
            raise StorageError(
                f"Could not {self._request.what}: the answer is larger than {_MAX_BODY} bytes."
            )

    def answer(self, status: int) -> CmsAnswer:
        return CmsAnswer(
            status=status,
            body=bytes(self._body),
            sha256=self._digest.hexdigest(),
            size=self._size,
        )


def _broken(what: str, error: Exception) -> StorageError:
    if isinstance(error, httpx.TimeoutException):
        return StorageError(f"Could not {what}: the CMS did not answer in time. Try again later.")
    if isinstance(error, httpx.ConnectError):
        return StorageError(f"Could not {what}: the CMS is out of reach. Check its URL; is it up?")
    return StorageError(
        f"Could not {what}: the connection to the CMS broke. If this was an upload, the file may "
        "be larger than the CMS takes; else try again later."
    )


_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError)


def _again(request: CmsRequest, error: Exception, attempt: int) -> bool:
    """Whether a read is sent once more: the CMS may have closed an idle connection."""
    broken = isinstance(error, httpx.NetworkError | httpx.ProtocolError)
    return request.reads and attempt == 0 and broken


_CLIENT = "CMS client"


class CmsTransport:
    """Sends requests with an `httpx.Client`, its own or an injected one.

    Args:
        timeout: Seconds for each of connecting, sending and receiving.
        client: An injected client; it is never closed here.
    """

    def __init__(self, *, timeout: float, client: httpx.Client | None = None) -> None:
        self._timeout = httpx.Timeout(timeout)
        self._clients = Clients(lambda: (httpx.Client(**client_options()),), client, _CLIENT)

    def send(self, request: CmsRequest, headers: dict[str, str]) -> CmsAnswer:
        """Send one request, and read its answer whole.

        Raises:
            StorageError: No whole answer came.
            ConfigurationError: The client is closed.
        """
        attempt = 0
        while True:
            (client,) = self._clients.get()
            reading = _Reading(request)
            arguments = request.arguments(headers)
            if request.upload is not None:
                arguments["content"] = request.parts(request.upload)
            try:
                with quiet(), client.stream(**arguments, timeout=self._timeout) as response:
                    for chunk in response.iter_bytes():
                        reading.add(chunk)
                    return reading.answer(response.status_code)
            except _ERRORS as error:
                if not _again(request, error, attempt):
                    raise _broken(request.what, error) from error
            attempt += 1

    @contextmanager
    def open(
        self, request: CmsRequest, headers: dict[str, str]
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Open a file; give the status and the body's chunks.

        Raises:
            StorageError: The connection broke, now or while reading.
        """
        (client,) = self._clients.get()
        arguments = request.arguments(headers)
        with ExitStack() as stack:
            # The connection's own errors only: those of the caller's block pass through.
            try:
                with quiet():
                    response = stack.enter_context(
                        client.stream(**arguments, timeout=self._timeout)
                    )
            except _ERRORS as error:
                raise _broken(request.what, error) from error
            yield response.status_code, stack.enter_context(closing(_chunks(request, response)))

    def close(self) -> None:
        """Close the client, unless it was injected. Idempotent."""
        self._clients.close()


def _chunks(request: CmsRequest, response: httpx.Response) -> Generator[bytes, None, None]:
    try:
        yield from response.iter_bytes(_CHUNK)
    except _ERRORS as error:
        raise _broken(request.what, error) from error


class AsyncCmsTransport:
    """The async twin of `CmsTransport`."""

    def __init__(self, *, timeout: float, client: httpx.AsyncClient | None = None) -> None:
        self._timeout = httpx.Timeout(timeout)
        self._clients = AsyncClients(
            lambda: (httpx.AsyncClient(**client_options()),), client, _CLIENT
        )

    async def send(self, request: CmsRequest, headers: dict[str, str]) -> CmsAnswer:
        """See `CmsTransport.send`."""
        attempt = 0
        while True:
            (client,) = self._clients.get()
            reading = _Reading(request)
            arguments = request.arguments(headers)
            if request.upload is not None:
                arguments["content"] = _aparts(request.parts(request.upload))
            try:
                with quiet():
                    async with client.stream(**arguments, timeout=self._timeout) as response:
                        async for chunk in response.aiter_bytes():
                            reading.add(chunk)
                        return reading.answer(response.status_code)
            except _ERRORS as error:
                if not _again(request, error, attempt):
                    raise _broken(request.what, error) from error
            attempt += 1

    @asynccontextmanager
    async def open(
        self, request: CmsRequest, headers: dict[str, str]
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """See `CmsTransport.open`."""
        (client,) = self._clients.get()
        arguments = request.arguments(headers)
        async with AsyncExitStack() as stack:
            try:
                with quiet():
                    response = await stack.enter_async_context(
                        client.stream(**arguments, timeout=self._timeout)
                    )
            except _ERRORS as error:
                raise _broken(request.what, error) from error
            chunks = await stack.enter_async_context(aclosing(_achunks(request, response)))
            yield response.status_code, chunks

    async def aclose(self) -> None:
        """See `CmsTransport.close`."""
        await self._clients.aclose()


async def _aparts(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    from anyio.to_thread import run_sync

    # Reading may wait for a disk, so not in the event loop.
    while (part := await run_sync(next, parts, None)) is not None:
        yield part


async def _achunks(request: CmsRequest, response: httpx.Response) -> AsyncGenerator[bytes, None]:
    try:
        chunks = response.aiter_bytes(_CHUNK)
        try:
            async for chunk in chunks:
                yield chunk
        except GeneratorExit:
            # httpx nests generators, and trio warns of each that is given up half-way.
            with suppress(*_ERRORS):
                async for _ in chunks:
                    pass
            raise
    except _ERRORS as error:
        raise _broken(request.what, error) from error
