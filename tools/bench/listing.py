"""Pages of 50 images, of characters with ever more of them, against the bare driver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from charimg import ImagePage

from . import listed
from .listed import Listed, character_of, cursor_at, key_of
from .measure import Contest, Job, Row, demand, twins

__all__ = ["CONTESTS"]

SIZES = (1_000, 100_000, 1_000_000)
"""How many images the characters have."""
PAGES = 20
"""Of a job, one after the other. A page that was read before would cost less: see ``again``."""
LIMIT = 50
DEEP = 10_000
"""The page that is deep, of the last character."""


def _jobs(store: Listed, runner: asyncio.Runner) -> dict[str, Job]:
    """Return the jobs for the first pages of each size, deep pages, and one page many times."""
    jobs: dict[str, Job] = {}

    def enter(name: str, size: int, numbers: Iterable[int]) -> None:
        character = character_of(size)
        # The newest image of each page; a page is asked for with the last one of the page before.
        newest = [size - (number - 1) * LIMIT for number in numbers]
        keys = [key_of(size, each) for each in newest]
        cursors = [None if each == size else cursor_at(size, each + 1) for each in newest]
        reads = [store.read(character, cursor, LIMIT) for cursor in cursors]

        def whole(key: str, page: ImagePage) -> None:
            right = (len(page.images), page.total, page.images[0].key) == (LIMIT, size, key)
            demand(right, f"not the page of {character} that begins with {key}")

        def blocking() -> None:
            for key, cursor in zip(keys, cursors, strict=True):
                whole(key, store.repository.list(character, limit=LIMIT, cursor=cursor))

        async def pages() -> None:
            for key, cursor in zip(keys, cursors, strict=True):
                whole(key, await store.twin.list(character, limit=LIMIT, cursor=cursor))

        def driver() -> None:
            for read in reads:
                demand(len(read()) >= LIMIT, "not a whole page")

        def decoded() -> None:
            for key, read in zip(keys, reads, strict=True):
                found = [json.loads(row[-1]) for row in read()[:LIMIT]]
                demand((len(found), found[0]["key"]) == (LIMIT, key), "not a whole page")

        jobs[f"sync {name}"] = blocking
        jobs[f"async {name}"] = lambda: runner.run(pages())
        jobs[f"driver {name}"] = driver
        jobs[f"decoded {name}"] = decoded

    for position, size in enumerate(SIZES):
        enter(str(position), size, range(1, PAGES + 1))
    enter("deep", SIZES[-1], range(DEEP, DEEP + PAGES))
    enter("again", SIZES[-1], [1] * PAGES)
    return jobs


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
        yield twins(work, ours=f"async {name}", other=f"sync {name}", whole="store")
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
