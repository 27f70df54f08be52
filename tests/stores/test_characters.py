"""A directory refuses what would spoil its listing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import CharacterReference, InvalidArgument
from charimg.stores import MemoryCharacterDirectory, SqliteCharacterDirectory, SqliteDatabase

GOOD = CharacterReference(id="x", name="X", library_db_id=None, traits={"age": 3})


@pytest.fixture(params=["memory", "sqlite"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryCharacterDirectory()
    else:
        with SqliteDatabase(tmp_path / "a.sqlite") as database:
            yield SqliteCharacterDirectory(database)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", b"x"),
        ("id", None),
        ("id", 5),
        ("name", None),
        ("name", b"n"),
        ("library_db_id", 7),
        ("library_character_id", b"n"),
        ("traits", None),
        ("traits", [1]),
    ],
)
def test_a_field_of_a_wrong_type_is_refused(directory: Any, field: str, value: Any) -> None:
    directory.put(GOOD)
    with pytest.raises(InvalidArgument, match=f"The {field} of character "):
        directory.put(evolve(GOOD, **{field: value}))
    assert directory.list_all() == (GOOD,)


@pytest.mark.parametrize(
    "character_id",
    [
        *("a/b", "/", ".", "..", "a\0b", "a\nb", "a\rb", "a\tb", "a\x7fb", "a\x9bb", "a\u2028b"),
        *("\ud800", "x" * 201),
    ],
)
def test_an_id_that_could_not_be_reached_everywhere_is_refused(
    directory: Any, character_id: str
) -> None:
    with pytest.raises(InvalidArgument, match="cannot be the id of a character"):
        directory.put(evolve(GOOD, id=character_id))
    assert directory.list_all() == ()


@pytest.mark.parametrize("character_id", ["Zoë Q.", "a b?c#d%2F&e=f", "a\\b", "…", "x" * 200, "-x"])
def test_every_other_id_is_taken(directory: Any, character_id: str) -> None:
    character = evolve(GOOD, id=character_id)
    directory.put(character)
    assert directory.get(character_id) == character
