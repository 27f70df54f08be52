"""The async store: the sync one in worker threads, so that the event loop never waits for a disk.

A cancelled call is not abandoned: its thread finishes first, and the cancellation arrives then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Self

from ...models import Media, Upload
from .._batches import Batches, batch
from .._threads import in_thread
from .store import DiskMediaStore, open_file, read_chunk

__all__ = ["AsyncDiskMediaStore"]


class AsyncDiskMediaStore:
    """The async twin of `DiskMediaStore`, for asyncio and trio. See there for everything."""

    concurrent_safe = True

    def __init__(
        self,
        directory: str | PathLike[str],
        *,
        base_url: str | None = None,
        thumbnail_px: int = 320,
    ) -> None:
        self._store = DiskMediaStore(directory, base_url=base_url, thumbnail_px=thumbnail_px)

    @property
    def thumbnail_px(self) -> int:
        """See `DiskMediaStore`."""
        return self._store.thumbnail_px

    def __repr__(self) -> str:
        return f"Async{self._store!r}"

    async def save(self, upload: Upload, /) -> Media:
        """See `DiskMediaStore.save`."""
        return await in_thread(lambda: self._store.save(upload))

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `MediaStore.open`."""
        return self._open(key)

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        # Closing a file that was only read does not wait for the disk.
        with ExitStack() as opened:

            def enter() -> tuple[Path, IO[bytes]]:
                path, file = open_file(self._store, key)
                # Here, because a cancelled caller never gets the result.
                return path, opened.enter_context(file)

            path, file = await in_thread(enter)
            yield _Chunks(file, key, path)

    async def get(self, key: str, /) -> Media | None:
        """See `DiskMediaStore.get`."""
        return await in_thread(lambda: self._store.get(key))

    async def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        return await in_thread(lambda: self._store.delete(key))

    def list_keys(self) -> AsyncIterator[str]:
        """See `DiskMediaStore.list_keys`."""
        keys = self._store.list_keys()
        return Batches(lambda: in_thread(lambda: batch(keys)))

    async def has_renditions(self, media: Media, /) -> bool:
        """See `DiskMediaStore.has_renditions`."""
        return await in_thread(lambda: self._store.has_renditions(media))

    async def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`."""
        return upload.sha256

    async def replace(self, upload: Upload, /) -> Media:
        """See `DiskMediaStore.replace`."""
        return await in_thread(lambda: self._store.replace(upload))

    def locate(self, media: Media, /) -> Media:
        """See `DiskMediaStore.locate`."""
        return self._store.locate(media)

    def urls_by(self) -> str:
        """See `PermanentMediaStore.urls_by`."""
        return self._store.urls_by()

    def path(self, media: Media, /) -> Path:
        """See `DiskMediaStore.path`."""
        return self._store.path(media)


class _Chunks:
    """An iterator that may be left half read: unlike a generator, it needs no closing."""

    def __init__(self, file: IO[bytes], key: str, path: Path) -> None:
        self._file = file
        self._key = key
        self._path = path

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await in_thread(lambda: read_chunk(self._file, self._key, self._path))
        if not chunk:
            raise StopAsyncIteration
        return chunk
