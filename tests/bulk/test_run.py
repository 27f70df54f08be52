"""Every way in which a task ends, on threads of this process."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from charimg import (
    CharacterImageService,
    CharacterLibraryError,
    ConfigurationError,
    ImageKind,
    InvalidArgument,
    StorageError,
)
from charimg.bulk import BulkOutcome, BulkProgress, BulkReport, BulkResult, BulkTask, run_bulk

from .stage import IMPATIENT, SHOTS, Stage, open_service


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


class Bulk:
    """Runs on the stage, with a manifest."""

    def __init__(self, stage: Stage, executor: Executor, manifest: Path) -> None:
        self.stage = stage
        self.executor = executor
        self.manifest = manifest

    def __call__(self, work: str, tasks: Any, **options: Any) -> BulkReport:
        given = {
            "open_service": self.stage.opener(),
            "executor": self.executor,
            "manifest": self.manifest,
            **options,
        }
        return run_bulk(work, tasks, **given)


@pytest.fixture
def bulk(stage: Stage, threads: ThreadPoolExecutor, tmp_path: Path) -> Bulk:
    return Bulk(stage, threads, tmp_path / "run.jsonl")


def scene(character_id: str, context: str = "She waits.") -> BulkTask:
    return BulkTask(character_id=character_id, options={"scene_context": context})


def outcomes(report: BulkReport) -> dict[str, str]:
    return {each.character_id: each.outcome for each in report.results}


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


class Here(Executor):
    """Works at once, in the caller's thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


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


# What goes wrong


def test_an_unexpected_error_shows_nothing_but_its_kind(stage: Stage, bulk: Bulk) -> None:
    def broken() -> Any:
        raise RuntimeError("SECRET")

    report = bulk("recover", ["a"], open_service=broken)
    assert report.codes == {"RUNTIME_ERROR": 1}
    assert "SECRET" not in repr(report)
    assert "SECRET" not in bulk.manifest.read_text()


def test_a_service_that_cannot_be_sent_to_the_workers(stage: Stage, bulk: Bulk) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        report = bulk("recover", ["a", "b"], executor=executor, open_service=lambda: None)
    assert outcomes(report) == {"a": BulkOutcome.INTERRUPTED, "b": BulkOutcome.INTERRUPTED}
    assert "WORKER_LOST" not in report.codes


@pytest.mark.parametrize("at", ["submit", "result"])
def test_a_broken_executor_ends_the_run(stage: Stage, bulk: Bulk, at: str) -> None:
    ids = stage.references("a", "b", "c")

    class Breaking(Here):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if args[0].task.character_id == "a":
                return super().submit(fn, *args, **kwargs)
            if at == "submit":
                raise BrokenExecutor
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor())
            return future

    report = bulk("scene", map(scene, ids), executor=Breaking(), in_flight=1)
    assert not report.complete
    lost = {"b": BulkOutcome.INTERRUPTED} if at == "result" else {}
    assert outcomes(report) == {"a": BulkOutcome.DONE, **lost}
    assert bulk("scene", map(scene, ids)).complete
    assert stage.counters.scene_posts == 3


def test_progress_and_an_end_by_the_callback(stage: Stage, bulk: Bulk) -> None:
    ids = stage.references("a", "b", "c")
    told: list[BulkProgress] = []

    def stop(progress: BulkProgress) -> None:
        told.append(progress)
        if progress.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bulk("scene", map(scene, ids), on_progress=stop, in_flight=1)
    assert [(each.done, each.total) for each in told] == [(0, 3), (1, 3), (2, 3)]
    assert (told[0].result, told[0].remaining_seconds, told[0].rate) == (None, None, 0)
    assert told[1].remaining_seconds == pytest.approx(2 / told[1].rate)
    assert [each.in_flight for each in told] == [0, 0, 0]
    told.clear()
    report = bulk("scene", map(scene, ids), on_progress=told.append)
    assert (report.complete, report.skipped) == (True, 2)
    assert [each.character_id for each in told[0].earlier] == ["a", "b"]
    assert told[1].earlier == ()
    assert [each.done for each in told] == [2, 3]
    assert stage.counters.scene_posts == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_has_not_begun_when_the_run_ends_is_cancelled(
    bulk: Bulk, error: type[BaseException]
) -> None:
    """Else it would be paid for, and nobody would hear of it."""
    never: list[Future[Any]] = []

    class Slow(Here):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if not never:
                never.append(Future())
                return never[0]
            return super().submit(fn, *args, **kwargs)

    def stop(progress: BulkProgress) -> None:
        if progress.done:
            raise error

    with pytest.raises(error):
        bulk("recover", ["a", "b"], executor=Slow(), on_progress=stop)
    assert never[0].cancelled()


