"""Stores that can name what they hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from charimg import (
    AsyncListableCharacterDirectory,
    AsyncListableMetadataRepository,
    CharacterImage,
    CharacterReference,
    ListableCharacterDirectory,
    ListableMetadataRepository,
)
from charimg.stores import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryMetadataRepository,
    AsyncSqliteCharacterDirectory,
    AsyncSqliteMetadataRepository,
    MemoryCharacterDirectory,
    MemoryMetadataRepository,
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteMetadataRepository,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SqliteDatabase]:
    with SqliteDatabase(tmp_path / "x.sqlite") as database:
        yield database


def image(key: str, character_id: str) -> CharacterImage:
    return CharacterImage(key=key, character_id=character_id, kind="scene", status="failed")


def test_a_repository_names_whose_records_it_holds(database: SqliteDatabase) -> None:
    repositories: list[Any] = [MemoryMetadataRepository(), SqliteMetadataRepository(database)]
    for repository in repositories:
        assert isinstance(repository, ListableMetadataRepository)
        assert repository.character_ids() == ()
        for key, character_id in (("1", "b"), ("2", "a"), ("3", "b"), ("4", "c")):
            repository.add(image(key, character_id))
        repository.delete("4")
        assert repository.character_ids() == ("a", "b")


def test_so_does_an_async_one(database: SqliteDatabase) -> None:
    async def check(repository: Any) -> None:
        assert isinstance(repository, AsyncListableMetadataRepository)
        await repository.add(image("1", "b"))
        assert await repository.character_ids() == ("b",)

    anyio.run(check, AsyncMemoryMetadataRepository())
    anyio.run(check, AsyncSqliteMetadataRepository(database))


def test_a_directory_names_its_characters(database: SqliteDatabase) -> None:
    both = [CharacterReference(id=each, name=each.upper()) for each in "ab"]
    directories: list[Any] = [MemoryCharacterDirectory(), SqliteCharacterDirectory(database)]
    for directory in directories:
        assert isinstance(directory, ListableCharacterDirectory)
        for character in reversed(both):
            directory.put(character)
        assert directory.list_all() == tuple(both)
    for kind in (AsyncMemoryCharacterDirectory, AsyncSqliteCharacterDirectory):
        assert issubclass(kind, AsyncListableCharacterDirectory)
