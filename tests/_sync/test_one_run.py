# Generated from tests/_async/test_one_run.py by tools/unasync.py. Do not edit.
"""One operation as the ledger, the lease, the log and the listeners see it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    GenerationInProgress,
    IngestionError,
    Lease,
    LeaseLost,
    Operation,
    OperationItem,
    OperationState,
    Recovered,
    RecoveryReport,
    ReferencePolicy,
)
from charimg._ingest.naming import item_key
from charimg._sync import operation
from charimg._sync.operation import Run
from charimg.models import utcnow

from .mishaps import SCENE, left_behind, outcomes, prompts, rigged, settled
from .world import LENA, World

AFTER = ReferencePolicy.DELETE_AFTER_SUCCESS
KEEP = ReferencePolicy.KEEP_HISTORY


class Time:
    """The clocks of an operation; they stand still."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        clocks = SimpleNamespace(monotonic=lambda: self.now, perf_counter=lambda: self.now)
        monkeypatch.setattr(operation, "time", clocks)


def a_run(world: World, seconds: float) -> tuple[Run, list[Lease]]:
    """Return a run under a lease of so many seconds, and what it renews from now on."""
    renewed: list[Lease] = []
    renew = world.ledger.renew

    def counted(lease: Lease, /, *, ttl: float) -> Lease:
        renewed.append(renew(lease, ttl=ttl))
        return renewed[-1]

    world.ledger.renew = counted  # type: ignore[method-assign]
    parts = world.assemble(lease_seconds=seconds)._parts
    lease = world.ledger.acquire(LENA, owner="me", ttl=seconds)
    return Run(parts, Operation(id="0" * 32, kind="scene", character_id=LENA), lease), renewed


def test_a_lease_is_renewed_when_a_quarter_of_its_life_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    time = Time(monkeypatch)
    world, _ = rigged()
    run, renewed = a_run(world, 1000)
    for later, times in ((0, 0), (250, 0), (255, 1), (500, 1), (510, 2)):
        time.now = 1000 + later
        world.clock.now = 1_700_000_000 + later
        run.keep()
        assert len(renewed) == times, later
    assert run.lease == renewed[-1]
    assert renewed[-1].expires_at - renewed[0].expires_at == timedelta(seconds=255)


def test_a_long_removal_renews_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="one")
    run, renewed = a_run(world, 1000)
    world.ledger.release(run.lease)
    service = world.assemble(lease_seconds=1000)
    listed = world.metadata.list

    def slow(*args: Any, **options: Any) -> Any:
        time.now += 300
        return listed(*args, **options)

    world.metadata.list = slow  # type: ignore[method-assign]
    assert (service.delete_all_images(LENA)).removed == 1
    assert len(renewed) == 1


def a_reference(world: World) -> None:
    world.service.generate_reference(LENA, prompt="one")


def another_reference(world: World) -> None:
    """One where the Library has one that nobody here knows: it refuses the first request."""
    world.simulator.set_reference(world.db_id)
    a_reference(world)


def a_scene(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    world.service.generate_scene(LENA, "A walk.")


def a_set(world: World) -> None:
    world.simulator.set_reference(world.db_id)
    world.service.generate_portfolio(LENA)


PAID = [
    pytest.param(a_reference, "get_reference_image", "generate_initial_image", id="reference"),
    pytest.param(
        another_reference, "delete_reference_image", "generate_initial_image", id="second-try"
    ),
    pytest.param(a_scene, "list_images", "generate_scene_image", id="scene"),
    pytest.param(a_set, "list_jobs", "generate_360_set", id="portfolio"),
]
"""What is drawn, a call that comes before the paid one, and the paid one."""


def slow(world: World, monkeypatch: pytest.MonkeyPatch, name: str, then: Callable[[], Any]) -> None:
    """Have a call of the Library be followed by something."""
    real = getattr(world.service.library, name)

    def call(*args: Any, **options: Any) -> Any:
        result = real(*args, **options)
        then()
        return result

    monkeypatch.setattr(world.service.library, name, call)


@pytest.mark.parametrize(("draw", "before", "paid"), PAID)
def test_nobody_else_gets_the_character_while_a_paid_request_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch,
    draw: Callable[[World], Any],
    before: str,
    paid: str,
) -> None:
    """However long the steps before have taken: the lease is as good as new."""
    world, _ = rigged(lease_seconds=1000)
    tried: list[str] = []

    def late() -> None:
        world.stores.later(900)

    def another() -> None:
        world.stores.later(900)
        tried.append(paid)
        with pytest.raises(GenerationInProgress):
            world.ledger.acquire(LENA, owner="another", ttl=1)

    slow(world, monkeypatch, before, late)
    slow(world, monkeypatch, paid, another)
    draw(world)
    assert tried == [paid]


