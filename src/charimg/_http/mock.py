"""An httpx transport in front of the simulator: no socket, real httpx behaviour."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import anyio
import httpx

__all__ = ["SimulatorTransport"]


class _Response(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    @property
    def broken(self) -> str | None: ...
    @property
    def seconds(self) -> float: ...


_R = TypeVar("_R", bound=_Response)


class _Simulator(Protocol[_R]):
    def handle(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> _R: ...
    def delivering(self, response: _R) -> AbstractContextManager[None]: ...


class _CutStream(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The first half of a body, and then a broken connection."""

    def __init__(self, body: bytes) -> None:
        self._half = body[: len(body) // 2]

    def __iter__(self) -> Iterator[bytes]:
        yield self._half
        raise httpx.ReadError("the connection broke")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._half
        raise httpx.ReadError("the connection broke")


class SimulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands every request to a simulator; for `httpx.Client` and `httpx.AsyncClient`."""

    def __init__(self, simulator: _Simulator[_R]) -> None:
        self._handle = simulator.handle
        self._delivering = simulator.delivering

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of a sync client."""
        answer = self._handle(
            request.method, str(request.url), dict(request.headers), request.read()
        )
        with self._delivering(answer):
            if patience := _patience(answer, request):
                # Even a wait for nothing gives the processor to somebody else.
                time.sleep(patience)
            return _delivered(answer, request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of an async client."""
        body = await request.aread()
        answer = self._handle(request.method, str(request.url), dict(request.headers), body)
        with self._delivering(answer):
            await anyio.sleep(_patience(answer, request))
            return _delivered(answer, request)


def _patience(answer: _Response, request: httpx.Request) -> float:
    """Return how long the client waits for the answer, in seconds."""
    limit = request.extensions.get("timeout", {}).get("read")
    return answer.seconds if limit is None else min(answer.seconds, limit)


def _delivered(answer: _Response, request: httpx.Request) -> httpx.Response:
    if _patience(answer, request) < answer.seconds:
        raise httpx.ReadTimeout("the answer took too long", request=request)
    if answer.broken == "refused":
        raise httpx.ConnectError("connection refused", request=request)
    if answer.broken == "lost":
        raise httpx.ReadError("the connection broke", request=request)
    headers = dict(answer.headers)
    if answer.broken == "cut":
        return httpx.Response(answer.status, headers=headers, stream=_CutStream(answer.body))
    return httpx.Response(answer.status, headers=headers, content=answer.body)
