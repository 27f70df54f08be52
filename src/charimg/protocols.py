"""The ports: what a host may bring of its own, as small Protocols without a base class.

Every call is made in the caller's own thread or task, never in a worker, so a host's open
transaction, session or context variable holds. (A media store that sets ``concurrent_safe = True``
may be asked to save from several workers at once.)

All ports raise `StorageError` (or a subclass) when their backend fails; other exceptions pass
through unchanged. `charimg.testing` ships a conformance suite that any implementation can run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, runtime_checkable

from .events import OperationEvent, ProgressEvent, ServiceEvent
from .journal import Lease, Operation, OperationPage
from .models import CharacterImage, CharacterReference, ImagePage, Media, PromptSuggestion, Upload

__all__ = [
    "AsyncCharacterDirectory",
    "AsyncGenerationLedger",
    "AsyncListableCharacterDirectory",
    "AsyncListableMetadataRepository",
    "AsyncMediaStore",
    "AsyncMetadataRepository",
    "AsyncPromptSuggester",
    "AsyncWritableCharacterDirectory",
    "CharacterDirectory",
    "DetailedHook",
    "GenerationLedger",
    "ListableCharacterDirectory",
    "ListableMetadataRepository",
    "MediaStore",
    "MetadataRepository",
    "OperationHook",
    "ProgressCallback",
    "PromptSuggester",
    "WritableCharacterDirectory",
]


class OperationHook(Protocol):
    """Told of started, finished and failed operations. An exception in it is logged, not raised."""

    def __call__(self, event: OperationEvent, /) -> None:
        """Receive one event; return quickly."""


class DetailedHook(OperationHook, Protocol):
    """A hook that asks for every event, those of recoveries and of an operation's stages included.

    Attributes:
        every_event: Whether it does.
    """

    every_event: bool

    def __call__(self, event: ServiceEvent, /) -> None:
        """Receive one event; return quickly."""


class ProgressCallback(Protocol):
    """Told of every step of one operation. An exception in it is logged, not raised."""

    def __call__(self, event: ProgressEvent, /) -> None:
        """Receive one event; return quickly."""


@runtime_checkable
class PromptSuggester(Protocol):
    """Builds the prompt of a master reference from a character's existing data."""

    def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
        """Return a suggestion: no value that is not in the character's data may appear.

        Called while nothing is held: no lease, no journal. One that asks a model says in
        `PromptSuggestion.reason` why it fell back, instead of raising.
        """
        ...


@runtime_checkable
class AsyncPromptSuggester(Protocol):
    """Builds prompts for the async service: a `PromptSuggester`, or one whose answer is awaited."""

    def suggest(
        self, character: CharacterReference, /
    ) -> PromptSuggestion | Awaitable[PromptSuggestion]:
        """Return a suggestion as `PromptSuggester` does, or what gives it when awaited.

        One that waits for a network is awaited (``async def``), so that it does not hold up the
        event loop.
        """
        ...


@runtime_checkable
class CharacterDirectory(Protocol):
    """Where the host's characters are looked up."""

    def get(self, character_id: str, /) -> CharacterReference | None:
        """Return the character, or ``None`` when there is none. Never raises for a missing id."""
        ...


@runtime_checkable
class WritableCharacterDirectory(CharacterDirectory, Protocol):
    """A directory that also takes characters in. A host whose CMS has them needs none."""

    def put(self, character: CharacterReference, /) -> None:
        """Add the character, or replace the one with its id."""
        ...


@runtime_checkable
class ListableCharacterDirectory(CharacterDirectory, Protocol):
    """A directory that can name every character; commands use it, the service does not."""

    def list_all(self) -> tuple[CharacterReference, ...]:
        """Return every character, by id."""
        ...


@runtime_checkable
class MediaStore(Protocol):
    """Where the files live.

    Attributes:
        concurrent_safe: Whether `save` may run in several threads (async: tasks) at once.
    """

    concurrent_safe: bool

    def save(self, upload: Upload, /) -> Media:
        """Store a file, whole or not at all.

        Idempotent by ``upload.key``: a key that is already stored returns the first media and
        leaves its bytes alone. A reader never sees half a file. The caller keeps ``upload.file``
        open until this returns and closes it afterwards.

        Returns:
            The media, ``url`` not necessarily filled in.

        Raises:
            StorageError: It could not be stored; nothing is visible under the key.
        """
        ...

    def open(self, key: str, /) -> AbstractContextManager[Iterator[bytes]]:
        """Open the stored bytes as chunks, in order.

        Raises:
            MediaNotFound: Nothing is stored under the key (on entering).
        """
        ...

    def get(self, key: str, /) -> Media | None:
        """Return the media, or ``None`` when nothing is stored under the key."""
        ...

    def delete(self, key: str, /) -> bool:
        """Remove the file, its renditions, and what a broken save may have left under the key.

        Idempotent: returns whether something was there.
        """
        ...

    def locate(self, media: Media, /) -> Media:
        """Return the media with ``url`` and ``thumbnail_url`` filled in, without any I/O."""
        ...