def test_what_is_in_flight_at_an_interruption_ends_and_is_written_down(
    stage: Stage, bulk: Bulk
) -> None:
    ids = stage.references("a", "b", "c", "d", "e")
    told: list[BulkProgress] = []
    gate = threading.Event()

    @contextmanager
    def gated() -> Iterator[CharacterImageService]:
        with stage.opener()() as service:
            recover = service.recover

            def waiting(character_id: str) -> Any:
                if character_id != "a":
                    gate.wait(60)
                return recover(character_id)

            service.recover = waiting  # type: ignore[method-assign, assignment]
            yield service

    def stop(progress: BulkProgress) -> None:
        told.append(progress)
        if progress.ending:
            gate.set()
        elif progress.result is not None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bulk("scene", map(scene, ids), open_service=gated, on_progress=stop, in_flight=3)
    # One of the three was on its way, and one may have been waiting for a thread.
    assert [each.ending for each in told] == [False, False, *[True] * (len(told) - 2)]
    assert told[2].result is None
    assert told[2].in_flight == len(told) - 3 > 0
    assert stage.counters.scene_posts == 1 + told[2].in_flight
    report = bulk("scene", map(scene, ids))
    assert (report.complete, report.skipped) == (True, 1 + told[2].in_flight)
    assert stage.counters.scene_posts == len(ids)


@pytest.mark.parametrize(
    ("work", "tasks", "options", "told"),
    [
        ("paint", [], {}, "no work 'paint'"),
        ("retry", ["a"], {"in_flight": 0}, "in_flight"),
        ("retry", ["a", "a"], {}, "'a' is there twice"),
        ("portfolio", [scene("a")], {}, "no option 'scene_context'"),
        ("recover", [scene("a")], {}, "there are: none"),
        ("scene", ["a"], {}, "has no scene_context"),
        (
            "reference",
            [BulkTask(character_id="a", options={"policy": "all"})],
            {},
            "no policy 'all'; choose one of: delete-all, delete-after-success, keep-history",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    bulk: Bulk, work: str, tasks: Any, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidArgument, match=told):
        bulk(work, tasks, **options)
    assert not bulk.manifest.exists()


@pytest.mark.parametrize(
    ("work", "given"),
    [
        *(("migrate", given) for given in ((), ("service",), ("service", "migration"))),
        *(("recover", given) for given in ((), ("migration",), ("service", "migration"))),
    ],
)
def test_a_work_is_given_what_it_opens_and_nothing_else(work: str, given: tuple[str, ...]) -> None:
    openers: dict[str, Any] = {f"open_{name}": lambda: None for name in given}
    needed = "open_migration" if work == "migrate" else "open_service"
    with pytest.raises(InvalidArgument, match=f"{work} needs {needed}"):
        run_bulk(work, [], executor=Here(), **openers)
    assert run_bulk(work, [], executor=Here(), **{needed: lambda: None}).complete  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (StorageError("The disk is full."), "STORAGE_ERROR", "The disk is full."),
        (RuntimeError("SECRET"), "RUNTIME_ERROR", "The worker gave no result (RuntimeError)."),
        (BrokenExecutor("SECRET"), "WORKER_LOST", "The worker gave no result (BrokenExecutor)."),
    ],
)
def test_a_worker_without_a_result_is_told(error: Exception, code: str, message: str) -> None:
    handed: list[Future[Any]] = []

    class Failing(Here):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            handed.append(Future())
            handed[-1].set_exception(error)
            return handed[-1]

    told: list[BulkProgress] = []
    report = run_bulk(
        "recover",
        [str(number) for number in range(9)],
        executor=Failing(),
        open_service=lambda: None,  # type: ignore[arg-type, return-value]
        on_progress=told.append,
    )
    lost = isinstance(error, BrokenExecutor)
    # Four at once, where nobody says how many; and no more after a broken executor.
    assert len(handed) == (4 if lost else 9)
    assert {(each.code, each.message) for each in report.results} == {(code, message)}
    assert report.stopped == (message if lost else None)
    assert all(0 < each.rate < 1e8 for each in told[1:])


