"""Pages of typed records, against the same rows and fields read with an ORM.

The host's tables hold what ours hold: every field of a record a column, its file in a table beside,
its metrics as JSON. Every answer is compared: all fields once, the keys in each round.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from attrs import evolve

from charimg import AsyncMetadataRepository, CharacterImage, ImagePage, MetadataRepository
from charimg import stores as kinds
from charimg.stores._documents import dump

from . import backends
from .measure import Contest, Job, Row, demand
from .peers import Peer, asking
from .records import add_all, record

__all__ = ["CONTESTS"]

IMAGES = 1_500
"""Of the character."""
PAGES = 20
LIMIT = 50
_LENA = "lena"
_ORMS = ("SQLAlchemy", "Django")


def _records() -> list[CharacterImage]:
    """Return the records, three of each millisecond."""
    found = []
    for number in range(IMAGES):
        each = record(f"0198c7d2e5f04b6c9a1d3e5f{number:08}", _LENA)
        moment = each.created_at + timedelta(milliseconds=1 + number // 3)
        found.append(evolve(each, created_at=moment, updated_at=moment))
    return found


def _document(image: CharacterImage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(dump(image, what="the record"))
    # A host derives URLs when it reads, too; here nobody does.
    for name in ("url", "thumbnailUrl"):
        del found["media"][name]
    return found


def _jobs(
    repository: MetadataRepository,
    twin: AsyncMetadataRepository,
    runner: asyncio.Runner,
    peer: Peer,
) -> dict[str, Job]:
    """Return the jobs, after a comparison of all that both sides read."""

    def blocking() -> list[ImagePage]:
        pages: list[ImagePage] = []
        cursor = None
        for _ in range(PAGES):
            pages.append(repository.list(_LENA, limit=LIMIT, cursor=cursor))
            cursor = pages[-1].next_cursor
        return pages

    async def on_asyncio() -> list[ImagePage]:
        pages: list[ImagePage] = []
        cursor = None
        for _ in range(PAGES):
            pages.append(await twin.list(_LENA, limit=LIMIT, cursor=cursor))
            cursor = pages[-1].next_cursor
        return pages

    first = blocking()
    keys = [[image.key for image in page.images] for page in first]
    demand([len(each) for each in keys] == [LIMIT] * PAGES, "not whole pages")
    documents = [_document(image) for page in first for image in page.images]

    def same(found: Sequence[ImagePage]) -> None:
        right = [[image.key for image in page.images] for page in found] == keys
        demand(right and {page.total for page in found} == {IMAGES}, "other pages came")

    def orm(name: str) -> Job:
        asked = {"orm": name, "pages": PAGES}
        whole = peer.ask({**asked, "whole": True})["documents"]
        demand(whole == documents, f"{name} does not read what charimg reads")

        def job() -> float:
            said = peer.ask(asked)
            right = (said["keys"], set(said["totals"])) == (keys, {IMAGES})
            demand(right, f"{name} read other pages")
            return float(said["seconds"])

        return job

    return {
        "sync": lambda: same(blocking()),
        "async": lambda: same(runner.run(on_asyncio())),
        **{name: orm(name) for name in _ORMS},
    }


@contextmanager
def _peer(folder: Path, url: str, records: Sequence[CharacterImage]) -> Iterator[Peer]:
    documents = folder / "documents.jsonl"
    documents.write_text("\n".join(json.dumps(_document(each)) for each in records))
    with asking("orm.py", {"url": url, "character": _LENA, "documents": str(documents)}) as peer:
        yield peer


@contextmanager
def _sqlite() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        records = _records()
        peer = stack.enter_context(_peer(folder, f"sqlite:///{folder}/host.sqlite", records))
        runner = stack.enter_context(asyncio.Runner())
        database = stack.enter_context(kinds.SqliteDatabase(folder / "charimg.sqlite"))
        repository = kinds.SqliteMetadataRepository(database)
        add_all(repository, records)
        twin = kinds.AsyncSqliteMetadataRepository(database)
        yield _jobs(repository, twin, runner, peer)


@contextmanager
def _postgres() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        url = stack.enter_context(backends.postgres())
        import psycopg

        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        records = _records()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE host")
        host = urlunsplit(urlsplit(url)._replace(path="/host"))
        peer = stack.enter_context(_peer(folder, host, records))
        runner = stack.enter_context(asyncio.Runner())
        database = stack.enter_context(kinds.PostgresDatabase(url))
        repository = kinds.PostgresMetadataRepository(database)
        add_all(repository, records)
        # As the host's tables were.
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE charimg.images")
        others = kinds.AsyncPostgresDatabase(url)
        stack.callback(lambda: runner.run(others.aclose()))
        twin = kinds.AsyncPostgresMetadataRepository(others)
        yield _jobs(repository, twin, runner, peer)


def _rows(store: str) -> tuple[Row, ...]:
    work = f"{store}: pages 1 to {PAGES} of {IMAGES:,}, typed, with media"
    return tuple(
        Row(work=work + suffix, ours=mode, other=name, against=f"{name} ORM", reach=0.5)
        for mode, suffix in (("sync", ""), ("async", ", async"))
        for name in _ORMS
    )


CONTESTS = (
    Contest(name="orm-sqlite", rounds=7, prepare=_sqlite, rows=_rows("SQLite")),
    Contest(name="orm-postgres", rounds=7, prepare=_postgres, rows=_rows("PostgreSQL")),
)
