"""The SQLite stores keep the contracts, in both modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charimg.stores.sqlite import (
    AsyncSqliteCharacterDirectory,
    AsyncSqliteGenerationLedger,
    AsyncSqliteMetadataRepository,
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
)
from charimg.testing import (
    CharacterDirectoryContract,
    GenerationLedgerContract,
    MetadataRepositoryContract,
)


class _Files:
    """Gives every test a file, and every store of it a `SqliteDatabase` of its own."""

    store: Any

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "charimg.sqlite"
        self.databases: list[SqliteDatabase] = []

    def make(self) -> Any:
        self.databases.append(SqliteDatabase(self.path))
        return self.store(self.databases[-1])

    def reopen(self, made: Any) -> Any:
        return self.make()

    def dispose(self, made: Any) -> None:
        self.databases.pop().close()


class TestDirectory(_Files, CharacterDirectoryContract):
    store = SqliteCharacterDirectory

    def make(self) -> Any:
        directory = super().make()
        for character in self.characters:
            directory.put(character)
        return directory


class TestAsyncDirectory(_Files, CharacterDirectoryContract):
    backend = "asyncio"
    store = AsyncSqliteCharacterDirectory

    async def make(self) -> Any:  # type: ignore[override]
        directory = super().make()
        for character in self.characters:
            await directory.put(character)
        return directory


class TestMetadata(_Files, MetadataRepositoryContract):
    store = SqliteMetadataRepository


class TestAsyncMetadata(_Files, MetadataRepositoryContract):
    backend = "trio"
    many = 60
    store = AsyncSqliteMetadataRepository


class _FastLedger(GenerationLedgerContract):
    now = 1_700_000_000.0

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now


class TestLedger(_Files, _FastLedger):
    def store(self, database: SqliteDatabase) -> Any:
        return SqliteGenerationLedger(database, clock=self.clock)


class TestAsyncLedger(_Files, _FastLedger):
    backend = "asyncio"

    def store(self, database: SqliteDatabase) -> Any:
        return AsyncSqliteGenerationLedger(database, clock=self.clock)
