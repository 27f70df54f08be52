"""An error that leaves a generation which may be paid for leads to recovery, never to another."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    JobPolicy,
    Operation,
    OperationState,
    ReferencePolicy,
    StorageError,
)
from charimg.testing.simulator.exchange import SimulatedResponse

from .mishaps import INITIAL, PATIENT, SCENE, STATUS, Rigged, outcomes, rigged, settled
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def ready(**options: Any) -> tuple[AsyncWorld, Rigged]:
    world, simulator = await rigged(**options)
    simulator.set_reference(world.db_id)
    return world, simulator


async def leads_to_recovery(
    work: Callable[..., Awaitable[object]], *given: object, **options: Any
) -> CharacterLibraryError:
    """Check that the work fails so that README's pattern brings in what was drawn."""
    with pytest.raises(CharacterLibraryError) as caught:
        await work(LENA, *given, **options)
    error = caught.value
    assert (error.retryable, error.outcome_unknown, error.may_arrive) == (False, True, True)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.recoverable) == (str(error), error.recoverable)
    return error


@pytest.mark.parametrize("kind", ["reference", "scene", "portfolio"])
async def test_an_answer_that_cannot_be_written_down(kind: str) -> None:
    world, simulator = await rigged(job_policy=PATIENT)
    if kind != "reference":
        simulator.set_reference(world.db_id)
    write = world.ledger.write

    async def full(op: Operation, /, **options: Any) -> None:
        if op.state == OperationState.RECEIVED:
            raise StorageError("The disk is full. Free some disk space and try again.")
        await write(op, **options)

    world.ledger.write = full
    works: dict[str, Callable[[], Awaitable[object]]] = {
        "reference": lambda: world.service.generate_reference(LENA, prompt="one"),
        "scene": lambda: world.service.generate_scene(LENA, "one"),
        "portfolio": lambda: world.service.generate_portfolio(LENA),
    }
    with pytest.raises(StorageError, match="do not ask again") as caught:
        await works[kind]()
    assert caught.value.recoverable
    world.ledger.write = write
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert sum(world.counts[each] for each in (0, 2, 3)) == 1
    await settled(world)


async def test_an_earlier_one_of_unknown_outcome_is_told_by_the_next() -> None:
    world, simulator = await ready()
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "one")
    (op,) = await world.operations()
    (warning,) = (await world.service.generate_scene(LENA, "one")).warnings
    assert warning.code == ErrorCode.UNFINISHED
    assert "To draw it anew may pay again." in warning.message
    assert warning.message.endswith(f"It is operation {op.id}.")
    await world.service.settle(op.id)
    assert (await world.service.generate_scene(LENA, "one")).warnings == ()


async def test_a_set_that_is_drawn_while_the_gallery_fails() -> None:
    world, simulator = await ready()
    simulator.switches.gallery_errors_after = 1
    error = await leads_to_recovery(world.service.generate_portfolio)
    assert error.code == ErrorCode.SERVER_ERROR
    assert error.recoverable
    assert "recover()" in str(error)
    assert world.told[-1].error == str(error)
    assert outcomes(await world.service.recover()) == ["waiting"]
    simulator.switches.gallery_errors_after = None
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == simulator.switches.shots
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_a_set_whose_job_cannot_be_watched_any_more() -> None:
    world, simulator = await ready(job_policy=JobPolicy(interval=0.001, stall=0.01))

    def away(answer: SimulatedResponse) -> SimulatedResponse:
        simulator.switches.down = True
        return answer

    simulator.odd[STATUS] = away
    simulator.switches.job_seconds = 10_000
    error = await leads_to_recovery(world.service.generate_portfolio)
    assert (error.code, error.recoverable) == (ErrorCode.UNAVAILABLE, True)
    simulator.odd.clear()
    simulator.switches.down = False
    simulator.switches.job_seconds = 0
    assert outcomes(await world.service.recover()) == ["completed"]
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_a_job_that_says_that_it_is_cancelled_and_goes_on() -> None:
    world, simulator = await ready()
    simulator.answer(STATUS, lambda job: {**job, "status": "cancelled"})
    error = await leads_to_recovery(world.service.generate_portfolio)
    assert (error.code, error.recoverable) == (ErrorCode.JOB_CANCELLED, True)
    simulator.odd.clear()
    assert outcomes(await world.service.recover()) == ["completed"]
    await settled(world)


