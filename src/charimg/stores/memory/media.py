"""The media store in memory."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Self
from urllib.parse import quote

from attrs import evolve

from ..._arguments import Unpicklable, checked
from ...errors import MediaNotFound, StorageError
from ...models import Media, Upload

__all__ = ["AsyncMemoryMediaStore", "MemoryMediaStore"]

_CHUNK = 64 * 1024


@checked
class MemoryMediaStore(Unpicklable):
    """A `MediaStore` whose files are byte strings. URLs are ``memory:<key>``."""

    concurrent_safe = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[Media, bytes]] = {}

    def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`.

        Raises:
            StorageError: ``upload.file`` does not hold what ``upload.size`` and ``upload.sha256``
                say.
        """
        stored = self.get(upload.key)
        if stored is not None:
            return stored
        upload.file.seek(0)
        data = upload.file.read()
        sha256 = hashlib.sha256(data).hexdigest()
        if (len(data), sha256) != (upload.size, upload.sha256):
            raise StorageError(
                f"Media {upload.key!r} was announced with {upload.size} bytes and SHA-256 "
                f"{upload.sha256[:12]}…, but the file gave {len(data)} bytes and {sha256[:12]}…. "
                "Nothing was stored; send it again from the source."
            )
        media = Media(
            id=upload.key,
            key=upload.key,
            filename=upload.filename,
            mime_type=upload.mime_type,
            size=len(data),
            width=upload.width,
            height=upload.height,
            sha256=sha256,
            alt=upload.alt,
        )
        with self._lock:
            return self._files.setdefault(upload.key, (media, data))[0]

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """See `MediaStore.open`."""
        yield self._chunks(key)

    def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        with self._lock:
            media, _ = self._files.get(key, (None, b""))
        return media

    def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        with self._lock:
            return self._files.pop(key, None) is not None

    def locate(self, media: Media, /) -> Media:
        """Return the media with a ``memory:`` URL; there are no thumbnails."""
        return evolve(media, url=f"memory:{quote(media.key, safe='')}", thumbnail_url=None)

    def keys(self) -> set[str]:
        """Return the keys of everything stored."""
        with self._lock:
            return set(self._files)

    def _chunks(self, key: str) -> Iterator[bytes]:
        with self._lock:
            if key not in self._files:
                raise MediaNotFound(
                    f"There is no media under the key {key!r}. It was deleted, or never stored."
                )
            data = self._files[key][1]
        return (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))


class AsyncMemoryMediaStore:
    """The async twin of `MemoryMediaStore`."""

    concurrent_safe = True

    def __init__(self) -> None:
        self._sync = MemoryMediaStore()

    async def save(self, upload: Upload, /) -> Media:
        """See `MemoryMediaStore.save`."""
        return self._sync.save(upload)

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `MediaStore.open`."""
        return self._open(key)

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        with self._sync.open(key) as chunks:
            yield _Chunks(chunks)

    async def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        return self._sync.get(key)

    async def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        return self._sync.delete(key)

    def locate(self, media: Media, /) -> Media:
        """See `MemoryMediaStore.locate`."""
        return self._sync.locate(media)

    def keys(self) -> set[str]:
        """Return the keys of everything stored."""
        return self._sync.keys()


class _Chunks:
    """An iterator that may be left half read: unlike a generator, it needs no closing."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration
