"""Pages of 50 images, of characters with ever more of them, against the bare driver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from . import listed
from .listed import Listed, character_of, cursor_at
from .measure import Contest, Goal, Job, Row, demand

__all__ = ["CONTESTS"]

SIZES = (1_000, 100_000, 1_000_000)
"""How many images the characters have."""
PAGES = 20
"""Of a job, one after the other. A page that was read before would cost less: see ``again``."""
LIMIT = 50
DEEP = 10_000
"""The page that is deep, of the last character."""


def _cursors(size: int, first: int) -> list[str | None]:
    """Return what pages that follow each other are asked for with."""
    return [
        # At the last image of the page before.
        None if number == 1 else cursor_at(size, size - (number - 1) * LIMIT + 1)
        for number in range(first, first + PAGES)
    ]


def _jobs(store: Listed, runner: asyncio.Runner) -> dict[str, Job]:
    """Return the jobs for the first pages of each size, deep pages, and one page many times."""
    jobs: dict[str, Job] = {}

    def enter(name: str, size: int, cursors: list[str | None]) -> None:
        character = character_of(size)
        reads = [store.read(character, cursor, LIMIT) for cursor in cursors]

        def blocking() -> None:
            for cursor in cursors:
                found = store.repository.list(character, limit=LIMIT, cursor=cursor)
                _whole(len(found.images), found.total, size)

        async def pages() -> None:
            for cursor in cursors:
                found = await store.twin.list(character, limit=LIMIT, cursor=cursor)
                _whole(len(found.images), found.total, size)

        def driver() -> None:
            for read in reads:
                _whole(min(len(read()), LIMIT), size, size)

        def decoded() -> None:
            for read in reads:
                found = [json.loads(row[-1]) for row in read()[:LIMIT]]
                _whole(len(found), size, size)

        jobs[f"sync {name}"] = blocking
        jobs[f"async {name}"] = lambda: runner.run(pages())
        jobs[f"driver {name}"] = driver
        jobs[f"decoded {name}"] = decoded

    for position, size in enumerate(SIZES):
        enter(str(position), size, _cursors(size, 1))
    enter("deep", SIZES[-1], _cursors(SIZES[-1], DEEP))
    enter("again", SIZES[-1], [None] * PAGES)
    return jobs


def _whole(images: int, total: int, size: int) -> None:
    demand(
        (images, total) == (LIMIT, size), f"a page of {images} of {total}, not {LIMIT} of {size}"
    )


@contextmanager
def _sqlite() -> Iterator[Mapping[str, Job]]:
    with asyncio.Runner() as runner, listed.sqlite(SIZES) as store:
        yield _jobs(store, runner)


@contextmanager
def _postgres() -> Iterator[Mapping[str, Job]]:
    with asyncio.Runner() as runner, listed.postgres(SIZES, runner) as store:
        yield _jobs(store, runner)


def _rows(store: str, driver: str) -> Iterator[Row]:
    sizes = {
        str(position): f"{store}: pages 1 to {PAGES} of {size:,}"
        for position, size in enumerate(SIZES)
    }
    names = {
        **sizes,
        "deep": f"{store}: pages {DEEP:,} to {DEEP + PAGES - 1:,}",
        "again": f"{store}: page 1, {PAGES} times",
    }
    for name, work in names.items():
        for mode, suffix in (("sync", ""), ("async", ", async")):
            yield Row(
                work=work + suffix,
                ours=f"{mode} {name}",
                other=f"driver {name}",
                against=f"{driver}, nothing parsed",
                reach=1.5,
            )
        # What everybody pays who looks into the rows.
        yield Row(
            work=work,
            ours=f"sync {name}",
            other=f"decoded {name}",
            against=f"{driver}, JSON decoded",
            reach=1.5,
        )
        yield Row(
            work=f"{work}, async",
            ours=f"async {name}",
            other=f"sync {name}",
            against="the sync store",
            reach=1.25,
            goal=Goal.WITHIN,
        )
    fewest, *_, most = sizes
    for ours, other in ((most, fewest), ("deep", most)):
        yield Row(
            work=names[ours],
            ours=f"sync {ours}",
            other=f"sync {other}",
            against=names[other],
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
