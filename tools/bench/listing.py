"""A page of 50 images, of characters with ever more of them, against the bare driver."""

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
"""In one job: one is over too soon."""
LIMIT = 50
DEEP = 10_000
"""The page that is deep, of the last character."""


def _jobs(store: Listed, runner: asyncio.Runner) -> dict[str, Job]:
    """Return the jobs for each size, and for the deep page."""
    jobs: dict[str, Job] = {}

    def enter(name: str, size: int, cursor: str | None) -> None:
        character = character_of(size)
        bare = store.read(character, cursor, LIMIT)

        def blocking() -> None:
            for _ in range(PAGES):
                found = store.repository.list(character, limit=LIMIT, cursor=cursor)
                _whole(len(found.images), found.total, size)

        async def pages() -> None:
            for _ in range(PAGES):
                found = await store.twin.list(character, limit=LIMIT, cursor=cursor)
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

    for position, size in enumerate(SIZES):
        enter(str(position), size, None)
    # At the last image of the page before.
    enter("deep", SIZES[-1], cursor_at(SIZES[-1], SIZES[-1] - (DEEP - 1) * LIMIT + 1))
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
    work = f"{store}: page of {LIMIT}"
    sizes = {str(position): f"of {size:,}" for position, size in enumerate(SIZES)}
    names = {**sizes, "deep": f"number {DEEP:,}"}
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
    fewest, *_, most = sizes
    yield Row(
        work=f"{work} {names[most]}",
        ours=f"sync {most}",
        other=f"sync {fewest}",
        against=f"page {names[fewest]}",
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
