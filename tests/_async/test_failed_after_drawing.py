"""A server that says that it failed may have drawn the image before: it is looked for at once."""

from __future__ import annotations

import pytest

from charimg import CharacterLibraryError, ErrorCode, GenerationResult, OperationState
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse, json_response

from .mishaps import INITIAL, SCENE, Rigged, outcomes, prompts, rigged, settled
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio

REQUESTS = {"reference": INITIAL, "scene": SCENE}
KINDS = tuple(REQUESTS)
BROKEN = json_response(500, {"error": "The following field is invalid: Scene Contexts"})


async def ready(kind: str) -> tuple[AsyncWorld, Rigged]:
    world, simulator = await rigged()
    if kind == "scene":
        simulator.set_reference(world.db_id, "master")
    return world, simulator


async def draw(world: AsyncWorld, kind: str, prompt: str) -> GenerationResult:
    if kind == "scene":
        return await world.service.generate_scene(LENA, prompt, scene_type="action")
    return await world.service.generate_reference(LENA, prompt=prompt)


def fail(simulator: Rigged, kind: str, *, drawn: bool) -> None:
    """Let the next request of the kind fail, after it has drawn or before."""
    request = REQUESTS[kind]

    def failed(_: SimulatedResponse) -> SimulatedResponse:
        del simulator.odd[request]
        return BROKEN

    simulator.odd[request] = failed
    if not drawn:
        simulator.switches.upload_errors = 1


async def refused(world: AsyncWorld, kind: str, prompt: str = "one") -> CharacterLibraryError:
    with pytest.raises(CharacterLibraryError) as caught:
        await draw(world, kind, prompt)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.SERVER_ERROR, False)
    return caught.value


@pytest.mark.parametrize("kind", KINDS)
async def test_what_it_had_drawn_comes_in_and_is_paid_for_once(kind: str) -> None:
    world, simulator = await ready(kind)
    fail(simulator, kind, drawn=True)
    (warning,) = (await draw(world, kind, "one")).warnings
    assert warning.code == ErrorCode.SERVER_ERROR
    assert warning.message.endswith("What it had drawn is taken over.")
    assert await prompts(world) == ["one"]
    assert sum(world.counts) == 1
    await settled(world)


@pytest.mark.parametrize("kind", KINDS)
async def test_where_nothing_is_there_the_operation_has_failed(kind: str) -> None:
    world, simulator = await ready(kind)
    fail(simulator, kind, drawn=False)
    error = await refused(world, kind)
    assert "No media document of the Character Library shows" in str(error)
    assert not error.recoverable
    (op,) = (await world.service.list_operations(LENA)).operations
    assert (op.state, op.error) == (OperationState.FAILED, str(error))
    assert outcomes(await world.service.recover()) == []
    # The next one is its own.
    await draw(world, kind, "two")
    assert await prompts(world) == ["two"]


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_where_it_cannot_be_looked_for_now_recovery_does(kind: str, drawn: bool) -> None:
    world, simulator = await ready(kind)
    fail(simulator, kind, drawn=drawn)
    simulator.unheard.append("GET media")
    error = await refused(world, kind)
    assert (error.outcome_unknown, error.recoverable) == (True, True)
    (told,) = (await world.service.recover()).operations
    if drawn:
        assert (told.outcome, await prompts(world)) == ("adopted", ["one"])
    else:
        assert (told.outcome, await prompts(world)) == ("failed", [])
        assert told.message.endswith("shows anything that it has drawn.")
    await settled(world)


@pytest.mark.parametrize("kind", KINDS)
async def test_where_media_documents_are_closed_it_says_so(kind: str) -> None:
    world, simulator = await ready(kind)
    fail(simulator, kind, drawn=False)
    simulator.switches.media_closed = True
    error = await refused(world, kind)
    assert "cannot be looked for" in str(error)
    assert outcomes(await world.service.recover()) == []


async def test_a_reference_that_is_not_the_master_is_left_to_a_person() -> None:
    world, simulator = await ready("reference")
    fail(simulator, "reference", drawn=True)
    odd = simulator.odd[INITIAL]

    def unset(answer: SimulatedResponse) -> SimulatedResponse:
        simulator._state.characters[world.db_id].reference = None
        return odd(answer)

    simulator.odd[INITIAL] = unset
    error = await refused(world, "reference")
    assert error.recoverable
    (told,) = (await world.service.recover()).operations
    assert told.outcome == "unknown"
    (candidate,) = await world.service.candidates(told.operation_id)
    await world.service.settle(told.operation_id, media_id=candidate.media_id)
    assert await prompts(world) == ["one"]
    assert simulator.reference_of(world.db_id) == candidate.media_id


async def test_what_an_older_request_may_have_drawn_is_nobodys() -> None:
    world, simulator = await ready("scene")
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        await draw(world, "scene", "older")
    fail(simulator, "scene", drawn=True)
    await refused(world, "scene", "newer")
    assert set(outcomes(await world.service.recover())) == {"unknown"}
    assert await prompts(world) == []


async def test_what_came_later_is_not_its_own() -> None:
    world, simulator = await ready("scene")
    fail(simulator, "scene", drawn=False)
    simulator.unheard.append("GET media")
    await refused(world, "scene")
    simulator.switches.clock_offset = 5
    Simulator.draw_scene(simulator, world.db_id, "theirs", "action")
    (told,) = (await world.service.recover()).operations
    assert told.outcome == "failed"
    assert await prompts(world) == []
