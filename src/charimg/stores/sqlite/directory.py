"""The character directory in SQLite."""

from __future__ import annotations

from typing import Any

from ..._arguments import checked
from ..._json import from_json
from ...errors import CharacterNotFound
from ...models import CharacterReference
from .._characters import check_character
from .._documents import dump, parse
from .database import SqliteDatabase

__all__ = ["SqliteCharacterDirectory"]

_SELECT = "SELECT id, name, library_db_id, library_character_id, traits FROM characters "


@checked
class SqliteCharacterDirectory:
    """A `CharacterDirectory` that also takes characters in.

    Args:
        database: The file. Whoever opened it closes it.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        row = self._database.row(_SELECT + "WHERE id = ?", character_id)
        return None if row is None else _character(row)

    def put(self, character: CharacterReference, /) -> None:
        """Add the character, or replace the one with its id.

        Raises:
            InvalidArgument: A field has a wrong type, the id is empty, or the traits hold something
                that JSON cannot.
        """
        check_character(character)
        values = (
            character.id,
            character.name,
            character.library_db_id,
            character.library_character_id,
            dump(character.traits, what=f"the traits of character {character.id!r}"),
        )
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO characters (id, name, library_db_id, library_character_id, traits) "
                "VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
                "library_db_id = excluded.library_db_id, "
                "library_character_id = excluded.library_character_id, traits = excluded.traits",
                values,
            )

    def list_all(self) -> tuple[CharacterReference, ...]:
        """Return every character, by id."""
        with self._database.reading() as connection:
            rows = connection.execute(_SELECT + "ORDER BY id").fetchall()
        return tuple(_character(row) for row in rows)

    def totals(self) -> tuple[int, int]:
        """Return how many characters there are, and how many of them are not linked."""
        query = "SELECT count(*), count(*) - count(library_db_id) FROM characters"
        with self._database.reading() as connection:
            total, unlinked = connection.execute(query).fetchone()
        return total, unlinked

    def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        query = _SELECT + "WHERE library_db_id = ? ORDER BY id"
        with self._database.reading() as connection:
            rows = connection.execute(query, (library_db_id,)).fetchall()
        return tuple(_character(row) for row in rows)

    def remove(self, character_id: str, /) -> bool:
        """Forget the character; tell whether it was there. Its images stay."""
        with self._database.writing() as connection:
            cursor = connection.execute("DELETE FROM characters WHERE id = ?", (character_id,))
            return cursor.rowcount > 0

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
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE characters SET library_db_id = ?, library_character_id = ? WHERE id = ?",
                (library_db_id, library_character_id, character_id),
            )
            row = connection.execute(_SELECT + "WHERE id = ?", (character_id,)).fetchone()
        if row is None:
            raise CharacterNotFound(
                f"The directory has no character {character_id!r}. Add it with put() first."
            )
        return _character(row)


def _character(row: tuple[Any, ...]) -> CharacterReference:
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
