"""A server of canned answers, for `httpx.MockTransport` in both modes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, TypeAlias

import httpx

Reply: TypeAlias = Callable[[httpx.Request], httpx.Response]


def reply(
    document: Any = None,
    *,
    status: int = 200,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Answer with a JSON document, or with a body."""
    raw = json.dumps(document).encode() if body is None else body
    return lambda request: httpx.Response(status, content=raw, headers=headers)


def html(status: int = 502) -> Reply:
    """Answer as a gateway does."""
    return reply(
        status=status, body=b"<html>Bad Gateway</html>", headers={"content-type": "text/html"}
    )


def failing(error: Exception) -> Reply:
    """Answer not at all."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    return fail


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body of chunks, and then an error."""

    def __init__(self, *chunks: bytes, error: Exception | None = None) -> None:
        self._chunks = chunks
        self._error = error
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in iter(self):
            yield each

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Scripted:
    """Gives the replies in turn, and remembers the requests. A further request is an error."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert self._replies, f"unexpected request: {request.method} {request.url}"
        return self._replies.pop(0)(request)

    @property
    def lines(self) -> list[str]:
        """Method and target of each request."""
        return [f"{each.method} {each.url.raw_path.decode()}" for each in self.requests]

    @property
    def transport(self) -> httpx.MockTransport:
        """The transport for a client."""
        return httpx.MockTransport(self)
