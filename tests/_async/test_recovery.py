"""Recovery: finishes what was left behind, adopts what was drawn, never posts again."""

from __future__ import annotations

import pytest

from charimg import (
    CharacterImage,
    CharacterLibraryError,
    ErrorCode,
    Operation,
    OperationItem,
    OperationState,
    ReferencePolicy,
    StorageError,
)
from charimg.models import utcnow

from .mishaps import PATIENT, abandoned, left_behind, outcomes, ready, settled
from .world import LENA, MAX

pytestmark = pytest.mark.anyio

UNKNOWN_ID = "0123456789abcdef01234567"


async def test_nothing_to_do() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    report = await world.service.recover()
    assert report.operations == ()
    assert report.unresolved == ()


async def test_a_lost_answer_is_adopted_from_the_remote_reference() -> None:
    world = await ready()
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="lost")
    report = await world.service.recover()
    assert outcomes(report) == ["adopted"]
    (image,) = await world.images()
    assert report.operations[0].images == (image.id,)
    assert image.prompt == "lost"
    assert image.external_id == world.simulator.reference_of(world.db_id)
    assert world.counts == (1, 0, 0, 0)
    await settled(world)


async def test_a_lost_scene_is_adopted_from_the_gallery() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_scene(LENA, "First.")
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "She waits.")
    assert outcomes(await world.service.recover(LENA)) == ["adopted"]
    images = await world.images()
    assert [image.prompt for image in images] == ["She waits.", "First.", "one"]
    assert [image.kind for image in images] == ["scene", "scene", "reference"]
    adopted, brought_in = images[0].media, images[1].media
    assert adopted is not None
    assert brought_in is not None
    assert "Lena" in adopted.alt
    assert adopted.alt == brought_in.alt
    assert world.counts == (1, 0, 0, 2)
    await settled(world)


async def test_a_lost_job_is_adopted_from_the_jobs_list() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_portfolio(LENA)
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    report = await world.service.recover()
    assert outcomes(report) == ["adopted"]
    assert len(report.operations[0].images) == world.shots
    assert len(await world.images()) == 2 * world.shots + 1
    assert world.counts == (1, 0, 2, 0)
    await settled(world)


async def test_a_lost_set_of_the_older_generation_is_adopted_from_the_gallery() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.set360_mode = "images"
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    assert outcomes(await world.service.recover()) == ["adopted"]
    shots = (await world.service.list_images(LENA, kind="portfolioItem")).images
    assert len(shots) == world.shots
    assert all(image.metrics.shot is not None for image in shots)
    await settled(world)


@pytest.mark.parametrize("kind", ["reference", "scene", "portfolio"])
async def test_what_shows_nothing_is_unknown_and_never_posted_again(kind: str) -> None:
    world = await ready()
    await left_behind(world, kind=kind, state=OperationState.POSTING, posted_at=utcnow())
    report = await world.service.recover()
    assert outcomes(report) == ["unknown"]
    (open_one,) = report.unresolved
    assert open_one.prompt == "lost"
    assert "lost" not in open_one.message
    assert "lost" not in repr(open_one)
    (operation,) = await world.operations()
    assert operation.state == OperationState.UNKNOWN
    assert "found_later" not in operation.options
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert world.counts == (0, 0, 0, 0)
    await settled(world)


async def test_two_new_jobs_cannot_be_told_apart() -> None:
    world = await ready()
    world.simulator.set_reference(world.db_id)
    library = world.service.library
    await left_behind(world, kind="portfolio", state=OperationState.POSTING)
    await library.generate_360_set(world.db_id)
    await library.generate_360_set(world.db_id)
    assert outcomes(await world.service.recover()) == ["unknown"]


async def test_a_late_answer_is_found_by_a_later_recovery() -> None:
    world = await ready()
    await left_behind(world, state=OperationState.POSTING)
    assert outcomes(await world.service.recover()) == ["unknown"]
    world.simulator.set_reference(world.db_id)
    assert outcomes(await world.service.recover()) == ["adopted"]
    await settled(world)


