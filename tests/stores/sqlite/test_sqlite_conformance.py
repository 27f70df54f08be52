"""The SQLite stores keep the contracts: in both modes, and when threads take turns."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
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


class _InTurns:
    """A store whose calls come from one of several threads after the other."""

    def __init__(self, store: object, turns: Iterator[ThreadPoolExecutor]) -> None:
        self._store = store
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        if not callable(member):
            return member
        return lambda *args, **options: next(self._turns).submit(member, *args, **options).result()


class _InThreads(_Files):
    """Gives every test a store that three threads use."""

    @pytest.fixture(autouse=True)
    def _threads(self) -> Iterator[None]:
        with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two, ThreadPoolExecutor(1) as c:
            self.turns = itertools.cycle((one, two, c))
            yield

    def make(self) -> Any:
        return _InTurns(super().make(), self.turns)


class _WithCharacters(_Files, CharacterDirectoryContract):
    def make(self) -> Any:
        with SqliteDatabase(self.path) as database:
            directory = SqliteCharacterDirectory(database)
            for character in self.characters:
                directory.put(character)
        return super().make()


class TestDirectory(_WithCharacters):
    store = SqliteCharacterDirectory


class TestDirectoryInThreads(_InThreads, _WithCharacters):
    store = SqliteCharacterDirectory


class TestDirectoryOnAsyncio(_WithCharacters):
    backend = "asyncio"
    store = AsyncSqliteCharacterDirectory


class TestDirectoryOnTrio(TestDirectoryOnAsyncio):
    backend = "trio"


class _Rows(_Files, MetadataRepositoryContract):
    def rows(self, key: str) -> int:
        with closing(sqlite3.connect(self.path)) as connection:
            query = "SELECT count(*) FROM images WHERE id = ?"
            return int(connection.execute(query, (key,)).fetchone()[0])


class TestMetadata(_Rows):
    many = 1_001
    store = SqliteMetadataRepository


class TestMetadataInThreads(_InThreads, _Rows):
    store = SqliteMetadataRepository


class TestMetadataOnAsyncio(_Rows):
    backend = "asyncio"
    many = 60
    store = AsyncSqliteMetadataRepository


class TestMetadataOnTrio(TestMetadataOnAsyncio):
    backend = "trio"


class _FastLedger(GenerationLedgerContract):
    now = 1_700_000_000.0

    def advance(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def store(self, database: SqliteDatabase) -> Any:
        store = SqliteGenerationLedger if self.backend is None else AsyncSqliteGenerationLedger
        return store(database, clock=self.clock)


class TestLedger(_Files, _FastLedger):
    pass


class TestLedgerInThreads(_InThreads, _FastLedger):
    pass


class TestLedgerOnAsyncio(_Files, _FastLedger):
    backend = "asyncio"


class TestLedgerOnTrio(TestLedgerOnAsyncio):
    backend = "trio"
