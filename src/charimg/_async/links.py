"""Which local characters are one on the Character Library; there should be one alone."""

from __future__ import annotations

from .._offers import offers
from ..capabilities import AsyncSearchableCharacterDirectory
from ..errors import InvalidArgument
from ..models import CharacterReference
from ..protocols import AsyncCharacterDirectory, AsyncListableCharacterDirectory

__all__ = ["check_unshared", "linked_to"]


async def linked_to(directory: AsyncCharacterDirectory, db_id: str) -> set[str] | None:
    """Return the ids of the characters with a link; ``None`` if the directory cannot tell."""
    if offers(directory, AsyncSearchableCharacterDirectory):
        return {each.id for each in await directory.linked(db_id)}
    if offers(directory, AsyncListableCharacterDirectory):
        return {each.id for each in await directory.list_all() if each.library_db_id == db_id}
    return None


async def check_unshared(directory: AsyncCharacterDirectory, character: CharacterReference) -> None:
    """Refuse a new link that another character has: each would replace the other's master.

    A link that stands already is left as it is.

    Raises:
        InvalidArgument: Another character is linked to the same one of the Library.
    """
    db_id = character.library_db_id
    linked = None if db_id is None else await linked_to(directory, db_id)
    if linked and character.id not in linked:
        raise InvalidArgument(
            f"Character {min(linked)!r} is linked to {db_id} already, and two that share it would "
            f"replace each other's reference. Give {character.id!r} one of its own on the "
            "Character Library. Nothing was written."
        )
