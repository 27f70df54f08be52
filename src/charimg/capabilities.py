"""What a store may be able to do besides its port: it is asked before it is used."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from typing import Protocol, runtime_checkable

from attrs import frozen

from .models import CharacterImage, CharacterReference, Media, Upload
from .protocols import (
    AsyncCharacterDirectory,
    AsyncMediaStore,
    AsyncMetadataRepository,
    CharacterDirectory,
    MediaStore,
    MetadataRepository,
)

__all__ = [
    "AsyncBatchingMetadataRepository",
    "AsyncCheckingMetadataRepository",
    "AsyncLinkableCharacterDirectory",
    "AsyncListableMediaStore",
    "AsyncRepairableMediaStore",
    "AsyncSearchableCharacterDirectory",
    "AsyncVersionedMetadataRepository",
    "BatchingMetadataRepository",
    "CheckingMetadataRepository",
    "LinkableCharacterDirectory",
    "ListableMediaStore",
    "PermanentMediaStore",
    "RepairableMediaStore",
    "SearchableCharacterDirectory",
    "StoredPage",
    "VersionedMetadataRepository",
]


@frozen(kw_only=True)
class StoredPage:
    """One page of a listing as its repository keeps it.

    Attributes:
        version: Another one whenever a page of the character's would show anything else; one that
            was left never comes back. At most 100 ASCII letters, digits, ``-`` and ``_``.
        records: Each with its id: the JSON of `to_json`, without URLs. ``None`` where the caller
            has that version.
        next_cursor: As of `ImagePage`; without records it means nothing.
        total: The same.
    """

    version: str
    records: tuple[tuple[str, str], ...] | None
    next_cursor: str | None
    total: int


@runtime_checkable
class LinkableCharacterDirectory(CharacterDirectory, Protocol):
    """A directory that keeps the link to the Character Library, though it may take nobody in."""

    def link(
        self, character_id: str, /, *, library_db_id: str, library_character_id: str | None
    ) -> CharacterReference:
        """Keep both ids, replacing those that stood there, and return the character.

        Raises:
            CharacterNotFound: There is no such character.
            StorageError: The ids were not kept.
        """
        ...


@runtime_checkable
class SearchableCharacterDirectory(CharacterDirectory, Protocol):
    """A directory that can tell who is linked to a character of the Library.

    Two local characters on one of its characters draw over each other: `put_character` refuses the
    second one, and what one of them has drawn is never given to the other. A directory without this
    is asked for all of its characters; of one that cannot list them either, only characters with
    open operations are known.
    """

    def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """Return every character with that ObjectId, by id."""
        ...


@runtime_checkable
class BatchingMetadataRepository(MetadataRepository, Protocol):
    """A repository that can write several new records at once, which costs one flush to the disk.

    The images of a set that are in at the same moment are recorded so. A repository without this is
    asked to `add` them one by one; so is one that refused them, to tell which record it was.
    """

    def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """Write new records in one transaction: all of them, or none when it raises.

        Returns:
            For each image, in this order, what `MetadataRepository.add` would have returned: a key
            that is already there, or comes twice, gives its first record unchanged.
        """
        ...


@runtime_checkable
class CheckingMetadataRepository(MetadataRepository, Protocol):
    """A repository that can tell beforehand what it would refuse, before an image is paid for."""

    def check(self, image: CharacterImage, /) -> None:
        """Check, without writing, what can be known of a record like this; its media is to come.

        Raises:
            StorageError: It would be refused.
        """
        ...


@runtime_checkable
class VersionedMetadataRepository(MetadataRepository, Protocol):
    """A repository that keeps account of changes: what did not change need not be read again.

    Whoever makes the change, and by whatever way: another process, another program in its own SQL.
    """

    def list_stored(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        unless: Collection[str] = (),
    ) -> StoredPage:
        """Return the page that `list` gives, as it is kept, and its version: both of one moment.

        Args:
            character_id: As of `list`, and so are the filters, the limit and the cursor.
            kind: See there.
            status: See there.
            limit: See there.
            cursor: See there.
            unless: Versions that the caller has the page of: no records are read then.

        Raises:
            InvalidArgument: As `list`.
        """
        ...


@runtime_checkable
class AsyncLinkableCharacterDirectory(AsyncCharacterDirectory, Protocol):
    """The async twin of `LinkableCharacterDirectory`."""

    async def link(
        self, character_id: str, /, *, library_db_id: str, library_character_id: str | None
    ) -> CharacterReference:
        """See `LinkableCharacterDirectory.link`."""
        ...


@runtime_checkable
class AsyncSearchableCharacterDirectory(AsyncCharacterDirectory, Protocol):
    """The async twin of `SearchableCharacterDirectory`."""

    async def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        ...


@runtime_checkable
class AsyncBatchingMetadataRepository(AsyncMetadataRepository, Protocol):
    """The async twin of `BatchingMetadataRepository`."""

    async def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        ...


@runtime_checkable
class AsyncCheckingMetadataRepository(AsyncMetadataRepository, Protocol):
    """The async twin of `CheckingMetadataRepository`."""

    async def check(self, image: CharacterImage, /) -> None:
        """See `CheckingMetadataRepository.check`."""
        ...


@runtime_checkable
class AsyncVersionedMetadataRepository(AsyncMetadataRepository, Protocol):
    """The async twin of `VersionedMetadataRepository`."""

    async def list_stored(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        unless: Collection[str] = (),
    ) -> StoredPage:
        """See `VersionedMetadataRepository.list_stored`."""
        ...


@runtime_checkable
class PermanentMediaStore(Protocol):
    """A store, sync or async, that can tell whether its URLs last."""

    def urls_by(self) -> str | None:
        """Return all that `MediaStore.locate` goes by besides the media, without any I/O.

        Stores of one class that return the same locate the same media in the same way. ``None``:
        a URL that was given out ends one day, such as one that is signed.
        """
        ...


@runtime_checkable
class ListableMediaStore(MediaStore, Protocol):
    """A store that can name what it holds; `verify` finds by it files that nobody knows."""

    def list_keys(self) -> Iterator[str]:
        """Give the key of everything stored, in any order, page by page.

        A key under which only a part of a file is left counts, too. What is no key of the store's
        is named by a path with a slash in it.
        """
        ...


@runtime_checkable
class RepairableMediaStore(MediaStore, Protocol):
    """A store that can mend what was taken from it or changed behind its back."""

    def has_renditions(self, media: Media, /) -> bool:
        """Tell whether the renditions that `locate` names are there; true where it names none."""
        ...

    def sha256_of(self, upload: Upload, /) -> str:
        """Return the SHA-256 that the file would have once it is stored; nothing is stored.

        It is the upload's own, except where a store changes the files that it takes in.
        """
        ...

    def replace(self, upload: Upload, /) -> Media:
        """Store a file in place of whatever is under its key, renditions included.

        A reader sees what was there before, or the new file, never half of one. A key under which
        nothing is stored is saved.

        Raises:
            StorageError: It could not be stored; what was there stays.
        """
        ...


@runtime_checkable
class AsyncListableMediaStore(AsyncMediaStore, Protocol):
    """The async twin of `ListableMediaStore`."""

    def list_keys(self) -> AsyncIterator[str]:
        """See `ListableMediaStore.list_keys`."""
        ...


@runtime_checkable
class AsyncRepairableMediaStore(AsyncMediaStore, Protocol):
    """The async twin of `RepairableMediaStore`."""

    async def has_renditions(self, media: Media, /) -> bool:
        """See `RepairableMediaStore.has_renditions`."""
        ...

    async def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`."""
        ...

    async def replace(self, upload: Upload, /) -> Media:
        """See `RepairableMediaStore.replace`."""
        ...
