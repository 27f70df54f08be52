"""What a directory that takes characters in checks first: one bad one would spoil every listing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._library.ids import check_character_id
from ..errors import InvalidArgument
from ..models import CharacterReference

__all__ = ["check_character"]


def check_character(character: CharacterReference) -> CharacterReference:
    """Return the character, or raise `InvalidArgument` for a field of a wrong type."""
    given: Any = character
    shown = f"character {given.id!a:.80}"
    if not isinstance(given.id, str) or not given.id:
        raise InvalidArgument(f"The id of {shown} must be a text that is not empty.")
    check_character_id(given.id)
    if not isinstance(given.name, str):
        raise InvalidArgument(f"The name of {shown} must be a text.")
    for name in ("library_db_id", "library_character_id"):
        if not isinstance(getattr(given, name), str | None):
            raise InvalidArgument(f"The {name} of {shown} must be a text or None.")
    if not isinstance(given.traits, Mapping):
        raise InvalidArgument(f"The traits of {shown} must be a mapping.")
    return character
