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
from charimg._async.rivals import has_all_of
from charimg._library.values import Job
from charimg.models import utcnow

from .mishaps import HASTY, SET, Rigged, left_behind, outcomes, settled
from .test_lost_sets import SHOTS, namesake, ready, stored, stranded
from .test_possible_sets import drawn_by, lost_among_two
from .test_sets_at_once import at_once
from .test_whose import ZED, two_lost_sets
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def offered(world: AsyncWorld, op: Operation) -> list[str]:
    """Return the ids of the candidates, the oldest first."""
    return [each.media_id for each in await world.service.candidates(op.id)][::-1]


async def names(world: AsyncWorld) -> list[str]:
    """Return the names of all shots, drawn or not: of two that look the same, their look."""
    shots = [image.metrics.shot for image in await world.images()]
    told = ["" if shot is None else shot.name for shot in shots]
    return sorted("85mm front cu neutral" if "TIGHT 15°" in name else name for name in told)


async def have(world: AsyncWorld) -> set[str]:
    """Return the media ids of the images that are in."""
    return {image.external_id for image in await world.images() if image.external_id}


async def standing_among_two() -> tuple[AsyncWorld, Rigged, Operation]:
    """Return a world whose set stands still, and so does that of a namesake."""
    world, simulator = await ready(job_policy=HASTY)
    simulator.switches.strand_jobs = True
    namesake(simulator)
    with pytest.raises(JobError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)
    del simulator.odd[SET]
    (operation,) = await world.operations()
    return world, simulator, operation


async def test_what_comes_after_a_standing_set_was_settled_comes_in() -> None:
    world, simulator, op = await standing_among_two()
    own, other = drawn_by(simulator)
    assert set(await offered(world, op)) == {*own, *other}
    done = await world.service.settle(op.id, list(own), settled_by="ann")
    assert done.outcome == "stranded"
    assert (await world.service.settle(op.id, list(own))).outcome == "stranded"
    simulator.unheard.append("GET status")
    with pytest.raises(CharacterLibraryError, match="UNAVAILABLE"):
        await world.service.candidates(op.id)
    before = await world.images()
    assert len(before) == SHOTS
    for image in before:
        assert image.status == "succeeded" or "stands still" in (image.error or "")
    # What the person has seen and left is told again, and nothing is asked of anybody.
    assert outcomes(await world.service.recover()) == ["stranded"]
    assert set(await offered(world, op)) == {*other}
    simulator.switches.strand_jobs = False
    assert outcomes(await world.service.recover()) == ["completed"]
    images = await world.images()
    assert len(images) == len(stored(images)) == SHOTS
    assert await have(world) == {*own} == {*simulator._state.jobs[op.job_id or ""].images}
    assert await offered(world, op) == []
    assert world.counts == (0, 0, 2, 0)
    await settled(world)


async def test_what_is_new_and_in_doubt_is_asked_of_the_person_again() -> None:
    world, simulator, op = await standing_among_two()
    own, _ = drawn_by(simulator)
    await world.service.settle(op.id, list(own))
    simulator.switches.strand_jobs = False
    for job in simulator._state.jobs.values():
        job.lost = job.shots[-1:]
    assert outcomes(await world.service.recover()) == ["unknown"]
    new = [each for each in own if each not in await have(world)]
    assert new
    assert (await world.service.settle(op.id, new)).outcome == "completed"
    assert await have(world) == {*own}
    assert len(await world.images()) == SHOTS
    assert outcomes(await world.service.recover()) == []
    await settled(world)


async def test_what_is_not_new_keeps_nothing_open_once_the_job_has_failed() -> None:
    world, simulator, op = await standing_among_two()
    own, other = drawn_by(simulator)
    await world.service.settle(op.id, list(own))
    simulator.switches.strand_jobs = False
    for job in simulator._state.jobs.values():
        job.lost = job.shots[len(own) :]
    assert outcomes(await world.service.recover()) == ["completed"]
    assert await have(world) == {*own}
    assert set(await offered(world, op)) == {*other}
    await settled(world)


