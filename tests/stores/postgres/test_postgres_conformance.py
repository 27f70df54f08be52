"""The PostgreSQL stores keep the contracts, in both modes and behind a host's own pool."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from charimg.stores import (
    AsyncPostgresCharacterDirectory,
    AsyncPostgresDatabase,
    AsyncPostgresGenerationLedger,
    AsyncPostgresMetadataRepository,
    PostgresCharacterDirectory,
    PostgresDatabase,
    PostgresGenerationLedger,
    PostgresMetadataRepository,
)
from charimg.testing import (
    CharacterDirectoryContract,
    GenerationLedgerContract,
    MetadataRepositoryContract,
)

from ...servers.postgres import PostgresServer

_databases: dict[int, str] = {}


class _Postgres:
    """Gives every store a database object of its own, on one database of the server."""

    store: Any

    @pytest.fixture(autouse=True)
    def _url(self, postgres_server: PostgresServer) -> None:
        port = postgres_server.port
        if port not in _databases:
            _databases[port] = postgres_server.new_database()
        self.url = _databases[port]
        self.opened_here: list[Any] = []

    def make(self) -> Any:
        kind = PostgresDatabase if self.backend is None else AsyncPostgresDatabase  # type: ignore[attr-defined]
        self.opened_here.append(kind(self.url))
        return self.store(self.opened_here[-1])

    def reopen(self, made: Any) -> Any:
        return self.make()

    def dispose(self, made: Any) -> Any:
        database = self.opened_here.pop()
        return database.close() if isinstance(database, PostgresDatabase) else database.aclose()


class _WithCharacters(_Postgres, CharacterDirectoryContract):
    @pytest.fixture(autouse=True)
    def _characters(self, _url: None) -> None:
        with PostgresDatabase(self.url) as database:
            directory = PostgresCharacterDirectory(database)
            for character in self.characters:
                directory.put(character)


class TestDirectory(_WithCharacters):
    store = PostgresCharacterDirectory


class TestDirectoryOnAsyncio(_WithCharacters):
    backend = "asyncio"
    store = AsyncPostgresCharacterDirectory


class _Rows(_Postgres, MetadataRepositoryContract):
    def rows(self, key: str) -> int:
        with psycopg.connect(self.url) as connection:
            query = "SELECT count(*) FROM charimg.images WHERE id = %s"
            found = connection.execute(query, (key,)).fetchone()
        assert found is not None
        return int(found[0])


class TestMetadata(_Rows):
    many = 1_001
    store = PostgresMetadataRepository


class TestMetadataOnAsyncio(_Rows):
    backend = "asyncio"
    many = 60
    store = AsyncPostgresMetadataRepository


class TestLedger(_Postgres, GenerationLedgerContract):
    store = PostgresGenerationLedger


class TestLedgerOnAsyncio(_Postgres, GenerationLedgerContract):
    backend = "asyncio"
    store = AsyncPostgresGenerationLedger


class _OnHostsPool(_Postgres):
    def make(self) -> Any:
        from psycopg_pool import ConnectionPool

        self.pool = ConnectionPool(self.url, min_size=1, max_size=4, open=True)
        self.opened_here.append(PostgresDatabase(pool=self.pool, timeout=600))
        return self.store(self.opened_here[-1])

    def reopen(self, made: Any) -> Any:
        self.opened_here.append(PostgresDatabase(self.url))
        return self.store(self.opened_here[-1])

    def dispose(self, made: Any) -> None:
        self.opened_here.pop().close()
        self.pool.close()


class TestMetadataOnHostsPool(_OnHostsPool, _Rows):
    many = 60
    store = PostgresMetadataRepository


class TestLedgerOnHostsPool(_OnHostsPool, GenerationLedgerContract):
    store = PostgresGenerationLedger
