"""One local character for one of the Character Library."""

from __future__ import annotations

from ..capabilities import AsyncSearchableCharacterDirectory
from ..errors import InvalidArgument
from ..models import CharacterReference
from ..protocols import AsyncCharacterDirectory

__all__ = ["check_unshared"]


async def check_unshared(directory: AsyncCharacterDirectory, character: CharacterReference) -> None:
    """Refuse a new link that another character has: each would replace the other's master.

    A link that stands already is left as it is; a directory that cannot be searched is not asked.

    Raises:
        InvalidArgument: Another character is linked to the same one of the Library.
    """
    db_id = character.library_db_id
    if db_id is None or not isinstance(directory, AsyncSearchableCharacterDirectory):
        return
    linked = [each.id for each in await directory.linked(db_id)]
    if linked and character.id not in linked:
        raise InvalidArgument(
            f"Character {linked[0]!r} is linked to {db_id} already, and two that share it would "
            f"replace each other's reference. Give {character.id!r} one of its own on the "
            "Character Library. Nothing was written."
        )