def test_the_values_pickle() -> None:
    report = BulkReport.of(1, 0, [BulkResult(key="k", character_id="a", outcome="done")])
    assert pickle.loads(pickle.dumps(report)) == report
    task = BulkTask(character_id="a", options={"prompt": "SECRET"})
    assert pickle.loads(pickle.dumps(task)) == task
    assert "SECRET" not in repr(task)


# The manifest


def test_a_manifest_is_that_of_one_place(bulk: Bulk) -> None:
    assert bulk("recover", [], scope="in old").complete
    for scope, called in (("in new", "in new"), (None, "of no place that is told")):
        with pytest.raises(InvalidArgument, match=f"of recover, in old, not {called}; give anoth"):
            bulk("recover", [], scope=scope)
    assert bulk("recover", [], scope="in old").complete


def test_a_manifest_holds_no_prompt(stage: Stage, bulk: Bulk) -> None:
    stage.references("a")
    assert bulk("scene", [scene("a", "A SECRET scene.")]).complete
    text = bulk.manifest.read_text()
    assert "SECRET" not in text
    assert [json.loads(line).get("outcome") for line in text.splitlines()] == [None, "done"]


HEAD = b'{"charimgBulk":%d,"work":"%s","begunAt":"2026-01-01T00:00:00Z"}\n'


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        (b"nonsense\n", StorageError, "line 1 of the manifest .* is not JSON"),
        (b"{}\n", StorageError, "line 1 .* is missing"),
        (HEAD % (2, b"retry"), StorageError, "newer"),
        (HEAD % (1, b"scene"), InvalidArgument, "that of scene, not of retry"),
    ],
)
def test_a_manifest_that_is_none(
    bulk: Bulk, content: bytes, error: type[Exception], told: str
) -> None:
    bulk.manifest.write_bytes(content)
    with pytest.raises(error, match=told):
        bulk("retry", [])
    assert bulk.manifest.read_bytes() == content


def test_a_manifest_whose_head_was_cut_off_begins_anew(bulk: Bulk) -> None:
    bulk.manifest.write_bytes(b'{"charimgBu')
    assert bulk("retry", []).complete
    assert bulk.manifest.read_bytes().count(b"\n") == 1


def test_a_manifest_that_cannot_be_opened(bulk: Bulk, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        bulk("retry", [], manifest=tmp_path)


def test_a_manifest_that_takes_nothing(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("charimg.bulk.manifest.os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        bulk("retry", [])


def test_one_run_at_a_time_has_the_manifest(bulk: Bulk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bulk("retry", []).complete
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(bulk.manifest)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(ConfigurationError, match="Another run"):
            bulk("retry", [])
        # Where there are no such locks, the leases alone keep runs apart.
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "fcntl", None)
            assert bulk("retry", []).complete
        assert holder.stdin is not None
        holder.stdin.close()
    assert holder.returncode == 0
    assert bulk("retry", []).complete


def test_one_run_of_this_process_has_the_manifest(bulk: Bulk, tmp_path: Path) -> None:
    other = tmp_path / "link.jsonl"
    other.symlink_to(bulk.manifest)
    told = []

    def within(_: BulkProgress) -> None:
        with pytest.raises(ConfigurationError, match="Another run") as caught:
            bulk("retry", [], manifest=other)
        told.append(str(caught.value))

    assert bulk("retry", [], on_progress=within).complete
    assert len(told) == 1
    assert bulk("retry", [], manifest=other).complete


HOLDER = """
import sys
from pathlib import Path
from charimg.bulk.manifest import Manifest
from charimg.bulk.values import BulkWork
manifest = Manifest(Path(sys.argv[1]), BulkWork.RETRY)
print("held", flush=True)
sys.stdin.read()
manifest.close()
"""
