"""The thin shells around httpx that talk to the Character Library, sync and async, by hand.

Everything that can be decided without I/O lives in `charimg._library`; here a request goes out, an
answer comes in whole, and httpx's exceptions become ours.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx
from attrs import frozen

from .._library.errors import failure, refusal
from .._library.requests import CallKind, LibraryAnswer, LibraryRequest, is_request_id
from ..errors import CharacterLibraryError, ConfigurationError, ErrorCode
from ..policies import Timeouts
from .clients import AsyncClients, Clients
from .defaults import client_options
from .quiet import quiet

__all__ = ["ApiTransport", "AsyncApiTransport"]

_MAX_BODY = 32 * 1024 * 1024
"""Cap in bytes on a JSON answer, counted after decompression."""

_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@frozen(kw_only=True)
class _Settings:
    """What both transports share; nothing in it is made anew for each request."""

    base_url: str
    headers: httpx.Headers
    seconds: Mapping[CallKind, float]
    timeouts: Mapping[CallKind, httpx.Timeout]

    @classmethod
    def checked(
        cls, base_url: str, headers: Mapping[str, str] | None, timeouts: Timeouts
    ) -> _Settings:
        try:
            httpx.URL(base_url)
        except httpx.InvalidURL as error:
            raise ConfigurationError("The base URL is not valid.") from error
        for name, value in (headers or {}).items():
            fits = name.isascii() and value.isascii() and (name + value).isprintable()
            if not fits or not name or any(each in name for each in " :\t"):
                # The value may be a key, so it is not shown.
                raise ConfigurationError(f"The header {name!a} cannot be sent.")
        made = httpx.Headers(dict(headers or {}))
        made["Accept"] = "application/json"
        seconds = {
            CallKind.READ: timeouts.read,
            CallKind.DELETE: timeouts.delete,
            CallKind.GENERATION: timeouts.generation,
        }
        connect = timeouts.connect
        return cls(
            base_url=base_url,
            headers=made,
            seconds=seconds,
            timeouts={
                kind: httpx.Timeout(most, connect=connect, pool=connect)
                for kind, most in seconds.items()
            },
        )

    def arguments(self, request: LibraryRequest, request_id: str) -> dict[str, Any]:
        """Return the arguments of httpx's ``stream``; they hold for an injected client too."""
        headers = self.headers.copy()
        headers["X-Request-Id"] = request_id
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return {
            "method": request.method,
            "url": self.base_url + request.target,
            "content": request.body,
            "headers": headers,
            "timeout": self.timeouts[request.kind],
            "follow_redirects": False,
        }


class _Reading:
    """Collects one answer; remembers how far it came, for the right error."""

    def __init__(self, request: LibraryRequest, request_id: str, seconds: float) -> None:
        self._request = request
        self._request_id = request_id
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._status: int | None = None
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def head(self, response: httpx.Response) -> None:
        self._status = response.status_code
        self._headers = dict(response.headers.items())

    def add(self, chunk: bytes) -> None:
        self._body += chunk
        if len(self._body) > _MAX_BODY:
            raise self._error(
                ErrorCode.INVALID_RESPONSE, f"the answer is larger than {_MAX_BODY} bytes."
            )
        # httpx's own time-out starts again with each chunk: a trickle would never end.
        if time.monotonic() > self._deadline:
            raise self._error(
                ErrorCode.TIMEOUT,
                f"the answer was not complete after {self._seconds:g} s.",
                retryable=True,
            )

    def answer(self, response: httpx.Response) -> LibraryAnswer:
        return LibraryAnswer(
            status=response.status_code, headers=self._headers, body=bytes(self._body)
        )

    def broken(self, error: httpx.HTTPError | httpx.InvalidURL) -> CharacterLibraryError:
        """Return our error for httpx's."""
        if isinstance(error, httpx.HTTPStatusError):
            # A response hook of an injected client raised, so that the body is gone.
            self.head(error.response)
            return refusal(
                self._request,
                LibraryAnswer(status=error.response.status_code, headers=self._headers, body=b""),
                {} if error.response.status_code < 500 else None,
                request_id=self._request_id,
            )
        if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
            return self._error(
                ErrorCode.TIMEOUT, f"no answer within {self._seconds:g} s.", retryable=True
            )
        if isinstance(error, httpx.PoolTimeout):
            return self._error(ErrorCode.TIMEOUT, "no free connection.", sent=False, retryable=True)
        if isinstance(error, httpx.DecodingError):
            return self._error(ErrorCode.INVALID_RESPONSE, "the answer cannot be decompressed.")
        if self._status is not None:
            return self._error(ErrorCode.INVALID_RESPONSE, "the answer is cut off.", retryable=True)
        if isinstance(error, (*_NEVER_SENT, httpx.InvalidURL)):
            return self._error(
                ErrorCode.UNAVAILABLE, "the server is out of reach.", sent=False, retryable=True
            )
        return self._error(ErrorCode.UNAVAILABLE, "the connection broke.", retryable=True)

    def _error(
        self, code: ErrorCode, problem: str, *, sent: bool = True, retryable: bool = False
    ) -> CharacterLibraryError:
        # A definite refusal (4xx) stays one even if its body never came.
        refused = self._status is not None and 300 <= self._status < 500
        named = self._headers.get("x-request-id")
        return failure(
            self._request,
            code,
            problem,
            request_id=named if named and is_request_id(named) else self._request_id,
            status=self._status,
            retryable=retryable,
            may_have_happened=sent and not refused,
            field="$" if code == ErrorCode.INVALID_RESPONSE else None,
        )