@pytest.mark.parametrize("ends", [True, False])
async def test_after_it_was_given_up_its_images_are_taken_one_by_one(ends: bool) -> None:
    world, simulator = await stranded()
    (op,) = await world.operations()
    before, shots = len(await have(world)), await names(world)
    await world.service.settle(op.id, settled_by="ann")
    simulator.switches.strand_jobs = False
    if not ends:
        (job,) = simulator._state.jobs.values()
        simulator.switches.job_seconds = 10_000.0
        job.begun -= 9_000
    rest = await offered(world, op)
    assert len(rest) == SHOTS - before - (not ends)
    for number, media_id in enumerate(reversed(rest), start=1):
        for _ in range(2):
            done = await world.service.settle(op.id, media_id, settled_by=f"ben {number}")
            assert done.outcome == "completed"
        images = await world.images()
        assert len(stored(images)) == before + number
        assert await names(world) == shots
        assert {each.id for each in images if each.external_id == media_id} <= {*done.images}
        assert set(await offered(world, op)) == {*rest} - await have(world)
        assert outcomes(await world.service.recover()) == []
    (op,) = await world.operations()
    told: Any = op.options["settled"]
    for number in range(len(rest), 0, -1):
        assert (told["by"], len(told["media_ids"])) == (f"ben {number}", 1)
        told = told["before"]
    assert (told["by"], told["media_ids"]) == ("ann", [])
    again = await world.service.settle(op.id, [*rest, *await have(world)])
    assert again.message == "It was closed before."
    assert (await world.operations())[0] == op
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        await world.service.settle(op.id, [rest[0], "0" * 24])
    with pytest.raises(InvalidArgument, match="with another answer"):
        await world.service.settle(op.id)
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_a_failed_set_that_was_settled_with_too_few_is_given_more() -> None:
    world, simulator = await ready(lost=1)
    namesake(simulator, lost=1)
    with pytest.raises(JobError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)
    (op,) = await world.operations()
    own, other = drawn_by(simulator)
    assert (await world.service.settle(op.id, own[-1])).outcome == "completed"
    assert len(await world.images()) == SHOTS
    assert set(await offered(world, op)) == {*own[:-1], *other}
    with pytest.raises(InvalidArgument, match="cannot have all of these"):
        await world.service.settle(op.id, [*own, *other])
    for each in own[-2::-1]:
        await world.service.settle(op.id, each)
        assert len(await world.images()) == SHOTS
    assert await have(world) == {*own}
    drawn = {each.id: each.shot for each in simulator._state.media.values()}
    for image in await world.images():
        shot, what = drawn.get(image.external_id or ""), image.metrics.shot
        # Of two shots with one look it is not told which one this is.
        assert shot is None or getattr(what, "name", "") in (shot.name, "85mm front cu neutral")
    assert outcomes(await world.service.recover()) == []
    # The server may forget the job: what may be its is there.
    simulator._state.jobs.clear()
    assert set(await offered(world, op)) == {*other}
    await settled(world)


async def test_what_one_namesake_may_still_be_given_is_not_given_to_the_other() -> None:
    world, simulator, (ours, theirs) = await two_lost_sets()
    (mine, rest) = drawn_by(simulator)
    await world.service.settle(ours, mine[1:])
    op = await world.ledger.get(ours)
    assert op is not None
    assert op.received_at is not None
    # The minute that went by on the server has gone by here, too.
    op = evolve(op, received_at=op.received_at + timedelta(minutes=1))
    await left_behind(world, **asdict(op, recurse=False))
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert mine[0] not in await have(world)
    found = await world.service.candidates(theirs)
    assert {each.media_id for each in found} == {mine[0], *rest}
    await world.service.settle(ours, mine[0])
    assert outcomes(await world.service.recover()) == ["completed"]
    images = await world.images(ZED)
    assert {image.external_id for image in images if image.kind == "portfolioItem"} == {*rest, None}


async def test_a_set_of_a_complete_job_is_given_more_of_that_job_alone() -> None:
    world, simulator, op = await lost_among_two()
    own, other = drawn_by(simulator)
    await world.service.settle(op.id, own[0])
    assert set(await offered(world, op)) == {*own[1:]}
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        await world.service.settle(op.id, other)
    await world.service.settle(op.id, own)
    assert await have(world) == {*own}
    assert await offered(world, op) == []
    await settled(world)


def nameless(job: Any) -> Any:
    """Leave out which images a job has drawn."""
    for image in job.get("results", {}).get("generatedImages", ()):
        del image["mediaId"]
    return job


