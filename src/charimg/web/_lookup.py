"""Reading what a listing needs, in both modes: in as few turns of the stores as can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ..capabilities import (
    AsyncVersionedMetadataRepository,
    StoredPage,
    VersionedMetadataRepository,
)
from ..models import CharacterReference
from ..protocols import AsyncCharacterDirectory, CharacterDirectory
from ..stores._threads import twin_of
from ._turns import turns_of

__all__ = ["alook_up", "look_up"]

Wanted: TypeAlias = Callable[[CharacterReference], dict[str, Any]]


def look_up(
    directory: CharacterDirectory,
    repository: VersionedMetadataRepository,
    character_id: str,
    wanted: Wanted,
) -> tuple[CharacterReference, StoredPage] | None:
    """Return a character with a page of its images, or ``None`` where there is no such character.

    Args:
        directory: Where it is looked up.
        repository: Where the images are.
        character_id: The host's id of it.
        wanted: Returns what `list_stored` is to be given for the character.
    """
    character = directory.get(character_id)
    if character is None:
        return None
    return character, repository.list_stored(character_id, **wanted(character))


async def alook_up(
    directory: AsyncCharacterDirectory,
    repository: AsyncVersionedMetadataRepository,
    character_id: str,
    wanted: Wanted,
) -> tuple[CharacterReference, StoredPage] | None:
    """See `look_up`. Stores that work in threads are asked both in one turn."""
    one, other = twin_of(directory), twin_of(repository)
    if one is not None and other is not None:
        turns = turns_of(other)
        return await turns.run(lambda: look_up(one, other, character_id, wanted))
    character = await directory.get(character_id)
    if character is None:
        return None
    return character, await repository.list_stored(character_id, **wanted(character))
