# Generated from src/charimg/_async/links.py by tools/unasync.py. Do not edit.
"""One local character for one of the Character Library."""

from __future__ import annotations

from ..capabilities import SearchableCharacterDirectory
from ..errors import InvalidArgument
from ..models import CharacterReference
from ..protocols import CharacterDirectory

__all__ = ["check_unshared"]


def check_unshared(directory: CharacterDirectory, character: CharacterReference) -> None:
    """Refuse a new link that another character has: each would replace the other's master.

    A link that stands already is left as it is; a directory that cannot be searched is not asked.

    Raises:
        InvalidArgument: Another character is linked to the same one of the Library.
    """
    db_id = character.library_db_id
    if db_id is None or not isinstance(directory, SearchableCharacterDirectory):
        return
    linked = [each.id for each in directory.linked(db_id)]
    if linked and character.id not in linked:
        raise InvalidArgument(
            f"Character {linked[0]!r} is linked to {db_id} already, and two that share it would "
            f"replace each other's reference. Give {character.id!r} one of its own on the "
            "Character Library. Nothing was written."
        )
