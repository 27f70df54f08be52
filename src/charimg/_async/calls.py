"""One call to the Character Library: sent as often as its kind allows, read, logged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve
from stamina import AsyncRetryingCaller

from .._http.api import AsyncApiTransport
from .._library import answers, requests
from .._library.answers import Exchange
from .._library.clock import ServerClock
from .._library.requests import LibraryRequest, is_request_id
from .._library.retry import RetryDecision
from .._library.values import Health
from .._plain import logger
from ..errors import CharacterLibraryError, ConfigurationError
from ..policies import RetryPolicy, Timeouts

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncCalls"]

_log = logger("charimg.library")

T = TypeVar("T")


class AsyncCalls:
    """Makes the calls of one client: request ids, repeated reads, log lines.

    Args:
        base_url: The checked base URL.
        headers: Sent with every request.
        timeouts: Seconds per kind of call.
        retries: How reads are repeated.
        client: An httpx client to use instead of an own one.
        request_id_factory: Gives the ``X-Request-Id`` of each call.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None,
        timeouts: Timeouts,
        retries: RetryPolicy,
        client: httpx.AsyncClient | None,
        request_id_factory: Callable[[], str] | None,
    ) -> None:
        self._base_url = base_url
        self._retries = retries
        self._new_request_id = request_id_factory
        # A server may quote a key that it refuses: "Bearer x" as a whole, or x alone.
        self._keys = tuple(
            text for value in (headers or {}).values() for text in (value, value.rpartition(" ")[2])
        )
        # An injected client may have a key of its own.
        self._keyless = not headers and client is None
        self._transport = AsyncApiTransport(
            base_url, headers=headers, timeouts=timeouts, client=client
        )
        self._clock = ServerClock()

    async def call(self, request: LibraryRequest, read: Callable[[Exchange], T]) -> T:
        """Send a request as often as its kind allows, and read the answer."""
        request_id = self._request_id()
        if self._keys:
            request = evolve(request, private=(*request.private, *self._keys))
        elif self._keyless:
            request = evolve(request, keyless=True)
        decision = RetryDecision(self._retries)
        try:
            return await self._attempt(request, read, request_id)
        except CharacterLibraryError as error:
            may_repeat = request.idempotent and self._retries.attempts > 1
            if not may_repeat or not error.retryable or decision.left <= 0:
                # stamina's test mode could ask for more attempts: these stay out of its hands.
                raise
            first = error
        return await self._again(request, read, request_id, decision, first)

    async def _again(
        self,
        request: LibraryRequest,
        read: Callable[[Exchange], T],
        request_id: str,
        decision: RetryDecision,
        first: CharacterLibraryError,
    ) -> T:
        """Repeat a read whose first attempt has failed; the others never pay for stamina."""

        async def attempt() -> T:
            if decision.last is None:
                raise first
            _log.info(
                "library.retry",
                extra={
                    "method": request.method,
                    "path": request.path,
                    "attempt": decision.failures + 1,
                    "code": str(decision.last.code),
                    "request_id": request_id,
                },
            )
            return await self._attempt(request, read, request_id)

        caller = AsyncRetryingCaller(
            attempts=self._retries.attempts,
            timeout=decision.left,
            wait_initial=self._retries.wait_initial,
            wait_max=self._retries.wait_max,
            wait_jitter=self._retries.wait_jitter,
        )
        return await caller(decision, attempt)

    @property
    def clock(self) -> ServerClock:
        """The server's clock."""
        return self._clock

    async def health(self) -> Health:
        """Ask how the server is, and what time it has."""
        return await self.call(requests.health(), self._heard)

    async def learn_time(self) -> None:
        """Ask once for the server's own time, unless that was not long ago."""
        if not self._clock.fresh:
            with suppress(CharacterLibraryError):
                await self._attempt(requests.health(), self._heard, self._request_id())

    def _heard(self, exchange: Exchange) -> Health:
        health = answers.health(exchange)
        self._clock.hear(health.timestamp)
        return health

    @property
    def in_one_loop(self) -> bool:
        """Whether its connections belong to an event loop."""
        return self._transport.in_one_loop

    def check(self) -> None:
        """Raise `ConfigurationError` if it cannot send anything any more."""
        self._transport.check()

    async def aclose(self) -> None:
        """Close the connections, unless the httpx client was injected. Idempotent."""
        await self._transport.aclose()

    async def _attempt(
        self, request: LibraryRequest, read: Callable[[Exchange], T], request_id: str
    ) -> T:
        """Send a request once and read the answer."""
        started = time.monotonic()
        told: dict[str, object] = {"method": request.method, "path": request.path}
        told["request_id"] = request_id
        try:
            answer = await self._transport.send(request, request_id=request_id)
            self._clock.note(answer.headers.get("date"))
            told["status"] = answer.status
            exchange = Exchange.of(request, answer, request_id, self._base_url)
            told["request_id"] = exchange.request_id
            return read(exchange)
        except CharacterLibraryError as error:
            told["code"] = str(error.code)
            raise
        finally:
            told["duration_ms"] = round((time.monotonic() - started) * 1000, 1)
            _log.debug("library.request", extra=told)

    def _request_id(self) -> str:
        """Return a new request id, the host's if it gives one."""
        if self._new_request_id is None:
            return os.urandom(16).hex()
        request_id = self._new_request_id()
        if is_request_id(request_id):
            return request_id
        raise ConfigurationError(
            "request_id_factory must give 1 to 128 visible ASCII characters. Nothing was sent."
        )
