"""Writing records, in turn and together, durable when the call returns, against the bare driver."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from charimg import AsyncBatchingMetadataRepository, BatchingMetadataRepository, CharacterImage
from charimg import stores as kinds

from . import backends
from .measure import Contest, Job, Row, twins
from .pictures import PORTFOLIO
from .records import record, row_of

__all__ = ["CONTESTS"]

RECORDS = 8 * PORTFOLIO
"""In one job, each in a transaction of its own: so comes one alone."""
TOGETHER = 8
"""Portfolios in one job, each in one transaction, as its images come in at best."""

SQLITE = (
    "INSERT INTO images (id, character_id, kind, status, created_ms, record) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
POSTGRES = (
    "INSERT INTO charimg.images (id, character_id, kind, status, created_ms, record) "
    "VALUES (%s, %s, %s, %s, %s, %s)"
)


def _jobs(
    repository: BatchingMetadataRepository,
    twin: AsyncBatchingMetadataRepository,
    runner: asyncio.Runner,
    bare: Callable[[tuple[Any, ...]], object],
    bare_many: Callable[[list[tuple[Any, ...]]], object],
) -> dict[str, Job]:
    """Return what writes records in either mode, and what the driver does.

    The records are new in every round, and there before the clock runs.
    """
    numbers = count()

    def images(number: int) -> list[CharacterImage]:
        return [record(f"0198c7d2e5f04b6c9a1d3e5f{next(numbers):08}") for _ in range(number)]

    def portfolios() -> list[list[CharacterImage]]:
        return [images(PORTFOLIO) for _ in range(TOGETHER)]

    def blocking() -> float:
        given = images(RECORDS)
        begun = time.perf_counter()
        for each in given:
            repository.add(each)
        return time.perf_counter() - begun

    async def adding() -> float:
        given = images(RECORDS)
        begun = time.perf_counter()
        for each in given:
            await twin.add(each)
        return time.perf_counter() - begun

    def by_hand() -> float:
        given = [row_of(each) for each in images(RECORDS)]
        begun = time.perf_counter()
        for each in given:
            bare(each)
        return time.perf_counter() - begun

    def blocking_many() -> float:
        given = portfolios()
        begun = time.perf_counter()
        for each in given:
            repository.add_many(each)
        return time.perf_counter() - begun

    async def adding_many() -> float:
        given = portfolios()
        begun = time.perf_counter()
        for each in given:
            await twin.add_many(each)
        return time.perf_counter() - begun

    def many_by_hand() -> float:
        given = [[row_of(each) for each in portfolio] for portfolio in portfolios()]
        begun = time.perf_counter()
        for each in given:
            bare_many(each)
        return time.perf_counter() - begun

    def many_with_json() -> float:
        given = portfolios()
        begun = time.perf_counter()
        for each in given:
            bare_many([row_of(image) for image in each])
        return time.perf_counter() - begun

    return {
        "sync": blocking,
        "async": lambda: runner.run(adding()),
        "bare": by_hand,
        "sync together": blocking_many,
        "async together": lambda: runner.run(adding_many()),
        "bare together": many_by_hand,
        "bare with JSON": many_with_json,
    }


@contextmanager
def _sqlite() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        path = folder / "charimg.sqlite"
        database = stack.enter_context(kinds.SqliteDatabase(path))
        repository = kinds.SqliteMetadataRepository(database)
        repository.get("makes the tables")
        runner = stack.enter_context(asyncio.Runner())
        connection = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        connection.execute("PRAGMA synchronous = FULL")

        def bare(row: tuple[Any, ...]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(SQLITE, row)
            connection.execute("COMMIT")

        def bare_many(rows: list[tuple[Any, ...]]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(SQLITE, rows)
            connection.execute("COMMIT")

        twin = kinds.AsyncSqliteMetadataRepository(database)
        yield _jobs(repository, twin, runner, bare, bare_many)


@contextmanager
def _postgres() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        url = stack.enter_context(backends.postgres())
        import psycopg

        database = stack.enter_context(kinds.PostgresDatabase(url))
        repository = kinds.PostgresMetadataRepository(database)
        repository.get("makes the tables")
        runner = stack.enter_context(asyncio.Runner())
        others = kinds.AsyncPostgresDatabase(url)
        stack.callback(lambda: runner.run(others.aclose()))
        connection = stack.enter_context(
            psycopg.connect(url, autocommit=True, prepare_threshold=None)
        )

        def bare(row: tuple[Any, ...]) -> None:
            connection.execute(POSTGRES, row)

        def bare_many(rows: list[tuple[Any, ...]]) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(POSTGRES, rows)

        twin = kinds.AsyncPostgresMetadataRepository(others)
        yield _jobs(repository, twin, runner, bare, bare_many)


def _rows(store: str, driver: str) -> tuple[Row, ...]:
    work = f"{store}: {RECORDS} inserts in turn"
    against = f"{driver}, rows ready made"
    return (
        Row(work=work, ours="sync", other="bare", against=against, reach=1.5),
        Row(work=f"{work}, async", ours="async", other="bare", against=against, reach=1.5),
        twins(work, whole="store"),
        *_together(store, driver),
    )


def _together(store: str, driver: str) -> Iterator[Row]:
    work = f"{store}: {PORTFOLIO} inserts of a portfolio together"
    for against, other in (
        (f"{driver}, rows ready made", "bare together"),
        (f"{driver}, rows made of the records", "bare with JSON"),
    ):
        yield Row(work=work, ours="sync together", other=other, against=against, reach=1.5)
        name = f"{work}, async"
        yield Row(work=name, ours="async together", other=other, against=against, reach=1.5)


CONTESTS = (
    Contest(name="insert-sqlite", rounds=7, prepare=_sqlite, rows=_rows("SQLite", "sqlite3")),
    Contest(
        name="insert-postgres", rounds=7, prepare=_postgres, rows=_rows("PostgreSQL", "psycopg")
    ),
)
