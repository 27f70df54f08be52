"""The hand-written sync/async pairs: one behaviour in both modes."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg._concurrency import (
    AsyncDeadline,
    Deadline,
    Outcome,
    arun_bounded,
    ashielded,
    asleep,
    asurely,
    run_bounded,
    sleep,
    surely,
)
from charimg.errors import InvalidArgument

MODES = ["sync", "asyncio", "trio"]
LONG = 5.0

Worker = Callable[[Any], Any]


def run(
    mode: str,
    worker: Worker,
    items: list[Any],
    *,
    limit: int = 3,
    handle: Callable[[Any, Outcome[Any]], None] | None = None,
    settle: Callable[[], None] | None = None,
    pause: float = 0.0,
    discard: Callable[[Any], None] | None = None,
) -> list[tuple[Any, Outcome[Any]]]:
    """Run a plain worker in any mode; ``pause`` is how long each one takes first."""
    handled: list[tuple[Any, Outcome[Any]]] = []

    def take(item: Any, outcome: Outcome[Any]) -> None:
        if handle is not None:
            handle(item, outcome)
        handled.append((item, outcome))

    if mode == "sync":

        def work(item: Any) -> Any:
            time.sleep(pause)
            return worker(item)

        run_bounded(work, items, limit=limit, handle=take, settle=settle, discard=discard)
        return handled

    async def awork(item: Any) -> Any:
        await anyio.sleep(pause)
        return worker(item)

    async def atake(item: Any, outcome: Outcome[Any]) -> None:
        take(item, outcome)

    async def asettle() -> None:
        if settle is not None:
            settle()

    async def main() -> None:
        await arun_bounded(
            awork,
            items,
            limit=limit,
            handle=atake,
            settle=None if settle is None else asettle,
            discard=discard,
        )

    anyio.run(main, backend=mode)
    return handled


# Outcomes


def test_an_outcome_gives_its_value_or_raises_its_error() -> None:
    assert Outcome(value=5).unwrap() == 5
    assert Outcome[Any](value=None).unwrap() is None
    error = KeyError("x")
    with pytest.raises(KeyError) as caught:
        Outcome[Any](error=error).unwrap()
    assert caught.value is error


# Every item once, in workers, within the bound


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_every_item_is_handled_once(count: int, limit: int, mode: str) -> None:
    handled = run(mode, lambda item: item * 2, list(range(count)), limit=limit)
    assert sorted((item, outcome.unwrap()) for item, outcome in handled) == [
        (item, item * 2) for item in range(count)
    ]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_all_that_was_handled_is_settled(count: int, limit: int, mode: str) -> None:
    waiting: list[int] = []
    settled: list[int] = []

    def settle() -> None:
        settled.extend(waiting)
        waiting.clear()

    run(
        mode,
        lambda item: item,
        list(range(count)),
        limit=limit,
        handle=lambda item, _: waiting.append(item),
        settle=settle,
    )
    assert waiting == []
    assert sorted(settled) == list(range(count))


@pytest.mark.parametrize("mode", MODES)
def test_results_that_are_there_are_settled_together(mode: str) -> None:
    handled = 0
    together: list[int] = []

    def handle(item: int, outcome: Outcome[int]) -> None:
        nonlocal handled
        handled += 1
        if handled == 1 and mode == "sync":
            # Meanwhile the others come in.
            time.sleep(0.3)

    def settle() -> None:
        together.append(handled)

    run(mode, lambda item: item, list(range(6)), limit=6, handle=handle, settle=settle)
    assert together[-1] == 6
    assert len(together) < 6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 8])
def test_what_settling_raises_ends_the_run(count: int, mode: str) -> None:
    error = Broken("settling")

    def settle() -> None:
        raise error

    with pytest.raises(Broken) as caught:
        run(mode, lambda item: item, list(range(count)), limit=2, settle=settle)
    assert caught.value is error


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.integers(), st.none()), max_size=12), st.integers(1, 5))
def test_equal_items_are_no_problem(items: list[int | None], limit: int) -> None:
    for mode in MODES[:2]:
        handled = run(mode, lambda item: item, items, limit=limit)
        assert sorted(map(repr, (item for item, _ in handled))) == sorted(map(repr, items))
        assert all(outcome.unwrap() is item for item, outcome in handled)


@pytest.mark.parametrize("mode", MODES)
def test_at_most_so_many_run_at_once(mode: str) -> None:
    lock = threading.Lock()
    now, most = 0, 0

    def enter() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)

    def leave() -> None:
        nonlocal now
        with lock:
            now -= 1

    if mode == "sync":
        together = threading.Barrier(3)

        def work(item: int) -> None:
            enter()
            together.wait(LONG)
            leave()

        run_bounded(work, range(12), limit=3, handle=lambda item, outcome: None)
    else:

        async def awork(item: int) -> None:
            enter()
            await anyio.sleep(0.005)
            leave()

        async def ahandle(item: int, outcome: Outcome[None]) -> None:
            pass

        async def main() -> None:
            await arun_bounded(awork, range(12), limit=3, handle=ahandle)

        anyio.run(main, backend=mode)
    assert most == 3


@pytest.mark.parametrize("mode", MODES)
def test_results_that_wait_are_bounded_too(mode: str) -> None:
    lock = threading.Lock()
    open_now, most = 0, 0

    def work(item: int) -> int:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        return item

    def handle(item: int, outcome: Outcome[int]) -> None:
        nonlocal open_now
        time.sleep(0.002)  # a slow store
        with lock:
            open_now -= 1

    run(mode, work, list(range(30)), limit=3, handle=handle)
    assert most <= 2 * 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int, mode: str) -> None:
    with pytest.raises(InvalidArgument, match="1 or more"):
        run(mode, print, [1], limit=limit)


def test_handling_happens_in_the_callers_thread_and_work_does_not() -> None:
    here = threading.get_ident()
    handled_in = set()
    found = run(
        "sync",
        lambda _: threading.get_ident(),
        [1, 2, 3],
        handle=lambda *_: handled_in.add(threading.get_ident()),
    )
    assert handled_in == {here}
    assert here not in {outcome.unwrap() for _, outcome in found}


@pytest.mark.parametrize(("items", "limit"), [([1], 4), ([1, 2, 3], 1)])
def test_no_thread_is_used_where_none_is_needed(items: list[int], limit: int) -> None:
    found = run("sync", lambda _: threading.get_ident(), items, limit=limit)
    assert {outcome.unwrap() for _, outcome in found} == {threading.get_ident()}


# Context variables

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 3])
def test_a_worker_sees_a_copy_of_the_callers_context(count: int, mode: str) -> None:
    def work(item: int) -> str:
        seen = TENANT.get()
        TENANT.set(f"worker {item}")
        return seen

    def check(*_: object) -> None:
        assert TENANT.get() == "the caller"

    token = TENANT.set("the caller")
    try:
        found = run(mode, work, list(range(count)), limit=2, handle=check)
        assert TENANT.get() == "the caller"
    finally:
        TENANT.reset(token)
    assert {outcome.unwrap() for _, outcome in found} == {"the caller"}


# Failures


class Broken(Exception):
    pass


class Stopped(BaseException):
    pass


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
    import asyncio

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
    import asyncio

    async def work(item: int) -> int:
        return item

    async def handle(item: int, outcome: Outcome[int]) -> None:
        raise asyncio.CancelledError  # as awaiting a cancelled future does

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await arun_bounded(work, [0, 1], limit=2, handle=handle)

    asyncio.run(main())


# Sleeping, shields, deadlines


def run_async(main: Callable[[], Coroutine[Any, Any, Any]], backend: str = "asyncio") -> Any:
    return anyio.run(main, backend=backend)


def test_sleeping() -> None:
    begun = time.monotonic()
    sleep(0.01)
    assert time.monotonic() - begun >= 0.01


@pytest.mark.parametrize("backend", MODES[1:])
def test_sleeping_can_be_cancelled(backend: str) -> None:
    async def main() -> float:
        begun = time.monotonic()
        await asleep(0.01)
        with anyio.move_on_after(0.01):
            await asleep(LONG)
        return time.monotonic() - begun

    assert 0.02 <= run_async(main, backend) < LONG


@pytest.mark.parametrize("backend", MODES[1:])
def test_a_shield_keeps_cancellation_out(backend: str) -> None:
    done = ["begun"]

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            with ashielded():
                await anyio.sleep(0)
                done.append("async")
            await anyio.sleep(0)
            done.append("never")

    run_async(main, backend)
    assert done == ["begun", "async"]


def test_an_interrupted_call_is_made_again() -> None:
    calls: list[str] = []

    def call() -> str:
        calls.append("call")
        if len(calls) == 2:
            raise KeyboardInterrupt
        return "done"

    assert surely(call) == "done"
    with pytest.raises(KeyboardInterrupt):
        surely(call)
    assert len(calls) == 3
    with pytest.raises(Broken):
        surely(raise_broken)


def raise_broken() -> None:
    raise Broken


@pytest.mark.parametrize("backend", MODES[1:])
def test_a_scope_that_is_cancelled_waits_for_the_call(backend: str) -> None:
    done: list[str] = []

    async def call() -> None:
        await anyio.sleep(0)
        done.append("call")

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await asurely(call)
            await anyio.sleep(0)
            done.append("never")

    run_async(main, backend)
    assert done == ["call"]


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_task_that_is_cancelled_makes_the_call_again(times: int) -> None:
    tries: list[int] = []

    async def call() -> str:
        tries.append(len(tries))
        if len(tries) <= times:
            task.cancel()
        await asyncio.sleep(0)
        return "done"

    async def main() -> None:
        nonlocal task
        task = asyncio.create_task(asurely(call))
        if times:
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            assert await task == "done"

    task: Any = None
    asyncio.run(main())
    assert len(tries) == times + 1


def test_a_call_that_fails_is_not_made_again() -> None:
    async def call() -> None:
        raise Broken

    async def main() -> None:
        await asurely(call)

    with pytest.raises(Broken):
        asyncio.run(main())


def test_a_deadline_tells_what_is_left() -> None:
    with Deadline(50) as deadline:
        assert 49 < deadline.remaining() <= 50
    with Deadline(0.005) as deadline:
        time.sleep(0.006)
        with pytest.raises(TimeoutError):
            deadline.remaining()
    assert Deadline(5).remaining() > 5  # it has not begun


def test_a_deadline_hides_no_exception() -> None:
    with pytest.raises(Broken), Deadline(50):
        raise Broken


@pytest.mark.parametrize("backend", MODES[1:])
def test_an_async_deadline_interrupts(backend: str) -> None:
    async def main() -> None:
        async with AsyncDeadline(50) as deadline:
            assert 49 < deadline.remaining() <= 50
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with AsyncDeadline(0.005):
                await anyio.sleep(LONG)
        assert time.monotonic() - begun < LONG
        async with AsyncDeadline(0.005) as deadline:
            time.sleep(0.006)
            with pytest.raises(TimeoutError):
                deadline.remaining()
        with pytest.raises(Broken):
            async with AsyncDeadline(50):
                raise Broken

    run_async(main, backend)
