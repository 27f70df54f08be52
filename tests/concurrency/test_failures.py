"""What becomes of many items when one fails, or when the whole is cancelled."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import anyio
import pytest

from charimg._concurrency import Outcome, arun_bounded, run_bounded

from .modes import LONG, MODES, Broken, Stopped, run


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 4])
def test_a_workers_failure_comes_back_as_a_value(count: int, mode: str) -> None:
    raised = [Broken(str(item)) for item in range(count)]

    def work(item: int) -> None:
        raise raised[item]

    found = run(mode, work, list(range(count)))
    assert {item: outcome.error for item, outcome in found} == dict(enumerate(raised))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [Broken, Stopped, KeyboardInterrupt])
@pytest.mark.parametrize("count", [1, 8])
def test_what_handling_raises_is_raised_once_as_itself(
    count: int, kind: type[BaseException], mode: str
) -> None:
    error = kind("handling")
    calls = []

    def handle(item: int, outcome: Outcome[int]) -> None:
        calls.append(item)
        raise error

    with pytest.raises(kind) as caught:
        run(mode, lambda item: item, list(range(count)), limit=2, handle=handle)
    assert caught.value is error
    assert len(calls) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 4])
def test_a_worker_that_is_interrupted_interrupts_the_caller(count: int, mode: str) -> None:
    def work(item: int) -> int:
        if item == 0:
            raise Stopped
        return item

    with pytest.raises(Stopped):
        run(mode, work, list(range(count)), limit=2)


@pytest.mark.parametrize("mode", MODES)
def test_no_further_item_is_started_after_a_failure(mode: str) -> None:
    started = []

    def work(item: int) -> int:
        started.append(item)
        return item

    def handle(item: int, outcome: Outcome[int]) -> None:
        raise Broken

    with pytest.raises(Broken):
        run(mode, work, list(range(50)), limit=2, handle=handle, pause=0.002)
    assert len(started) <= 4


def test_running_tasks_are_cancelled_after_a_failure() -> None:
    ended = []

    async def work(item: int) -> int:
        try:
            await anyio.sleep(0 if item == 0 else LONG)
        except BaseException:
            ended.append(item)
            raise
        return item

    async def handle(item: int, outcome: Outcome[int]) -> None:
        raise Broken

    async def main() -> None:
        await arun_bounded(work, [0, 1, 2], limit=3, handle=handle)

    begun = time.monotonic()
    with pytest.raises(Broken):
        anyio.run(main)
    assert time.monotonic() - begun < LONG / 2
    assert sorted(ended) == [1, 2]


@pytest.mark.parametrize("backend", MODES[1:])
def test_of_several_failures_the_first_is_raised(backend: str) -> None:
    async def work(item: int) -> int:
        try:
            await anyio.sleep(0 if item == 0 else LONG)
        finally:
            if item:
                raise Stopped
        return item

    async def handle(item: int, outcome: Outcome[int]) -> None:
        raise Broken

    async def main() -> None:
        await arun_bounded(work, [0, 1], limit=2, handle=handle)

    with pytest.raises(Broken):
        anyio.run(main, backend=backend)


# Values that nobody takes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 6])
def test_values_that_were_not_handled_are_discarded(count: int, mode: str) -> None:
    made, discarded = [], []

    def work(item: int) -> int:
        made.append(item)
        return item

    def handle(item: int, outcome: Outcome[int]) -> None:
        if len(made) >= min(count, 2):
            raise Broken

    taken: list[int] = []
    with pytest.raises(Broken):
        taken = [
            item
            for item, _ in run(
                mode,
                work,
                list(range(count)),
                limit=3,
                handle=handle,
                discard=discarded.append,
                pause=0.001,
            )
        ]
    assert taken == []
    assert discarded
    assert set(discarded) <= set(made)
    assert len(set(discarded)) == len(discarded)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_discarded_when_all_goes_well(mode: str) -> None:
    discarded: list[int] = []
    run(mode, lambda item: item, [1, 2, 3], discard=discarded.append)
    assert discarded == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 4])
def test_failures_have_nothing_to_discard(count: int, mode: str) -> None:
    def work(item: int) -> int:
        raise KeyError(item)

    def handle(item: int, outcome: Outcome[int]) -> None:
        raise Broken

    discarded: list[int] = []
    with pytest.raises(Broken):
        run(mode, work, list(range(count)), handle=handle, discard=discarded.append)
    assert discarded == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 4])
def test_a_discard_that_fails_is_logged_and_hides_nothing(
    count: int, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(item: int, outcome: Outcome[int]) -> None:
        raise Broken

    def discard(value: int) -> None:
        raise KeyError(value)

    with caplog.at_level(logging.ERROR, "charimg"), pytest.raises(Broken):
        run(mode, lambda item: item, list(range(count)), handle=handle, discard=discard)
    assert caplog.records
    assert {each.message for each in caplog.records} == {"discard.failed"}


def test_a_second_interrupt_leaves_no_value_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    discarded: list[int] = []
    done = threading.Event()

    def work(item: int) -> int:
        if item:
            assert release.wait(LONG)
        return item

    def discard(value: int) -> None:
        discarded.append(value)
        if len(discarded) == 2:
            done.set()

    def handle(item: int, outcome: Outcome[int]) -> None:
        raise Broken

    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.ThreadPoolExecutor.shutdown", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_bounded(work, [0, 1], limit=2, handle=handle, discard=discard)
    assert discarded == [0]  # the other worker still runs, and nobody waits for it
    release.set()
    assert done.wait(LONG)
    assert discarded == [0, 1]


def test_items_that_were_never_started_have_nothing_to_discard() -> None:
    discarded: list[int] = []

    def work(item: int) -> int:
        if item == 1:
            raise Stopped
        time.sleep(0.005)
        return item

    def handle(item: int, outcome: Outcome[int]) -> None:
        """Take it."""

    with pytest.raises(Stopped):
        run_bounded(work, [0, 1, 2, 3], limit=2, handle=handle, discard=discarded.append)
    assert 1 not in discarded


# Cancellation from outside


@pytest.mark.parametrize("backend", MODES[1:])
def test_a_cancelled_run_discards_and_goes(backend: str) -> None:
    discarded: list[int] = []
    ended: list[int] = []

    async def main() -> bool:
        scope = anyio.CancelScope()
        running: set[object] = set()

        def runs(what: object) -> None:
            running.add(what)
            if running == {1, 2, "handle"}:
                scope.cancel()

        async def work(item: int) -> int:
            if item == 0:
                return item
            runs(item)
            try:
                await anyio.sleep(LONG)
            finally:
                ended.append(item)
            return item

        async def handle(item: int, outcome: Outcome[int]) -> None:
            runs("handle")
            await anyio.sleep(LONG)

        with scope:
            await arun_bounded(work, [0, 1, 2], limit=2, handle=handle, discard=discarded.append)
        return scope.cancelled_caught

    assert anyio.run(main, backend=backend)
    assert discarded == [0]
    assert sorted(ended) == [1, 2]


def test_a_task_that_asyncio_cancels_is_cancelled() -> None:

    discarded: list[int] = []

    async def main() -> None:
        handling = asyncio.Event()

        async def work(item: int) -> int:
            if item:
                await asyncio.sleep(LONG)
            return item

        async def handle(item: int, outcome: Outcome[int]) -> None:
            handling.set()
            await asyncio.sleep(LONG)

        task = asyncio.create_task(
            arun_bounded(work, [0, 1], limit=2, handle=handle, discard=discarded.append)
        )
        await handling.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert discarded == [0]


def test_a_cancellation_that_handling_brings_along_is_passed_on() -> None:

    async def work(item: int) -> int:
        return item

    async def handle(item: int, outcome: Outcome[int]) -> None:
        raise asyncio.CancelledError  # as awaiting a cancelled future does

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await arun_bounded(work, [0, 1], limit=2, handle=handle)

    asyncio.run(main())
