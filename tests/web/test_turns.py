"""Calls that come at the same time go together, each with its own end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import anyio
import pytest

from charimg.web import _turns
from charimg.web._turns import Turns, turns_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The turns of a thread, as they are taken."""
    taken: list[int] = []
    in_thread = _turns.in_thread

    async def counted(call: Callable[[], Any]) -> Any:
        taken.append(1)
        return await in_thread(call)

    monkeypatch.setattr(_turns, "in_thread", counted)
    return taken


async def test_those_that_come_meanwhile_go_together(taken: list[int]) -> None:
    turns, gate, got = Turns(), threading.Event(), []
    here = ContextVar("here", default=-1)

    async def ask(number: int) -> None:
        here.set(number)

        def call() -> int:
            assert gate.wait(60)
            assert threading.current_thread() is not threading.main_thread()
            return here.get()

        got.append((number, await turns.run(call)))

    async with anyio.create_task_group() as group:
        for number in range(9):
            group.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        assert len(taken) == 1
        gate.set()
    assert sorted(got) == [(number, number) for number in range(9)]
    assert len(taken) == 2
    assert await turns.run(lambda: "later") == "later"
    assert len(taken) == 3


async def test_each_has_its_own_failure(taken: list[int]) -> None:
    turns, gate, got = Turns(), threading.Event(), []

    async def ask(number: int) -> None:
        def call() -> None:
            assert gate.wait(60)
            raise LookupError(number)

        try:
            await turns.run(call)
        except LookupError as error:
            got.append((number, error.args[0]))

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(ask, number)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert sorted(got) == [(number, number) for number in range(4)]
    assert len(taken) == 2


@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
async def test_one_that_is_cancelled_leaves_the_others_alone(gone: tuple[int, ...]) -> None:
    turns, gate, got = Turns(), threading.Event(), []
    scopes = [anyio.CancelScope() for _ in range(4)]

    async def ask(number: int) -> None:
        def call() -> int:
            assert gate.wait(60)
            return number

        with scopes[number]:
            got.append(await turns.run(call))

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(ask, number)
            await anyio.wait_all_tasks_blocked()
        for number in gone:
            scopes[number].cancel()
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert set(range(4)) - set(gone) <= set(got)
    assert await turns.run(lambda: "later") == "later"


async def test_one_that_is_cancelled_when_its_turn_comes_passes_it_on() -> None:
    turns, gate, got = Turns(), threading.Event(), []
    scope = anyio.CancelScope()

    async def ask(name: str) -> None:
        with scope if name == "second" else anyio.CancelScope():
            got.append(await turns.run(lambda: gate.wait(60) and name))
        if name == "first":
            # The second has been woken, and has not gone on yet.
            scope.cancel()

    async with anyio.create_task_group() as group:
        for name in ("first", "second", "third"):
            group.start_soon(ask, name)
            await anyio.wait_all_tasks_blocked()
        gate.set()
    assert "third" in got
    assert await turns.run(lambda: "later") == "later"


async def test_a_turn_that_never_began_serves_the_others_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns, got = Turns(), []
    in_thread = _turns.in_thread
    begun = anyio.Event()

    async def refuses(call: Callable[[], Any]) -> Any:
        # Of the second turn, once: as one whose caller is cancelled before a thread was free.
        await begun.wait()
        monkeypatch.setattr(_turns, "in_thread", in_thread)
        raise RuntimeError("never began")

    async def ask(name: str) -> None:
        try:
            got.append(await turns.run(lambda: name))
        except RuntimeError:
            got.append("refused")

    gate = threading.Event()

    async with anyio.create_task_group() as group:
        group.start_soon(turns.run, lambda: gate.wait(60))
        await anyio.wait_all_tasks_blocked()
        monkeypatch.setattr(_turns, "in_thread", refuses)
        for name in ("first", "second", "third"):
            group.start_soon(ask, name)
        await anyio.wait_all_tasks_blocked()
        gate.set()
        begun.set()
    assert sorted(got) == ["refused", "second", "third"]
    assert await turns.run(lambda: "later") == "later"


async def test_each_store_has_its_own() -> None:
    class Store:
        pass

    one, other = Store(), Store()
    assert turns_of(one) is turns_of(one)
    assert turns_of(one) is not turns_of(other)
    there: list[Turns] = []

    async def elsewhere() -> None:
        there.append(turns_of(one))

    thread = threading.Thread(target=lambda: anyio.run(elsewhere))
    thread.start()
    thread.join()
    assert there[0] is not turns_of(one)
