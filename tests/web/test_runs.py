"""The operations of a process: what is remembered of them, and how far each has come."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

from charimg import OperationStarted
from charimg.web._runs import AsyncRuns, Runs
from charimg.web._sync.streams import follow_run

TAG = {"operation_id": "01a2", "character_id": "mara"}
STARTED = OperationStarted(kind="portfolio", **TAG)


def started(number: int) -> Any:
    def work(on_progress: Any) -> dict[str, Any]:
        on_progress(OperationStarted(operation_id=str(number), character_id="mara", kind="scene"))
        return {"number": number}

    return work


def test_only_so_many_that_have_ended_are_remembered() -> None:
    runs = Runs()
    waiting, go_on = threading.Event(), threading.Event()

    def slow(on_progress: Any) -> dict[str, Any]:
        on_progress(OperationStarted(operation_id="slow", character_id="mara", kind="scene"))
        waiting.set()
        go_on.wait(60)
        return {}

    slow_run = runs.begin("mara", slow)
    assert waiting.wait(60)
    for number in range(300):
        runs.complete("mara", started(number))
    assert runs.get("0") is None
    assert runs.get("50") is None
    newest = runs.get("299")
    assert newest is not None
    assert newest.answer == {"number": 299}
    # One that still runs is never forgotten.
    assert runs.get("slow") is slow_run
    go_on.set()
    assert b"event: done" in b"".join(follow_run(runs, slow_run, 0, 60))


def test_an_end_by_force_is_told_and_goes_on() -> None:
    """The server is told to stop, in the middle of the work."""

    def stopped(on_progress: Any) -> dict[str, Any]:
        on_progress(STARTED)
        raise KeyboardInterrupt

    runs = Runs()
    with pytest.raises(KeyboardInterrupt):
        runs.complete("mara", stopped)
    ended = runs.get("01a2")
    assert ended is not None
    assert ended.ended
    assert isinstance(ended.error, KeyboardInterrupt)


def test_work_that_says_nothing_for_a_while_is_waited_for() -> None:
    def quiet(on_progress: Any) -> dict[str, Any]:
        return {"quiet": True}

    run = Runs().begin("mara", quiet)
    assert (run.ended, run.operation_id, run.answer) == (True, None, {"quiet": True})

    async def main() -> dict[str, Any]:
        async def aquiet(on_progress: Any) -> dict[str, Any]:
            await anyio.sleep(0.01)
            return {"quiet": True}

        return (await AsyncRuns().complete("mara", aquiet)).answer

    assert anyio.run(main) == {"quiet": True}
