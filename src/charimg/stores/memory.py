"""All four stores in memory: for tests, demonstrations and scripts that keep nothing.

Everything is gone when the process ends; one lock per store makes them safe for several threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

from attrs import evolve

from ..errors import (
    GenerationInProgress,
    ImageNotFound,
    InvalidArgument,
    LeaseLost,
    MediaNotFound,
    StorageError,
)
from ..journal import Lease, Operation, OperationPage
from ..models import CharacterImage, CharacterReference, ImagePage, Media, Upload
from ._pages import check_limit, decode_cursor, encode_cursor

__all__ = [
    "AsyncMemoryCharacterDirectory",
    "AsyncMemoryGenerationLedger",
    "AsyncMemoryMediaStore",
    "AsyncMemoryMetadataRepository",
    "MemoryCharacterDirectory",
    "MemoryGenerationLedger",
    "MemoryMediaStore",
    "MemoryMetadataRepository",
]

_CHUNK = 64 * 1024


class MemoryCharacterDirectory:
    """A `CharacterDirectory` that also takes characters in."""

    def __init__(self, characters: Iterable[CharacterReference] = ()) -> None:
        self._lock = threading.Lock()
        self._characters = {character.id: character for character in characters}

    def get(self, character_id: str, /) -> CharacterReference | None:
        """Return the character, or ``None``."""
        with self._lock:
            return self._characters.get(character_id)

    def put(self, character: CharacterReference, /) -> None:
        """Add the character, or replace the one with its id."""
        with self._lock:
            self._characters[character.id] = character

    def list_all(self) -> tuple[CharacterReference, ...]:
        """Return every character, by id."""
        with self._lock:
            return tuple(self._characters[each] for each in sorted(self._characters))

    def remove(self, character_id: str, /) -> bool:
        """Forget the character; tell whether it was there. Its images stay."""
        with self._lock:
            return self._characters.pop(character_id, None) is not None


class MemoryMediaStore:
    """A `MediaStore` whose files are byte strings. URLs are ``memory:<key>``."""

    concurrent_safe = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, tuple[Media, bytes]] = {}

    def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`."""
        upload.file.seek(0)
        data = upload.file.read()
        if len(data) != upload.size:
            raise StorageError(
                f"The file of media {upload.key} holds {len(data)} bytes instead of {upload.size}; "
                "nothing was stored."
            )
        media = Media(
            id=upload.key,
            key=upload.key,
            filename=upload.filename,
            mime_type=upload.mime_type,
            size=upload.size,
            width=upload.width,
            height=upload.height,
            sha256=upload.sha256,
            alt=upload.alt,
        )
        with self._lock:
            return self._files.setdefault(upload.key, (media, data))[0]

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """See `MediaStore.open`."""
        with self._lock:
            if key not in self._files:
                raise MediaNotFound(f"There is no media under the key {key!r}.")
            data = self._files[key][1]
        yield (data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK))

    def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        with self._lock:
            return self._files[key][0] if key in self._files else None

    def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        with self._lock:
            return self._files.pop(key, None) is not None

    def locate(self, media: Media, /) -> Media:
        """Return the media with a ``memory:`` URL; there are no thumbnails."""
        return evolve(media, url=f"memory:{media.key}", thumbnail_url=None)

    def keys(self) -> set[str]:
        """Return the keys of everything stored."""
        with self._lock:
            return set(self._files)


class MemoryMetadataRepository:
    """A `MetadataRepository` in a dictionary; ids are the keys."""

    requires_media = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, CharacterImage] = {}

    def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        with self._lock:
            return self._images.setdefault(image.key, _stored(evolve(image, id=image.key)))

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
        """See `MetadataRepository.list`."""
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


def _place(image: CharacterImage) -> tuple[str, str]:
    # Equal offsets and digits, so that the text sorts as the time does.
    created = image.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    return (created, image.id)


def _stored(image: CharacterImage) -> CharacterImage:
    """Return the record without what is derived when it is read."""
    if image.media is None:
        return image
    return image.with_media(evolve(image.media, url=None, thumbnail_url=None))


