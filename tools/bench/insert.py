"""Writing records, durable when the call returns, against the bare driver.

One after the other, each in a transaction of its own; and those of a portfolio together, in the way
that the service takes: ``add_many`` where the repository offers it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from charimg import AsyncMetadataRepository, CharacterImage, MetadataRepository
from charimg import stores as kinds

from . import backends
from .measure import Contest, Job, Row, demand, twins
from .pictures import PORTFOLIO
from .records import record, row_of

__all__ = ["CONTESTS", "add_all"]

RECORDS = 8 * PORTFOLIO
"""In one job, each in a transaction of its own."""
PORTFOLIOS = 8
"""In one job, each in a transaction of its own."""

SQLITE = (
    "INSERT INTO images (id, character_id, kind, status, created_ms, record) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)
POSTGRES = (
    "INSERT INTO charimg.images (id, character_id, kind, status, created_ms, record) "
    "VALUES (%s, %s, %s, %s, %s, %s)"
)


def add_all(repository: MetadataRepository, images: Sequence[CharacterImage]) -> None:
    """Add records that are in together as the service does."""
    together = getattr(repository, "add_many", None)
    if together is not None:
        together(images)
    else:
        for each in images:
            repository.add(each)


async def _add_all(repository: AsyncMetadataRepository, images: Sequence[CharacterImage]) -> None:
    together = getattr(repository, "add_many", None)
    if together is not None:
        await together(images)
    else:
        for each in images:
            await repository.add(each)


def _jobs(
    repository: MetadataRepository,
    twin: AsyncMetadataRepository,
    runner: asyncio.Runner,
    bare: Callable[[tuple[Any, ...]], object],
    together: Callable[[list[tuple[Any, ...]]], object],
) -> dict[str, Job]:
    """Return what writes records in either mode, and what the driver does.

    The records are new in every round, and there before the clock runs. Each job is followed by a
    look whether they are there.
    """
    numbers = count()

    def images(wanted: int = RECORDS) -> list[CharacterImage]:
        return [record(f"0198c7d2e5f04b6c9a1d3e5f{next(numbers):08}") for _ in range(wanted)]

    def portfolios() -> list[list[CharacterImage]]:
        return [images(PORTFOLIO) for _ in range(PORTFOLIOS)]

    def there(given: list[CharacterImage]) -> None:
        last = given[-1]
        total = repository.list(last.character_id, limit=1).total
        # All that was ever numbered is in.
        right = (repository.get(last.key), total) == (last, int(last.key[-8:]) + 1)
        demand(right, "records are not there")

    def blocking() -> float:
        given = images()
        begun = time.perf_counter()
        for each in given:
            repository.add(each)
        took = time.perf_counter() - begun
        there(given)
        return took

    async def adding() -> float:
        given = images()
        begun = time.perf_counter()
        for each in given:
            await twin.add(each)
        took = time.perf_counter() - begun
        there(given)
        return took

    def by_hand() -> float:
        given = images()
        rows = [row_of(each) for each in given]
        begun = time.perf_counter()
        for each in rows:
            bare(each)
        took = time.perf_counter() - begun
        there(given)
        return took

    def blocking_together() -> float:
        given = portfolios()
        begun = time.perf_counter()
        for each in given:
            add_all(repository, each)
        took = time.perf_counter() - begun
        there(given[-1])
        return took

    async def adding_together() -> float:
        given = portfolios()
        begun = time.perf_counter()
        for each in given:
            await _add_all(twin, each)
        took = time.perf_counter() - begun
        there(given[-1])
        return took

    def by_hand_together() -> float:
        given = portfolios()
        rows = [[row_of(each) for each in some] for some in given]
        begun = time.perf_counter()
        for each in rows:
            together(each)
        took = time.perf_counter() - begun
        there(given[-1])
        return took

    return {
        "sync": blocking,
        "async": lambda: runner.run(adding()),
        "bare": by_hand,
        "sync together": blocking_together,
        "async together": lambda: runner.run(adding_together()),
        "bare together": by_hand_together,
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

        def together(rows: list[tuple[Any, ...]]) -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(SQLITE, rows)
            connection.execute("COMMIT")

        twin = kinds.AsyncSqliteMetadataRepository(database)
        yield _jobs(repository, twin, runner, bare, together)


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

        def together(rows: list[tuple[Any, ...]]) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.executemany(POSTGRES, rows)

        twin = kinds.AsyncPostgresMetadataRepository(others)
        yield _jobs(repository, twin, runner, bare, together)


def _rows(store: str, driver: str) -> tuple[Row, ...]:
    work = f"{store}: {RECORDS} inserts in turn"
    against = f"{driver}, rows ready made"
    all_work = f"{store}: insert of a portfolio's {PORTFOLIO} records, {PORTFOLIOS} times"
    all_against = f"{driver}, one transaction each"
    return (
        Row(work=work, ours="sync", other="bare", against=against, reach=1.5),
        Row(work=f"{work}, async", ours="async", other="bare", against=against, reach=1.5),
        twins(work, whole="store"),
        *(
            Row(
                work=all_work + suffix,
                ours=f"{mode} together",
                other="bare together",
                against=all_against,
                reach=1.5,
            )
            for mode, suffix in (("sync", ""), ("async", ", async"))
        ),
    )


CONTESTS = (
    Contest(name="insert-sqlite", rounds=7, prepare=_sqlite, rows=_rows("SQLite", "sqlite3")),
    Contest(
        name="insert-postgres", rounds=7, prepare=_postgres, rows=_rows("PostgreSQL", "psycopg")
    ),
)