@pytest.mark.parametrize(("draw", "before", "paid"), PAID)
def test_nothing_is_paid_for_when_somebody_else_has_got_the_character(
    monkeypatch: pytest.MonkeyPatch,
    draw: Callable[[World], Any],
    before: str,
    paid: str,
) -> None:
    world, simulator = rigged(lease_seconds=1000)

    def another() -> None:
        world.stores.later(1100)
        world.ledger.acquire(LENA, owner="another", ttl=1)

    slow(world, monkeypatch, before, another)
    with pytest.raises(LeaseLost):
        draw(world)
    # The refused try of a reference has cost nothing.
    refused = 1 if draw is another_reference else 0
    counters = simulator.counters
    posts = (counters.initial_image_posts, counters.set360_posts, counters.scene_posts)
    assert posts == (refused, 0, 0)


def test_an_operation_lasts_from_start_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    world, _ = rigged()
    run, _ = a_run(world, 1000)
    time.now += 2.5
    assert run.duration_ms == 2500


def test_the_log_names_start_and_end(caplog: pytest.LogCaptureFixture) -> None:
    world, simulator = rigged()
    caplog.set_level(logging.INFO, "charimg.service")

    def heard() -> list[str]:
        found = [each.message for each in caplog.records if each.name == "charimg.service"]
        caplog.clear()
        return found

    world.service.generate_reference(LENA, prompt="one")
    assert heard() == ["operation.started", "operation.finished"]
    simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "two")
    assert heard() == ["operation.started", "operation.failed"]


def test_what_is_not_known_is_written_down_with_its_reason() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_scene(LENA, "lost")
    (op,) = world.operations()
    assert (op.state, op.error) == (OperationState.POSTING, str(caught.value))


def test_a_new_reference_stays_though_the_clock_went_back() -> None:
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="old")
    drawn = world.simulator.set_reference(world.db_id, prompt="new")
    # The item's key says which operation has drawn it.
    item = OperationItem(key=item_key("f" * 32, 0), index=0, prompt="new", external_id=drawn)
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.RECEIVED,
        items=(item,),
        options={"policy": AFTER},
        created_at=utcnow() + timedelta(hours=1),
    )
    assert outcomes(world.service.recover()) == ["completed"]
    assert prompts(world) == ["new"]
    settled(world)


def test_nothing_is_replaced_by_what_is_no_longer_the_master() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="old")
    simulator.switches.html_files = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt="late", policy=AFTER)
    world.service.generate_reference(LENA, prompt="master", policy=KEEP)
    assert caught.value.image_id is not None
    world.service.retry_ingestion(LENA, caught.value.image_id)
    assert sorted(prompts(world)) == ["late", "master", "old"]
    settled(world)


def test_a_master_that_the_library_has_lost_is_no_other_master() -> None:
    world, _ = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    world.service.library.delete_reference_image(world.db_id)
    before = world.counts[1]
    result = world.service.delete_image(LENA, image.id)
    assert "NOT_MASTER" not in [str(warning.code) for warning in result.warnings]
    assert world.counts[1] == before + 1
    assert (world.operations())[0].state == OperationState.DONE


def test_what_is_written_down_shows_no_prompt_and_can_be_hashed() -> None:
    item = OperationItem(
        key="k", index=0, prompt="of a film", source_url="https://a.example/?signed"
    )
    op = Operation(
        id="0" * 32,
        kind="scene",
        character_id=LENA,
        prompt="of a film",
        options={"mood": "of a film"},
        items=(item,),
    )
    told = Recovered(
        operation_id=op.id, kind=op.kind, character_id=LENA, outcome="unknown", prompt="of a film"
    )
    assert "of a film" not in repr([item, op, told])
    assert "signed" not in repr([item, op, told])
    assert len({op, item, told}) == 3


@pytest.mark.parametrize(
    ("outcome", "is_open"),
    [
        *((name, True) for name in ("unknown", "waiting", "in-progress", "error")),
        *((name, False) for name in ("completed", "adopted", "cleaned", "failed")),
    ],
)
def test_what_needs_time_or_a_human_is_unresolved(outcome: str, is_open: bool) -> None:
    told = Recovered(operation_id="1", kind="scene", character_id=LENA, outcome=outcome)
    assert RecoveryReport(operations=(told,)).unresolved == ((told,) if is_open else ())
