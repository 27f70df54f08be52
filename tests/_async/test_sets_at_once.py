"""A server that draws a set within the request, and fails: what it had drawn comes in."""

from __future__ import annotations

import pytest

from charimg import CharacterLibraryError, ErrorCode, OperationState

from .mishaps import Rigged, outcomes, settled, without_time
from .test_lost_sets import SHOTS, namesake, ready, stored
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def at_once(lost: int = 1) -> tuple[AsyncWorld, Rigged]:
    """Return a world whose server draws a set within the request, and loses some of its shots."""
    world, simulator = await ready(lost)
    simulator.switches.set360_mode = "images"
    return world, simulator


async def test_a_set_that_fails_within_its_request_is_brought_in() -> None:
    world, _ = await at_once()
    result = await world.service.generate_portfolio(LENA)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SERVER_ERROR
    assert "is taken for its own" in warning.message
    assert (len(result.images), result.failures, result.job_id) == (SHOTS - 1, (), None)
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_recovery_brings_it_in_where_it_could_not_be_looked_for() -> None:
    world, simulator = await at_once()
    simulator.unheard.append("GET media")
    with pytest.raises(CharacterLibraryError, match="do not ask again") as caught:
        await world.service.generate_portfolio(LENA)
    assert (caught.value.outcome_unknown, caught.value.recoverable) == (True, True)
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert len(stored(await world.images())) == SHOTS - 1
    await settled(world)


async def test_one_of_two_sets_that_were_drawn_at_once_waits_for_a_person() -> None:
    world, simulator = await at_once()
    namesake(simulator)
    with pytest.raises(CharacterLibraryError, match="somebody else's") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.outcome_unknown
    assert outcomes(await world.service.recover()) == ["unknown"]
    (operation,) = await world.operations()
    found = [each.media_id for each in await world.service.candidates(operation.id)]
    assert len(found) == 2 * SHOTS - 1
    shots = [each.id for each in simulator._state.media.values() if each.shot]
    mine = shots[: SHOTS - 1]
    assert (await world.service.settle(operation.id, mine)).outcome == "completed"
    assert {image.external_id for image in await world.images()} == {*mine}
    await settled(world)


@pytest.mark.parametrize("off", [-600, 0, 600])
async def test_where_only_a_proxy_tells_the_time_a_person_settles_the_set(off: float) -> None:
    world, simulator = await at_once()
    simulator.switches.date_offset = off
    simulator.answer("GET health", without_time)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.outcome_unknown
    assert outcomes(await world.service.recover()) == ["unknown"]
    (operation,) = await world.operations()
    found = [each.media_id for each in await world.service.candidates(operation.id)]
    assert len(found) == SHOTS - 1
    assert (await world.service.settle(operation.id, found)).outcome == "completed"
    assert {image.external_id for image in await world.images()} == {*found}
    await settled(world)


@pytest.mark.parametrize("closed", [False, True])
async def test_a_set_that_was_refused_has_failed(closed: bool) -> None:
    world, simulator = await ready()
    simulator.switches.set360_errors = 1
    simulator.switches.media_closed = closed
    told = "cannot be looked for" if closed else "No media document"
    with pytest.raises(CharacterLibraryError, match=told) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.SERVER_ERROR
    (operation,) = await world.operations()
    assert (operation.state, operation.error) == (OperationState.FAILED, str(caught.value))
    await settled(world)
