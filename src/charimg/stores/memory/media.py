"""The media store in memory."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Generic, Self, TypeVar
from urllib.parse import quote

from attrs import evolve, frozen

from ..._arguments import Unpicklable, checked
from ...errors import MediaNotFound
from ...models import Media, Upload
from .._threads import in_thread
from .._uploads import check_side, chunks_of, has_thumbnail, stored, thumbnail_of

__all__ = ["AsyncMemoryMediaStore", "MemoryMediaStore"]

T = TypeVar("T")

_CHUNK = 64 * 1024


@frozen(kw_only=True)
class _File:
    media: Media
    data: bytes
    thumbnail: bytes


@checked
class MemoryMediaStore(Unpicklable):
    """A `MediaStore` whose files are byte strings.

    URLs are ``memory:<key>`` and ``memory:<key>?thumbnail``.

    Args:
        thumbnail_px: The longest side of a thumbnail in pixels; 0, the default, keeps none.

    Attributes:
        thumbnail_px: The same.

    Raises:
        InvalidArgument: ``thumbnail_px`` is negative.
    """

    concurrent_safe = True

    def __init__(self, *, thumbnail_px: int = 0) -> None:
        self.thumbnail_px: int = check_side(thumbnail_px)
        self._lock = threading.Lock()
        self._files: dict[str, _File] = {}

    def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`.

        Raises:
            StorageError: ``upload.file`` does not hold what ``upload.size`` and ``upload.sha256``
                say.
        """
        first = self.get(upload.key)
        if first is not None:
            return first
        read = self._read(upload)
        with self._lock:
            return self._files.setdefault(upload.key, read).media

    def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`."""
        return upload.sha256

    def replace(self, upload: Upload, /) -> Media:
        """See `RepairableMediaStore.replace`."""
        read = self._read(upload)
        with self._lock:
            self._files[upload.key] = read
        return read.media

    def has_renditions(self, media: Media, /) -> bool:  # noqa: ARG002 - of the port
        """Return true: nobody can take a thumbnail away."""
        return True

    def _read(self, upload: Upload) -> _File:
        data = b"".join(chunks_of(upload))
        thumbnail = thumbnail_of(upload, self.thumbnail_px)
        media = stored(upload, thumbnail=bool(thumbnail))
        return _File(media=media, data=data, thumbnail=thumbnail)

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """See `MediaStore.open`."""
        yield self._chunks(key)

    def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        with self._lock:
            file = self._files.get(key)
        return None if file is None else file.media

    def thumbnail(self, key: str, /) -> bytes:
        """Return the thumbnail of a key, a WebP; nothing if there is none."""
        with self._lock:
            file = self._files.get(key)
        return b"" if file is None else file.thumbnail

    def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        with self._lock:
            return self._files.pop(key, None) is not None

    def locate(self, media: Media, /) -> Media:
        """See `MediaStore.locate`."""
        url = f"memory:{quote(media.key, safe='')}"
        return evolve(
            media, url=url, thumbnail_url=f"{url}?thumbnail" if has_thumbnail(media) else None
        )

    def keys(self) -> set[str]:
        """Return the keys of everything stored."""
        with self._lock:
            return set(self._files)

    def list_keys(self) -> Iterator[str]:
        """See `ListableMediaStore.list_keys`."""
        return iter(self.keys())

    def _chunks(self, key: str) -> Iterator[bytes]:
        with self._lock:
            if key not in self._files:
                raise MediaNotFound(
                    f"There is no media under the key {key!r}. It was deleted, or never stored."
                )
            data = self._files[key].data
        return (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))


class AsyncMemoryMediaStore:
    """The async twin of `MemoryMediaStore`."""

    concurrent_safe = True

    def __init__(self, *, thumbnail_px: int = 0) -> None:
        self._sync = MemoryMediaStore(thumbnail_px=thumbnail_px)

    @property
    def thumbnail_px(self) -> int:
        """See `MemoryMediaStore`."""
        return self._sync.thumbnail_px

    async def save(self, upload: Upload, /) -> Media:
        """See `MemoryMediaStore.save`."""
        if self.thumbnail_px and upload.thumbnail is None:
            # To draw one takes its time.
            return await in_thread(lambda: self._sync.save(upload))
        return self._sync.save(upload)

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `MediaStore.open`."""
        return self._open(key)

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        with self._sync.open(key) as chunks:
            yield _Iterated(chunks)

    async def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        return self._sync.get(key)

    async def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        return self._sync.delete(key)

    def thumbnail(self, key: str, /) -> bytes:
        """See `MemoryMediaStore.thumbnail`."""
        return self._sync.thumbnail(key)

    def locate(self, media: Media, /) -> Media:
        """See `MemoryMediaStore.locate`."""
        return self._sync.locate(media)

    def keys(self) -> set[str]:
        """Return the keys of everything stored."""
        return self._sync.keys()

    def list_keys(self) -> AsyncIterator[str]:
        """See `ListableMediaStore.list_keys`."""
        return _Iterated(self._sync.list_keys())

    async def has_renditions(self, media: Media, /) -> bool:
        """See `MemoryMediaStore.has_renditions`."""
        return self._sync.has_renditions(media)

    async def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`."""
        return upload.sha256

    async def replace(self, upload: Upload, /) -> Media:
        """See `RepairableMediaStore.replace`."""
        if self.thumbnail_px and upload.thumbnail is None:
            return await in_thread(lambda: self._sync.replace(upload))
        return self._sync.replace(upload)


class _Iterated(Generic[T]):
    """An iterator that may be left half read: unlike a generator, it needs no closing."""

    def __init__(self, values: Iterator[T]) -> None:
        self._values = values

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for value in self._values:
            return value
        raise StopAsyncIteration