async def test_an_unknown_reference_stays_open_and_is_not_given_the_next_one() -> None:
    world = await ready()
    await left_behind(world, state=OperationState.POSTING)
    await world.service.recover()
    result = await world.service.generate_reference(LENA, prompt="new")
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await world.images() == [result.image]
    # It was only slow: now the Library has its image.
    world.simulator.set_reference(world.db_id)
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert [image.prompt for image in await world.images()] == ["lost", "new"]
    await settled(world)


async def test_a_generation_first_finishes_what_an_earlier_one_left() -> None:
    world = await ready()
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_scene(LENA, "She waits.")
    assert [image.prompt for image in await world.images()] == ["She waits.", "one"]


async def test_received_images_are_brought_in_from_their_source() -> None:
    world = await ready()
    media = world.simulator.set_reference(world.db_id)
    item = OperationItem(key="0" * 31 + "1-000", index=0, prompt="lost", external_id=media)
    await left_behind(world, state=OperationState.RECEIVED, items=(item,), received_at=utcnow())
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    (image,) = await world.images()
    assert (image.key, image.prompt, image.external_id) == (item.key, "lost", media)
    assert world.counts == (0, 0, 0, 0)
    await settled(world)


async def test_media_that_was_stored_is_not_downloaded_again() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    (image,) = await world.images()
    (operation,) = await world.operations()
    await world.metadata.delete(image.id)
    (item,) = operation.items
    pending = OperationItem(key=item.key, index=0, prompt="one", external_id=item.external_id)
    await left_behind(
        world, id=operation.id, state=OperationState.RECEIVED, prompt="one", items=(pending,)
    )
    world.simulator.switches.file_errors = 9
    assert outcomes(await world.service.recover()) == ["completed"]
    (again,) = await world.images()
    assert again.key == image.key
    assert again.metrics.sha256 == image.metrics.sha256
    await settled(world)


async def test_a_source_that_fails_becomes_a_failed_record() -> None:
    world = await ready()
    item = OperationItem(key="k", index=0, prompt="lost")
    await left_behind(world, state=OperationState.RECEIVED, items=(item,))
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert "1 failed" in report.operations[0].message
    (image,) = await world.images()
    assert image.status == "failed"
    assert image.error
    await settled(world)


async def test_a_job_that_still_runs_is_waited_for() -> None:
    world = await ready(job_policy=PATIENT)
    await world.service.generate_reference(LENA, prompt="one")
    await abandoned(world)
    report = await world.service.recover()
    assert outcomes(report) == ["waiting"]
    assert report.unresolved == report.operations
    world.simulator.switches.job_seconds = 0
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == world.shots + 1
    assert world.counts == (1, 0, 1, 0)
    await settled(world)


async def test_a_job_that_failed_is_over() -> None:
    world = await ready()
    world.simulator.set_reference(world.db_id)
    world.simulator.switches.fail_jobs = True
    answer = await world.service.library.generate_360_set(world.db_id)
    await left_behind(world, kind="portfolio", state=OperationState.RECEIVED, job_id=answer.job_id)
    report = await world.service.recover()
    assert outcomes(report) == ["failed"]
    job = await world.service.library.get_job(answer.job_id)
    assert job.error
    why = f"Job {answer.job_id} failed at {job.current} of {job.total}: {job.error}."
    assert report.operations[0].message.startswith(f"{why} No media document")
    assert (await world.service.recover()).operations == ()


async def test_a_job_that_the_library_forgot_is_over() -> None:
    world = await ready()
    await left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, job_id="job-that-is-not-there"
    )
    report = await world.service.recover()
    assert outcomes(report) == ["failed"]
    assert "no longer knows" in report.operations[0].message


async def test_an_outage_during_recovery_loses_nothing() -> None:
    world = await ready()
    await left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, job_id="job-that-is-not-there"
    )
    world.simulator.switches.down = True
    report = await world.service.recover()
    assert outcomes(report) == ["waiting"]
    (operation,) = await world.operations()
    assert operation.state == OperationState.RECEIVED


