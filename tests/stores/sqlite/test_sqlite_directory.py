"""The character directory in SQLite takes characters in, links them and forgets them."""

from __future__ import annotations

from typing import Any

import pytest

from charimg.errors import CharacterNotFound, InvalidArgument, StorageError
from charimg.models import CharacterReference
from charimg.stores.sqlite import (
    AsyncSqliteCharacterDirectory,
    SqliteCharacterDirectory,
    SqliteDatabase,
)

DB_ID = "0123456789abcdef01234567"
MIRA = CharacterReference(
    id="mira",
    name="Мира “Z” 😀",
    library_db_id=DB_ID,
    library_character_id="mira-1",
    traits={"age": 31, "hair": {"color": ["auburn", None, 1.5, True]}, "half": "\ud83d"},
)
ABEL = CharacterReference(id="abel", name="Abel")


def test_a_book_of_characters(database: SqliteDatabase) -> None:
    directory = SqliteCharacterDirectory(database)
    directory.put(MIRA)
    directory.put(ABEL)
    with SqliteDatabase(database.path) as other:
        again = SqliteCharacterDirectory(other)
        assert again.get("mira") == MIRA
        assert again.list_all() == (ABEL, MIRA)
        directory.put(CharacterReference(id="mira", name="Mira"))
        assert again.get("mira") == CharacterReference(id="mira", name="Mira"), "replaced, whole"
        assert (directory.remove("mira"), directory.remove("mira")) == (True, False)
        assert again.list_all() == (ABEL,)


def test_link_sets_both_ids_and_keeps_the_rest(database: SqliteDatabase) -> None:
    directory = SqliteCharacterDirectory(database)
    directory.put(MIRA)
    directory.put(ABEL)
    linked = directory.link("mira", library_db_id="f" * 24)
    assert (linked.library_db_id, linked.library_character_id) == ("f" * 24, None)
    assert (linked.name, linked.traits) == (MIRA.name, MIRA.traits)
    assert directory.get("mira") == linked
    assert directory.get("abel") == ABEL
    assert directory.linked("f" * 24) == (linked,)
    assert directory.linked("e" * 24) == ()
    assert directory.link("mira", library_db_id=None).library_db_id is None
    with pytest.raises(CharacterNotFound, match=r"no character 'nobody'\. Add it with put"):
        directory.link("nobody", library_db_id=DB_ID)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_the_async_directory_does_the_same(
    database: SqliteDatabase, anyio_backend: str
) -> None:
    directory = AsyncSqliteCharacterDirectory(database)
    await directory.put(MIRA)
    await directory.put(ABEL)
    assert await directory.list_all() == (ABEL, MIRA)
    assert await directory.totals() == (2, sum(not each.library_db_id for each in (ABEL, MIRA)))
    linked = await directory.link("abel", library_db_id=DB_ID, library_character_id="abel-2")
    assert (linked.library_db_id, linked.library_character_id) == (DB_ID, "abel-2")
    assert await directory.get("abel") == linked
    assert await directory.linked(DB_ID) == (linked, *((MIRA,) if MIRA.library_db_id else ()))
    assert (await directory.remove("abel"), await directory.remove("abel")) == (True, False)
    assert await directory.list_all() == (MIRA,)


def _endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize("value", [{1, 2}, object(), b"x", float("nan"), _endless()])
def test_traits_that_are_no_json_are_refused(database: SqliteDatabase, value: Any) -> None:
    directory = SqliteCharacterDirectory(database)
    with pytest.raises(InvalidArgument, match=r"traits of character 'mira'.*no JSON.*Give only"):
        directory.put(CharacterReference(id="mira", name="Mira", traits={"x": value}))
    assert directory.get("mira") is None


@pytest.mark.parametrize("damage", ["{", "7", "", b"\xff", "[" * 100_000])
def test_damaged_traits_are_told(database: SqliteDatabase, damage: object) -> None:
    directory = SqliteCharacterDirectory(database)
    directory.put(MIRA)
    with database.writing() as connection:
        connection.execute("UPDATE characters SET traits = ?", (damage,))
    with pytest.raises(StorageError, match=r"Cannot read character 'mira'.*damaged"):
        directory.get("mira")


def test_an_id_that_is_no_text_is_nobodys(database: SqliteDatabase) -> None:
    directory = SqliteCharacterDirectory(database)
    assert directory.get("mira\ud83d") is None
    with pytest.raises(InvalidArgument, match="cannot be the id of a character"):
        directory.put(CharacterReference(id="mira\ud83d", name="Mira"))


def test_who_is_linked_is_found_without_reading_all(database: SqliteDatabase) -> None:
    directory = SqliteCharacterDirectory(database)
    directory.put(MIRA)
    directory.put(ABEL)
    seen: list[str] = []
    with database.reading() as connection:
        connection.set_trace_callback(seen.append)
    assert directory.linked(DB_ID) == (MIRA,)
    with database.reading() as connection:
        connection.set_trace_callback(None)
        (query,) = [each for each in seen if each.startswith("SELECT")]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert plan[0] == "SEARCH characters USING INDEX characters_linked (library_db_id=?)"
