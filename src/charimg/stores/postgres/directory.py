"""The character directory in PostgreSQL."""

from __future__ import annotations

from ..._arguments import checked
from ..._json import from_json
from ...errors import CharacterNotFound, InvalidArgument
from ...models import CharacterReference
from .._characters import check_character
from .._documents import dump, parse
from .database import PostgresDatabase
from .statements import Program, Row, Statement

__all__ = ["PostgresCharacterDirectory"]

_SELECT = "SELECT id, name, library_db_id, library_character_id, traits FROM {s}.characters "


@checked
class PostgresCharacterDirectory:
    """A `CharacterDirectory` that also takes characters in.

    Args:
        database: Where. Whoever opened it closes it.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        try:
            return self._database.run(get(character_id), atomic=False)
        except InvalidArgument:
            # No text that PostgreSQL can hold, so nothing was ever written under it.
            return None

    def put(self, character: CharacterReference, /) -> None:
        """Add the character, or replace the one with its id.

        Raises:
            InvalidArgument: A field has a wrong type, the id is empty, a text holds a NUL
                character, or the traits hold something that JSON cannot.
        """
        self._database.run(put(character), atomic=False)

    def list_all(self) -> tuple[CharacterReference, ...]:
        """Return every character, by id."""
        return self._database.run(list_all(), atomic=False)

    def totals(self) -> tuple[int, int]:
        """Return how many characters there are, and how many of them are not linked."""
        return self._database.run(totals(), atomic=False)

    def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        return self._database.run(linked(library_db_id), atomic=False)

    def remove(self, character_id: str, /) -> bool:
        """Forget the character; tell whether it was there. Its images stay."""
        return self._database.run(remove(character_id), atomic=False)

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
        program = link(character_id, library_db_id, library_character_id)
        return self._database.run(program, atomic=False)


def get(character_id: str) -> Program[CharacterReference | None]:
    """Find a character."""
    rows = yield Statement(_SELECT + "WHERE id = %s", (character_id,))
    return _character(rows[0]) if rows else None


def put(character: CharacterReference) -> Program[None]:
    """Write a character."""
    check_character(character)
    yield Statement(
        "INSERT INTO {s}.characters (id, name, library_db_id, library_character_id, traits) "
        "VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
        "library_db_id = excluded.library_db_id, "
        "library_character_id = excluded.library_character_id, traits = excluded.traits",
        (
            character.id,
            character.name,
            character.library_db_id,
            character.library_character_id,
            dump(character.traits, what=f"the traits of character {character.id!r}"),
        ),
    )


def list_all() -> Program[tuple[CharacterReference, ...]]:
    """Read every character."""
    rows = yield Statement(_SELECT + "ORDER BY id")
    return tuple(_character(row) for row in rows)


def totals() -> Program[tuple[int, int]]:
    """Count the characters, and those without a link."""
    rows = yield Statement("SELECT count(*), count(*) - count(library_db_id) FROM {s}.characters")
    total, unlinked = rows[0]
    return total, unlinked


def linked(library_db_id: str) -> Program[tuple[CharacterReference, ...]]:
    """Read the characters with a link."""
    rows = yield Statement(_SELECT + "WHERE library_db_id = %s ORDER BY id", (library_db_id,))
    return tuple(_character(row) for row in rows)


def remove(character_id: str) -> Program[bool]:
    """Remove a character."""
    rows = yield Statement("DELETE FROM {s}.characters WHERE id = %s RETURNING id", (character_id,))
    return bool(rows)


def link(
    character_id: str, library_db_id: str | None, library_character_id: str | None
) -> Program[CharacterReference]:
    """Set a character's links."""
    rows = yield Statement(
        "UPDATE {s}.characters SET library_db_id = %s, library_character_id = %s WHERE id = %s "
        "RETURNING id, name, library_db_id, library_character_id, traits",
        (library_db_id, library_character_id, character_id),
    )
    if not rows:
        raise CharacterNotFound(
            f"The directory has no character {character_id!r}. Add it with put() first."
        )
    return _character(rows[0])


def _character(row: Row) -> CharacterReference:
    character_id, name, library_db_id, library_character_id, traits = row
    what = f"character {character_id!r}"
    data = {
        "id": character_id,
        "name": name,
        "libraryDbId": library_db_id,
        "libraryCharacterId": library_character_id,
        "traits": parse(traits, what=what),
    }
    return from_json(CharacterReference, data, what=what)
