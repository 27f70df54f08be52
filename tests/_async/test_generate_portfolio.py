"""The 360° portfolio: both generations of the server, true URLs, partial failures, progress."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    ImageFailed,
    ImageMismatch,
    ImageNotFound,
    ImageStored,
    JobError,
    JobPolicy,
    JobProgressed,
    LeaseLost,
    OperationFinished,
    OperationStarted,
    OperationState,
    ReferencePolicy,
    StorageError,
)
from charimg.models import utcnow

from .mishaps import STATUS, Rigged, break_once, rigged, settled
from .world import LENA, MAX, AsyncWorld

pytestmark = pytest.mark.anyio


async def ready(**options: object) -> AsyncWorld:
    world = AsyncWorld(**options)
    await world.link()
    await world.service.generate_reference(LENA, prompt="the master prompt")
    return world


async def test_twenty_seven_shots_become_records() -> None:
    world = await ready()
    result = await world.service.generate_portfolio(LENA, created_by="ann")
    assert len(result.images) == world.shots
    assert result.failures == ()
    assert result.job_id
    shots = [image for image in await world.images() if image.kind == "portfolioItem"]
    assert {image.id for image in shots} == {image.id for image in result.images}
    assert len({image.metrics.sha256 for image in shots}) == world.shots, "really different images"
    for image in shots:
        shot = image.metrics.shot
        assert shot is not None
        assert shot.name
        assert shot.lens_mm is not None
        assert shot.camera_azimuth_deg is not None
        assert image.external_id
        assert image.prompt == "the master prompt"
        assert image.metrics.prompt_origin == "reference", "the server never tells a shot's own"
        assert image.created_by == "ann"
        assert image.metrics.generation_ms is not None
    assert world.counts == (1, 0, 1, 0)
    await world.check()


async def test_the_older_generation_answers_with_the_images_at_once() -> None:
    world = await ready()
    world.simulator.switches.set360_mode = "images"
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == world.shots
    assert result.job_id is None
    await world.check()


async def test_it_appends_and_never_deletes() -> None:
    world = await ready()
    before = await world.images()
    await world.service.generate_portfolio(LENA)
    await world.service.generate_portfolio(LENA)
    after = await world.images()
    assert len(after) == 2 * world.shots + 1
    assert before[0] in after
    assert world.counts == (1, 0, 2, 0)
    await world.check()


async def test_dead_urls_of_the_result_are_resolved_through_the_gallery() -> None:
    world = await ready()
    assert world.simulator.switches.dead_result_urls
    result = await world.service.generate_portfolio(LENA)
    job = await world.service.library.get_job(result.job_id or "")
    dead = {image.url for image in job.images}
    assert not dead & {image.source_url for image in result.images}


async def test_a_shots_own_prompt_is_taken_where_the_gallery_tells_it() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="the master prompt")

    def telling(gallery: Any) -> Any:
        for shot in gallery["images"]["coreReferenceSet"][:1]:
            shot["generationPrompt"] = "from the left"
        return gallery

    simulator.answer("GET images", telling)
    result = await world.service.generate_portfolio(LENA)
    told = {image.prompt: image.metrics.prompt_origin for image in result.images}
    assert told == {"from the left": None, "the master prompt": "reference"}


async def test_a_shot_that_the_gallery_lacks_is_found_by_its_media_id() -> None:
    world = await ready()
    world.simulator.switches.gallery_lacks = 1
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == world.shots


async def test_a_media_id_that_nobody_knows_is_a_warning_and_a_failed_record() -> None:
    world = await ready()
    world.simulator.switches.gallery_lacks = 1
    world.simulator.switches.media_errors = 5
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == world.shots - 1
    (failure,) = result.failures
    assert failure.source_url
    assert [warning.code for warning in result.warnings] == [ErrorCode.NOT_FOUND]
    await world.check()


async def test_a_failed_download_is_a_failed_record_with_error_and_source_url() -> None:
    world = await ready()
    world.simulator.switches.file_errors = 2
    result = await world.service.generate_portfolio(LENA, on_progress=world.progress.append)
    assert len(result.images) == world.shots - 2
    assert len(result.failures) == 2
    for failure in result.failures:
        assert failure.status == "failed"
        assert failure.error
        assert failure.source_url
        assert failure.media is None
    assert len([event for event in world.progress if isinstance(event, ImageFailed)]) == 2
    assert world.told[-1].failed == 2
    for failure in result.failures:
        retried = await world.service.retry_ingestion(LENA, failure.id)
        assert retried.image.metrics.shot == failure.metrics.shot
        assert retried.image.metrics.prompt_origin == "reference"
    assert {image.status for image in await world.images()} == {"succeeded"}
    assert world.counts == (1, 0, 1, 0)
    await world.check()


async def test_a_shot_that_the_server_could_not_draw_is_a_failed_record_without_url() -> None:
    world = await ready()
    world.simulator.switches.failing_shots = 3
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == world.shots - 3
    assert len(result.failures) == 3
    for failure in result.failures:
        assert failure.source_url is None
        assert failure.error
        with pytest.raises(ImageMismatch, match="neither a URL nor a media id"):
            await world.service.retry_ingestion(LENA, failure.id)
    await world.check()


async def test_a_failed_job_is_raised_and_over() -> None:
    world = await ready()
    world.simulator.switches.fail_jobs = True
    with pytest.raises(JobError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.JOB_FAILED
    (operation, *_) = await world.operations()
    assert operation.state == OperationState.FAILED
    assert len(await world.images()) == 1


def forgets(simulator: Rigged) -> None:
    """Have the server no longer know its jobs, as after a restart."""
    simulator.answer(STATUS, lambda _: {"success": False, "error": "Job not found"}, status=404)


async def test_a_job_that_the_server_forgets_while_it_is_watched_is_over() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.strand_jobs = True
    forgets(simulator)
    with pytest.raises(JobError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.NOT_FOUND
    (operation,) = await world.operations()
    assert (operation.state, operation.error) == (OperationState.FAILED, str(caught.value))
    await settled(world)


async def test_what_a_forgotten_job_had_drawn_is_paid_for_and_comes_in() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    forgets(simulator)
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == simulator.switches.shots
    (warning,) = result.warnings
    assert (warning.code, str(result.job_id) in warning.message) == (ErrorCode.NOT_FOUND, True)
    (operation,) = await world.operations()
    assert operation.state == OperationState.DONE
    await settled(world)


async def test_a_stranded_job_is_a_clear_error_and_stays_for_recovery() -> None:
    policy = JobPolicy(interval=0.001, interval_max=0.002, deadline=0.05, stall=5)
    world = await ready(job_policy=policy)
    world.simulator.switches.job_seconds = 1_000_000
    with pytest.raises(JobError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.JOB_STRANDED
    assert caught.value.job_id in str(caught.value)
    (operation, *_) = await world.operations()
    assert operation.state == OperationState.RECEIVED
    assert operation.job_id == caught.value.job_id


async def test_how_far_a_job_has_come_is_written_down() -> None:
    world, simulator = await rigged(job_policy=JobPolicy(interval=0.001, interval_max=0.002))
    simulator.set_reference(world.db_id)
    simulator.switches.job_seconds = 1_000_000
    polls = iter((1, 1, 2, 2))

    def moved(job: Any) -> Any:
        current = next(polls, None)
        if current is None:
            return {**job, "status": "failed", "error": "It ends here."}
        progress = {"current": current, "total": 2, "percentage": 50}
        return {**job, "status": "processing", "progress": progress}

    simulator.answer(STATUS, moved)
    with pytest.raises(JobError):
        await world.service.generate_portfolio(LENA)
    (operation,) = await world.operations()
    seen = operation.job_seen
    assert seen is not None
    assert (seen.status, seen.current, seen.total) == ("processing", 2, 2)
    # It is not the last look that counts, but the one that found it moved.
    assert seen.moved_at <= operation.updated_at


@pytest.mark.parametrize("lost", [False, True])
async def test_a_ledger_in_trouble_does_not_end_the_watching_but_a_lost_lease_does(
    lost: bool,
) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    # Started, posting, received.
    break_once(world.ledger, "write", 4, error=LeaseLost if lost else StorageError)
    if lost:
        with pytest.raises(LeaseLost):
            await world.service.generate_portfolio(LENA)
    else:
        result = await world.service.generate_portfolio(LENA)
        assert len(result.images) == simulator.switches.shots
    await world.service.recover()
    assert len(await world.images()) == simulator.switches.shots


async def test_a_refused_set_is_raised_without_retry() -> None:
    world = await ready()
    world.simulator.switches.set360_errors = 1
    with pytest.raises(CharacterLibraryError, match="may have been paid for"):
        await world.service.generate_portfolio(LENA)
    assert world.counts == (1, 0, 1, 0)
    (operation, *_) = await world.operations()
    assert operation.state == OperationState.FAILED


async def test_without_a_reference_the_server_says_so() -> None:
    world = AsyncWorld()
    await world.link()
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.NO_REFERENCE
    assert await world.images() == []


async def test_a_master_that_only_the_library_knows_will_do() -> None:
    world = AsyncWorld()
    await world.link()
    world.simulator.set_reference(world.db_id)
    result = await world.service.generate_portfolio(LENA)
    assert len(result.images) == world.shots
    assert result.reference_id is None


async def test_a_chosen_earlier_reference_is_made_the_master_first() -> None:
    world = await ready()
    (first,) = await world.images()
    second = await world.service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY
    )
    assert world.simulator.reference_of(world.db_id) == second.image.external_id
    result = await world.service.generate_portfolio(LENA, reference_id=first.id)
    assert result.reference_id == first.id
    assert world.simulator.reference_of(world.db_id) == first.external_id
    puts = [each for each in world.simulator.requests if each.method == "PUT"]
    assert len(puts) == 1
    again = await world.service.generate_portfolio(LENA)
    assert again.reference_id == first.id, "it is the current one now"
    assert len([each for each in world.simulator.requests if each.method == "PUT"]) == 1


async def test_the_latest_reference_is_current_though_the_clock_went_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await ready()
    early = utcnow() - timedelta(days=400)
    for module in ("generate", "ingest", "operation", "service"):
        monkeypatch.setattr(f"charimg._async.{module}.utcnow", lambda: early, raising=False)
    second = await world.service.generate_reference(
        LENA, prompt="second", policy=ReferencePolicy.KEEP_HISTORY
    )
    monkeypatch.undo()
    result = await world.service.generate_portfolio(LENA)
    assert result.reference_id == second.image.id
    assert world.simulator.reference_of(world.db_id) == second.image.external_id


async def test_a_bad_reference_is_refused_before_anything_is_paid_for() -> None:
    world = await ready()
    scene = (await world.service.generate_scene(LENA, "She waits.")).image
    with pytest.raises(ImageNotFound, match="no image 'nothing'"):
        await world.service.generate_portfolio(LENA, reference_id="nothing")
    with pytest.raises(ImageMismatch, match="not a reference"):
        await world.service.generate_portfolio(LENA, reference_id=scene.id)
    await world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    other = (await world.service.generate_reference(MAX, prompt="max")).image
    with pytest.raises(ImageMismatch, match="another character"):
        await world.service.generate_portfolio(LENA, reference_id=other.id)
    assert world.counts == (2, 0, 0, 1)


async def test_options_reach_the_server() -> None:
    world = await ready()
    await world.service.generate_portfolio(
        LENA, style="film_noir", quality_threshold=80, max_retries=1
    )
    (posted,) = world.simulator.posts("generate-360-set")
    assert posted["style"] == "film_noir"
    assert posted["qualityThreshold"] == 80
    assert posted["maxRetries"] == 1


async def test_progress_goes_from_the_start_to_the_last_record() -> None:
    world = await ready()
    result = await world.service.generate_portfolio(LENA, on_progress=world.progress.append)
    types = [type(event) for event in world.progress]
    assert types[0] is OperationStarted
    assert types[-1] is OperationFinished
    assert JobProgressed in types
    assert types.index(JobProgressed) < types.index(ImageStored)
    stored = [event for event in world.progress if isinstance(event, ImageStored)]
    assert [event.done for event in stored] == list(range(1, world.shots + 1))
    assert {event.total for event in stored} == {world.shots}
    assert {event.operation_id for event in world.progress} == {result.operation_id}


async def test_downloads_run_at_once_up_to_the_bound() -> None:
    world = await ready(concurrency=3)
    world.simulator.switches.file_seconds = 0.01
    await world.service.generate_portfolio(LENA)
    assert 1 < world.simulator.most_files_at_once <= 3
