"""Sleeping, shields and deadlines: one behaviour in both modes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
import pytest

from charimg._concurrency import AsyncDeadline, Deadline, asleep, sleep
from charimg._surely import ashielded, asurely, surely

from .modes import LONG, MODES, Broken, run_async


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
    begun = time.monotonic()
    with Deadline(50) as deadline:
        left = deadline.remaining()
    assert 50 - (time.monotonic() - begun) <= left <= 50
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
        begun = time.monotonic()
        async with AsyncDeadline(50) as deadline:
            left = deadline.remaining()
        assert 50 - (time.monotonic() - begun) <= left <= 50
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
