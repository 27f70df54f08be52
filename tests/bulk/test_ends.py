"""How a run ends that does not come to its end: errors, lost workers, interruptions, refusals."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import pytest

from charimg import CharacterImageService, InvalidArgument, StorageError
from charimg.bulk import (
    BulkOutcome,
    BulkProgress,
    BulkReport,
    BulkResult,
    BulkTask,
    run_bulk,
)

from .runs import Bulk, Here, outcomes, scene
from .stage import Stage


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


def test_what_is_not_known_to_have_begun_is_cancelled_when_it_is_known(
    stage: Stage, bulk: Bulk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charimg.bulk.run._AGAIN", 0.0)
    told: list[BulkProgress] = []

    class Silent(Future[Any]):
        asked = 0

        def cancel(self) -> bool:
            self.asked += 1
            return self.asked > 3 and super().cancel()

    class Interrupted(Here):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if handed_out:
                raise KeyboardInterrupt
            handed_out.append(Silent())
            return handed_out[0]

    handed_out: list[Future[Any]] = []
    with pytest.raises(KeyboardInterrupt):
        bulk("recover", ["a", "b"], executor=Interrupted(), on_progress=told.append)
    assert handed_out[0].cancelled()
    assert [(each.ending, each.in_flight) for each in told] == [(False, 0), (True, 1), (True, 0)]


def test_what_is_in_flight_at_an_interruption_ends_and_is_written_down(
    stage: Stage, bulk: Bulk
) -> None:
    ids = stage.references("a", "b", "c", "d", "e")
    told: list[BulkProgress] = []
    begun, gate = threading.Event(), threading.Event()

    @contextmanager
    def gated() -> Iterator[CharacterImageService]:
        with stage.opener()() as service:
            recover = service.recover

            def waiting(character_id: str) -> Any:
                if character_id == "a":
                    # Else the others may be cancelled before a thread has one of them.
                    assert begun.wait(60)
                else:
                    begun.set()
                    assert gate.wait(60)
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


def test_the_values_pickle() -> None:
    report = BulkReport.of(1, 0, [BulkResult(key="k", character_id="a", outcome="done")])
    assert pickle.loads(pickle.dumps(report)) == report
    task = BulkTask(character_id="a", options={"prompt": "SECRET"})
    assert pickle.loads(pickle.dumps(task)) == task
    assert "SECRET" not in repr(task)


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
