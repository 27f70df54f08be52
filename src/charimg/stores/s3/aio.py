"""The async store: the sync one in worker threads.

Not obstore's own async calls: as of 0.12.1 they abort the interpreter at exit, now and then. anyio
bounds the threads (40 unless the host sets another number). A cancelled call is not abandoned: its
thread finishes first, and the cancellation arrives then.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

from ...models import Media, Upload
from .._threads import in_thread
from .bucket import Body
from .store import S3MediaStore, open_body, read_body

__all__ = ["AsyncS3MediaStore"]


class AsyncS3MediaStore:
    """The async twin of `S3MediaStore`, for asyncio and trio. See there for everything."""

    concurrent_safe = True

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        public_url: str | None = None,
        url_ttl: float = 3600.0,
        thumbnail_px: int = 320,
        cache_control: str = "public, max-age=31536000, immutable",
        checksum: str = "sha256",
        timeout: float = 60.0,
        retries: int = 3,
        credential_provider: Any = None,
    ) -> None:
        self._store = S3MediaStore(
            bucket,
            prefix=prefix,
            endpoint=endpoint,
            region=region,
            public_url=public_url,
            url_ttl=url_ttl,
            thumbnail_px=thumbnail_px,
            cache_control=cache_control,
            checksum=checksum,
            timeout=timeout,
            retries=retries,
            credential_provider=credential_provider,
        )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """See `S3MediaStore.from_url`."""
        made = cls.__new__(cls)
        made._store = S3MediaStore.from_url(url, **options)  # noqa: SLF001 - of this class
        return made

    def __repr__(self) -> str:
        return f"Async{self._store!r}"

    async def save(self, upload: Upload, /) -> Media:
        """See `S3MediaStore.save`."""
        return await in_thread(lambda: self._store.save(upload))

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `S3MediaStore.open`."""
        return self._open(key)

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        media, body = await in_thread(lambda: open_body(self._store, key))
        yield _Chunks(self._store, media, body)

    async def get(self, key: str, /) -> Media | None:
        """See `S3MediaStore.get`."""
        return await in_thread(lambda: self._store.get(key))

    async def delete(self, key: str, /) -> bool:
        """See `S3MediaStore.delete`."""
        return await in_thread(lambda: self._store.delete(key))

    def locate(self, media: Media, /) -> Media:
        """See `S3MediaStore.locate`."""
        return self._store.locate(media)


class _Chunks:
    """An iterator that may be left half read: unlike a generator, it needs no closing."""

    def __init__(self, store: S3MediaStore, media: Media, body: Body) -> None:
        self._store = store
        self._media = media
        self._body = body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = await in_thread(lambda: read_body(self._store, self._media, self._body))
        if not chunk:
            raise StopAsyncIteration
        return chunk
