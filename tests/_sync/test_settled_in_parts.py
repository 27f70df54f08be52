# Generated from tests/_async/test_settled_in_parts.py by tools/unasync.py. Do not edit.
"""A set that a person settled with some of its images is given the rest; none of them is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import asdict, evolve

from charimg import (
    CharacterLibraryError,
    InvalidArgument,
    JobError,
    Operation,
    OperationItem,
    OperationState,
)
from charimg._library.values import Job
from charimg._sync.rivals import has_all_of
from charimg.models import utcnow

from .mishaps import HASTY, SET, Rigged, left_behind, outcomes, settled
from .test_lost_sets import SHOTS, namesake, ready, stored, stranded
from .test_possible_sets import drawn_by, lost_among_two
from .test_sets_at_once import at_once
from .test_whose import ZED, two_lost_sets
from .world import LENA, World


def offered(world: World, op: Operation) -> list[str]:
    """Return the ids of the candidates, the oldest first."""
    return [each.media_id for each in world.service.candidates(op.id)][::-1]


def names(world: World) -> list[str]:
    """Return the names of all shots, drawn or not: of two that look the same, their look."""
    shots = [image.metrics.shot for image in world.images()]
    told = ["" if shot is None else shot.name for shot in shots]
    return sorted("85mm front cu neutral" if "TIGHT 15°" in name else name for name in told)


def have(world: World) -> set[str]:
    """Return the media ids of the images that are in."""
    return {image.external_id for image in world.images() if image.external_id}


def standing_among_two() -> tuple[World, Rigged, Operation]:
    """Return a world whose set stands still, and so does that of a namesake."""
    world, simulator = ready(job_policy=HASTY)
    simulator.switches.strand_jobs = True
    namesake(simulator)
    with pytest.raises(JobError, match="somebody else's"):
        world.service.generate_portfolio(LENA)
    del simulator.odd[SET]
    (operation,) = world.operations()
    return world, simulator, operation


def test_what_comes_after_a_standing_set_was_settled_comes_in() -> None:
    world, simulator, op = standing_among_two()
    own, other = drawn_by(simulator)
    assert set(offered(world, op)) == {*own, *other}
    done = world.service.settle(op.id, list(own), settled_by="ann")
    assert done.outcome == "stranded"
    assert (world.service.settle(op.id, list(own))).outcome == "stranded"
    simulator.unheard.append("GET status")
    with pytest.raises(CharacterLibraryError, match="UNAVAILABLE"):
        world.service.candidates(op.id)
    before = world.images()
    assert len(before) == SHOTS
    for image in before:
        assert image.status == "succeeded" or "stands still" in (image.error or "")
    # What the person has seen and left is told again, and nothing is asked of anybody.
    assert outcomes(world.service.recover()) == ["stranded"]
    assert set(offered(world, op)) == {*other}
    simulator.switches.strand_jobs = False
    assert outcomes(world.service.recover()) == ["completed"]
    images = world.images()
    assert len(images) == len(stored(images)) == SHOTS
    assert have(world) == {*own} == {*simulator._state.jobs[op.job_id or ""].images}
    assert offered(world, op) == []
    assert world.counts == (0, 0, 2, 0)
    settled(world)


def test_what_is_new_and_in_doubt_is_asked_of_the_person_again() -> None:
    world, simulator, op = standing_among_two()
    own, _ = drawn_by(simulator)
    world.service.settle(op.id, list(own))
    simulator.switches.strand_jobs = False
    for job in simulator._state.jobs.values():
        job.lost = job.shots[-1:]
    assert outcomes(world.service.recover()) == ["unknown"]
    new = [each for each in own if each not in have(world)]
    assert new
    assert (world.service.settle(op.id, new)).outcome == "completed"
    assert have(world) == {*own}
    assert len(world.images()) == SHOTS
    assert outcomes(world.service.recover()) == []
    settled(world)


def test_what_is_not_new_keeps_nothing_open_once_the_job_has_failed() -> None:
    world, simulator, op = standing_among_two()
    own, other = drawn_by(simulator)
    world.service.settle(op.id, list(own))
    simulator.switches.strand_jobs = False
    for job in simulator._state.jobs.values():
        job.lost = job.shots[len(own) :]
    assert outcomes(world.service.recover()) == ["completed"]
    assert have(world) == {*own}
    assert set(offered(world, op)) == {*other}
    settled(world)


@pytest.mark.parametrize("ends", [True, False])
def test_after_it_was_given_up_its_images_are_taken_one_by_one(ends: bool) -> None:
    world, simulator = stranded()
    (op,) = world.operations()
    before, shots = len(have(world)), names(world)
    world.service.settle(op.id, settled_by="ann")
    simulator.switches.strand_jobs = False
    if not ends:
        (job,) = simulator._state.jobs.values()
        simulator.switches.job_seconds = 10_000.0
        job.begun -= 9_000
    rest = offered(world, op)
    assert len(rest) == SHOTS - before - (not ends)
    for number, media_id in enumerate(reversed(rest), start=1):
        for _ in range(2):
            done = world.service.settle(op.id, media_id, settled_by=f"ben {number}")
            assert done.outcome == "completed"
        images = world.images()
        assert len(stored(images)) == before + number
        assert names(world) == shots
        assert {each.id for each in images if each.external_id == media_id} <= {*done.images}
        assert set(offered(world, op)) == {*rest} - have(world)
        assert outcomes(world.service.recover()) == []
    (op,) = world.operations()
    told: Any = op.options["settled"]
    for number in range(len(rest), 0, -1):
        assert (told["by"], len(told["media_ids"])) == (f"ben {number}", 1)
        told = told["before"]
    assert (told["by"], told["media_ids"]) == ("ann", [])
    again = world.service.settle(op.id, [*rest, *have(world)])
    assert again.message == "It was closed before."
    assert (world.operations())[0] == op
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        world.service.settle(op.id, [rest[0], "0" * 24])
    with pytest.raises(InvalidArgument, match="with another answer"):
        world.service.settle(op.id)
    assert world.counts == (0, 0, 1, 0)
    settled(world)


def test_a_failed_set_that_was_settled_with_too_few_is_given_more() -> None:
    world, simulator = ready(lost=1)
    namesake(simulator, lost=1)
    with pytest.raises(JobError, match="somebody else's"):
        world.service.generate_portfolio(LENA)
    (op,) = world.operations()
    own, other = drawn_by(simulator)
    assert (world.service.settle(op.id, own[-1])).outcome == "completed"
    assert len(world.images()) == SHOTS
    assert set(offered(world, op)) == {*own[:-1], *other}
    with pytest.raises(InvalidArgument, match="cannot have all of these"):
        world.service.settle(op.id, [*own, *other])
    for each in own[-2::-1]:
        world.service.settle(op.id, each)
        assert len(world.images()) == SHOTS
    assert have(world) == {*own}
    drawn = {each.id: each.shot for each in simulator._state.media.values()}
    for image in world.images():
        shot, what = drawn.get(image.external_id or ""), image.metrics.shot
        # Of two shots with one look it is not told which one this is.
        assert shot is None or getattr(what, "name", "") in (shot.name, "85mm front cu neutral")
    assert outcomes(world.service.recover()) == []
    # The server may forget the job: what may be its is there.
    simulator._state.jobs.clear()
    assert set(offered(world, op)) == {*other}
    settled(world)


def test_what_one_namesake_may_still_be_given_is_not_given_to_the_other() -> None:
    world, simulator, (ours, theirs) = two_lost_sets()
    (mine, rest) = drawn_by(simulator)
    world.service.settle(ours, mine[1:])
    op = world.ledger.get(ours)
    assert op is not None
    assert op.received_at is not None
    # The minute that went by on the server has gone by here, too.
    op = evolve(op, received_at=op.received_at + timedelta(minutes=1))
    left_behind(world, **asdict(op, recurse=False))
    assert outcomes(world.service.recover()) == ["unknown"]
    assert mine[0] not in have(world)
    found = world.service.candidates(theirs)
    assert {each.media_id for each in found} == {mine[0], *rest}
    world.service.settle(ours, mine[0])
    assert outcomes(world.service.recover()) == ["completed"]
    images = world.images(ZED)
    assert {image.external_id for image in images if image.kind == "portfolioItem"} == {*rest, None}


def test_a_set_of_a_complete_job_is_given_more_of_that_job_alone() -> None:
    world, simulator, op = lost_among_two()
    own, other = drawn_by(simulator)
    world.service.settle(op.id, own[0])
    assert set(offered(world, op)) == {*own[1:]}
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        world.service.settle(op.id, other)
    world.service.settle(op.id, own)
    assert have(world) == {*own}
    assert offered(world, op) == []
    settled(world)


def nameless(job: Any) -> Any:
    """Leave out which images a job has drawn."""
    for image in job.get("results", {}).get("generatedImages", ()):
        del image["mediaId"]
    return job


@pytest.mark.parametrize("named", [True, False])
def test_a_job_that_ended_before_its_set_was_settled_tells_its_images(named: bool) -> None:
    world, simulator, op = standing_among_two()
    if not named:
        simulator.answer("GET status", nameless)
    simulator.switches.strand_jobs = False
    failing = simulator._state.jobs[op.job_id or ""]
    offered(world, op)
    own, other = drawn_by(simulator)
    assert set(offered(world, op)) == {*own, *(() if named else other)}
    world.service.settle(op.id, own[:2])
    assert len(world.images()) == SHOTS
    (error,) = {each.error for each in world.images() if each.error}
    assert error == "It is not among the images that a person has chosen."
    world.service.settle(op.id, own[2:])
    assert have(world) == {*failing.images}
    assert len(world.images()) == SHOTS
    settled(world)


def test_of_two_jobs_that_could_not_be_told_apart_one_is_left() -> None:
    world, simulator, op = lost_among_two(job_seconds=10_000.0)
    for job in simulator._state.jobs.values():
        job.begun -= 5_000
    offered(world, op)
    own, other = drawn_by(simulator)
    first = own[0]
    world.service.settle(op.id, first)
    assert set(offered(world, op)) == {*own[1:], *other}
    simulator.switches.job_seconds = 0
    offered(world, op)
    assert set(offered(world, op)) == {*own[1:]}
    world.service.settle(op.id, own)
    assert have(world) == {*own}
    (op,) = world.operations()
    assert (op.state, op.job_id) == (OperationState.DONE, next(iter(simulator._state.jobs)))
    settled(world)


def test_a_set_drawn_at_once_is_given_more() -> None:
    world, simulator = at_once()
    namesake(simulator)
    with pytest.raises(CharacterLibraryError, match="somebody else's"):
        world.service.generate_portfolio(LENA)
    (op,) = world.operations()
    shots = [each.id for each in simulator._state.media.values() if each.shot]
    own, other = shots[: SHOTS - 1], shots[SHOTS - 1 :]
    world.service.settle(op.id, own[:1])
    assert set(offered(world, op)) == {*own[1:], *other}
    world.service.settle(op.id, own[1:])
    assert have(world) == {*own}
    settled(world)


def test_on_a_server_without_jobs_a_set_is_given_more() -> None:
    world, simulator, op = lost_among_two(set360_mode="images")
    drawn = [each.id for each in simulator._state.media.values() if each.shot is not None]
    world.service.settle(op.id, drawn[:1])
    assert set(offered(world, op)) == {*drawn[1:]}
    with pytest.raises(InvalidArgument, match="too many of"):
        world.service.settle(op.id, drawn)
    world.service.settle(op.id, drawn[1:3])
    assert have(world) == {*drawn[:3]}
    settled(world)


def test_what_a_job_draws_after_it_was_taken_over_is_no_other_sets() -> None:
    world, simulator = stranded()
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    simulator.switches.strand_jobs = False
    assert outcomes(world.service.recover()) == ["completed", "unknown"]
    (newer, older) = world.operations()
    assert (len(newer.items), len(older.items)) == (0, SHOTS)
    assert len(world.images()) == SHOTS


def test_a_namesakes_set_that_was_taken_over_whole_leaves_no_doubt() -> None:
    world, simulator = ready()
    namesake_id = simulator.add_character(name="Lena Marlow")
    simulator.set_reference(namesake_id)
    world.link(ZED, library_db_id=namesake_id)
    for character_id in (LENA, ZED):
        simulator.switches.lost_shots = 1
        result = world.service.generate_portfolio(character_id)
        assert len(result.images) == SHOTS - 1


def test_what_a_set_is_known_to_have_is_not_settled() -> None:
    world, _ = ready()
    item = OperationItem(key="k", index=0, source_url="http://library.test/media/x")
    op = left_behind(world, kind="portfolio", state=OperationState.RECEIVED, items=(item,))
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        world.service.settle(op.id, "f" * 24)


@pytest.mark.parametrize(
    ("options", "all_of_it"),
    [
        ({"unfinished": False}, True),
        ({"unfinished": True}, False),
        ({"settled": {"media_ids": ["m"]}}, False),
    ],
)
def test_who_took_some_of_it_has_not_all_of_a_job(options: dict[str, Any], all_of_it: bool) -> None:
    now = utcnow()
    op = Operation(
        id="f" * 32,
        kind="portfolio",
        character_id=LENA,
        state="done",
        job_id="j",
        posted_at=now - timedelta(seconds=5),
        posted_on_server=now - timedelta(seconds=5),
        received_at=now,
        items=(OperationItem(key="k", index=0),),
        options=options,
    )
    job = Job(job_id="j", status="failed", completed_at=now)
    assert has_all_of(op, job) is all_of_it
    assert not has_all_of(evolve(op, items=()), job)
