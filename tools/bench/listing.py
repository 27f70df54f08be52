"""A page of 50 images, of characters with ever more of them, against the bare driver."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from charimg import AsyncMetadataRepository, MetadataRepository
from charimg import stores as kinds
from charimg.stores._pages import encode_cursor
from charimg.stores.postgres.metadata import page

from . import backends
from .measure import Contest, Goal, Job, Row, demand
from .records import record, row_of

__all__ = ["CONTESTS"]

SIZES = (1_000, 100_000, 1_000_000)
"""How many images the characters have."""
PAGES = 20
"""In one job: one is over too soon."""
LIMIT = 50
DEEP = 10_000
"""The page that is deep, of the last character."""

Read = Callable[[], list[tuple[Any, ...]]]


def _character(size: int) -> str:
    return f"of-{size}"


def _cursor() -> str:
    """Return where the deep page begins, at the last record of the one before."""
    number = SIZES[-1] - (DEEP - 1) * LIMIT
    return encode_cursor(row_of(record())[4] + number // 3, f"{number:032}")


def _jobs(
    repository: MetadataRepository,
    twin: AsyncMetadataRepository,
    runner: asyncio.Runner,
    read: Callable[[str, str | None], Read],
) -> dict[str, Job]:
    """Return the jobs for each size, and for the deep page.

    Args:
        repository: Ours.
        twin: Ours, async.
        runner: The loop that it runs on.
        read: Gives what asks the bare driver for a page, as the store asks for it.
    """
    jobs: dict[str, Job] = {}

    def enter(name: str, size: int, cursor: str | None) -> None:
        character, bare = _character(size), read(_character(size), cursor)

        def blocking() -> None:
            for _ in range(PAGES):
                found = repository.list(character, limit=LIMIT, cursor=cursor)
                _whole(len(found.images), found.total, size)

        async def pages() -> None:
            for _ in range(PAGES):
                found = await twin.list(character, limit=LIMIT, cursor=cursor)
                _whole(len(found.images), found.total, size)

        def driver() -> None:
            for _ in range(PAGES):
                _whole(min(len(bare()), LIMIT), size, size)

        def decoded() -> None:
            for _ in range(PAGES):
                found = [json.loads(row[-1]) for row in bare()]
                _whole(min(len(found), LIMIT), size, size)

        jobs[f"sync {name}"] = blocking
        jobs[f"async {name}"] = lambda: runner.run(pages())
        jobs[f"driver {name}"] = driver
        jobs[f"decoded {name}"] = decoded

    for size in SIZES:
        enter(str(size), size, None)
    enter("deep", SIZES[-1], _cursor())
    return jobs


def _whole(images: int, total: int, size: int) -> None:
    demand(
        (images, total) == (LIMIT, size), f"a page of {images} of {total}, not {LIMIT} of {size}"
    )


@contextmanager
def _sqlite() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        path = folder / "charimg.sqlite"
        database = stack.enter_context(kinds.SqliteDatabase(path))
        repository = kinds.SqliteMetadataRepository(database)
        repository.get("makes the tables")
        runner = stack.enter_context(asyncio.Runner())
        bare = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        bare.execute("PRAGMA synchronous = OFF")
        image, _, kind, status, moment, text = row_of(record())
        for size in SIZES:
            bare.execute(
                "WITH RECURSIVE numbers (n) AS "
                "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?) "
                "INSERT INTO images SELECT printf('%s%032d', ?, n), ?, ?, ?, ? + n / 3, "
                "replace(?, ?, printf('%s%032d', ?, n)) FROM numbers",
                (
                    *(size, _prefix(size), _character(size), kind, status, moment),
                    *(text, image, _prefix(size)),
                ),
            )

        def read(character: str, cursor: str | None) -> Read:
            queries: list[str] = []
            with database.reading() as connection:
                connection.set_trace_callback(queries.append)
            repository.list(character, limit=LIMIT, cursor=cursor)
            with database.reading() as connection:
                connection.set_trace_callback(None)
            total, rows = [each for each in queries if each.startswith("SELECT")]

            def fetch() -> list[tuple[Any, ...]]:
                bare.execute(total).fetchone()
                return bare.execute(rows).fetchall()

            return fetch

        yield _jobs(repository, kinds.AsyncSqliteMetadataRepository(database), runner, read)


def _prefix(size: int) -> str:
    """Return what keeps the keys of one character from those of another; none for the last."""
    return "" if size == SIZES[-1] else f"{size}-"


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
        bare = stack.enter_context(psycopg.connect(url, autocommit=True, prepare_threshold=None))
        image, _, kind, status, moment, text = row_of(record())
        for size in SIZES:
            bare.execute(
                "INSERT INTO charimg.images SELECT %s || lpad(n::text, 32, '0'), %s, %s, %s, "
                "%s + n / 3, replace(%s, %s, %s || lpad(n::text, 32, '0')) "
                "FROM generate_series(1, %s) AS n",
                (
                    *(_prefix(size), _character(size), kind, status, moment),
                    *(text, image, _prefix(size), size),
                ),
            )
        bare.execute("VACUUM ANALYZE charimg.images")

        def read(character: str, cursor: str | None) -> Read:
            asked = next(page(character, kind=None, status=None, limit=LIMIT, cursor=cursor))
            sql: Any = asked.sql.replace("{s}", "charimg")
            return lambda: bare.execute(sql, asked.values).fetchall()

        yield _jobs(repository, kinds.AsyncPostgresMetadataRepository(others), runner, read)


def _rows(store: str, driver: str) -> Iterator[Row]:
    work = f"{store}: page of {LIMIT}"
    names = {**{str(size): f"of {size:,}" for size in SIZES}, "deep": f"number {DEEP:,}"}
    for name, words in names.items():
        for mode, suffix in (("sync", ""), ("async", ", async")):
            yield Row(
                work=f"{work} {words}{suffix}",
                ours=f"{mode} {name}",
                other=f"driver {name}",
                against=f"{driver}, same query, nothing parsed",
                reach=1.5,
            )
        # What everybody pays who looks into the rows.
        yield Row(
            work=f"{work} {words}",
            ours=f"sync {name}",
            other=f"decoded {name}",
            against=f"{driver}, same query, JSON decoded",
            reach=1.5,
        )
        yield Row(
            work=f"{work} {words}, async",
            ours=f"async {name}",
            other=f"sync {name}",
            against="the sync store",
            reach=1.25,
            goal=Goal.WITHIN,
        )
    most = SIZES[-1]
    yield Row(
        work=f"{work} {names[str(most)]}",
        ours=f"sync {most}",
        other=f"sync {SIZES[0]}",
        against=f"page {names[str(SIZES[0])]}",
        reach=1.2,
    )
    yield Row(
        work=f"{work} {names['deep']}",
        ours="sync deep",
        other=f"sync {most}",
        against="page number 1",
        reach=1.2,
    )


CONTESTS = (
    Contest(
        name="listing-sqlite",
        rounds=7,
        prepare=_sqlite,
        rows=tuple(_rows("SQLite", "sqlite3")),
    ),
    Contest(
        name="listing-postgres",
        rounds=7,
        prepare=_postgres,
        rows=tuple(_rows("PostgreSQL", "psycopg")),
    ),
)