async def test_a_reference_that_the_server_has_drawn_and_lost() -> None:
    world, simulator = await rigged()
    simulator.switches.processing_errors = 1
    simulator.unheard.append("GET media")
    error = await leads_to_recovery(world.service.generate_reference, prompt="lost")
    assert (error.code, error.recoverable) == (ErrorCode.UPSTREAM_FEATURES, True)
    assert outcomes(await world.service.recover()) == ["adopted"]
    await settled(world)


async def test_what_was_refused_or_never_sent_may_be_asked_for_again() -> None:
    world, simulator = await ready()
    simulator.unheard.append("GET images")
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_scene(LENA, "one")
    assert not caught.value.recoverable
    simulator.switches.generation_errors = 1
    simulator.switches.generation_error = "Fal.ai API error: 503 - later"
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_scene(LENA, "one")
    assert (caught.value.retryable, caught.value.outcome_unknown) == (True, False)


async def test_a_restore_is_free_and_may_be_asked_for_again() -> None:
    world, simulator = await rigged()
    first = (await world.service.generate_reference(LENA, prompt="first")).image
    await world.service.generate_reference(
        LENA, prompt="second", policy=ReferencePolicy.KEEP_HISTORY
    )
    simulator.unheard.append("PUT reference-image")
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.restore_reference(LENA, first.id)
    assert (caught.value.retryable, caught.value.outcome_unknown) == (True, True)


async def test_who_asks_again_is_told_what_came_in_first() -> None:
    world, simulator = await ready()
    simulator.switches.gallery_errors_after = 1
    await leads_to_recovery(world.service.generate_portfolio)
    simulator.switches.gallery_errors_after = None
    (first,) = await world.operations()
    result = await world.service.generate_portfolio(LENA)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.RECOVERED
    assert first.id in warning.message
    assert (await world.operations())[1].state == OperationState.DONE
    assert (await world.service.generate_portfolio(LENA)).warnings == ()


async def test_what_came_in_first_is_told_where_it_matters() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    simulator.switches.lost_answers = 1
    await leads_to_recovery(world.service.generate_scene, "one")
    assert (await world.service.generate_portfolio(LENA)).warnings == (), "of another kind"
    simulator.switches.lost_answers = 1
    await leads_to_recovery(
        world.service.generate_reference, prompt="two", policy=ReferencePolicy.KEEP_HISTORY
    )
    result = await world.service.generate_scene(LENA, "three")
    assert [each.code for each in result.warnings] == [ErrorCode.RECOVERED], "it is drawn from it"


async def test_a_reference_that_comes_late_says_which_newer_one_it_replaces() -> None:
    world, simulator = await rigged()
    simulator.odd[INITIAL] = lambda answer: evolve(answer, broken="lost", seconds=0)
    clock = simulator.stop_clock()
    simulator.switches.generation_seconds = 30
    await leads_to_recovery(world.service.generate_reference, prompt="slow")
    simulator.odd.clear()
    simulator.switches.generation_seconds = 0
    newer = (
        await world.service.generate_reference(
            LENA, prompt="newer", policy=ReferencePolicy.KEEP_HISTORY
        )
    ).image
    clock.now += 30
    result = await world.service.generate_scene(LENA, "one")
    (warning,) = result.warnings
    assert warning.code == ErrorCode.RECOVERED
    assert f"master now, in place of reference {newer.id}" in warning.message
    slow = next(image for image in await world.images() if image.prompt == "slow")
    assert simulator.reference_of(world.db_id) == slow.external_id, "as the server has it"
    await settled(world)
