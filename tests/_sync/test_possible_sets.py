# Generated from tests/_async/test_possible_sets.py by tools/unasync.py. Do not edit.
"""A set whose request was never answered is settled among the jobs that it may have ordered."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import CharacterLibraryError, InvalidArgument, Operation, OperationItem, OperationState
from charimg.models import utcnow
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse

from .mishaps import SET, Rigged, left_behind, outcomes, rigged, settled
from .world import LENA, URL, World

SHOTS = 3
LATER = "f" * 32


def lost_among_two(**switches: Any) -> tuple[World, Rigged, Operation]:
    """Return a world with a set that is drawn and unanswered, and somebody else's just after it."""
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.shots = SHOTS
    for name, value in switches.items():
        setattr(simulator.switches, name, value)

    def and_another(answer: SimulatedResponse) -> SimulatedResponse:
        path = f"/api/v1/characters/{world.db_id}/generate-360-set"
        Simulator.handle(simulator, "POST", f"{URL}{path}", {}, b"{}")
        return SimulatedResponse(status=500, broken="lost")

    simulator.odd[SET] = and_another
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    simulator.odd.clear()
    (operation,) = world.operations()
    return world, simulator, operation


def drawn_by(simulator: Rigged) -> list[list[str]]:
    """Return the images of each job."""
    return [job.images for job in simulator._state.jobs.values()]


def test_the_images_of_all_the_jobs_that_it_may_be_are_candidates() -> None:
    world, simulator, op = lost_among_two()
    assert outcomes(world.service.recover()) == ["unknown"]
    found = world.service.candidates(op.id)
    own, other = drawn_by(simulator)
    assert {each.media_id for each in found} == {*own, *other}
    (job, _) = simulator._state.jobs
    told = next(each for each in found if each.media_id == own[0]).evidence
    assert told[0].startswith("It shows ")
    assert told[1].startswith(f"Job {job} drew it. It was asked for ")
    assert told[2].startswith("2 jobs may be")
    download = world.service.fetch_candidate(op.id, own[0])
    download.close()
    for wrong in ([own[0], other[0]], [own[0], "0" * 24]):
        with pytest.raises(InvalidArgument):
            world.service.settle(op.id, wrong)
    done = world.service.settle(op.id, own, settled_by="ann")
    assert (done.outcome, len(done.images)) == ("completed", SHOTS)
    images = world.images()
    assert {image.external_id for image in images} == {*own}
    assert {image.status for image in images} == {"succeeded"}
    (op,) = world.operations()
    assert (op.state, op.job_id) == (OperationState.DONE, job)
    assert world.counts == (0, 0, 2, 0)
    settled(world)


def test_the_other_job_is_the_other_operations_then() -> None:
    world, simulator, op = lost_among_two()
    other = left_behind(
        world,
        id=LATER,
        kind="portfolio",
        state=OperationState.UNKNOWN,
        posted_at=utcnow(),
        created_at=utcnow(),
    )
    assert outcomes(world.service.recover()) == ["unknown", "unknown"]
    (told, *_) = world.service.candidates(op.id)
    assert f"Operation {other.id} may have asked for it, too." in told.evidence
    # Nobody knows when that one was sent.
    (told, *_) = world.service.candidates(other.id)
    assert told.evidence[1].endswith("drew it.")
    (first, second) = drawn_by(simulator)
    world.service.settle(op.id, first)
    assert outcomes(world.service.recover()) == ["adopted"]
    assert {image.external_id for image in world.images()} == {*first, *second}
    settled(world)


def test_who_settled_that_there_is_no_set_may_choose_one_after_all() -> None:
    world, simulator, op = lost_among_two()
    assert (world.service.settle(op.id)).outcome == "failed"
    own, other = drawn_by(simulator)
    assert {each.media_id for each in world.service.candidates(op.id)} == {*own, *other}
    assert (world.service.settle(op.id, own)).outcome == "completed"
    assert {image.external_id for image in world.images()} == {*own}
    settled(world)


