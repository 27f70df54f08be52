# Generated from tests/_async/test_failed_after_drawing.py by tools/unasync.py. Do not edit.
"""A server that says that it failed may have drawn the image before: it is looked for at once."""

from __future__ import annotations

import pytest

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    GenerationInProgress,
    GenerationResult,
    OperationState,
)
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse, json_response

from .mishaps import (
    INITIAL,
    PATIENT,
    SCENE,
    SET,
    Rigged,
    break_once,
    outcomes,
    prompts,
    rigged,
    settled,
)
from .world import LENA, URL, World

REQUESTS = {"reference": INITIAL, "scene": SCENE, "portfolio": SET}
KINDS = ("reference", "scene")
WORDS = {
    "The following field is invalid: Scene Contexts": ErrorCode.SERVER_ERROR,
    "Image generation failed": ErrorCode.UPSTREAM_MODEL,
    "fetch failed": ErrorCode.UPSTREAM_MODEL,
    "Failed to upload generated image": ErrorCode.UPSTREAM_STORAGE,
}
"""What a server says that failed; none of it proves that nothing was drawn."""
ANY, *_ = WORDS


def ready(kind: str) -> tuple[World, Rigged]:
    world, simulator = rigged(job_policy=PATIENT)
    if kind != "reference":
        simulator.set_reference(world.db_id, "master")
    return world, simulator


def draw(world: World, kind: str, prompt: str) -> GenerationResult:
    if kind == "scene":
        return world.service.generate_scene(LENA, prompt, scene_type="action")
    return world.service.generate_reference(LENA, prompt=prompt)


def fail(simulator: Rigged, kind: str, *, drawn: bool, words: str = ANY) -> None:
    """Let the next request of the kind fail, after it has drawn or before."""
    request = REQUESTS[kind]

    def failed(_: SimulatedResponse) -> SimulatedResponse:
        del simulator.odd[request]
        return json_response(500, {"error": words})

    simulator.odd[request] = failed
    if not drawn:
        simulator.switches.upload_errors = 1


def refused(world: World, kind: str, prompt: str = "one") -> CharacterLibraryError:
    with pytest.raises(CharacterLibraryError) as caught:
        draw(world, kind, prompt)
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.SERVER_ERROR, False)
    return caught.value


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_it_had_drawn_comes_in_and_is_paid_for_once(kind: str, words: str) -> None:
    world, simulator = ready(kind)
    fail(simulator, kind, drawn=True, words=words)
    (warning,) = (draw(world, kind, "one")).warnings
    assert warning.code == WORDS[words]
    assert warning.message.endswith("What came in that time is taken for its own.")
    assert prompts(world) == ["one"]
    assert sum(world.counts) == 1
    settled(world)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_there_the_operation_has_failed(kind: str) -> None:
    world, simulator = ready(kind)
    fail(simulator, kind, drawn=False)
    error = refused(world, kind)
    assert "No media document of the Character Library shows" in str(error)
    assert not error.recoverable
    (op,) = (world.service.list_operations(LENA)).operations
    assert (op.state, op.error) == (OperationState.FAILED, str(error))
    assert outcomes(world.service.recover()) == []
    # The next one is its own.
    draw(world, kind, "two")
    assert prompts(world) == ["two"]


