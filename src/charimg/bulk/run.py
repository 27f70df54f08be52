"""The run: hand tasks out, a few at a time, and write down how each ended."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path

from .._arguments import checked
from ..errors import CharimgError, InvalidArgument
from ..models import utcnow
from .manifest import Manifest
from .values import (
    BulkCallback,
    BulkOutcome,
    BulkProgress,
    BulkReport,
    BulkResult,
    BulkTask,
    BulkWork,
    check_task,
)
from .worker import Job, OpenMigration, OpenService, code_of, move, perform

__all__ = ["run_bulk"]


@checked
def run_bulk(
    work: str,
    tasks: Iterable[BulkTask | str],
    *,
    executor: Executor,
    open_service: OpenService | None = None,
    open_migration: OpenMigration | None = None,
    in_flight: int = 4,
    manifest: str | PathLike[str] | None = None,
    scope: str | None = None,
    on_progress: BulkCallback | None = None,
) -> BulkReport:
    """Do one work over many characters.

    Each task opens a service of its own in the worker, looks first at what was left of the
    character and finishes it, and draws only what is not there. So a run that was broken off, by a
    worker that was killed for example, is simply run again with the same manifest: what may have
    been sent is recovered and never posted again.

    Args:
        work: A `BulkWork`.
        tasks: The characters, by id or with options.
        executor: Where the work is done: threads, processes, a `DaskExecutor`, or whatever gives
            such an executor. The caller closes it.
        open_service: Opens a service in the worker, `CharacterImageService.from_env` for example.
            With processes it must pickle.
        open_migration: For ``migrate``, instead: opens source and target in the worker, and makes a
            `Migration` of them.
        in_flight: How many characters are handed out at once at most, over all workers.
        manifest: A file that remembers what is done. Without one a second run begins anew.
        scope: Where the work is done, as a text for people: ``"from old to new"`` for a migration.
            A manifest of another scope is refused. It is written down, so no password.
        on_progress: Told how far it is.

    Returns:
        How each task ended. A failure of a character is in its result and ends nothing. When the
        executor is broken, by the loss of a worker process for example, nothing more is handed
        out, and results are missing for the rest; ``stopped`` says why.

    Raises:
        KeyboardInterrupt: Ctrl-C. What had not begun was cancelled; what had was waited for and is
            in the manifest. A second one comes through at once.
        InvalidArgument: No such work or option, nothing or the wrong thing to open, a character is
            there twice, or the manifest is that of another work or scope.
        ConfigurationError: The manifest cannot be opened, or another run has it.
        StorageError: The manifest is damaged, or takes nothing.
    """
    chosen = _work(work)
    if in_flight < 1:
        raise InvalidArgument(f"in_flight must be at least 1, not {in_flight}.")
    call = _call(chosen, open_service, open_migration)
    asked = _asked(chosen, tasks)
    with _opened(manifest, chosen, scope) as book:
        run = _Run(chosen, asked, call, executor, in_flight, book, on_progress)
        return run.to_end()


_LATER = (BulkOutcome.IN_PROGRESS, BulkOutcome.WAITING)
"""Nothing was sent, and somebody is at it: by the end of a long run that may be over, and the lease
of a worker that was lost on another machine, too."""

_AGAIN = 1.0
"""Seconds between two attempts to cancel what has not begun."""


class _Run:
    def __init__(
        self,
        work: BulkWork,
        tasks: dict[str, BulkTask],
        call: Callable[[Job], BulkResult],
        executor: Executor,
        in_flight: int,
        manifest: Manifest | None,
        on_progress: BulkCallback | None,
    ) -> None:
        self.tasks = tasks
        self.call = call
        self.executor = executor
        self.in_flight = in_flight
        self.manifest = manifest
        self.on_progress = on_progress
        earlier = {} if manifest is None else manifest.results
        self.results = {
            key: earlier[key]
            for key in tasks
            if key in earlier and earlier[key].outcome == BulkOutcome.DONE
        }
        self.skipped = len(self.results)
        since = utcnow() if manifest is None else manifest.begun_at
        # The tasks of one character come one after another: they would only meet its lease.
        self.waiting: dict[str, deque[Job]] = {}
        for key, task in tasks.items():
            if key not in self.results:
                jobs = self.waiting.setdefault(task.character_id, deque())
                jobs.append(Job(work=work, task=task, since=since))
        self.ready = deque(self.waiting)
        self.running: dict[Future[BulkResult], Job] = {}
        self.put_off: set[str] = set()
        self.stopped: str | None = None
        self.ending = False
        self.begun = time.monotonic()

    def to_end(self) -> BulkReport:
        try:
            self.tell(None, tuple(self.results.values()))
            self.hand_out()
            while self.running:
                self.wait()
                self.hand_out()
        except KeyboardInterrupt:
            self.end()
            raise
        finally:
            for future in self.running:
                future.cancel()
        results = [self.results[key] for key in self.tasks if key in self.results]
        return BulkReport.of(len(self.tasks), self.skipped, results, stopped=self.stopped)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the next ends, for so long at most."""
        ended, _ = wait(self.running, seconds, return_when=FIRST_COMPLETED)
        for future in ended:
            # Only then taken out, so that Ctrl-C amid this loses nothing.
            self.ended(self.running[future], future)
            del self.running[future]

    def end(self) -> None:
        """Cancel what has not begun, and wait for the rest."""
        self.ending = True
        told = 0
        while self.running:
            # Again and again: it may not have been known whether a call had begun, and whoever had
            # begun it may be lost. Ctrl-C on a terminal ends the workers that belong to it, too.
            self.running = {
                future: job
                for future, job in self.running.items()
                if job.task.key not in self.results and not future.cancel()
            }
            if len(self.running) != told:
                self.tell(None)
            self.wait(_AGAIN)
            told = len(self.running)

    def hand_out(self) -> None:
        while self.ready and self.stopped is None and len(self.running) < self.in_flight:
            job = self.waiting[self.ready.popleft()].popleft()
            try:
                future = self.executor.submit(self.call, job)
            except BrokenExecutor as error:
                self.stop(error)
                return
            self.running[future] = job

    def ended(self, job: Job, future: Future[BulkResult]) -> None:
        """Take a result down, or look again at the end of the run at what time alone settles."""
        self.stop(future.exception())
        result = _result(job.task, future)
        jobs = self.waiting[job.task.character_id]
        put_off = result.outcome in _LATER and result.key not in self.put_off
        if put_off:
            self.put_off.add(result.key)
            jobs.append(job)
        if jobs:
            self.ready.append(job.task.character_id)
        if not put_off:
            self.settle(result)

    def stop(self, error: BaseException | None) -> None:
        """Hand nothing more out if the executor is broken."""
        if isinstance(error, BrokenExecutor) and self.stopped is None:
            self.stopped = _said(error)

    def settle(self, result: BulkResult) -> None:
        if self.manifest is not None:
            self.manifest.add(result)
        self.results[result.key] = result
        self.tell(result)

    def tell(self, result: BulkResult | None, earlier: tuple[BulkResult, ...] = ()) -> None:
        if self.on_progress is None:
            return
        done, total = len(self.results), len(self.tasks)
        rate = (done - self.skipped) / max(time.monotonic() - self.begun, 1e-9)
        self.on_progress(
            BulkProgress(
                result=result,
                done=done,
                total=total,
                rate=rate,
                remaining_seconds=(total - done) / rate if rate else None,
                in_flight=sum(not future.done() for future in self.running),
                ending=self.ending,
                earlier=earlier,
            )
        )


