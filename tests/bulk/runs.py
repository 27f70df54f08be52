"""Runs on the stage, and what they are given and give."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from charimg.bulk import BulkReport, BulkTask, run_bulk

from .stage import Stage


class Here(Executor):
    """Works at once, in the caller's thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


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


def scene(character_id: str, context: str = "She waits.") -> BulkTask:
    return BulkTask(character_id=character_id, options={"scene_context": context})


def outcomes(report: BulkReport) -> dict[str, str]:
    return {each.character_id: each.outcome for each in report.results}
