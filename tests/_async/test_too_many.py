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
from charimg._async.operation import AsyncRun
from charimg._async.sets import received_late
from charimg._library.values import Job, PortfolioImage

from ..patience import FAST
from .mishaps import Rigged, left_behind, outcomes, rigged, settled
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def crowded(**switches: object) -> tuple[AsyncWorld, Rigged]:
    """Return a world of a server whose sets have six images, where five are allowed."""
    world, simulator = await rigged(job_policy=evolve(FAST, max_images=5))
    await world.service.generate_reference(LENA)
    simulator.switches.change({"shots": 6, **switches})
    simulator.requests.clear()
    return world, simulator


def asked_for_one(simulator: Rigged) -> list[str]:
    """Return the requests for single images."""
    return [each.path for each in simulator.requests if "/media/" in each.path]


@pytest.mark.parametrize("mode", ["job", "images"])
async def test_a_set_of_too_many_images_is_refused_before_any_is_asked_for(mode: str) -> None:
    world, simulator = await crowded(set360_mode=mode)
    with pytest.raises(
        JobError, match=r"names 6 images.*JobPolicy.max_images allows \(5\)"
    ) as told:
        await world.service.generate_portfolio(LENA)
    assert (told.value.code, told.value.retryable) == (ErrorCode.TOO_MANY_IMAGES, False)
    assert asked_for_one(simulator) == []
    operation = (await world.operations())[0]
    assert (operation.state, operation.items) == (OperationState.FAILED, ())
    assert operation.error == str(told.value)
    assert len(await world.images()) == 1
    await settled(world)
    # It stands in nobody's way.
    simulator.switches.shots = 5
    assert len((await world.service.generate_portfolio(LENA)).images) == 5


async def test_a_recovery_refuses_them_once() -> None:
    world, simulator = await crowded(job_seconds=3600.0)
    hasty = world.assemble(job_policy=evolve(FAST, max_images=5, deadline=0.02))
    with pytest.raises(JobError):
        await hasty.generate_portfolio(LENA)
    simulator.switches.job_seconds = 0.0
    simulator.requests.clear()
    report = await world.service.recover()
    assert outcomes(report) == ["failed"]
    assert "max_images" in report.operations[0].message
    assert asked_for_one(simulator) == []
    await settled(world)


async def test_what_comes_late_counts_with_what_is_there() -> None:
    world, _ = await crowded()
    items = tuple(
        OperationItem(
            key=f"{'0' * 31}1-{n:03d}", index=n, external_id=str(n), state=ItemState.STORED
        )
        for n in range(4)
    )
    op = await left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, items=items, job_id="j"
    )
    lease = await world.ledger.acquire(LENA, owner="me", ttl=1000)
    run = AsyncRun(world.service._parts, op, lease)
    late = tuple(PortfolioImage(media_id=str(n)) for n in (8, 9))
    with pytest.raises(JobError, match="names 6 images"):
        await received_late(run, Job(job_id="j", status="completed", images=late))
    assert run.op.items == items