_CLIENT = "Character Library client"


class ApiTransport:
    """Sends requests with an `httpx.Client`, its own or an injected one.

    Raises:
        ConfigurationError: The base URL or a header cannot be sent.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts,
        client: httpx.Client | None = None,
    ) -> None:
        self._settings = _Settings.checked(base_url, headers, timeouts)
        self._clients = Clients(lambda: (httpx.Client(**client_options()),), client, _CLIENT)

    @property
    def in_one_loop(self) -> bool:
        """Whether its connections belong to an event loop."""
        return self._clients.in_one_loop

    def check(self) -> None:
        """Raise `ConfigurationError` if the client is closed, or in another event loop."""
        self._clients.get()

    def send(self, request: LibraryRequest, *, request_id: str) -> LibraryAnswer:
        """Send one request, once, and read its answer whole.

        Raises:
            CharacterLibraryError: No whole answer came.
            ConfigurationError: The client is closed.
        """
        (client,) = self._clients.get()
        reading = _Reading(request, request_id, self._settings.seconds[request.kind])
        arguments = self._settings.arguments(request, request_id)
        try:
            with quiet(), client.stream(**arguments) as response:
                reading.head(response)
                for chunk in response.iter_bytes():
                    reading.add(chunk)
                return reading.answer(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise reading.broken(error) from error

    def close(self) -> None:
        """Close the client, unless it was injected. Idempotent."""
        self._clients.close()


class AsyncApiTransport:
    """The async twin of `ApiTransport`."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeouts: Timeouts,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._settings = _Settings.checked(base_url, headers, timeouts)
        self._clients = AsyncClients(
            lambda: (httpx.AsyncClient(**client_options()),), client, _CLIENT
        )

    @property
    def in_one_loop(self) -> bool:
        """See `ApiTransport.in_one_loop`."""
        return self._clients.in_one_loop

    def check(self) -> None:
        """See `ApiTransport.check`."""
        self._clients.get()

    async def send(self, request: LibraryRequest, *, request_id: str) -> LibraryAnswer:
        """See `ApiTransport.send`."""
        (client,) = self._clients.get()
        reading = _Reading(request, request_id, self._settings.seconds[request.kind])
        arguments = self._settings.arguments(request, request_id)
        try:
            with quiet():
                async with client.stream(**arguments) as response:
                    reading.head(response)
                    async for chunk in response.aiter_bytes():
                        reading.add(chunk)
                    return reading.answer(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise reading.broken(error) from error

    async def aclose(self) -> None:
        """See `ApiTransport.close`."""
        await self._clients.aclose()
