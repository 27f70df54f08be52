"""The character directory in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from attrs import evolve

from ..._arguments import Unpicklable, checked
from ...errors import CharacterNotFound
from ...models import CharacterReference
from .._characters import check_character
from .copies import copy_of

__all__ = ["AsyncMemoryCharacterDirectory", "MemoryCharacterDirectory"]


@checked
class MemoryCharacterDirectory(Unpicklable):
    """A `CharacterDirectory` that also takes characters in.

    Args:
        characters: What it knows from the start.
    """

    def __init__(self, characters: Iterable[CharacterReference] = ()) -> None:
        self._lock = threading.Lock()
        self._characters = {character.id: _copy(character) for character in characters}

    def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        with self._lock:
            character = self._characters.get(character_id)
        return None if character is None else _copy(character)

    def put(self, character: CharacterReference, /) -> None:
        """Add the character, or replace the one with its id.

        Raises:
            InvalidArgument: A field has a wrong type, or the id is empty.
        """
        check_character(character)
        with self._lock:
            self._characters[character.id] = _copy(character)

    def list_all(self) -> tuple[CharacterReference, ...]:
        """Return every character, by id."""
        with self._lock:
            return tuple(_copy(self._characters[each]) for each in sorted(self._characters))

    def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        with self._lock:
            found = [
                each for each in self._characters.values() if each.library_db_id == library_db_id
            ]
        return tuple(_copy(each) for each in sorted(found, key=lambda each: each.id))

    def remove(self, character_id: str, /) -> bool:
        """Forget the character; tell whether it was there. Its images stay."""
        with self._lock:
            return self._characters.pop(character_id, None) is not None

    def link(
        self,
        character_id: str,
        /,
        *,
        library_db_id: str | None,
        library_character_id: str | None = None,
    ) -> CharacterReference:
        """Set both ids of the character on the Character Library, and return the character.

        Args:
            character_id: The host's id.
            library_db_id: The 24-hex ObjectId; ``None`` unlinks.
            library_character_id: The readable slug.

        Raises:
            CharacterNotFound: The directory has no such character.
        """
        with self._lock:
            character = self._characters.get(character_id)
            if character is None:
                raise CharacterNotFound(
                    f"The directory has no character {character_id!r}. Add it with put() first."
                )
            linked = evolve(
                character, library_db_id=library_db_id, library_character_id=library_character_id
            )
            self._characters[character_id] = linked
        return _copy(linked)


def _copy(character: CharacterReference) -> CharacterReference:
    return evolve(character, traits=copy_of(character.traits))


class AsyncMemoryCharacterDirectory:
    """The async twin of `MemoryCharacterDirectory`."""

    def __init__(self, characters: Iterable[CharacterReference] = ()) -> None:
        self._sync = MemoryCharacterDirectory(characters)

    async def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        return self._sync.get(character_id)

    async def put(self, character: CharacterReference, /) -> None:
        """See `MemoryCharacterDirectory.put`."""
        self._sync.put(character)

    async def list_all(self) -> tuple[CharacterReference, ...]:
        """See `MemoryCharacterDirectory.list_all`."""
        return self._sync.list_all()

    async def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        return self._sync.linked(library_db_id)

    async def remove(self, character_id: str, /) -> bool:
        """See `MemoryCharacterDirectory.remove`."""
        return self._sync.remove(character_id)

    async def link(
        self,
        character_id: str,
        /,
        *,
        library_db_id: str | None,
        library_character_id: str | None = None,
    ) -> CharacterReference:
        """See `MemoryCharacterDirectory.link`."""
        return self._sync.link(
            character_id, library_db_id=library_db_id, library_character_id=library_character_id
        )
