"""What a 360° job has drawn that failed, or stands still, comes in, once; nobody else's does."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from charimg import (
    CharacterImage,
    CharacterLibraryError,
    ErrorCode,
    InvalidArgument,
    JobError,
    OperationState,
)
from charimg.testing import Simulator
from charimg.testing.simulator.exchange import SimulatedResponse
from charimg.testing.simulator.shots import SHOTS as ALL_SHOTS

from .mishaps import (
    HASTY,
    SET,
    STATUS,
    Crash,
    Rigged,
    break_once,
    left_behind,
    outcomes,
    rigged,
    settled,
)
from .world import LENA, URL, AsyncWorld

pytestmark = pytest.mark.anyio

SHOTS = 5


async def ready(lost: int = 0, **options: Any) -> tuple[AsyncWorld, Rigged]:
    """Return a world with a master, whose next set loses some of its shots and fails."""
    world, simulator = await rigged(**options)
    simulator.set_reference(world.db_id)
    simulator.switches.shots = SHOTS
    simulator.switches.lost_shots = lost
    return world, simulator


def stored(images: Sequence[CharacterImage]) -> list[str]:
    """Return the names of the shots that are in."""
    shots = [image.metrics.shot for image in images if image.status == "succeeded"]
    return sorted("" if shot is None else shot.name for shot in shots)


async def test_a_set_that_fails_at_its_end_is_brought_in_with_its_shots() -> None:
    world, simulator = await ready(lost=1)
    result = await world.service.generate_portfolio(LENA)
    assert [each.code for each in result.warnings] == [ErrorCode.JOB_FAILED]
    assert "taken over" in result.warnings[0].message
    (failure,) = result.failures
    assert failure.metrics.shot is not None
    assert failure.source_url is None
    assert "failed at" in (failure.error or "")
    drawn = {each.id: each.shot for each in simulator._state.media.values() if each.shot}
    told = {image.external_id: image.metrics.shot for image in result.images}
    assert told.keys() == drawn.keys()
    assert len(drawn) == SHOTS - 1
    for media_id, shot in drawn.items():
        name = getattr(told[media_id], "name", None)
        # Two of them have the same look, of which one was lost.
        assert name in (shot.name, "85mm front cu neutral")
    assert world.counts == (0, 0, 1, 0)
    (operation,) = await world.operations()
    assert operation.state == OperationState.DONE
    await settled(world)


async def test_recovery_does_the_same_for_one_that_nobody_watches_any_more() -> None:
    world, _ = await ready(lost=2)
    # Started, posting, received: then the process is gone.
    break_once(world.ledger, "write", 4, error=Crash)
    with pytest.raises(Crash):
        await world.service.generate_portfolio(LENA)
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert len(stored(await world.images())) == SHOTS - 2
    assert len(await world.images()) == SHOTS
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_where_media_documents_are_switched_off_that_is_said() -> None:
    world, simulator = await ready(lost=1, media_documents=False)
    with pytest.raises(JobError, match="paid for, but is not looked for") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.JOB_FAILED
    assert "/api/media" not in [each.path for each in simulator.requests]
    (operation,) = await world.operations()
    assert (operation.state, operation.error) == (OperationState.FAILED, str(caught.value))
    await settled(world)


async def test_where_media_documents_are_closed_it_is_looked_for_later() -> None:
    world, simulator = await ready(lost=1)
    simulator.switches.media_closed = True
    with pytest.raises(JobError, match="paid for, but cannot be looked for now") as caught:
        await world.service.generate_portfolio(LENA)
    error = caught.value
    assert (error.code, error.outcome_unknown) == (ErrorCode.JOB_FAILED, True)
    assert outcomes(await world.service.recover()) == ["unknown"]
    simulator.switches.media_closed = False
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(stored(await world.images())) == SHOTS - 1
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_a_set_of_which_nothing_is_there_has_failed() -> None:
    world, simulator = await ready()
    simulator.switches.fail_jobs = True
    with pytest.raises(JobError, match="No media document") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.server_message == "No images were successfully generated"
    (operation,) = await world.operations()
    assert operation.state == OperationState.FAILED
    await settled(world)


@pytest.mark.parametrize("away", ["GET media", "GET jobs", "GET reference-shots", "GET character"])
async def test_what_cannot_be_looked_for_now_recovery_looks_for(away: str) -> None:
    world, simulator = await ready(lost=1)
    away = f"GET {world.db_id}" if away == "GET character" else away
    # The first is asked before the set is ordered.
    simulator.unheard += [away] * (1 if away != "GET jobs" else 0)
    if away == "GET jobs":

        def out_of_reach(answer: SimulatedResponse) -> SimulatedResponse:
            simulator.unheard.append(away)
            return answer

        simulator.odd[STATUS] = out_of_reach
    with pytest.raises(JobError, match=r"recover\(\) looks for") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.JOB_FAILED
    simulator.odd.clear()
    simulator.unheard.clear()
    (operation,) = await world.operations()
    assert operation.state == OperationState.RECEIVED
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(stored(await world.images())) == SHOTS - 1
    await settled(world)


async def stranded(**options: Any) -> tuple[AsyncWorld, Rigged]:
    """Return a world whose job stands still, after what it had drawn was taken over."""
    world, simulator = await ready(job_policy=HASTY, **options)
    simulator.switches.strand_jobs = True
    result = await world.service.generate_portfolio(LENA)
    assert [each.code for each in result.warnings] == [ErrorCode.JOB_STRANDED]
    assert 0 < len(result.images) < SHOTS
    assert len(result.images) + len(result.failures) == SHOTS
    return world, simulator


async def test_what_a_job_had_drawn_that_stands_still_comes_in() -> None:
    world, _ = await stranded()
    report = await world.service.recover()
    assert outcomes(report) == ["stranded"]
    assert report.unresolved == report.operations
    assert "settle() with no image gives it up" in report.operations[0].message
    states = Counter(image.status for image in await world.images())
    told = f"{states['succeeded']} stored, {states['failed']} failed in all; none of them just now."
    if not world.metadata.requires_media:
        assert told in report.operations[0].message
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_it_is_in_nobodys_way() -> None:
    world, simulator = await stranded()
    simulator.switches.strand_jobs = False
    simulator.switches.job_seconds = 10_000
    await world.service.generate_scene(LENA, "one")
    assert outcomes(await world.service.recover()) == ["stranded"]


async def test_one_that_ends_after_all_fills_the_places_and_nothing_is_there_twice() -> None:
    world, simulator = await stranded()
    before = {image.id: image for image in await world.images()}
    simulator.switches.strand_jobs = False
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert f"{SHOTS} stored, 0 failed in all" in report.operations[0].message
    images = await world.images()
    assert len(images) == len(stored(images)) == SHOTS
    assert len({image.external_id for image in images}) == SHOTS
    shots = [image.metrics.shot for image in images]
    assert all(shot is not None and shot.camera_azimuth_deg is not None for shot in shots)
    for image in before.values():
        if image.status == "succeeded":
            assert image in images
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_one_that_fails_after_all_brings_what_it_has_drawn_since() -> None:
    world, simulator = await stranded()
    simulator.switches.strand_jobs = False
    for job in simulator._state.jobs.values():
        job.lost = job.shots[-1:]
    assert outcomes(await world.service.recover()) == ["completed"]
    images = await world.images()
    assert (len(images), len(stored(images))) == (SHOTS, SHOTS - 1)
    await settled(world)


async def test_one_that_the_server_forgets_is_over() -> None:
    world, simulator = await stranded()
    simulator._state.jobs.clear()
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == SHOTS
    await settled(world)


async def test_a_late_image_that_does_not_arrive_is_told_with_its_url() -> None:
    world, simulator = await stranded()
    simulator.switches.strand_jobs = False
    simulator.switches.file_errors = 1
    assert outcomes(await world.service.recover()) == ["completed"]
    (failed,) = [image for image in await world.images() if image.status != "succeeded"]
    assert failed.source_url is not None
    assert "500" in (failed.error or "") or "503" in (failed.error or "")
    await world.service.retry_ingestion(LENA, failed.id)
    assert len(stored(await world.images())) == SHOTS
    await settled(world)


async def test_what_came_later_and_may_be_a_namesakes_waits_for_a_person() -> None:
    world, simulator = await stranded()
    other = simulator.add_character(name="Lena Marlow")
    simulator.set_reference(other)
    simulator.switches.lost_shots = 1
    await world.service.library.generate_360_set(other)
    simulator.switches.strand_jobs = False
    (own, _) = simulator._state.jobs.values()
    own.lost = own.shots[-1:]
    (operation,) = await world.operations()
    report = await world.service.recover()
    assert outcomes(report) == ["unknown"]
    assert "has drawn more" in report.operations[0].message
    before = {image.external_id for image in await world.images()}
    shown = {each.media_id for each in await world.service.candidates(operation.id)}
    mine = set(own.images) - before
    assert mine < shown
    assert not shown & before
    with pytest.raises(InvalidArgument, match="cannot have all of these images"):
        await world.service.settle(operation.id, sorted(shown))
    assert len(await world.images()) == SHOTS
    done = await world.service.settle(operation.id, sorted(mine))
    assert done.outcome == "completed"
    images = await world.images()
    assert len(images) == SHOTS
    assert {image.external_id for image in images if image.status == "succeeded"} == {*own.images}
    await settled(world)


async def test_more_than_there_were_places_for_comes_in_all_the_same() -> None:
    world, simulator = await stranded()
    (job,) = simulator._state.jobs.values()
    # The set is larger than the server had said.
    job.shots = ALL_SHOTS[: SHOTS + 2]
    simulator.switches.strand_jobs = False
    assert outcomes(await world.service.recover()) == ["completed"]
    images = await world.images()
    assert len(images) == len(stored(images)) == SHOTS + 2
    await settled(world)


async def test_one_that_ended_while_it_was_given_up_is_complete() -> None:
    world, _ = await ready()

    async def given_up(job_id: str, **_: Any) -> AsyncIterator[None]:
        raise JobError("It stands still.", job_id=job_id, code=ErrorCode.JOB_STRANDED)
        yield

    library: Any = world.service.library
    library.watch_job = given_up
    result = await world.service.generate_portfolio(LENA)
    assert (len(result.images), result.failures) == (SHOTS, ())
    assert outcomes(await world.service.recover()) == []
    await settled(world)


async def test_one_of_which_nobody_knows_when_it_began_waits_for_a_person() -> None:
    world, simulator = await ready(lost=1)
    answer = await world.service.library.generate_360_set(world.db_id)
    op = await left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, job_id=answer.job_id
    )
    # It stands in no list any more.
    simulator.answer("GET jobs", lambda page: {**page, "jobs": []})
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await world.images() == []
    found = await world.service.candidates(op.id)
    assert len(found) == SHOTS - 1
    assert "not known" in found[0].evidence[-1]


async def test_what_comes_after_it_was_given_up_can_be_taken_all_the_same() -> None:
    world, simulator = await stranded()
    (op,) = await world.operations()
    before = len(stored(await world.images()))
    await world.service.settle(op.id)
    simulator.switches.strand_jobs = False
    assert outcomes(await world.service.recover()) == []
    found = await world.service.candidates(op.id)
    assert len(found) == SHOTS - before
    done = await world.service.settle(op.id, [each.media_id for each in found])
    assert done.outcome == "completed"
    assert len(stored(await world.images())) == SHOTS
    assert len(await world.images()) == SHOTS
    assert world.counts == (0, 0, 1, 0)
    await settled(world)


async def test_a_person_gives_it_up_and_nothing_is_deleted() -> None:
    world, simulator = await stranded()
    images = [(image.id, image.status) for image in await world.images()]
    (operation,) = await world.operations()
    given_up = await world.service.settle(operation.id, settled_by="ann")
    assert given_up.outcome == "completed"
    assert (await world.service.settle(operation.id)).images == given_up.images
    assert (await world.service.recover()).operations == ()
    assert [(image.id, image.status) for image in await world.images()] == images
    (operation,) = await world.operations()
    assert operation.options["settled"]["by"] == "ann"
    assert simulator.counters.reference_deletes == 0
    await settled(world)


async def test_until_when_it_is_waited_for_is_told() -> None:
    world, simulator = await ready()
    simulator.switches.job_seconds = 10_000
    break_once(world.ledger, "write", 4, error=Crash)
    with pytest.raises(Crash):
        await world.service.generate_portfolio(LENA)
    report = await world.service.recover()
    assert outcomes(report) == ["waiting"]
    assert "it is waited for until 20" in report.operations[0].message
    (operation,) = await world.operations()
    assert operation.job_seen is not None
    await settled(world)


async def test_one_that_has_drawn_nothing_is_told_as_standing_still() -> None:
    world, simulator = await ready(job_policy=HASTY)
    simulator.switches.strand_jobs = True
    simulator.switches.fail_jobs = True
    with pytest.raises(JobError, match="No media document") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.JOB_STRANDED
    assert outcomes(await world.service.recover()) == ["stranded"]
    # It is in nobody's way.
    await world.service.generate_scene(LENA, "one")
    await settled(world)


def namesake(simulator: Rigged, lost: int = 0) -> str:
    """Have somebody draw a set of another character of the same name while the next one is drawn.

    Returns the other character.
    """
    other = simulator.add_character(name="Lena Marlow")
    simulator.set_reference(other)

    def order_too(answer: SimulatedResponse) -> SimulatedResponse:
        simulator.switches.lost_shots = lost
        path = f"/api/v1/characters/{other}/generate-360-set"
        Simulator.handle(simulator, "POST", f"{URL}{path}", {}, b"{}")
        return answer

    simulator.odd[SET] = order_too
    return other


async def test_what_may_be_that_of_a_namesake_waits_for_a_person() -> None:
    world, simulator = await ready(lost=2)
    namesake(simulator, lost=1)
    with pytest.raises(JobError, match="somebody else's") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.JOB_FAILED
    (operation,) = await world.operations()
    assert operation.state == OperationState.UNKNOWN
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await world.images() == []
    await settled(world)
    candidates = await world.service.candidates(operation.id)
    assert len(candidates) == 2 * SHOTS - 3
    assert any("of the same name" in each for each in candidates[0].evidence)
    assert candidates[0].evidence[0].startswith("It shows ")
    mine = set(simulator._state.jobs[operation.job_id or ""].images)
    with pytest.raises(InvalidArgument, match=r"^Media '0{24}': nothing"):
        await world.service.settle(operation.id, [*mine, "0" * 24])
    with pytest.raises(InvalidArgument, match="With them it would have 7 of 5 shots") as refused:
        await world.service.settle(operation.id, [each.media_id for each in candidates])
    shown = {each.media_id: each.evidence[0] for each in candidates}
    for media_id, what in shown.items():
        named = list(shown.values()).count(what) > 1 and "85mm front cu neutral" not in what
        assert (media_id in str(refused.value)) == named
    assert await world.images() == []
    done = await world.service.settle(operation.id, sorted(mine), settled_by="ann")
    assert done.outcome == "completed"
    images = await world.images()
    assert {image.external_id for image in images if image.external_id} == mine
    assert len(images) == SHOTS
    assert (await world.service.settle(operation.id, sorted(mine))).images == done.images
    await settled(world)


async def test_a_namesake_whose_set_is_complete_is_told_apart() -> None:
    world, simulator = await ready(lost=1)
    namesake(simulator)
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == SHOTS - 1
    mine = set(simulator._state.jobs[result.job_id or ""].images)
    assert {image.external_id for image in result.images} == mine
    await settled(world)


async def test_a_job_of_another_name_or_another_time_is_no_rival() -> None:
    world, simulator = await ready()
    other = simulator.add_character(name="Max")
    simulator.set_reference(other)
    simulator.switches.fail_jobs = True
    await world.service.library.generate_360_set(other)
    simulator.switches.fail_jobs = False
    simulator.switches.lost_shots = 1
    assert len((await world.service.generate_portfolio(LENA)).images) == SHOTS - 1


async def test_the_job_of_a_character_that_is_gone_may_be_a_namesakes() -> None:
    world, simulator = await ready(lost=1)
    other = namesake(simulator, lost=1)
    simulator.odd[STATUS] = lambda answer: (simulator._state.characters.pop(other, None), answer)[1]
    with pytest.raises(JobError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)


async def test_what_is_cut_off_from_the_list_of_jobs_leaves_a_doubt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _ = await ready(lost=1)
    monkeypatch.setattr("charimg._async.lost_sets._MOST", 1)
    with pytest.raises(JobError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)


async def test_a_job_of_nobody_may_be_a_namesakes() -> None:
    world, simulator = await ready(lost=1)
    other = namesake(simulator, lost=1)

    def without(page: Any) -> Any:
        rows = [
            row if row["characterId"] != other else {**row, "characterId": None}
            for row in page["jobs"]
        ]
        return {**page, "jobs": rows}

    simulator.answer("GET jobs", without)
    with pytest.raises(JobError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)


async def test_a_server_without_a_list_of_shots_has_the_names_of_the_files() -> None:
    world, simulator = await ready(lost=1)
    simulator.answer("GET reference-shots", lambda _: {"message": "Route not found"}, status=404)
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == SHOTS - 1
    assert stored(result.images)[0].startswith("50mm 3q")
    (failure,) = result.failures
    assert failure.metrics.shot is None


@pytest.mark.parametrize("lost", [1, None])
async def test_a_name_without_latin_letters_is_looked_for_by_time(lost: int | None) -> None:
    world, simulator = await ready(lost=1)
    await world.service.library.update_character(world.db_id, {"name": "玲"})
    if lost is None:
        assert len((await world.service.generate_portfolio(LENA)).images) == SHOTS - 1
        await settled(world)
        return
    other = namesake(simulator, lost=lost)
    await world.service.library.update_character(other, {"name": "田中"})
    with pytest.raises(JobError, match="somebody else's") as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.outcome_unknown
    (operation,) = await world.operations()
    assert len(await world.service.candidates(operation.id)) == 2 * (SHOTS - 1)


async def test_a_character_that_is_renamed_meanwhile_is_looked_for_under_both_names() -> None:
    world, simulator = await ready(lost=2)

    def renamed(answer: SimulatedResponse) -> SimulatedResponse:
        simulator._state.characters[world.db_id].fields["name"] = "Lena Brandt"
        return answer

    simulator.odd[SET] = renamed
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == SHOTS - 2
    await settled(world)


async def test_a_gallery_that_tells_no_name_does_without() -> None:
    world, simulator = await ready(lost=1)
    simulator.answer("GET images", lambda gallery: {**gallery, "characterName": None})
    assert len((await world.service.generate_portfolio(LENA)).images) == SHOTS - 1


async def test_a_namesake_of_the_earlier_name_leaves_a_doubt() -> None:
    world, simulator = await ready(lost=1)
    namesake(simulator, lost=1)
    order = simulator.odd[SET]

    def renamed(answer: SimulatedResponse) -> SimulatedResponse:
        simulator._state.characters[world.db_id].fields["name"] = "Lena Brandt"
        return order(answer)

    simulator.odd[SET] = renamed
    with pytest.raises(JobError, match="somebody else's"):
        await world.service.generate_portfolio(LENA)


async def test_what_nobody_can_look_for_is_no_failure() -> None:
    world, simulator = await ready(lost=1)
    answer = await world.service.library.generate_360_set(world.db_id)
    op = await left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, job_id=answer.job_id
    )
    del simulator._state.characters[world.db_id]
    report = await world.service.recover()
    assert outcomes(report) == ["unknown"]
    assert "was not looked for" in report.operations[0].message
    assert "somebody else's" not in report.operations[0].message
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await world.service.candidates(op.id) == ()
    assert (await world.service.settle(op.id)).outcome == "failed"


async def test_a_set_is_settled_with_nothing_else_than_its_own() -> None:
    world, simulator = await ready()
    simulator.unheard.append("POST generate-360-set")
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    (operation,) = await world.operations()
    with pytest.raises(InvalidArgument):
        await world.service.settle(operation.id, ["0" * 24])
    assert await world.service.candidates(operation.id) == ()
