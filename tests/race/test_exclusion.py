"""Operations on one character exclude each other; on different ones they do not wait.

Barriers and events inside the simulated Library hold an operation at its remote call, so nothing
here depends on time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from attrs import define, field

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    GenerationInProgress,
    RetryPolicy,
)
from charimg.testing import Simulator

from ..crash import invariants
from ..figures import Figure

THREADS = 8
ROUNDS = 15
SECONDS = 600.0
"""When something that must happen has not: the test fails, and does not hang."""
NAMES = [f"character-{number}" for number in range(THREADS)]

Work = Callable[[CharacterImageService, str], object]


class Gated(Simulator):
    """Holds requests of a kind before they arrive."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hold: Callable[[str, str], None] | None = None

    def handle(self, method: str, url: str, *args: Any) -> Any:
        if self.hold is not None:
            self.hold(method, url)
        return super().handle(method, url, *args)


@define(kw_only=True)
class Place:
    """A shared service and its Library."""

    service: CharacterImageService
    simulator: Gated
    db_ids: dict[str, str] = field(factory=dict)

    @contextmanager
    def holding(self, what: str, db_id: str) -> Iterator[Callable[[], None]]:
        """Hold the next request of a character; yields what waits until it is held."""
        held, go = threading.Event(), threading.Event()

        def hold(method: str, url: str) -> None:
            if f"{method} {url}".startswith(what.split()[0]) and what.split()[1] in url:
                if db_id not in url or held.is_set():
                    return
                held.set()
                assert go.wait(SECONDS)

        def wait() -> None:
            assert held.wait(SECONDS)

        self.simulator.hold = hold
        try:
            yield wait
        finally:
            self.simulator.hold = None
            go.set()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    simulator = Gated()
    simulator.switches.shots = 2
    with httpx.Client(transport=simulator.transport()) as client:
        library = CharacterLibrary(simulator.base_url, client=client, retries=RetryPolicy.off())
        downloader = Downloader(client=client, retries=RetryPolicy.off())
        with CharacterImageService.local(
            tmp_path / "data", library=library, downloader=downloader
        ) as service:
            made = Place(service=service, simulator=simulator)
            for name in NAMES:
                made.db_ids[name] = simulator.add_character(name=name)
                service.put_character(
                    CharacterReference(id=name, name=name, library_db_id=made.db_ids[name])
                )
                service.generate_reference(name, prompt="one")
            yield made


def generate(service: CharacterImageService, name: str) -> object:
    return service.generate_reference(name, prompt="two")


def delete(service: CharacterImageService, name: str) -> object:
    return service.delete_all_images(name)


PAIRS: list[tuple[Work, str, Work]] = [
    (generate, "POST generate-initial-image", delete),
    (delete, "DELETE reference-image", generate),
    (generate, "POST generate-initial-image", generate),
    (delete, "DELETE reference-image", delete),
]


@pytest.mark.parametrize(("first", "held_at", "second"), PAIRS)
def test_on_one_character_they_exclude_each_other(
    place: Place, first: Work, held_at: str, second: Work
) -> None:
    name = NAMES[0]
    with ThreadPoolExecutor(1) as pool:
        with place.holding(held_at, place.db_ids[name]) as wait:
            running = pool.submit(first, place.service, name)
            wait()
            asked = len(place.simulator.requests)
            facts = invariants.read_facts(place.service, [name])
            with pytest.raises(GenerationInProgress):
                second(place.service, name)
            assert len(place.simulator.requests) == asked, "the Library was asked nothing"
            assert invariants.read_facts(place.service, [name]) == facts
        running.result(SECONDS)
    second(place.service, name)
    assert invariants.violations(invariants.read_facts(place.service, NAMES)) == []


@pytest.mark.parametrize(("first", "held_at", "second"), PAIRS)
def test_on_different_characters_they_do_not_wait(
    place: Place, first: Work, held_at: str, second: Work
) -> None:
    one, *others = NAMES
    with ThreadPoolExecutor(1) as pool:
        with place.holding(held_at, place.db_ids[one]) as wait:
            running = pool.submit(first, place.service, one)
            wait()
            for other in others:
                second(place.service, other)
            assert not running.done(), "the first one is held all the while"
        running.result(SECONDS)
    assert invariants.violations(invariants.read_facts(place.service, NAMES)) == []


