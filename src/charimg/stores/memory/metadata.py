"""The metadata repository in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC

from attrs import evolve

from ..._arguments import Unpicklable, checked
from ...errors import ImageNotFound
from ...models import CharacterImage, ImagePage
from .._pages import check_limit, decode_cursor, encode_cursor

__all__ = ["AsyncMemoryMetadataRepository", "MemoryMetadataRepository"]


@checked
class MemoryMetadataRepository(Unpicklable):
    """A `MetadataRepository` in a dictionary; a record's id is its key."""

    requires_media = False

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._images: dict[str, CharacterImage] = {}

    def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        with self._lock:
            return self._images.setdefault(image.key, _stored(evolve(image, id=image.key)))

    def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        with self._lock:
            return tuple([self.add(image) for image in images])

    def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        with self._lock:
            return self._images.get(image_id)

    def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        with self._lock:
            first = self._images.get(image.id)
            if first is None:
                raise ImageNotFound(f"There is no record {image.id!r} to update.")
            image = evolve(_stored(image), key=first.key, created_at=first.created_at)
            self._images[image.id] = image
            return image

    def list(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ImagePage:
        """See `MetadataRepository.list`.

        Raises:
            InvalidArgument: The cursor is none of this listing's, or the limit is not 1 to 1,000.
        """
        check_limit(limit)
        before = None if cursor is None else decode_cursor(cursor, str, str)
        with self._lock:
            images = list(self._images.values())
        matching = sorted(
            (
                image
                for image in images
                if image.character_id == character_id
                and kind in (None, image.kind)
                and status in (None, image.status)
            ),
            key=_place,
            reverse=True,
        )
        rest = [image for image in matching if before is None or _place(image) < before]
        more = len(rest) > limit
        return ImagePage(
            images=tuple(rest[:limit]),
            next_cursor=encode_cursor(*_place(rest[limit - 1])) if more else None,
            total=len(matching),
        )

    def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        with self._lock:
            return self._images.pop(image_id, None) is not None

    def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        with self._lock:
            return tuple(sorted({image.character_id for image in self._images.values()}))


def _place(image: CharacterImage) -> tuple[str, str]:
    # One time zone and one number of digits, so that the text sorts as the time does.
    created = image.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    return (created, image.id)


def _stored(image: CharacterImage) -> CharacterImage:
    """Return the record without what is derived when it is read."""
    if image.media is None:
        return image
    return image.with_media(evolve(image.media, url=None, thumbnail_url=None))


class AsyncMemoryMetadataRepository:
    """The async twin of `MemoryMetadataRepository`."""

    requires_media = False

    def __init__(self) -> None:
        self._sync = MemoryMetadataRepository()

    async def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        return self._sync.add(image)

    async def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `MemoryMetadataRepository.add_many`."""
        return tuple([await self.add(image) for image in images])

    async def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        return self._sync.get(image_id)

    async def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        return self._sync.update(image)

    async def list(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ImagePage:
        """See `MemoryMetadataRepository.list`."""
        return self._sync.list(character_id, kind=kind, status=status, limit=limit, cursor=cursor)

    async def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return self._sync.delete(image_id)

    async def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        return self._sync.character_ids()
