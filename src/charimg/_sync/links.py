# Generated from src/charimg/_async/links.py by tools/unasync.py. Do not edit.
"""Which local characters are one on the Character Library; there should be one alone."""

from __future__ import annotations

from .._offers import offers
from ..capabilities import SearchableCharacterDirectory
from ..errors import InvalidArgument
from ..models import CharacterReference
from ..protocols import CharacterDirectory, ListableCharacterDirectory

__all__ = ["check_unshared", "linked_to"]


def linked_to(directory: CharacterDirectory, db_id: str) -> set[str] | None:
    """Return the ids of the characters with a link; ``None`` if the directory cannot tell."""
    if offers(directory, SearchableCharacterDirectory):
        return {each.id for each in directory.linked(db_id)}
    if offers(directory, ListableCharacterDirectory):
        return {each.id for each in directory.list_all() if each.library_db_id == db_id}
    return None


def check_unshared(directory: CharacterDirectory, character: CharacterReference) -> None:
    """Refuse a new link that another character has: each would replace the other's master.

    A link that stands already is left as it is.

    Raises:
        InvalidArgument: Another character is linked to the same one of the Library.
    """
    db_id = character.library_db_id
    linked = None if db_id is None else linked_to(directory, db_id)
    if linked and character.id not in linked:
        raise InvalidArgument(
            f"Character {min(linked)!r} is linked to {db_id} already, and two that share it would "
            f"replace each other's reference. Give {character.id!r} one of its own on the "
            "Character Library. Nothing was written."
        )
