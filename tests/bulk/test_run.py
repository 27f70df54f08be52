"""What a run does and does not do again, on threads of this process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from charimg import CharacterImageService, CharacterLibraryError, ImageKind
from charimg.bulk import BulkOutcome, BulkProgress, BulkTask

from .runs import Bulk, Here, outcomes, scene
from .stage import IMPATIENT, SHOTS, Stage, open_service

# What is drawn


def test_references_then_scenes(stage: Stage, bulk: Bulk, tmp_path: Path) -> None:
    ids = stage.add("a", "b")
    exact = BulkTask(character_id="a", options={"prompt": "An exact face."})
    report = bulk("reference", [exact, "b"])
    assert report.complete
    assert (report.total, report.skipped, report.codes) == (2, 0, {})
    for each in report.results:
        (image,) = stage.images(each.character_id)
        assert each.images == (image.id,)
        assert each.operation_id is not None
        assert each.duration_ms > 0
        assert each.ended_at >= stage.images(each.character_id)[0].created_at
    assert stage.images("a")[0].prompt == "An exact face."
    scenes = [scene(each, context) for each in ids for context in ("She waits.", "She runs.")]
    done = bulk("scene", scenes, manifest=tmp_path / "scenes.jsonl")
    assert done.complete
    prompts = [image.prompt for image in stage.images("a", ImageKind.SCENE)]
    assert sorted(prompts) == ["She runs.", "She waits."]
    assert stage.counters.scene_posts == 4


def test_without_a_manifest_it_is_drawn_again(stage: Stage, bulk: Bulk) -> None:
    stage.references("a")
    for _ in range(2):
        assert bulk("scene", [scene("a")], manifest=None).complete
    assert stage.counters.scene_posts == 2


def test_no_more_are_in_flight_than_said(stage: Stage, bulk: Bulk) -> None:
    waiting: list[Future[Any]] = []
    most = 0

    class Counting(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
            nonlocal most
            future = super().submit(*args, **kwargs)
            waiting.append(future)
            most = max(most, sum(not each.done() for each in waiting))
            return future

    ids = stage.references(*"abcdef")
    with Counting(6) as executor:
        assert bulk("scene", map(scene, ids), executor=executor, in_flight=2).complete
    assert len(waiting) == 6
    assert most <= 2


# What another run does


def test_what_was_done_after_the_last_line_was_written_is_not_done_again(
    stage: Stage, bulk: Bulk
) -> None:
    ids = stage.references("a", "b")
    assert bulk("portfolio", ids).complete
    lines = bulk.manifest.read_bytes().splitlines(keepends=True)
    # Killed before the results were down; the last line is cut off.
    bulk.manifest.write_bytes(lines[0] + lines[1][:20])
    again = bulk("portfolio", ids)
    assert again.complete
    assert again.skipped == 0
    assert all(each.recovered and len(each.images) == SHOTS for each in again.results)
    assert stage.counters.set360_posts == 2
    assert bulk.manifest.read_bytes().startswith(lines[0])
    assert bulk("portfolio", ids).skipped == 2


def test_an_answer_that_got_lost_is_adopted(stage: Stage, bulk: Bulk) -> None:
    stage.references("a")
    stage.switch(lost_answers=1)
    first = bulk("scene", [scene("a")])
    assert first.outcomes["unknown"] == 1
    assert not first.complete
    second = bulk("scene", [scene("a")])
    assert second.complete
    assert second.results[0].recovered
    assert [image.prompt for image in stage.images("a", ImageKind.SCENE)] == ["She waits."]
    assert stage.counters.scene_posts == 1


def test_what_an_earlier_work_had_left_counts_too(stage: Stage, bulk: Bulk, tmp_path: Path) -> None:
    stage.references("a")
    stage.switch(lost_answers=1)
    bulk("scene", [scene("a")], manifest=None)
    done = bulk("scene", [scene("a")])
    assert (done.complete, done.results[0].recovered) == (True, True)
    assert stage.counters.scene_posts == 1


def test_what_nobody_can_tell_is_not_drawn_again(stage: Stage, bulk: Bulk) -> None:
    stage.references("a")
    bulk("scene", [])
    lost = partial(_breaking_at_the_post, stage)
    first = bulk("scene", [scene("a")], open_service=lost)
    assert outcomes(first) == {"a": BulkOutcome.UNKNOWN}
    for _ in range(2):
        again = bulk("scene", [scene("a"), scene("a", "Another.")])
        assert again.codes == {"OUTCOME_UNKNOWN": 1}
        assert again.results[0].operation_id is not None
        assert again.results[1].outcome == BulkOutcome.DONE
    # The simulator saw the broken request, and the one for the other scene.
    assert stage.counters.scene_posts == 2
    # Asked for by hand, it is found.
    with stage.opener()() as service:
        service.generate_scene("a", "She waits.")
    assert bulk("scene", [scene("a")]).complete
    assert stage.counters.scene_posts == 3


@contextmanager
def _breaking_at_the_post(stage: Stage) -> Iterator[CharacterImageService]:
    """Open a service whose request for a scene never arrives."""
    with stage.opener()() as service:
        generate = service.library.generate_scene_image

        def broken(*args: Any, **kwargs: Any) -> Any:
            stage.switch(broken_connections=1)
            return generate(*args, **kwargs)

        service.library.generate_scene_image = broken  # type: ignore[method-assign]
        yield service


def test_failed_downloads_are_retried_and_not_drawn_again(
    stage: Stage, bulk: Bulk, tmp_path: Path
) -> None:
    ids = stage.references("a", "b")
    stage.switch(html_files=1)
    first = bulk("portfolio", ids, executor=Here(), in_flight=1)
    assert outcomes(first) == {"a": BulkOutcome.PARTIAL, "b": BulkOutcome.DONE}
    assert (first.results[0].failed, len(first.results[0].images)) == (1, SHOTS - 1)
    assert first.codes == {"IMAGES_FAILED": 1}
    stage.switch(html_files=1)
    assert bulk("portfolio", ids).outcomes["partial"] == 1
    second = bulk("portfolio", ids)
    assert second.complete
    assert len(second.results[0].images) == SHOTS
    stage.switch(html_files=1)
    scenes = tmp_path / "scenes.jsonl"
    refused = bulk("scene", [scene("a")], manifest=scenes)
    assert refused.codes == {"NOT_AN_IMAGE": 1}
    assert bulk("scene", [scene("a")], manifest=scenes).complete
    assert (stage.counters.set360_posts, stage.counters.scene_posts) == (2, 1)


def test_what_was_deleted_meanwhile_is_done_and_a_shot_never_drawn_stays_failed(
    stage: Stage, bulk: Bulk
) -> None:
    ids = stage.references("a")
    stage.switch(failing_shots=1)
    first = bulk("portfolio", ids)
    assert outcomes(first) == {"a": BulkOutcome.PARTIAL}
    with stage.opener()() as service:
        service.delete_image("a", first.results[0].images[0])
    second = bulk("portfolio", ids)
    assert outcomes(second) == {"a": BulkOutcome.PARTIAL}
    assert second.results[0].images == first.results[0].images[1:]
    assert second.results[0].failed == 1
    assert bulk("retry", ids, manifest=None).results[0].outcome == BulkOutcome.FAILED
    assert stage.counters.set360_posts == 1


def test_a_failed_generation_is_drawn_by_the_next_run(stage: Stage, bulk: Bulk) -> None:
    stage.references("a")
    stage.switch(generation_errors=1)
    first = bulk("scene", [scene("a")])
    assert (first.outcomes["failed"], first.codes) == (1, {"UPSTREAM_MODEL": 1})
    with stage.opener()() as service:
        operation = service.list_operations("a").operations[0]
    assert (first.results[0].operation_id, operation.state) == (operation.id, "failed")
    again = bulk("scene", [scene("a")])
    assert (again.complete, again.results[0].recovered) == (True, False)


def test_a_job_that_still_runs_is_waited_for(stage: Stage, bulk: Bulk) -> None:
    ids = stage.references("a")
    stage.switch(strand_jobs=True)
    assert not bulk("portfolio", ids, open_service=_impatient(stage)).complete
    again = bulk("portfolio", ids)
    assert again.codes == {"WAITING": 1}
    assert outcomes(again) == {"a": BulkOutcome.WAITING}
    assert outcomes(bulk("recover", ids, manifest=None)) == {"a": BulkOutcome.WAITING}
    assert stage.counters.set360_posts == 1


def _impatient(stage: Stage) -> Any:
    return partial(open_service, stage.root, stage.server.url, (), IMPATIENT)


def test_somebody_else_at_work_is_told(stage: Stage, bulk: Bulk, tmp_path: Path) -> None:
    stage.references("a")
    with stage.opener()() as service:
        lease = service.ledger.acquire("a", owner="another:machine", ttl=60)
        report = bulk("scene", [scene("a")])
        assert report.codes == {"GENERATION_IN_PROGRESS": 1}
        assert outcomes(report) == {"a": BulkOutcome.IN_PROGRESS}
        service.ledger.release(lease)
    stage.switch(lost_answers=1)
    bulk("scene", [scene("a")])
    with stage.opener()() as service:
        lease = service.ledger.acquire("a", owner="another:machine", ttl=60)
        report = bulk("scene", [scene("a")])
        assert outcomes(report) == {"a": BulkOutcome.IN_PROGRESS}
        assert report.results[0].operation_id is not None
        service.ledger.release(lease)
    assert bulk("scene", [scene("a")]).complete
    assert stage.counters.scene_posts == 1


def test_somebody_else_at_work_may_be_done_by_the_end(stage: Stage, bulk: Bulk) -> None:
    ids = stage.references("a", "b", "c")
    told = []
    with stage.opener()() as service:
        lease = service.ledger.acquire("a", owner="another:machine", ttl=60)

        def end(progress: BulkProgress) -> None:
            if progress.result is not None:
                told.append(progress.result.character_id)
            if told == ["b"]:
                service.ledger.release(lease)

        report = bulk("scene", map(scene, ids), in_flight=1, on_progress=end)
    assert report.complete
    assert told == ["b", "c", "a"]
    assert [each.character_id for each in report.results] == ids
    assert stage.counters.scene_posts == 3


def test_the_ledger_is_read_to_its_end(stage: Stage, bulk: Bulk) -> None:
    """More operations than a page of the ledger holds came after the one that counts."""
    stage.references("a")
    assert bulk("scene", [scene("a")]).complete
    bulk.manifest.write_bytes(bulk.manifest.read_bytes().splitlines(keepends=True)[0])
    with stage.opener()() as service:
        for n in range(51):
            service.generate_scene("a", f"Another {n}.")
    again = bulk("scene", [scene("a")])
    assert (again.complete, again.results[0].recovered) == (True, True)
    assert stage.counters.scene_posts == 52


# Retry and recover


def test_retry_and_recover(stage: Stage, bulk: Bulk, tmp_path: Path) -> None:
    ids = stage.references("a", "b")
    stage.switch(html_files=2)
    assert bulk("portfolio", ids, manifest=None, executor=Here()).results[0].failed == 2
    stage.switch(html_files=1)
    first = bulk("retry", ids, executor=Here())
    assert outcomes(first) == {"a": BulkOutcome.PARTIAL, "b": BulkOutcome.DONE}
    assert bulk("retry", ids).complete
    for each in ids:
        assert len(stage.images(each, ImageKind.PORTFOLIO_ITEM)) == SHOTS
    stage.switch(lost_answers=1)
    with stage.opener()() as service, pytest.raises(CharacterLibraryError):
        service.generate_scene("b", "She waits.")
    done = bulk("recover", ids, manifest=tmp_path / "recover.jsonl")
    assert done.complete
    assert [len(each.images) for each in done.results] == [0, 1]
    assert [each.recovered for each in done.results] == [False, True]
