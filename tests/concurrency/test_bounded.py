"""Many items at once, within a bound: one behaviour in both modes."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg._concurrency import Outcome, arun_bounded, run_bounded
from charimg.errors import InvalidArgument

from .modes import LONG, MODES, Broken, run

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
    made: list[int] = []
    all_made = threading.Event()

    def make(item: int) -> int:
        made.append(item)
        if len(made) == 6:
            all_made.set()
        return item

    def handle(item: int, outcome: Outcome[int]) -> None:
        nonlocal handled
        handled += 1
        if mode == "sync":
            # Meanwhile the others come in.
            assert all_made.wait(LONG)

    def settle() -> None:
        together.append(handled)

    run(mode, make, list(range(6)), limit=6, handle=handle, settle=settle)
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