@pytest.mark.parametrize("named", [True, False])
async def test_a_job_that_ended_before_its_set_was_settled_tells_its_images(named: bool) -> None:
    world, simulator, op = await standing_among_two()
    if not named:
        simulator.answer("GET status", nameless)
    simulator.switches.strand_jobs = False
    failing = simulator._state.jobs[op.job_id or ""]
    await offered(world, op)
    own, other = drawn_by(simulator)
    assert set(await offered(world, op)) == {*own, *(() if named else other)}
    await world.service.settle(op.id, own[:2])
    assert len(await world.images()) == SHOTS
    (error,) = {each.error for each in await world.images() if each.error}
    assert error == "It is not among the images that a person has chosen."
    await world.service.settle(op.id, own[2:])
    assert await have(world) == {*failing.images}
    assert len(await world.images()) == SHOTS
    await settled(world)


async def test_of_two_jobs_that_could_not_be_told_apart_one_is_left() -> None:
    world, simulator, op = await lost_among_two(job_seconds=10_000.0)
    for job in simulator._state.jobs.values():
        job.begun -= 5_000
    await offered(world, op)
    own, other = drawn_by(simulator)
    first = own[0]
    await world.service.settle(op.id, first)
    assert set(await offered(world, op)) == {*own[1:], *other}
    simulator.switches.job_seconds = 0
    await offered(world, op)
    assert set(await offered(world, op)) == {*own[1:]}
    await world.service.settle(op.id, own)
    assert await have(world) == {*own}
    (op,) = await world.operations()
    assert (op.state, op.job_id) == (OperationState.DONE, next(iter(simulator._state.jobs)))
    await settled(world)


async def test_a_set_drawn_at_once_is_given_more() -> None:
    world, simulator = await at_once()
    namesake(simulator)
    with pytest.raises(CharacterLibraryError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)
    (op,) = await world.operations()
    shots = [each.id for each in simulator._state.media.values() if each.shot]
    own, other = shots[: SHOTS - 1], shots[SHOTS - 1 :]
    await world.service.settle(op.id, own[:1])
    assert set(await offered(world, op)) == {*own[1:], *other}
    await world.service.settle(op.id, own[1:])
    assert await have(world) == {*own}
    await settled(world)


async def test_on_a_server_without_jobs_a_set_is_given_more() -> None:
    world, simulator, op = await lost_among_two(set360_mode="images")
    drawn = [each.id for each in simulator._state.media.values() if each.shot is not None]
    await world.service.settle(op.id, drawn[:1])
    assert set(await offered(world, op)) == {*drawn[1:]}
    with pytest.raises(InvalidArgument, match="too many of"):
        await world.service.settle(op.id, drawn)
    await world.service.settle(op.id, drawn[1:3])
    assert await have(world) == {*drawn[:3]}
    await settled(world)


async def test_what_a_job_draws_after_it_was_taken_over_is_no_other_sets() -> None:
    world, simulator = await stranded()
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    simulator.switches.strand_jobs = False
    assert outcomes(await world.service.recover()) == ["completed", "unknown"]
    (newer, older) = await world.operations()
    assert (len(newer.items), len(older.items)) == (0, SHOTS)
    assert len(await world.images()) == SHOTS


async def test_a_namesakes_set_that_was_taken_over_whole_leaves_no_doubt() -> None:
    world, simulator = await ready()
    namesake_id = simulator.add_character(name="Lena Marlow")
    simulator.set_reference(namesake_id)
    await world.link(ZED, library_db_id=namesake_id)
    for character_id in (LENA, ZED):
        simulator.switches.lost_shots = 1
        result = await world.service.generate_portfolio(character_id)
        assert len(result.images) == SHOTS - 1


async def test_what_a_set_is_known_to_have_is_not_settled() -> None:
    world, _ = await ready()
    item = OperationItem(key="k", index=0, source_url="http://library.test/media/x")
    op = await left_behind(world, kind="portfolio", state=OperationState.RECEIVED, items=(item,))
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        await world.service.settle(op.id, "f" * 24)


@pytest.mark.parametrize(
    ("options", "all_of_it"),
    [
        ({"unfinished": False}, True),
        ({"unfinished": True}, False),
        ({"settled": {"media_ids": ["m"]}}, False),
    ],
)
async def test_who_took_some_of_it_has_not_all_of_a_job(
    options: dict[str, Any], all_of_it: bool
) -> None:
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
