"""The async store: the sync one in worker threads.

Not obstore's own async calls: as of 0.12.1 they abort the interpreter at exit, now and then. anyio
bounds the threads (40 unless the host sets another number). A cancelled call is not abandoned: its
thread finishes first, and the cancellation arrives then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Self

from ..._arguments import checked
from ...models import Media, Upload
from .._threads import in_thread
from .objects import S3Objects

__all__ = ["AsyncS3MediaStore"]


@checked
class AsyncS3MediaStore(S3Objects):
    """The async twin of `S3MediaStore`, for asyncio and trio. See there for everything."""

    async def save(self, upload: Upload, /) -> Media:
        """See `S3MediaStore.save`."""
        return await in_thread(lambda: self._save(upload))

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `S3MediaStore.open`."""
        return self._open(key)

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        media, body = await in_thread(lambda: self._begin(key))
        yield _Chunks(lambda: self._next(media, body))

    async def get(self, key: str, /) -> Media | None:
        """See `S3MediaStore.get`."""
        return await in_thread(lambda: self._get(key))

    async def delete(self, key: str, /) -> bool:
        """See `S3MediaStore.delete`."""
        return await in_thread(lambda: self._delete(key))


class _Chunks:
    """An iterator that may be left half read: unlike a generator, it needs no closing."""

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read = read

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await in_thread(self._read)
        if not chunk:
            raise StopAsyncIteration
        return chunk