async def test_an_operation_that_never_posted_is_closed() -> None:
    world = await ready()
    await left_behind(world)
    report = await world.service.recover()
    assert outcomes(report) == ["cleaned"]
    (operation,) = await world.operations()
    assert operation.state == OperationState.FAILED
    assert world.counts == (0, 0, 0, 0)
    await settled(world)


async def test_someone_else_at_work_is_left_alone() -> None:
    world = await ready()
    await left_behind(world)
    await world.ledger.acquire(LENA, owner="another", ttl=100)
    report = await world.service.recover()
    assert outcomes(report) == ["in-progress"]
    assert report.unresolved == report.operations


async def test_what_someone_else_finished_meanwhile_is_not_touched() -> None:
    world = await ready()
    op = await left_behind(world)

    async def stale(character_id: str | None = None, /) -> tuple[Operation, ...]:
        lease = await world.ledger.acquire(LENA, owner="another", ttl=100)
        done = Operation(id=op.id, kind=op.kind, character_id=LENA, state=OperationState.DONE)
        await world.ledger.write(done, lease=lease)
        await world.ledger.release(lease)
        return (op,)

    world.ledger.unfinished = stale  # type: ignore[method-assign]
    assert (await world.service.recover()).operations == ()


async def test_recovery_of_one_character_leaves_the_others_alone() -> None:
    world = await ready()
    await left_behind(world)
    assert (await world.service.recover(MAX)).operations == ()
    assert outcomes(await world.service.recover(LENA)) == ["cleaned"]


async def test_a_restore_that_the_library_took_over_is_finished() -> None:
    world = await ready()
    first = (await world.service.generate_reference(LENA, prompt="one")).image
    await world.service.generate_reference(LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY)
    options = {"image_id": first.id}
    await left_behind(
        world, id="e" * 32, kind="restore", state=OperationState.POSTING, options=options
    )
    assert outcomes(await world.service.recover()) == ["failed"], "it was never sent"
    await left_behind(
        world, id="f" * 32, kind="restore", state=OperationState.POSTING, options=options
    )
    await world.service.library.set_reference_image(world.db_id, first.external_id or "")
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert report.operations[0].images == (first.id,)
    restored = await world.service.get_image(LENA, first.id)
    assert restored.metrics.master_since is not None
    assert first.metrics.master_since is not None
    assert restored.metrics.master_since > first.metrics.master_since
    await settled(world)


async def test_a_store_that_fails_leaves_the_rest_for_recovery() -> None:
    # Two records that come at once would be written together.
    world = await ready(concurrency=1)
    await world.service.generate_reference(LENA, prompt="one")
    add, calls = world.metadata.add, []

    async def full(image: CharacterImage, /) -> CharacterImage:
        calls.append(image)
        if len(calls) == 5:
            raise StorageError("full")
        return await add(image)

    world.metadata.add = full  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="full"):
        await world.service.generate_portfolio(LENA)
    (operation, _) = await world.operations()
    assert operation.state == OperationState.RECEIVED
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert len(await world.images()) == world.shots + 1
    assert world.counts == (1, 0, 1, 0)
    await settled(world)


async def test_a_gallery_that_is_out_of_reach_leaves_the_set_for_recovery() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.gallery_errors_after = 1
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.SERVER_ERROR
    world.simulator.switches.gallery_errors_after = None
    assert outcomes(await world.service.recover()) == ["completed"]
    assert {image.status for image in await world.images()} == {"succeeded"}
    assert len(await world.images()) == world.shots + 1
    await settled(world)


async def test_ledger_only_failures_when_the_repository_cannot_hold_them() -> None:
    world = await ready()
    if not world.metadata.requires_media:
        world.metadata.requires_media = True
    await world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.file_errors = 2
    result = await world.service.generate_portfolio(LENA)
    assert len(result.failures) == 2
    assert (await world.service.list_images(LENA)).total == world.shots + 1
    (operation, _) = await world.operations()
    failed = [item for item in operation.items if item.state == "failed"]
    assert len(failed) == 2
    assert all(item.error and item.source_url for item in failed)