def _result(task: BulkTask, future: Future[BulkResult]) -> BulkResult:
    error = future.exception()
    if error is None:
        return future.result()
    return BulkResult(
        key=task.key,
        character_id=task.character_id,
        outcome=BulkOutcome.INTERRUPTED,
        code="WORKER_LOST" if isinstance(error, BrokenExecutor) else code_of(error),
        message=_said(error),
    )


def _said(error: BaseException) -> str:
    # Foreign exceptions may quote anything, a prompt or a key included.
    if isinstance(error, CharimgError):
        return str(error)
    return f"The worker gave no result ({type(error).__name__})."


def _work(value: str) -> BulkWork:
    try:
        return BulkWork(value)
    except ValueError as error:
        known = ", ".join(BulkWork)
        raise InvalidArgument(f"There is no work {value!r}; choose one of: {known}.") from error


def _call(
    work: BulkWork, open_service: OpenService | None, open_migration: OpenMigration | None
) -> Callable[[Job], BulkResult]:
    if work == BulkWork.MIGRATE and open_migration is not None and open_service is None:
        return partial(move, open_migration)
    if work != BulkWork.MIGRATE and open_service is not None and open_migration is None:
        return partial(perform, open_service)
    needed = "open_migration" if work == BulkWork.MIGRATE else "open_service"
    raise InvalidArgument(f"{work} needs {needed}, and nothing else to open.")


def _asked(work: BulkWork, tasks: Iterable[BulkTask | str]) -> dict[str, BulkTask]:
    found: dict[str, BulkTask] = {}
    for each in tasks:
        if not isinstance(each, str | BulkTask):
            raise InvalidArgument(f"A task is an id or a BulkTask, not {type(each).__name__}.")
        task = BulkTask(character_id=each) if isinstance(each, str) else each
        check_task(work, task)
        if task.key in found:
            raise InvalidArgument(f"Character {task.character_id!r} is there twice.")
        found[task.key] = task
    return found


@contextmanager
def _opened(
    path: str | PathLike[str] | None, work: BulkWork, scope: str | None
) -> Iterator[Manifest | None]:
    if path is None:
        yield None
        return
    manifest = Manifest(Path(path), work, scope)
    try:
        yield manifest
    finally:
        manifest.close()
