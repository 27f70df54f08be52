# Generated from tests/_async/test_ingest.py by tools/unasync.py. Do not edit.
"""What is recorded of an image that comes in, or does not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from charimg import (
    ErrorCode,
    ItemState,
    LeaseLost,
    OperationItem,
    OperationState,
    StorageError,
)
from charimg._sync.ingest import ingest
from charimg._sync.operation import Run
from charimg.models import utcnow

from .mishaps import Rigged, break_once, left_behind, outcomes, rigged, settled
from .world import LENA, World

ID = f"{'0' * 31}1"


def a_run(world: World, *items: OperationItem, **fields: Any) -> Run:
    """Return an operation that has received these."""
    state = OperationState.RECEIVED
    op = left_behind(world, kind="scene", state=state, items=items, **fields)
    lease = world.ledger.acquire(LENA, owner="me", ttl=1000)
    return Run(world.service._parts, op, lease)


def item(index: int = 0, **fields: Any) -> OperationItem:
    return OperationItem(key=f"{ID}-{index:03d}", index=index, prompt="lost", **fields)


def downloads(simulator: Rigged) -> int:
    return sum("/files/" in each.path or "/media/" in each.path for each in simulator.requests)


def test_an_image_that_is_nowhere_and_has_no_id_is_told_by_its_url_alone() -> None:
    world, _ = rigged()
    run = a_run(world, item(source_url="http://library.test/nowhere.png"))
    found = ingest(run, kind="scene", character=None)
    (image,) = found.images
    assert (image.status, image.source_url) == ("failed", "http://library.test/nowhere.png")
    (error,) = found.errors.values()
    assert error.code == ErrorCode.BAD_STATUS


def test_an_image_that_was_never_drawn_says_so() -> None:
    world, _ = rigged()
    run = a_run(world, item(state=ItemState.FAILED))
    found = ingest(run, kind="scene", character=None)
    (image,) = found.images
    assert (image.status, image.error) == ("failed", "not drawn")
    assert [error.code for error in found.errors.values()] == [ErrorCode.NOT_DRAWN]


def test_how_long_the_generation_took_is_told_in_milliseconds() -> None:
    world, _ = rigged()
    now = utcnow()
    times = {"posted_at": now, "received_at": now + timedelta(seconds=2.5)}
    run = a_run(world, item(state=ItemState.FAILED), **times)
    (image,) = (ingest(run, kind="scene", character=None)).images
    assert image.metrics.generation_ms == 2500


def test_a_reference_alone_is_the_master_since_some_time() -> None:
    world, _ = rigged()
    reference = (world.service.generate_reference(LENA, prompt="one")).image
    scene = (world.service.generate_scene(LENA, "A walk.")).image
    assert reference.metrics.master_since is not None
    assert scene.metrics.master_since is None


def test_a_lost_lease_leaves_what_is_stored_to_whoever_finishes_the_operation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, simulator = rigged()
    monkeypatch.setattr(world.media, "concurrent_safe", False, raising=False)
    simulator.set_reference(world.db_id)
    # Before the request, when the image is there, and when it is stored.
    break_once(world.ledger, "renew", 3, error=LeaseLost)
    with pytest.raises(LeaseLost):
        world.service.generate_scene(LENA, "A walk.")
    (key,) = world.stores.keys()
    before = downloads(simulator)
    assert before
    assert outcomes(world.service.recover()) == ["completed"]
    assert downloads(simulator) == before
    assert [image.key for image in world.images()] == [key]
    settled(world)


def test_what_came_in_before_a_store_failed_is_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, simulator = rigged(concurrency=1)
    simulator.set_reference(world.db_id)
    simulator.switches.shots = 3
    monkeypatch.setattr(world.media, "concurrent_safe", True, raising=False)
    break_once(world.media, "save", 3, error=StorageError)
    with pytest.raises(StorageError):
        world.service.generate_portfolio(LENA)
    (operation,) = world.operations()
    states = [each.state for each in operation.items]
    assert states == [ItemState.STORED, ItemState.STORED, ItemState.PENDING]
    assert len(world.images()) == 2
    assert outcomes(world.service.recover()) == ["completed"]
    settled(world)