@runtime_checkable
class MetadataRepository(Protocol):
    """Where the metadata records live.

    Attributes:
        requires_media: Whether a record cannot stand without media. Failed images then stay in the
            ledger alone.
    """

    requires_media: bool

    def add(self, image: CharacterImage, /) -> CharacterImage:
        """Write a new record, atomically, and return it as stored (with the repository's id).

        An image must not be lost for who made it: a ``created_by`` that the backend refuses, such
        as a user that it does not know, is left out.

        Idempotent by ``image.key``: a key that is already there returns the first record unchanged.
        The URLs of ``image.media`` are not kept: they are derived when read (`MediaStore.locate`).
        """
        ...

    def get(self, image_id: str, /) -> CharacterImage | None:
        """Return the record, or ``None``."""
        ...

    def update(self, image: CharacterImage, /) -> CharacterImage:
        """Replace the record that has ``image.id``, atomically; ``key`` and ``created_at`` stay.

        Raises:
            ImageNotFound: There is no such record.
        """
        ...

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
        """Return one page of a character's records, newest first by ``(created_at, id)``.

        Pages follow a keyset: records added or removed between two calls neither repeat nor hide
        others. ``limit`` is honoured exactly (1 to 1,000), never silently cut.

        Raises:
            InvalidArgument: The limit is out of range, or the cursor is not one of this
                repository's.
        """
        ...

    def delete(self, image_id: str, /) -> bool:
        """Remove the record. Idempotent: returns whether it was there."""
        ...


@runtime_checkable
class ListableMetadataRepository(MetadataRepository, Protocol):
    """A repository that can name whose records it holds; copying to another store needs it."""

    def character_ids(self) -> tuple[str, ...]:
        """Return the id of every character that has a record, in order."""
        ...


@runtime_checkable
class GenerationLedger(Protocol):
    """The journal of paid work, and the lease per character."""

    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """Take the character's lease for ``ttl`` seconds, with a token higher than any before.

        Raises:
            GenerationInProgress: A lease is held and has not expired.
        """
        ...

    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """Extend a held lease to ``ttl`` seconds from now; the token stays.

        Raises:
            LeaseLost: The lease is no longer the character's latest.
        """
        ...

    def release(self, lease: Lease, /) -> None:
        """Give the lease up. Idempotent; a lease that someone else took meanwhile is left alone."""
        ...

    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """Write the operation down, whole, durably, replacing what stood under its id.

        Raises:
            LeaseLost: The lease is no longer the character's latest; nothing was written.
        """
        ...

    def get(self, operation_id: str, /) -> Operation | None:
        """Return the operation, or ``None``."""
        ...

    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """Return every unfinished operation of one or all characters, oldest first."""
        ...

    def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """Return one page of a character's operations, newest first by id."""
        ...


@runtime_checkable
class AsyncCharacterDirectory(Protocol):
    """The async twin of `CharacterDirectory`."""

    async def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        ...


@runtime_checkable
class AsyncWritableCharacterDirectory(AsyncCharacterDirectory, Protocol):
    """The async twin of `WritableCharacterDirectory`."""

    async def put(self, character: CharacterReference, /) -> None:
        """See `WritableCharacterDirectory.put`."""
        ...


@runtime_checkable
class AsyncListableCharacterDirectory(AsyncCharacterDirectory, Protocol):
    """The async twin of `ListableCharacterDirectory`."""

    async def list_all(self) -> tuple[CharacterReference, ...]:
        """See `ListableCharacterDirectory.list_all`."""
        ...


@runtime_checkable
class AsyncMediaStore(Protocol):
    """The async twin of `MediaStore`."""

    concurrent_safe: bool

    async def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`."""
        ...

    def open(self, key: str, /) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `MediaStore.open`."""
        ...

    async def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`."""
        ...

    async def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        ...

    def locate(self, media: Media, /) -> Media:
        """See `MediaStore.locate`."""
        ...


@runtime_checkable
class AsyncMetadataRepository(Protocol):
    """The async twin of `MetadataRepository`."""

    requires_media: bool

    async def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        ...

    async def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        ...

    async def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        ...

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
        ...

    async def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        ...


@runtime_checkable
class AsyncListableMetadataRepository(AsyncMetadataRepository, Protocol):
    """The async twin of `ListableMetadataRepository`."""

    async def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        ...


@runtime_checkable
class AsyncGenerationLedger(Protocol):
    """The async twin of `GenerationLedger`."""

    async def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`."""
        ...

    async def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`."""
        ...

    async def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        ...

    async def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `GenerationLedger.write`."""
        ...

    async def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        ...

    async def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        ...

    async def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `GenerationLedger.list`."""
        ...
