"""Cancelling an operation at its Nth suspension, whichever task of it suspends.

A suspension is a moment at which a coroutine has handed control back to the event loop: the only
moments at which a cancellation can arrive. On asyncio a task factory sees them, on trio an
instrument does.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any

import anyio
import trio

__all__ = ["MODES", "run_cancelled"]

Act = Callable[[], Awaitable[object]]


class _Suspensions:
    """Counts suspensions, and cancels at the chosen one."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.reached = False
        self.cancel: Callable[[Any], object] | None = None

    def suspended(self, waits_for: Any = None) -> None:
        if self.cancel is None:
            return
        self.count += 1
        if self.count == self.at:
            self.reached = True
            self.cancel(waits_for)


@types.coroutine
def _stepped(
    inner: Coroutine[Any, Any, Any], suspensions: _Suspensions
) -> Generator[Any, Any, Any]:
    value: Any = None
    error: BaseException | None = None
    while True:
        try:
            waits_for = inner.send(value) if error is None else inner.throw(error)
        except StopIteration as end:
            return end.value
        suspensions.suspended(waits_for)
        value = error = None
        try:
            value = yield waits_for
        except BaseException as thrown:  # noqa: BLE001 - it is thrown on into the coroutine
            error = thrown


async def _wrapped(inner: Coroutine[Any, Any, Any], suspensions: _Suspensions) -> Any:
    return await _stepped(inner, suspensions)


def _on_asyncio(act: Act, suspensions: _Suspensions, mode: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def factory(
            loop: asyncio.AbstractEventLoop, inner: Any, **options: Any
        ) -> asyncio.Task[Any]:
            return asyncio.Task(_wrapped(inner, suspensions), loop=loop, **options)

        loop.set_task_factory(factory)

        async def task() -> None:
            await act()

        async def scoped() -> None:
            with anyio.CancelScope() as scope:
                suspensions.cancel = lambda _: loop.call_soon(scope.cancel)
                await act()

        if mode == "asyncio, scope":
            await loop.create_task(scoped())
            return
        running = loop.create_task(task())

        def as_it_ends(waits_for: Any) -> None:
            if waits_for is None:
                running.cancel()
            else:
                # Before the task itself is told: the result is there, and never arrives.
                waits_for.add_done_callback(lambda _: running.cancel())

        suspensions.cancel = as_it_ends if mode.endswith("ends") else lambda _: running.cancel()
        await asyncio.wait([running])
        suspensions.cancel = None
        if not running.cancelled():
            running.result()

    asyncio.run(main())


class _Instrument(trio.abc.Instrument):
    def __init__(self, suspensions: _Suspensions) -> None:
        self._suspensions = suspensions

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._suspensions.suspended()


def _on_trio(act: Act, suspensions: _Suspensions, mode: str) -> None:
    async def main() -> None:
        with trio.CancelScope() as scope:
            suspensions.cancel = lambda _: scope.cancel()
            await act()
        suspensions.cancel = None

    trio.run(main, instruments=[_Instrument(suspensions)])


MODES = {
    "asyncio, task": _on_asyncio,
    "asyncio, task, as the result ends": _on_asyncio,
    "asyncio, scope": _on_asyncio,
    "trio, scope": _on_trio,
}
"""How the cancellation comes: while a task waits, at the moment when its wait ends, by a scope."""


def run_cancelled(act: Act, mode: str, at: int) -> bool:
    """Run the act in a new event loop, cancelled at a suspension; tell whether it came so far.

    An exception other than the cancellation is raised.
    """
    suspensions = _Suspensions(at)
    MODES[mode](act, suspensions, mode)
    return suspensions.reached
