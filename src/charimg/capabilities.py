"""What a store may be able to do besides its port: it is asked before it is used."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from .models import CharacterImage, CharacterReference
from .protocols import (
    AsyncCharacterDirectory,
    AsyncMetadataRepository,
    CharacterDirectory,
    MetadataRepository,
)

__all__ = [
    "AsyncCheckingMetadataRepository",
    "AsyncLinkableCharacterDirectory",
    "CheckingMetadataRepository",
    "LinkableCharacterDirectory",
]


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
class CheckingMetadataRepository(MetadataRepository, Protocol):
    """A repository that can tell beforehand what it would refuse, before an image is paid for."""

    def check(self, image: CharacterImage, /) -> None:
        """Check, without writing, what can be known of a record like this; its media is to come.

        Raises:
            StorageError: It would be refused.
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
class AsyncCheckingMetadataRepository(AsyncMetadataRepository, Protocol):
    """The async twin of `CheckingMetadataRepository`."""

    async def check(self, image: CharacterImage, /) -> None:
        """See `CheckingMetadataRepository.check`."""
        ...