def test_what_a_job_had_drawn_that_failed_is_among_them() -> None:
    world, simulator, op = lost_among_two(lost_shots=1)
    (own, other) = drawn_by(simulator)
    assert len(own) == SHOTS - 1
    found = {each.media_id: each.evidence for each in world.service.candidates(op.id)}
    assert found.keys() == {*own, *other}
    assert "(failed, 2 of 3) may have drawn it." in found[own[0]][1]
    world.service.settle(op.id, own)
    assert {image.external_id for image in world.images()} == {*own}
    settled(world)


def test_what_its_job_draws_later_comes_later() -> None:
    world, simulator, op = lost_among_two(job_seconds=10_000.0)
    first, second = simulator._state.jobs.values()
    first.begun -= 5_000
    second.begun -= 20_000
    found = {each.media_id for each in world.service.candidates(op.id)}
    assert found == {*first.images, *second.images}
    assert 0 < len(first.images) < SHOTS == len(second.images)
    done = world.service.settle(op.id, list(first.images))
    assert done.outcome == "stranded"
    simulator.switches.job_seconds = 0
    assert outcomes(world.service.recover()) == ["completed"]
    assert {image.external_id for image in world.images()} == {*first.images}
    assert len(first.images) == SHOTS
    settled(world)


def test_of_two_jobs_that_cannot_be_told_apart_the_images_alone_are_taken() -> None:
    world, simulator, op = lost_among_two(job_seconds=10_000.0)
    for job in simulator._state.jobs.values():
        job.begun -= 5_000
    (told, *_) = found = world.service.candidates(op.id)
    assert len([each for each in told.evidence if "may have drawn it" in each]) == 2
    own, other = drawn_by(simulator)
    assert {each.media_id for each in found} == {*own, *other}
    with pytest.raises(InvalidArgument, match="too many of"):
        world.service.settle(op.id, [*own, *other])
    taken = list(other)
    assert (world.service.settle(op.id, taken)).outcome == "completed"
    assert {image.external_id for image in world.images()} == {*taken}
    (op,) = world.operations()
    assert op.job_id is None
    settled(world)


@pytest.mark.parametrize("closed", [False, True])
def test_a_server_without_jobs_shows_what_came_after_the_request(closed: bool) -> None:
    world, simulator, op = lost_among_two(set360_mode="images", media_closed=closed)
    left_behind(world, id=LATER, kind="portfolio", state=OperationState.UNKNOWN)
    drawn = [each.id for each in simulator._state.media.values() if each.shot is not None]
    found = world.service.candidates(op.id)
    # Of two sets the gallery has the later one.
    shown = drawn[SHOTS:] if closed else drawn
    assert {each.media_id for each in found} == {*shown}
    assert found[0].evidence[1] == "It came after the request."
    if not closed:
        with pytest.raises(InvalidArgument, match="too many of"):
            world.service.settle(op.id, shown)
    world.service.settle(op.id, shown[:SHOTS])
    assert {image.external_id for image in world.images()} == {*shown[:SHOTS]}


def test_what_another_operation_has_is_no_candidate_nor_what_has_no_id() -> None:
    world, simulator, op = lost_among_two()
    (own, other) = drawn_by(simulator)
    item = OperationItem(key=f"{LATER}-000", index=0, state="stored", external_id=own[0])
    left_behind(world, id=LATER, kind="portfolio", state=OperationState.DONE, items=(item,))

    def without_ids(job: Any) -> Any:
        for image in job["results"]["generatedImages"][1:]:
            del image["mediaId"], image["angle"]
        del job["results"]["generatedImages"][0]["angle"]
        return job

    found = {each.media_id for each in world.service.candidates(op.id)}
    assert found == {*own[1:], *other}
    simulator.answer("GET status", without_ids)
    (found_now,) = world.service.candidates(op.id)
    assert found_now.media_id == other[0]
    assert "does not name" in found_now.evidence[0]
