"""What a directory that takes characters in checks first: one bad one would spoil every listing."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidArgument
from ..models import CharacterReference

__all__ = ["check_character"]


def check_character(character: CharacterReference) -> CharacterReference:
    """Return the character, or raise `InvalidArgument` for a field of a wrong type."""
    shown = f"character {character.id!a:.80}"
    if not isinstance(character.id, str) or not character.id:
        raise InvalidArgument(f"The id of {shown} must be a text that is not empty.")
    if not isinstance(character.name, str):
        raise InvalidArgument(f"The name of {shown} must be a text.")
    for name in ("library_db_id", "library_character_id"):
        if not isinstance(getattr(character, name), str | None):
            raise InvalidArgument(f"The {name} of {shown} must be a text or None.")
    if not isinstance(character.traits, Mapping):
        raise InvalidArgument(f"The traits of {shown} must be a mapping.")
    return character
