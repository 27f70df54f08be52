"""Stores full of records, and what asks the bare driver for a page as the store does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import frozen

from charimg import AsyncMetadataRepository, MetadataRepository
from charimg import stores as kinds
from charimg.stores._pages import encode_cursor
from charimg.stores.postgres.metadata import page

from . import backends
from .records import record, row_of

__all__ = ["Listed", "Read", "character_of", "cursor_at", "key_of", "postgres", "sqlite"]

Read = Callable[[], list[tuple[Any, ...]]]


@frozen(kw_only=True)
class Listed:
    """A store with characters of so many images each.

    Attributes:
        repository: Ours.
        twin: Ours, async.
        read: Gives what asks the bare driver for a page of a character, by cursor and limit.
    """

    repository: MetadataRepository
    twin: AsyncMetadataRepository
    read: Callable[[str, str | None, int], Read]


def character_of(size: int) -> str:
    """Return the character that has so many images."""
    return f"of-{size}"


def key_of(size: int, number: int) -> str:
    """Return the key of an image of a character, counted from the oldest, 1."""
    return f"{size}-{number:024}"


def cursor_at(size: int, number: int) -> str:
    """Return the cursor that stands for this image."""
    return encode_cursor(row_of(record())[4] + number // 3, key_of(size, number))


@contextmanager
def sqlite(sizes: Sequence[int]) -> Iterator[Listed]:
    """Fill SQLite: three images for each millisecond, all with the JSON of a real record."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        path = folder / "charimg.sqlite"
        database = stack.enter_context(kinds.SqliteDatabase(path))
        repository = kinds.SqliteMetadataRepository(database)
        repository.get("makes the tables")
        bare = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        bare.execute("PRAGMA synchronous = OFF")
        key, _, kind, status, moment, text = row_of(record())
        # Indexes are made sooner when all is there.
        later = bare.execute(
            "SELECT name, sql FROM sqlite_master "
            "WHERE tbl_name = 'images' AND type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in later:
            bare.execute(f"DROP INDEX {name}")
        for size in sizes:
            bare.execute(
                "WITH RECURSIVE numbers (n) AS "
                "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
                "INSERT INTO images SELECT printf('%d-%024d', ?, n), ?, ?, ?, ? + n / 3, "
                "replace(?, ?, printf('%d-%024d', ?, n)) FROM numbers",
                (size, size, character_of(size), kind, status, moment, text, key, size),
            )
        for _, sql in later:
            bare.execute(sql)

        def read(character: str, cursor: str | None, limit: int) -> Read:
            queries: list[str] = []
            with database.reading() as connection:
                connection.set_trace_callback(queries.append)
            repository.list(character, limit=limit, cursor=cursor)
            with database.reading() as connection:
                connection.set_trace_callback(None)
            total, rows = [each for each in queries if each.startswith("SELECT")]

            def fetch() -> list[tuple[Any, ...]]:
                bare.execute(total).fetchone()
                return bare.execute(rows).fetchall()

            return fetch

        twin = kinds.AsyncSqliteMetadataRepository(database)
        yield Listed(repository=repository, twin=twin, read=read)


@contextmanager
def postgres(sizes: Sequence[int], runner: asyncio.Runner) -> Iterator[Listed]:
    """Fill PostgreSQL in the same way; the async connections belong to the runner's loop."""
    with ExitStack() as stack:
        url = stack.enter_context(backends.postgres())
        import psycopg

        database = stack.enter_context(kinds.PostgresDatabase(url))
        repository = kinds.PostgresMetadataRepository(database)
        repository.get("makes the tables")
        others = kinds.AsyncPostgresDatabase(url)
        stack.callback(lambda: runner.run(others.aclose()))
        # As the store asks, which works behind any pooler: nothing is prepared.
        bare = stack.enter_context(psycopg.connect(url, autocommit=True, prepare_threshold=None))
        key, _, kind, status, moment, text = row_of(record())
        for size in sizes:
            bare.execute(
                "INSERT INTO charimg.images SELECT %s || lpad(n::text, 24, '0'), %s, %s, %s, "
                "%s + n / 3, replace(%s, %s, %s || lpad(n::text, 24, '0')) "
                "FROM generate_series(1, %s) AS n",
                (
                    *(f"{size}-", character_of(size), kind, status, moment),
                    *(text, key, f"{size}-", size),
                ),
            )
        bare.execute("VACUUM ANALYZE charimg.images")

        def read(character: str, cursor: str | None, limit: int) -> Read:
            asked = next(page(character, kind=None, status=None, limit=limit, cursor=cursor))
            sql: Any = asked.sql.replace("{s}", "charimg")
            return lambda: bare.execute(sql, asked.values).fetchall()

        twin = kinds.AsyncPostgresMetadataRepository(others)
        yield Listed(repository=repository, twin=twin, read=read)
