# Generated from tests/_async/test_recovery.py by tools/unasync.py. Do not edit.
"""Recovery: finishes what was left behind, adopts what was drawn, never posts again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterImage,
    CharacterLibraryError,
    Doomed,
    ErrorCode,
    IngestionError,
    ItemState,
    JobError,
    JobPolicy,
    Operation,
    OperationItem,
    OperationState,
    RecoveryReport,
    ReferencePolicy,
    RemoteDelete,
    StorageError,
)
from charimg.models import utcnow

from .mishaps import Crash, break_once
from .world import LENA, MAX, World

UNKNOWN_ID = "0123456789abcdef01234567"


def ready(**options: Any) -> World:
    world = World(**options)
    world.link()
    return world


def left_behind(world: World, **fields: Any) -> Operation:
    """Write an operation down as a crash would have left it."""
    given: dict[str, Any] = {
        "id": "0" * 31 + "1",
        "kind": "reference",
        "character_id": LENA,
        "library_db_id": world.db_id,
        "prompt": "the prompt",
        **fields,
    }
    op = Operation(**given)
    lease = world.ledger.acquire(LENA, owner="gone", ttl=1000)
    world.ledger.write(op, lease=lease)
    world.ledger.release(lease)
    return op


def outcomes(report: RecoveryReport) -> list[str]:
    return [each.outcome for each in report.operations]


def settled(world: World) -> None:
    """Check that a second recovery changes nothing."""
    images, operations, posts = world.images(), world.operations(), world.counts
    world.service.recover()
    assert world.images() == images
    assert world.operations() == operations
    assert world.counts == posts
    world.check()


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
        world.service.generate_reference(LENA, prompt="the prompt")
    report = world.service.recover()
    assert outcomes(report) == ["adopted"]
    (image,) = world.images()
    assert report.operations[0].images == (image.id,)
    assert image.prompt == "the prompt"
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
    assert open_one.prompt == "the prompt"
    assert "the prompt" not in open_one.message
    assert "the prompt" not in repr(open_one)
    (operation,) = world.operations()
    assert operation.state == OperationState.UNKNOWN
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
    assert [image.prompt for image in world.images()] == ["the prompt", "new"]
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
    item = OperationItem(key="0" * 31 + "1-000", index=0, prompt="the prompt", external_id=media)
    left_behind(world, state=OperationState.RECEIVED, items=(item,), received_at=utcnow())
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    (image,) = world.images()
    assert (image.key, image.prompt, image.external_id) == (item.key, "the prompt", media)
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
    item = OperationItem(key="k", index=0, prompt="the prompt")
    left_behind(world, state=OperationState.RECEIVED, items=(item,))
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert "1 failed" in report.operations[0].message
    (image,) = world.images()
    assert image.status == "failed"
    assert image.error
    settled(world)


def test_delete_after_success_is_finished() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    media = world.simulator.set_reference(world.db_id)
    item = OperationItem(key="f" * 32 + "-000", index=0, prompt="two", external_id=media)
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.RECEIVED,
        items=(item,),
        options={"policy": "delete-after-success"},
    )
    world.record(
        key="later",
        kind="scene",
        status="failed",
        error="dark",
        created_at=utcnow() + timedelta(hours=1),
    )
    assert outcomes(world.service.recover()) == ["completed"]
    images = world.images()
    assert [image.prompt for image in images] == ["", "two"], "what came afterwards stays"
    settled(world)


def test_delete_after_success_removes_nothing_when_the_new_one_failed() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    item = OperationItem(key="f" * 32 + "-000", index=0, prompt="two")
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.RECEIVED,
        items=(item,),
        options={"policy": "delete-after-success"},
    )
    world.service.recover()
    images = world.images()
    assert {image.status for image in images} == {"failed", "succeeded"}
    (failed,) = [image for image in images if image.status == "failed"]
    assert "neither a URL nor a media id" in (failed.error or "")
    settled(world)


def test_a_job_that_still_runs_is_waited_for() -> None:
    policy = JobPolicy(interval=0.001, interval_max=0.002, deadline=0.02, stall=5)
    world = ready(job_policy=policy)
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.strand_jobs = True
    with pytest.raises(JobError):
        world.service.generate_portfolio(LENA)
    report = world.service.recover()
    assert outcomes(report) == ["waiting"]
    assert report.unresolved == report.operations
    world.simulator.switches.strand_jobs = False
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
    assert report.operations[0].message == f"Job {answer.job_id} failed: {job.error}"
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


def test_tombstones_are_finished() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    world.metadata.delete(image.id)
    assert image.media is not None
    left_behind(
        world,
        id="f" * 32,
        kind="delete",
        doomed=(Doomed(image_id=image.id, media_key=image.media.key),),
    )
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.stores.keys() == set()
    (operation, _) = world.operations()
    assert operation.state == OperationState.DONE
    settled(world)


def test_tombstones_of_a_failed_operation_are_finished_too() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.FAILED,
        doomed=(
            Doomed(image_id=image.id, media_key=image.key),
            Doomed(image_id="x", media_key="x"),
        ),
    )
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.images() == []
    assert world.stores.keys() == set()
    settled(world)


def test_a_remote_delete_that_may_have_been_sent_is_not_sent_again() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    left_behind(world, kind="delete", remote_delete=RemoteDelete.INTENDED)
    report = world.service.recover()
    assert "not known" in report.operations[0].message
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


def test_a_retry_that_was_cut_off_is_finished() -> None:
    world = ready()
    media = world.simulator.set_reference(world.db_id)
    failed = world.record(
        key="k",
        kind="reference",
        status="failed",
        error="-",
        external_id=media,
    )
    item = OperationItem(key="k", index=0, external_id=media)
    left_behind(
        world,
        kind="retry",
        state=OperationState.RECEIVED,
        items=(item,),
        options={"image_id": failed.id},
    )
    assert outcomes(world.service.recover()) == ["completed"]
    (image,) = world.images()
    assert (image.id, image.status) == (failed.id, "succeeded")
    settled(world)


@pytest.mark.parametrize("gone", [True, False])
def test_a_retry_of_what_is_gone_or_good_is_over(gone: bool) -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    if gone:
        world.service.delete_image(LENA, image.id)
    left_behind(
        world,
        id="f" * 32,
        kind="retry",
        state=OperationState.RECEIVED,
        items=(OperationItem(key=image.key, index=0, external_id=image.external_id),),
        options={"image_id": image.id},
    )
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert report.operations[0].images == ()
    settled(world)


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


def test_delete_everything_closes_what_is_waiting() -> None:
    policy = JobPolicy(interval=0.001, interval_max=0.002, deadline=0.02, stall=5)
    world = ready(job_policy=policy)
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.strand_jobs = True
    with pytest.raises(JobError):
        world.service.generate_portfolio(LENA)
    items = (
        OperationItem(key="k", index=0, prompt="two"),
        OperationItem(key="l", index=1, prompt="two", state=ItemState.FAILED, error="dark"),
    )
    left_behind(world, state=OperationState.RECEIVED, items=items)
    world.service.delete_all_images(LENA)
    assert (world.service.recover()).operations == ()
    settled(world)


def test_a_store_that_fails_leaves_the_rest_for_recovery() -> None:
    world = ready()
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
    assert (world.service.list_images(LENA)).total == world.shots - 1
    (operation, _) = world.operations()
    failed = [item for item in operation.items if item.state == "failed"]
    assert len(failed) == 2
    assert all(item.error and item.source_url for item in failed)


def refused(world: World, **options: Any) -> CharacterImage:
    """Generate a reference whose file does not come in; return its failed record."""
    world.simulator.switches.html_files = 1
    with pytest.raises(IngestionError):
        world.service.generate_reference(LENA, prompt="refused", **options)
    return (world.images())[0]


def interrupted_retry(world: World, failed: CharacterImage, *, recorded: bool) -> None:
    """Retry, and lose the process when the file is stored, or when the record is made good."""
    break_once(world.metadata, world.makes_good, after=recorded)
    with pytest.raises(Crash):
        world.service.retry_ingestion(LENA, failed.id)


def test_a_failed_record_is_made_good_when_recovery_gets_the_file() -> None:
    # The process died when the failed record stood, and its operation did not know of it yet.
    world = ready()
    failed = refused(world)
    (operation,) = world.operations()
    items = tuple(
        evolve(item, state=ItemState.PENDING, image_id=None, error=None) for item in operation.items
    )
    left_behind(
        world, id=operation.id, state=OperationState.RECEIVED, prompt="refused", items=items
    )
    assert outcomes(world.service.recover()) == ["completed"]
    (image,) = world.images()
    assert world.identity(image) == world.identity(failed)
    assert (image.status, image.error) == ("succeeded", None)
    settled(world)


def test_an_interrupted_retry_still_removes_what_the_reference_replaces() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    failed = refused(world, policy="delete-after-success")
    interrupted_retry(world, failed, recorded=True)
    assert outcomes(world.service.recover()) == ["completed"]
    assert [image.prompt for image in world.images()] == ["refused"]
    settled(world)


def test_the_file_of_an_interrupted_retry_goes_with_its_record() -> None:
    world = ready()
    failed = refused(world)
    interrupted_retry(world, failed, recorded=False)
    assert world.stores.keys() == {failed.key}
    world.service.delete_image(LENA, failed.id)
    assert world.stores.keys() == set()
    assert world.images() == []
    settled(world)


def test_the_file_of_an_interrupted_retry_goes_with_a_record_that_a_host_removed() -> None:
    world = ready()
    failed = refused(world)
    interrupted_retry(world, failed, recorded=False)
    world.metadata.delete(failed.id)
    assert outcomes(world.service.recover()) == ["completed"]
    settled(world)


def test_a_deleted_image_does_not_come_back() -> None:
    # The record stood, its operation did not know of it yet, and then the image was deleted.
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_scene(LENA, "two")
    operation = (world.operations())[0]
    items = tuple(evolve(item, state=ItemState.PENDING, image_id=None) for item in operation.items)
    left_behind(
        world,
        id=operation.id,
        kind="scene",
        state=OperationState.RECEIVED,
        prompt="two",
        items=items,
    )
    (image,) = [each for each in world.images() if each.kind == "scene"]
    world.service.delete_image(LENA, image.id)
    assert [each.prompt for each in world.images()] == ["one"]
    settled(world)


def test_what_a_broken_save_left_goes_even_when_the_file_never_comes() -> None:
    world = ready()
    removed: list[str] = []
    media = world.media

    class Littered:
        concurrent_safe = False

        def __getattr__(self, name: str) -> Any:
            return getattr(media, name)

        def delete(self, key: str) -> bool:
            removed.append(key)
            return media.delete(key)

    item = OperationItem(key="k", index=0, prompt="the prompt")
    left_behind(world, state=OperationState.RECEIVED, items=(item,))
    world.assemble(media=Littered()).recover()
    assert removed == ["k"]


def test_what_a_removal_of_everything_gave_up_does_not_come_back() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    answer = world.service.library.generate_360_set(world.db_id)
    left_behind(
        world,
        id="f" * 31 + "1",
        kind="portfolio",
        state=OperationState.RECEIVED,
        job_id=answer.job_id,
    )
    left_behind(world, id="f" * 31 + "2", kind="delete", options={"all": True})
    world.service.generate_reference(LENA, prompt="two")
    assert [image.prompt for image in world.images()] == ["two"]
    states = {operation.kind: operation.state for operation in world.operations()}
    assert states["portfolio"] == OperationState.FAILED
    settled(world)


def test_an_image_that_came_after_a_removal_of_everything_stays() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    left_behind(world, id="f" * 32, kind="delete", options={"all": True})
    world.record(
        key="later",
        kind="scene",
        status="failed",
        error="dark",
        created_at=utcnow() + timedelta(seconds=1),
    )
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert [image.key for image in world.images()] == ["later"]
    settled(world)
