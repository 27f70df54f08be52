"""Every embedded backend, in both modes, keeps the contracts; and the contracts can fail."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from charimg.stores.disk import AsyncDiskMediaStore, DiskMediaStore
from charimg.stores.memory import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import (
    CharacterDirectoryContract,
    GenerationLedgerContract,
    MediaStoreContract,
    MetadataRepositoryContract,
)
from charimg.testing.conformance import Contract


class TestMemoryDirectory(CharacterDirectoryContract):
    def make(self) -> Any:
        return MemoryCharacterDirectory(self.characters)


class TestAsyncMemoryDirectory(CharacterDirectoryContract):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncMemoryCharacterDirectory(self.characters)


class TestMemoryMedia(MediaStoreContract):
    def make(self) -> Any:
        return MemoryMediaStore()


class TestAsyncMemoryMedia(MediaStoreContract):
    backend = "trio"

    def make(self) -> Any:
        return AsyncMemoryMediaStore()


class TestMemoryMetadata(MetadataRepositoryContract):
    many = 1_001

    def make(self) -> Any:
        return MemoryMetadataRepository()


class TestAsyncMemoryMetadata(MetadataRepositoryContract):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncMemoryMetadataRepository()


class _Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class TestMemoryLedger(GenerationLedgerContract):
    def make(self) -> Any:
        self.clock = _Clock()
        return MemoryGenerationLedger(clock=self.clock)

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds


class TestAsyncMemoryLedger(GenerationLedgerContract):
    backend = "trio"

    def make(self) -> Any:
        return AsyncMemoryGenerationLedger()


class TestDiskMedia(MediaStoreContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "media"

    def make(self) -> Any:
        return DiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return DiskMediaStore(self.directory)


class TestAsyncDiskMediaOnAsyncio(TestDiskMedia):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncDiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return AsyncDiskMediaStore(self.directory)


class TestAsyncDiskMediaOnTrio(TestAsyncDiskMediaOnAsyncio):
    backend = "trio"


if find_spec("charimg.stores.sqlite") is not None:
    import charimg.stores as stores

    class _Sqlite(Contract):
        """One database file per test; reopened as another process would."""

        store: str

        @pytest.fixture(autouse=True)
        def _file(self, tmp_path: Path) -> None:
            self.path = tmp_path / "charimg.sqlite"
            self.databases: dict[int, Any] = {}

        def make(self) -> Any:
            database = stores.SqliteDatabase(self.path)
            prefix = "Sqlite" if self.backend is None else "AsyncSqlite"
            made = getattr(stores, prefix + self.store)(database)
            self.databases[id(made)] = database
            return made

        def reopen(self, made: Any) -> Any:
            return self.make()

        def dispose(self, made: Any) -> None:
            self.databases[id(made)].close()

    class TestSqliteDirectory(_Sqlite, CharacterDirectoryContract):
        store = "CharacterDirectory"

        def make(self) -> Any:
            database = stores.SqliteDatabase(self.path)
            directory = stores.SqliteCharacterDirectory(database)
            for character in self.characters:
                directory.put(character)
            database.close()
            return super().make()

    class TestAsyncSqliteDirectory(TestSqliteDirectory):
        backend = "trio"

    class TestSqliteMetadata(_Sqlite, MetadataRepositoryContract):
        store = "MetadataRepository"

    class TestAsyncSqliteMetadata(TestSqliteMetadata):
        backend = "asyncio"

    class TestSqliteLedger(_Sqlite, GenerationLedgerContract):
        store = "GenerationLedger"

    class TestAsyncSqliteLedger(TestSqliteLedger):
        backend = "trio"
