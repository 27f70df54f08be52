# Generated from tests/_async/test_too_many.py by tools/unasync.py. Do not edit.
"""A set that names more images than one may have costs one answer, and nothing more."""

from __future__ import annotations

import pytest
from attrs import evolve

from charimg import (
    ErrorCode,
    ItemState,
    JobError,
    OperationItem,
    OperationState,
)
from charimg._library.values import Job, PortfolioImage
from charimg._sync.operation import Run
from charimg._sync.sets import received_late

from ..patience import FAST
from .mishaps import Rigged, left_behind, outcomes, rigged, settled
from .world import LENA, World


def crowded(**switches: object) -> tuple[World, Rigged]:
    """Return a world of a server whose sets have six images, where five are allowed."""
    world, simulator = rigged(job_policy=evolve(FAST, max_images=5))
    world.service.generate_reference(LENA)
    simulator.switches.change({"shots": 6, **switches})
    simulator.requests.clear()
    return world, simulator


def asked_for_one(simulator: Rigged) -> list[str]:
    """Return the requests for single images."""
    return [each.path for each in simulator.requests if "/media/" in each.path]


@pytest.mark.parametrize("mode", ["job", "images"])
def test_a_set_of_too_many_images_is_refused_before_any_is_asked_for(mode: str) -> None:
    world, simulator = crowded(set360_mode=mode)
    with pytest.raises(
        JobError, match=r"names 6 images.*JobPolicy.max_images allows \(5\)"
    ) as told:
        world.service.generate_portfolio(LENA)
    assert (told.value.code, told.value.retryable) == (ErrorCode.TOO_MANY_IMAGES, False)
    assert asked_for_one(simulator) == []
    operation = (world.operations())[0]
    assert (operation.state, operation.items) == (OperationState.FAILED, ())
    assert operation.error == str(told.value)
    assert len(world.images()) == 1
    settled(world)
    # It stands in nobody's way.
    simulator.switches.shots = 5
    assert len((world.service.generate_portfolio(LENA)).images) == 5


def test_a_recovery_refuses_them_once() -> None:
    world, simulator = crowded(job_seconds=3600.0)
    hasty = world.assemble(job_policy=evolve(FAST, max_images=5, deadline=0.02))
    with pytest.raises(JobError):
        hasty.generate_portfolio(LENA)
    simulator.switches.job_seconds = 0.0
    simulator.requests.clear()
    report = world.service.recover()
    assert outcomes(report) == ["failed"]
    assert "max_images" in report.operations[0].message
    assert asked_for_one(simulator) == []
    settled(world)


def test_what_comes_late_counts_with_what_is_there() -> None:
    world, _ = crowded()
    items = tuple(
        OperationItem(
            key=f"{'0' * 31}1-{n:03d}", index=n, external_id=str(n), state=ItemState.STORED
        )
        for n in range(4)
    )
    op = left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, items=items, job_id="j"
    )
    lease = world.ledger.acquire(LENA, owner="me", ttl=1000)
    run = Run(world.service._parts, op, lease)
    late = tuple(PortfolioImage(media_id=str(n)) for n in (8, 9))
    with pytest.raises(JobError, match="names 6 images"):
        received_late(run, Job(job_id="j", status="completed", images=late))
    assert run.op.items == items