def test_eight_threads_share_a_service_for_eight_characters(place: Place, figure: Figure) -> None:
    """All of them are at the Library at the same time, or the barrier breaks."""
    together = threading.Barrier(THREADS, timeout=SECONDS)

    def hold(method: str, url: str) -> None:
        if method == "POST":
            together.wait()

    def work(name: str) -> None:
        for number in range(3):
            place.service.generate_reference(name, prompt=f"{number}")
            place.service.generate_scene(name, f"{number}")

    place.simulator.hold = hold
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, NAMES, timeout=SECONDS))
    facts = invariants.read_facts(place.service, NAMES)
    assert invariants.violations(facts, one_reference=True) == []
    assert {(image.character_id, image.prompt) for image in facts.images} == {
        (name, "2") for name in NAMES
    }
    figure(
        f"{THREADS} threads, {THREADS} characters, one service",
        f"{THREADS} generations at the Library at once, 6 rounds, 0 violations",
    )


def test_eight_threads_share_a_service_for_one_character(place: Place, figure: Figure) -> None:
    """Whoever gets the lease is held until all others have been refused."""
    name = NAMES[0]
    refused = threading.Semaphore(0)
    asked: list[str] = []

    def hold(method: str, url: str) -> None:
        asked.append(threading.current_thread().name)
        if method == "POST":
            for _ in range(THREADS - 1):
                assert refused.acquire(timeout=SECONDS)

    def work() -> bool:
        together.wait()
        try:
            generate(place.service, name)
        except GenerationInProgress:
            refused.release()
            return False
        return True

    together = threading.Barrier(THREADS, timeout=SECONDS)
    place.simulator.hold = hold
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(ROUNDS):
            asked.clear()
            futures: list[Future[bool]] = [pool.submit(work) for _ in range(THREADS)]
            assert sum(future.result(SECONDS) for future in futures) == 1, "one alone is let in"
            # Downloads of its one image run in its own thread.
            assert len(set(asked)) == 1, "nobody else has asked the Library anything"
    facts = invariants.read_facts(place.service, NAMES)
    assert invariants.violations(facts, one_reference=True) == []
    assert place.simulator.counters.initial_image_posts == len(NAMES) + ROUNDS
    figure(
        f"{THREADS} threads, one character, one service",
        f"{ROUNDS} rounds, {ROUNDS * (THREADS - 1)} refused with 0 remote calls, 0 violations",
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_of_different_characters_do_not_wait(tmp_path: Path, backend: str) -> None:
    simulator = Simulator()

    class Meeting(httpx.AsyncBaseTransport):
        """Holds every generation until all are there."""

        def __init__(self) -> None:
            self.inner = simulator.transport()
            self.waiting = 0
            self.all_there = anyio.Event()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                self.waiting += 1
                if self.waiting == THREADS:
                    self.all_there.set()
                with anyio.fail_after(SECONDS):
                    await self.all_there.wait()
            return await self.inner.handle_async_request(request)

    async def main() -> None:
        refused: list[str] = []
        async with httpx.AsyncClient(transport=Meeting()) as client:
            library = AsyncCharacterLibrary(simulator.base_url, client=client)
            async with AsyncCharacterImageService.local(
                tmp_path / "data", library=library, downloader=AsyncDownloader(client=client)
            ) as service:

                async def work(name: str) -> None:
                    try:
                        await service.generate_reference(name, prompt="one")
                    except GenerationInProgress:
                        refused.append(name)

                for name in NAMES:
                    db_id = simulator.add_character(name=name)
                    await service.put_character(
                        CharacterReference(id=name, name=name, library_db_id=db_id)
                    )
                async with anyio.create_task_group() as group:
                    # A second one for each character: it is refused, while the first one is held.
                    for name in NAMES[:-1] * 2:
                        group.start_soon(work, name)
                    with anyio.fail_after(SECONDS):
                        while len(refused) < THREADS - 1:
                            await anyio.lowlevel.checkpoint()
                    group.start_soon(work, NAMES[-1])
                facts = await invariants.aread_facts(service, NAMES)
        assert sorted(refused) == NAMES[:-1]
        assert len(facts.images) == simulator.counters.initial_image_posts == THREADS
        assert invariants.violations(facts, one_reference=True) == []

    anyio.run(main, backend=backend)
