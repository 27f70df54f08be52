# Generated from tests/_async/test_sets_at_once.py by tools/unasync.py. Do not edit.
"""A server that draws a set within the request, and fails: what it had drawn comes in."""

from __future__ import annotations

import pytest

from charimg import CharacterLibraryError, ErrorCode, OperationState

from .mishaps import Rigged, outcomes, settled, without_time
from .test_lost_sets import SHOTS, namesake, ready, stored
from .world import LENA, World


def at_once(lost: int = 1) -> tuple[World, Rigged]:
    """Return a world whose server draws a set within the request, and loses some of its shots."""
    world, simulator = ready(lost)
    simulator.switches.set360_mode = "images"
    return world, simulator


def test_a_set_that_fails_within_its_request_is_brought_in() -> None:
    world, _ = at_once()
    result = world.service.generate_portfolio(LENA)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SERVER_ERROR
    assert "is taken for its own" in warning.message
    assert (len(result.images), result.failures, result.job_id) == (SHOTS - 1, (), None)
    assert world.counts == (0, 0, 1, 0)
    settled(world)


def test_recovery_brings_it_in_where_it_could_not_be_looked_for() -> None:
    world, simulator = at_once()
    simulator.unheard.append("GET media")
    with pytest.raises(CharacterLibraryError, match="do not ask again") as caught:
        world.service.generate_portfolio(LENA)
    assert (caught.value.outcome_unknown, caught.value.recoverable) == (True, True)
    assert outcomes(world.service.recover()) == ["adopted"]
    assert len(stored(world.images())) == SHOTS - 1
    settled(world)


def test_one_of_two_sets_that_were_drawn_at_once_waits_for_a_person() -> None:
    world, simulator = at_once()
    namesake(simulator)
    with pytest.raises(CharacterLibraryError, match="somebody else's") as caught:
        world.service.generate_portfolio(LENA)
    assert caught.value.outcome_unknown
    assert outcomes(world.service.recover()) == ["unknown"]
    (operation,) = world.operations()
    found = [each.media_id for each in world.service.candidates(operation.id)]
    assert len(found) == 2 * SHOTS - 1
    shots = [each.id for each in simulator._state.media.values() if each.shot]
    mine = shots[: SHOTS - 1]
    assert (world.service.settle(operation.id, mine)).outcome == "completed"
    assert {image.external_id for image in world.images()} == {*mine}
    settled(world)


@pytest.mark.parametrize("off", [-600, 0, 600])
def test_where_only_a_proxy_tells_the_time_a_person_settles_the_set(off: float) -> None:
    world, simulator = at_once()
    simulator.switches.date_offset = off
    simulator.answer("GET health", without_time)
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_portfolio(LENA)
    assert caught.value.outcome_unknown
    assert outcomes(world.service.recover()) == ["unknown"]
    (operation,) = world.operations()
    found = [each.media_id for each in world.service.candidates(operation.id)]
    assert len(found) == SHOTS - 1
    assert (world.service.settle(operation.id, found)).outcome == "completed"
    assert {image.external_id for image in world.images()} == {*found}
    settled(world)


@pytest.mark.parametrize("closed", [False, True])
def test_a_set_that_was_refused_has_failed(closed: bool) -> None:
    world, simulator = ready()
    simulator.switches.set360_errors = 1
    simulator.switches.media_closed = closed
    told = "cannot be looked for" if closed else "No media document"
    with pytest.raises(CharacterLibraryError, match=told) as caught:
        world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.SERVER_ERROR
    (operation,) = world.operations()
    assert (operation.state, operation.error) == (OperationState.FAILED, str(caught.value))
    settled(world)