@pytest.mark.parametrize("drawn", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_where_it_cannot_be_looked_for_now_recovery_does(kind: str, drawn: bool) -> None:
    world, simulator = ready(kind)
    fail(simulator, kind, drawn=drawn)
    simulator.unheard.append("GET media")
    error = refused(world, kind)
    assert (error.outcome_unknown, error.recoverable) == (True, True)
    (told,) = (world.service.recover()).operations
    if drawn:
        assert (told.outcome, prompts(world)) == ("adopted", ["one"])
    else:
        assert (told.outcome, prompts(world)) == ("failed", [])
        assert told.message.endswith("shows anything that it has drawn.")
    settled(world)


def test_while_somebody_looks_for_the_same_characters_it_is_left_to_recovery() -> None:
    world, simulator = ready("scene")
    fail(simulator, "scene", drawn=True)
    # For another character here that is the same one there.
    lease = world.ledger.acquire(f"library:{world.db_id}", owner="another", ttl=60)
    error = refused(world, "scene")
    assert error.recoverable
    (op,) = world.operations()
    with pytest.raises(GenerationInProgress, match=f"waits: .*{world.db_id}, and what") as told:
        world.service.settle(op.id, media_id="any")
    assert (told.value.holder, "library:" in str(told.value)) == ("another", False)
    world.ledger.release(lease)
    assert outcomes(world.service.recover()) == ["adopted"]
    assert prompts(world) == ["one"]


@pytest.mark.parametrize("kind", KINDS)
def test_where_media_documents_are_closed_it_says_so(kind: str) -> None:
    world, simulator = ready(kind)
    fail(simulator, kind, drawn=False)
    simulator.switches.media_closed = True
    error = refused(world, kind)
    assert "cannot be looked for" in str(error)
    assert outcomes(world.service.recover()) == []


def test_a_reference_that_is_not_the_master_is_left_to_a_person() -> None:
    world, simulator = ready("reference")
    fail(simulator, "reference", drawn=True)
    odd = simulator.odd[INITIAL]

    def unset(answer: SimulatedResponse) -> SimulatedResponse:
        simulator._state.characters[world.db_id].reference = None
        return odd(answer)

    simulator.odd[INITIAL] = unset
    error = refused(world, "reference")
    assert error.recoverable
    (told,) = (world.service.recover()).operations
    assert told.outcome == "unknown"
    (candidate,) = world.service.candidates(told.operation_id)
    world.service.settle(told.operation_id, media_id=candidate.media_id)
    assert prompts(world) == ["one"]
    assert simulator.reference_of(world.db_id) == candidate.media_id


def test_what_an_older_request_may_have_drawn_is_nobodys() -> None:
    world, simulator = ready("scene")
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        draw(world, "scene", "older")
    fail(simulator, "scene", drawn=True)
    refused(world, "scene", "newer")
    assert set(outcomes(world.service.recover())) == {"unknown"}
    assert prompts(world) == []


def test_what_came_later_is_not_its_own() -> None:
    world, simulator = ready("scene")
    fail(simulator, "scene", drawn=False)
    simulator.unheard.append("GET media")
    refused(world, "scene")
    simulator.switches.clock_offset = 5
    Simulator.draw_scene(simulator, world.db_id, "theirs", "action")
    (told,) = (world.service.recover()).operations
    assert told.outcome == "unknown"
    assert "1 image is there that may be its own" in told.message
    assert "It came after the Character Library had said that it failed." in told.message
    assert prompts(world) == []


def test_what_comes_after_the_answer_is_not_the_next_ones() -> None:
    world, simulator = ready("scene")
    fail(simulator, "scene", drawn=False)
    refused(world, "scene", "one")
    simulator.switches.clock_offset = 60
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        draw(world, "scene", "two")
    simulator.switches.clock_offset = 62
    # Of the first one, which had been in a queue.
    media_id = simulator.draw_scene(world.db_id, "one", "action")
    (told,) = (world.service.recover()).operations
    two, one = (world.service.list_operations(LENA)).operations
    assert (told.outcome, told.operation_id) == ("unknown", two.id)
    assert f"Operation {one.id} may have drawn it, too." in told.message
    assert prompts(world) == []
    # It was told as failed, and can be settled all the same.
    assert [each.media_id for each in world.service.candidates(one.id)] == [media_id]
    world.service.settle(one.id, media_id)
    assert prompts(world) == ["one"]
    assert outcomes(world.service.recover()) == ["unknown"]


def test_what_could_not_be_looked_for_can_be_settled_later() -> None:
    world, simulator = ready("scene")
    simulator.switches.media_closed = True
    fail(simulator, "scene", drawn=True)
    odd = simulator.odd[SCENE]

    def unseen(answer: SimulatedResponse) -> SimulatedResponse:
        simulator._state.characters[world.db_id].gallery.clear()
        return odd(answer)

    simulator.odd[SCENE] = unseen
    assert "cannot be looked for now" in str(refused(world, "scene"))
    simulator.switches.media_closed = False
    (op,) = (world.service.list_operations(LENA)).operations
    assert op.state == OperationState.FAILED
    (candidate,) = world.service.candidates(op.id)
    world.service.settle(op.id, candidate.media_id)
    assert prompts(world) == ["one"]


def test_a_job_that_was_ordered_is_watched_to_its_end() -> None:
    world, simulator = ready("portfolio")
    fail(simulator, "portfolio", drawn=True)
    result = world.service.generate_portfolio(LENA)
    assert (len(result.images), result.failures) == (simulator.switches.shots, ())
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SERVER_ERROR
    assert warning.message.endswith("What came in that time is taken for its own.")
    assert world.counts == (0, 0, 1, 0)
    settled(world)


def test_a_job_that_could_not_be_looked_for_is_found_by_recovery() -> None:
    world, simulator = ready("portfolio")
    fail(simulator, "portfolio", drawn=True)
    # The first is asked before the set is ordered.
    break_once(world.service.library, "list_jobs", 2, error=Unreached)
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_portfolio(LENA)
    assert caught.value.recoverable
    assert outcomes(world.service.recover()) == ["adopted"]
    assert len(world.images()) == simulator.switches.shots
    assert world.counts == (0, 0, 1, 0)
    settled(world)


def test_of_two_jobs_a_person_takes_one() -> None:
    world, simulator = ready("portfolio")
    path = f"/api/v1/characters/{world.db_id}/generate-360-set"

    def and_another(_: SimulatedResponse) -> SimulatedResponse:
        del simulator.odd[SET]
        Simulator.handle(simulator, "POST", f"{URL}{path}", {}, b"{}")
        return json_response(500, {"error": ANY})

    simulator.odd[SET] = and_another
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    (told,) = (world.service.recover()).operations
    assert told.outcome == "unknown"
    assert "2 jobs are there that may be its own" in told.message
    own, _ = [job.images for job in simulator._state.jobs.values()]
    found = {each.media_id for each in world.service.candidates(told.operation_id)}
    assert found > {*own}
    world.service.settle(told.operation_id, own)
    assert {image.external_id for image in world.images()} == {*own}
    settled(world)


class Unreached(CharacterLibraryError):
    """The Library could not be asked."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=ErrorCode.UNAVAILABLE)