class MemoryGenerationLedger:
    """A `GenerationLedger` in dictionaries.

    Args:
        clock: Seconds since the epoch; leases end by it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._operations: dict[str, Operation] = {}
        self._leases: dict[str, Lease] = {}
        self._tokens: dict[str, int] = {}

    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`."""
        with self._lock:
            now = self._now()
            held = self._leases.get(character_id)
            if held is not None and held.expires_at > now:
                left = (held.expires_at - now).total_seconds()
                raise GenerationInProgress(
                    f"Another operation on character {character_id!r} is running. Wait for it, or "
                    f"try again in {left:.0f} s, when its lease ends.",
                    holder=held.owner,
                    expires_in=left,
                )
            token = self._tokens.get(character_id, 0) + 1
            lease = Lease(
                character_id=character_id,
                token=token,
                owner=owner,
                expires_at=now + timedelta(seconds=ttl),
            )
            self._tokens[character_id] = token
            self._leases[character_id] = lease
            return lease

    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`."""
        with self._lock:
            self._check(lease)
            renewed = evolve(lease, expires_at=self._now() + timedelta(seconds=ttl))
            self._leases[lease.character_id] = renewed
            return renewed

    def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        with self._lock:
            held = self._leases.get(lease.character_id)
            if held is not None and held.token == lease.token:
                del self._leases[lease.character_id]

    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `GenerationLedger.write`."""
        with self._lock:
            self._check(lease)
            if operation.character_id != lease.character_id:
                raise InvalidArgument(
                    f"Operation {operation.id} is of character {operation.character_id!r}, but the "
                    f"lease is on {lease.character_id!r}."
                )
            self._operations[operation.id] = operation

    def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        with self._lock:
            return self._operations.get(operation_id)

    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        with self._lock:
            operations = sorted(self._operations.values(), key=lambda operation: operation.id)
        return tuple(
            operation
            for operation in operations
            if not operation.finished and character_id in (None, operation.character_id)
        )

    def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `GenerationLedger.list`."""
        check_limit(limit)
        before = None if cursor is None else decode_cursor(cursor, str)[0]
        with self._lock:
            operations = sorted(
                self._operations.values(), key=lambda operation: operation.id, reverse=True
            )
        rest = [
            operation
            for operation in operations
            if operation.character_id == character_id
            and (before is None or operation.id < str(before))
        ]
        more = len(rest) > limit
        return OperationPage(
            operations=tuple(rest[:limit]),
            next_cursor=encode_cursor(rest[limit - 1].id) if more else None,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _check(self, lease: Lease) -> None:
        held = self._leases.get(lease.character_id)
        if held is None or held.token != lease.token:
            raise LeaseLost(
                f"The lease {lease.token} on character {lease.character_id!r} was given up or "
                "taken over. Nothing was written."
            )


class AsyncMemoryCharacterDirectory:
    """The async twin of `MemoryCharacterDirectory`."""

    def __init__(self, characters: Iterable[CharacterReference] = ()) -> None:
        self._sync = MemoryCharacterDirectory(characters)

    async def get(self, character_id: str, /) -> CharacterReference | None:
        """Return the character, or ``None``."""
        return self._sync.get(character_id)

    async def put(self, character: CharacterReference, /) -> None:
        """Add the character, or replace the one with its id."""
        self._sync.put(character)

    async def list_all(self) -> tuple[CharacterReference, ...]:
        """Return every character, by id."""
        return self._sync.list_all()

    async def remove(self, character_id: str, /) -> bool:
        """Forget the character; tell whether it was there. Its images stay."""
        return self._sync.remove(character_id)


class AsyncMemoryMediaStore:
    """The async twin of `MemoryMediaStore`."""

    concurrent_safe = True

    def __init__(self) -> None:
        self._sync = MemoryMediaStore()

    async def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`."""
        return self._sync.save(upload)

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `MediaStore.open`."""
        return self._open(key)

    @asynccontextmanager
    async def _open(self, key: str) -> AsyncIterator[AsyncIterator[bytes]]:
        with self._sync.open(key) as chunks:
            yield _asynchronous(chunks)

    async def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        return self._sync.get(key)

    async def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        return self._sync.delete(key)

    def locate(self, media: Media, /) -> Media:
        """Return the media with a ``memory:`` URL; there are no thumbnails."""
        return self._sync.locate(media)

    def keys(self) -> set[str]:
        """Return the keys of everything stored."""
        return self._sync.keys()


async def _asynchronous(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


class AsyncMemoryMetadataRepository:
    """The async twin of `MemoryMetadataRepository`."""

    requires_media = False

    def __init__(self) -> None:
        self._sync = MemoryMetadataRepository()

    async def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        return self._sync.add(image)

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
        """See `MetadataRepository.list`."""
        return self._sync.list(character_id, kind=kind, status=status, limit=limit, cursor=cursor)

    async def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return self._sync.delete(image_id)


class AsyncMemoryGenerationLedger:
    """The async twin of `MemoryGenerationLedger`."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._sync = MemoryGenerationLedger(clock=clock)

    async def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`."""
        return self._sync.acquire(character_id, owner=owner, ttl=ttl)

    async def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`."""
        return self._sync.renew(lease, ttl=ttl)

    async def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        self._sync.release(lease)

    async def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `GenerationLedger.write`."""
        self._sync.write(operation, lease=lease)

    async def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        return self._sync.get(operation_id)

    async def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        return self._sync.unfinished(character_id)

    async def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `GenerationLedger.list`."""
        return self._sync.list(character_id, limit=limit, cursor=cursor)
