# Generated from tests/_async/test_recovery.py by tools/unasync.py. Do not edit.
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

UNKNOWN_ID = "0123456789abcdef01234567"


def test_nothing_to_do() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    report = world.service.recover()
    assert report.operations == ()
    assert report.unresolved == ()


def test_a_lost_answer_is_adopted_from_the_remote_reference() -> None:
    world = ready()
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="lost")
    report = world.service.recover()
    assert outcomes(report) == ["adopted"]
    (image,) = world.images()
    assert report.operations[0].images == (image.id,)
    assert image.prompt == "lost"
    assert image.external_id == world.simulator.reference_of(world.db_id)
    assert world.counts == (1, 0, 0, 0)
    settled(world)


def test_a_lost_scene_is_adopted_from_the_gallery() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_scene(LENA, "First.")
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "She waits.")
    assert outcomes(world.service.recover(LENA)) == ["adopted"]
    images = world.images()
    assert [image.prompt for image in images] == ["She waits.", "First.", "one"]
    assert [image.kind for image in images] == ["scene", "scene", "reference"]
    adopted, brought_in = images[0].media, images[1].media
    assert adopted is not None
    assert brought_in is not None
    assert "Lena" in adopted.alt
    assert adopted.alt == brought_in.alt
    assert world.counts == (1, 0, 0, 2)
    settled(world)


def test_a_lost_job_is_adopted_from_the_jobs_list() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_portfolio(LENA)
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    report = world.service.recover()
    assert outcomes(report) == ["adopted"]
    assert len(report.operations[0].images) == world.shots
    assert len(world.images()) == 2 * world.shots + 1
    assert world.counts == (1, 0, 2, 0)
    settled(world)


def test_a_lost_set_of_the_older_generation_is_adopted_from_the_gallery() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.set360_mode = "images"
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    assert outcomes(world.service.recover()) == ["adopted"]
    shots = (world.service.list_images(LENA, kind="portfolioItem")).images
    assert len(shots) == world.shots
    assert all(image.metrics.shot is not None for image in shots)
    settled(world)


@pytest.mark.parametrize("kind", ["reference", "scene", "portfolio"])
def test_what_shows_nothing_is_unknown_and_never_posted_again(kind: str) -> None:
    world = ready()
    left_behind(world, kind=kind, state=OperationState.POSTING, posted_at=utcnow())
    report = world.service.recover()
    assert outcomes(report) == ["unknown"]
    (open_one,) = report.unresolved
    assert open_one.prompt == "lost"
    assert "lost" not in open_one.message
    assert "lost" not in repr(open_one)
    (operation,) = world.operations()
    assert operation.state == OperationState.UNKNOWN
    assert "found_later" not in operation.options
    assert outcomes(world.service.recover()) == ["unknown"]
    assert world.counts == (0, 0, 0, 0)
    settled(world)


def test_two_new_jobs_cannot_be_told_apart() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    library = world.service.library
    left_behind(world, kind="portfolio", state=OperationState.POSTING)
    library.generate_360_set(world.db_id)
    library.generate_360_set(world.db_id)
    assert outcomes(world.service.recover()) == ["unknown"]


def test_a_late_answer_is_found_by_a_later_recovery() -> None:
    world = ready()
    left_behind(world, state=OperationState.POSTING)
    assert outcomes(world.service.recover()) == ["unknown"]
    world.simulator.set_reference(world.db_id)
    assert outcomes(world.service.recover()) == ["adopted"]
    settled(world)


def test_an_unknown_reference_stays_open_and_is_not_given_the_next_one() -> None:
    world = ready()
    left_behind(world, state=OperationState.POSTING)
    world.service.recover()
    result = world.service.generate_reference(LENA, prompt="new")
    assert outcomes(world.service.recover()) == ["unknown"]
    assert world.images() == [result.image]
    # It was only slow: now the Library has its image.
    world.simulator.set_reference(world.db_id)
    assert outcomes(world.service.recover()) == ["adopted"]
    assert [image.prompt for image in world.images()] == ["lost", "new"]
    settled(world)


def test_a_generation_first_finishes_what_an_earlier_one_left() -> None:
    world = ready()
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="one")
    world.service.generate_scene(LENA, "She waits.")
    assert [image.prompt for image in world.images()] == ["She waits.", "one"]


def test_received_images_are_brought_in_from_their_source() -> None:
    world = ready()
    media = world.simulator.set_reference(world.db_id)
    item = OperationItem(key="0" * 31 + "1-000", index=0, prompt="lost", external_id=media)
    left_behind(world, state=OperationState.RECEIVED, items=(item,), received_at=utcnow())
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    (image,) = world.images()
    assert (image.key, image.prompt, image.external_id) == (item.key, "lost", media)
    assert world.counts == (0, 0, 0, 0)
    settled(world)


def test_media_that_was_stored_is_not_downloaded_again() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    (operation,) = world.operations()
    world.metadata.delete(image.id)
    (item,) = operation.items
    pending = OperationItem(key=item.key, index=0, prompt="one", external_id=item.external_id)
    left_behind(
        world, id=operation.id, state=OperationState.RECEIVED, prompt="one", items=(pending,)
    )
    world.simulator.switches.file_errors = 9
    assert outcomes(world.service.recover()) == ["completed"]
    (again,) = world.images()
    assert again.key == image.key
    assert again.metrics.sha256 == image.metrics.sha256
    settled(world)


def test_a_source_that_fails_becomes_a_failed_record() -> None:
    world = ready()
    item = OperationItem(key="k", index=0, prompt="lost")
    left_behind(world, state=OperationState.RECEIVED, items=(item,))
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert "1 failed" in report.operations[0].message
    (image,) = world.images()
    assert image.status == "failed"
    assert image.error
    settled(world)


