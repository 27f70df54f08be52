"""Copies of prepared worlds on disk + SQLite with a simulated Library, cheap ones."""

from __future__ import annotations

import copy
import functools
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio.lowlevel
import httpx
import pytest
from attrs import field, frozen

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImageService,
    CharacterLibrary,
    Downloader,
    GenerationInProgress,
    RetryPolicy,
)
from charimg.testing import Simulator
from charimg.testing.simulator import Counters, Switches

from ..crash import invariants
from ..crash.works import WORKS, link
from ..leftovers import is_open
from ..patience import FAST, LIMITS

__all__ = ["ACTS", "EVERY", "LENA", "SOAK", "Act", "World", "Worlds"]

SOAK = bool(os.environ.get("CHARIMG_SOAK"))
EVERY = [1] if SOAK else [6, pytest.param(1, marks=pytest.mark.long)]
"""The long series goes through every point, and ``make test`` through every sixth one, beginning
elsewhere in each act."""

LENA = "lena"
SHOTS = 2
URL = "http://library.test"


class _Checkpointed(httpx.AsyncBaseTransport):
    """Lets the event loop run before a request arrives and after it was answered."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        answer = await self._inner.handle_async_request(request)
        await anyio.lowlevel.checkpoint()
        return answer


@frozen(kw_only=True)
class Act:
    """What is cancelled or interrupted, in both modes.

    Attributes:
        work: The work of the crash tests whose beginning and bounds it shares.
        run: The async operation.
    """

    work: str
    run: Callable[[AsyncCharacterImageService], Awaitable[object]] = field(repr=False)


async def _delete_one(service: AsyncCharacterImageService) -> object:
    page = await service.list_images(LENA, kind="reference")
    return await service.delete_image(LENA, page.images[-1].id)


async def _retry(service: AsyncCharacterImageService) -> object:
    page = await service.list_images(LENA, status="failed")
    return await service.retry_ingestion(LENA, page.images[-1].id)


async def _restore(service: AsyncCharacterImageService) -> object:
    page = await service.list_images(LENA)
    return await service.restore_reference(LENA, page.images[-1].id)


ACTS = {
    "reference": Act(
        work="reference, delete-all",
        run=lambda service: service.generate_reference(LENA, prompt="two"),
    ),
    "reference, replaced in the end": Act(
        work="reference, delete-after-success",
        run=lambda service: service.generate_reference(
            LENA, prompt="two", policy="delete-after-success"
        ),
    ),
    "portfolio": Act(
        work="portfolio, as a job", run=lambda service: service.generate_portfolio(LENA)
    ),
    "scene": Act(work="scene", run=lambda service: service.generate_scene(LENA, "two")),
    "delete all": Act(work="delete all", run=lambda service: service.delete_all_images(LENA)),
    "delete one": Act(work="delete the reference", run=_delete_one),
    "restore": Act(work="restore", run=_restore),
    "retry": Act(work="retry", run=_retry),
}


class World:
    """One directory, one Library.

    Attributes:
        root: The data directory.
        simulator: The Library.
    """

    def __init__(self, root: Path, simulator: Simulator) -> None:
        self.root = root
        self.simulator = simulator
        self._drawn_before = set(simulator._state.media)

    def open(self, transport: httpx.BaseTransport | None = None) -> CharacterImageService:
        """Open the sync service; closing it closes everything."""
        client = httpx.Client(transport=transport or self.simulator.transport())
        return CharacterImageService.local(
            self.root,
            library=CharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
            downloader=Downloader(limits=LIMITS, client=client, retries=RetryPolicy.off()),
            job_policy=FAST,
            concurrency=1,
        )

    def aopen(self) -> AsyncCharacterImageService:
        """Open the async service."""
        client = httpx.AsyncClient(transport=_Checkpointed(self.simulator.transport()))
        return AsyncCharacterImageService.local(
            self.root,
            library=AsyncCharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
            downloader=AsyncDownloader(limits=LIMITS, client=client, retries=RetryPolicy.off()),
            job_policy=FAST,
            concurrency=2,
        )

    def is_leased(self) -> bool:
        """Tell whether somebody holds the lease."""
        with self.open() as service:
            try:
                lease = service.ledger.acquire(LENA, owner="looks whether it is free", ttl=1)
            except GenerationInProgress:
                return True
            service.ledger.release(lease)
            return False

    def judge(self, work: str, *, later: float = 0.0, contested: bool = False) -> list[str]:
        """Recover twice, so many seconds later, and return every broken rule.

        Args:
            work: What was done.
            later: How far the clock is ahead.
            contested: Whether others worked on the character, too, so that more was drawn, and
                what was drawn may have been deleted.
        """
        with self.open() as service:
            ledger: Any = service.ledger
            ledger._clock = lambda: time.time() + later
            left = invariants.read_facts(service, [LENA])
            found = [
                f"before recovery: {wrong}" for wrong in invariants.violations(left, settled=False)
            ]
            outcomes = {each.outcome for each in service.recover().operations}
            # Unknown it is when the request was about to be sent, and was not.
            drawn = set(self.simulator._state.media) - self._drawn_before
            wrong = {"error", "unknown"} if drawn and not contested else {"error"}
            found += [f"recovery told {each}" for each in outcomes & wrong]
            facts = invariants.read_facts(service, [LENA])
            service.recover()
            again = invariants.read_facts(service, [LENA])
        one_reference = WORKS[work].one_reference
        found += invariants.violations(facts, one_reference=one_reference)
        found += invariants.changes(facts, again)
        if contested:
            return found
        found += WORKS[work].bounds.violations(invariants.counts_of(self.simulator))
        have = {image.external_id for image in facts.images if image.status == "succeeded"}
        return found + [f"{media_id} was drawn and is lost" for media_id in drawn - have]


class Worlds:
    """Prepares a world per work once, and copies it."""

    def __init__(self, where: Path) -> None:
        self._where = where
        self._count = 0
        self._prepared = functools.cache(self._prepare)

    def fresh(self, work: str) -> World:
        """Return a new copy of the world in which the work begins."""
        prepared = self._prepared(work)
        self._count += 1
        root = self._where / f"world-{self._count}"
        shutil.copytree(prepared.root, root)
        simulator = Simulator(base_url=URL)
        simulator._state = copy.deepcopy(prepared.simulator._state)
        simulator.switches = Switches(**{"shots": SHOTS, "width": 48, **WORKS[work].switches})
        simulator.counters = Counters()
        return World(root, simulator)

    def forget(self, world: World) -> None:
        """Remove a copy."""
        shutil.rmtree(world.root)

    def _prepare(self, work: str) -> World:
        simulator = Simulator(base_url=URL)
        simulator.switches.shots = SHOTS
        simulator.switches.width = 48
        world = World(self._where / "prepared" / work.replace(" ", "-"), simulator)
        with world.open() as service:
            link(service, simulator.add_character(name="Lena Marlow"))
            WORKS[work].begin(service, simulator)
        return world


class Temporary:
    """Every temporary file and database that was opened; all must be closed, and no file left."""

    def __init__(self, where: Path, patch: pytest.MonkeyPatch) -> None:
        self.where = where
        self.opened: list[Any] = []
        self.connections: list[sqlite3.Connection] = []
        spooled, connect = tempfile.SpooledTemporaryFile.__init__, sqlite3.connect

        def connected(*args: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*args, **options)
            self.connections.append(connection)
            return connection

        def noted(file: Any, *args: Any, **options: Any) -> None:
            spooled(file, *args, **options)
            self.opened.append(file)

        patch.setattr(sqlite3, "connect", connected)
        patch.setattr(tempfile.SpooledTemporaryFile, "__init__", noted)
        patch.setattr(tempfile, "tempdir", str(where))

    def left(self) -> list[str]:
        """Return what is left, and forget it."""
        found = [f"temporary file {path.name}" for path in self.where.iterdir()]
        found += ["a temporary file is open" for file in self.opened if not file.closed]
        found += ["a database is open" for each in self.connections if is_open(each)]
        self.opened.clear()
        self.connections.clear()
        return found