def test_a_job_that_still_runs_is_waited_for() -> None:
    world = ready(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="one")
    abandoned(world)
    report = world.service.recover()
    assert outcomes(report) == ["waiting"]
    assert report.unresolved == report.operations
    world.simulator.switches.job_seconds = 0
    assert outcomes(world.service.recover()) == ["completed"]
    assert len(world.images()) == world.shots + 1
    assert world.counts == (1, 0, 1, 0)
    settled(world)


def test_a_job_that_failed_is_over() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    world.simulator.switches.fail_jobs = True
    answer = world.service.library.generate_360_set(world.db_id)
    left_behind(world, kind="portfolio", state=OperationState.RECEIVED, job_id=answer.job_id)
    report = world.service.recover()
    assert outcomes(report) == ["failed"]
    job = world.service.library.get_job(answer.job_id)
    assert job.error
    why = f"Job {answer.job_id} failed at {job.current} of {job.total}: {job.error}."
    assert report.operations[0].message.startswith(f"{why} No media document")
    assert (world.service.recover()).operations == ()


def test_a_job_that_the_library_forgot_is_over() -> None:
    world = ready()
    left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, job_id="job-that-is-not-there"
    )
    report = world.service.recover()
    assert outcomes(report) == ["failed"]
    assert "no longer knows" in report.operations[0].message


def test_an_outage_during_recovery_loses_nothing() -> None:
    world = ready()
    left_behind(
        world, kind="portfolio", state=OperationState.RECEIVED, job_id="job-that-is-not-there"
    )
    world.simulator.switches.down = True
    report = world.service.recover()
    assert outcomes(report) == ["waiting"]
    (operation,) = world.operations()
    assert operation.state == OperationState.RECEIVED


def test_an_operation_that_never_posted_is_closed() -> None:
    world = ready()
    left_behind(world)
    report = world.service.recover()
    assert outcomes(report) == ["cleaned"]
    (operation,) = world.operations()
    assert operation.state == OperationState.FAILED
    assert world.counts == (0, 0, 0, 0)
    settled(world)


def test_someone_else_at_work_is_left_alone() -> None:
    world = ready()
    left_behind(world)
    world.ledger.acquire(LENA, owner="another", ttl=100)
    report = world.service.recover()
    assert outcomes(report) == ["in-progress"]
    assert report.unresolved == report.operations


def test_what_someone_else_finished_meanwhile_is_not_touched() -> None:
    world = ready()
    op = left_behind(world)

    def stale(character_id: str | None = None, /) -> tuple[Operation, ...]:
        lease = world.ledger.acquire(LENA, owner="another", ttl=100)
        done = Operation(id=op.id, kind=op.kind, character_id=LENA, state=OperationState.DONE)
        world.ledger.write(done, lease=lease)
        world.ledger.release(lease)
        return (op,)

    world.ledger.unfinished = stale  # type: ignore[method-assign]
    assert (world.service.recover()).operations == ()


def test_recovery_of_one_character_leaves_the_others_alone() -> None:
    world = ready()
    left_behind(world)
    assert (world.service.recover(MAX)).operations == ()
    assert outcomes(world.service.recover(LENA)) == ["cleaned"]


def test_a_restore_that_the_library_took_over_is_finished() -> None:
    world = ready()
    first = (world.service.generate_reference(LENA, prompt="one")).image
    world.service.generate_reference(LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY)
    options = {"image_id": first.id}
    left_behind(world, id="e" * 32, kind="restore", state=OperationState.POSTING, options=options)
    assert outcomes(world.service.recover()) == ["failed"], "it was never sent"
    left_behind(world, id="f" * 32, kind="restore", state=OperationState.POSTING, options=options)
    world.service.library.set_reference_image(world.db_id, first.external_id or "")
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert report.operations[0].images == (first.id,)
    restored = world.service.get_image(LENA, first.id)
    assert restored.metrics.master_since is not None
    assert first.metrics.master_since is not None
    assert restored.metrics.master_since > first.metrics.master_since
    settled(world)


def test_a_store_that_fails_leaves_the_rest_for_recovery() -> None:
    # Two records that come at once would be written together.
    world = ready(concurrency=1)
    world.service.generate_reference(LENA, prompt="one")
    add, calls = world.metadata.add, []

    def full(image: CharacterImage, /) -> CharacterImage:
        calls.append(image)
        if len(calls) == 5:
            raise StorageError("full")
        return add(image)

    world.metadata.add = full  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="full"):
        world.service.generate_portfolio(LENA)
    (operation, _) = world.operations()
    assert operation.state == OperationState.RECEIVED
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert len(world.images()) == world.shots + 1
    assert world.counts == (1, 0, 1, 0)
    settled(world)


def test_a_gallery_that_is_out_of_reach_leaves_the_set_for_recovery() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.gallery_errors_after = 1
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.SERVER_ERROR
    world.simulator.switches.gallery_errors_after = None
    assert outcomes(world.service.recover()) == ["completed"]
    assert {image.status for image in world.images()} == {"succeeded"}
    assert len(world.images()) == world.shots + 1
    settled(world)


def test_ledger_only_failures_when_the_repository_cannot_hold_them() -> None:
    world = ready()
    if not world.metadata.requires_media:
        world.metadata.requires_media = True
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.file_errors = 2
    result = world.service.generate_portfolio(LENA)
    assert len(result.failures) == 2
    assert (world.service.list_images(LENA)).total == world.shots + 1
    (operation, _) = world.operations()
    failed = [item for item in operation.items if item.state == "failed"]
    assert len(failed) == 2
    assert all(item.error and item.source_url for item in failed)
