"""The hand-written sync/async pairs: sleeping, deadlines, and "run these, at most n in flight".

Generated code calls the sync half of each pair where its source calls the async half. The async
half runs on asyncio and trio; anyio is imported when first needed, so the sync half stays light.
"""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import copy_context
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from attrs import frozen

from ._plain import logger
from .errors import InvalidArgument

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from .models import CharacterReference, PromptSuggestion
    from .protocols import AsyncPromptSuggester, PromptSuggester

__all__ = [
    "AsyncDeadline",
    "Deadline",
    "Outcome",
    "arun_bounded",
    "asleep",
    "asuggest",
    "run_bounded",
    "sleep",
    "suggest",
]

_log = logger("charimg.concurrency")

T = TypeVar("T")
V = TypeVar("V")


@frozen(kw_only=True)
class Outcome(Generic[V]):
    """What a worker brought: a value, or the exception that ended it.

    Attributes:
        value: What the worker returned; ``None`` if it failed.
        error: What it raised; ``None`` if it succeeded.
    """

    value: V | None = None
    error: Exception | None = None

    def unwrap(self) -> V:
        """Return the value, or raise the error as itself."""
        if self.error is not None:
            raise self.error
        return cast("V", self.value)


def sleep(seconds: float) -> None:
    """Wait in the caller's own thread."""
    time.sleep(seconds)


async def asleep(seconds: float) -> None:
    """Wait in the caller's own task; a cancellation point."""
    import anyio

    await anyio.sleep(seconds)


def suggest(suggester: PromptSuggester, character: CharacterReference) -> PromptSuggestion:
    """Ask for a prompt, in the caller's own thread."""
    return suggester.suggest(character)


async def asuggest(
    suggester: AsyncPromptSuggester, character: CharacterReference
) -> PromptSuggestion:
    """Ask for a prompt, and wait for it if it has to be waited for."""
    suggestion = suggester.suggest(character)
    return await suggestion if isawaitable(suggestion) else suggestion


class Deadline:
    """A time limit over a block of blocking calls.

    Nothing interrupts a blocking call from outside: ask `remaining` before each step, and hand it
    on as that step's own timeout.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = math.inf

    def remaining(self) -> float:
        """Return the seconds that are left, more than zero.

        Raises:
            TimeoutError: None is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def __enter__(self) -> Self:
        self._end = time.monotonic() + self._seconds
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class AsyncDeadline:
    """The async twin of `Deadline`; it also interrupts what is being awaited (`TimeoutError`)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = math.inf
        self._scope: AbstractContextManager[object] | None = None

    def remaining(self) -> float:
        """Return the seconds that are left, more than zero.

        Raises:
            TimeoutError: None is left.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    async def __aenter__(self) -> Self:
        import anyio

        self._end = time.monotonic() + self._seconds
        self._scope = anyio.fail_after(self._seconds)
        self._scope.__enter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        scope = cast("AbstractContextManager[object]", self._scope)
        return scope.__exit__(exc_type, exc_value, traceback)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise InvalidArgument(f"The number of workers must be 1 or more, not {limit}.")


def _dispose(outcome: Outcome[V], discard: Callable[[V], None] | None) -> None:
    """Discard a value that nobody took; the exception that stopped the run matters more."""
    if discard is None or outcome.error is not None:
        return
    try:
        discard(outcome.unwrap())
    except Exception:  # noqa: BLE001
        _log.exception("discard.failed")


def run_bounded(
    worker: Callable[[T], V],
    items: Sequence[T],
    *,
    limit: int,
    handle: Callable[[T, Outcome[V]], None],
    settle: Callable[[], None] | None = None,
    discard: Callable[[V], None] | None = None,
) -> None:
    """Run ``worker(item)`` for every item in threads, and handle each outcome in the caller's own.

    At most ``limit`` workers run at once, and at most ``limit`` results wait, whatever the number
    of items. A single item, or a limit of 1, needs no thread and gets none. Each worker sees a copy
    of the caller's context variables.

    When ``handle`` or ``settle`` raises, or the caller is interrupted, no further item is started,
    running workers are waited for, and the exception is raised as itself.

    Args:
        worker: Runs in a worker. Its exception becomes the outcome's error.
        items: What to work on; started in this order.
        limit: How many workers at most.
        handle: Called in the caller's thread for each item, in the order in which they finish.
        settle: Called in the caller's thread when every result that is there has been handled: work
            that several of them can share.
        discard: Called for every value whose ``handle`` was not called or did not return. It must
            accept a value that ``handle`` has already disposed of.

    Raises:
        InvalidArgument: The limit is below 1.
    """
    _check_limit(limit)
    settle = settle or _nothing
    if limit == 1 or len(items) == 1:
        _run_inline(worker, items, handle, settle, discard)
    else:
        _run_in_threads(worker, items, limit, handle, settle, discard)


def _nothing() -> None:
    """Settle nothing."""


def _attempt(worker: Callable[[T], V], item: T) -> Outcome[V]:
    try:
        return Outcome(value=worker(item))
    except Exception as error:  # noqa: BLE001  # it is handed on as a value
        return Outcome(error=error)


def _run_inline(
    worker: Callable[[T], V],
    items: Sequence[T],
    handle: Callable[[T, Outcome[V]], None],
    settle: Callable[[], None],
    discard: Callable[[V], None] | None,
) -> None:
    for item in items:
        outcome = copy_context().run(_attempt, worker, item)
        try:
            handle(item, outcome)
        except BaseException:
            _dispose(outcome, discard)
            raise
        settle()


def _run_in_threads(
    worker: Callable[[T], V],
    items: Sequence[T],
    limit: int,
    handle: Callable[[T, Outcome[V]], None],
    settle: Callable[[], None],
    discard: Callable[[V], None] | None,
) -> None:
    def dispose(future: Future[Outcome[V]]) -> None:
        if not future.cancelled() and future.exception() is None:
            _dispose(future.result(), discard)

    def start() -> None:
        for item in upcoming:
            future = executor.submit(copy_context().run, _attempt, worker, item)
            running[future] = item
            future.add_done_callback(finished.put)
            break

    upcoming = iter(items)
    running: dict[Future[Outcome[V]], T] = {}
    finished: queue.SimpleQueue[Future[Outcome[V]]] = queue.SimpleQueue()
    executor = ThreadPoolExecutor(limit, thread_name_prefix="charimg")
    try:
        for _ in range(limit):
            start()
        while running:
            future = finished.get()
            outcome = future.result()
            # The place is taken again before the result is handled, so that workers stay busy.
            start()
            handle(running[future], outcome)
            # Only now: an interrupt before this line must still find the value.
            del running[future]
            if finished.empty():
                settle()
    finally:
        try:
            executor.shutdown(wait=True, cancel_futures=True)
        finally:
            # A second interrupt may leave threads behind: they discard their values themselves.
            for future in running:
                future.add_done_callback(dispose)


async def arun_bounded(
    worker: Callable[[T], Awaitable[V]],
    items: Sequence[T],
    *,
    limit: int,
    handle: Callable[[T, Outcome[V]], Awaitable[None]],
    settle: Callable[[], Awaitable[None]] | None = None,
    discard: Callable[[V], None] | None = None,
) -> None:
    """The async twin of `run_bounded`: workers are tasks; the rest runs in the caller's own task.

    When ``handle`` or ``settle`` raises, or the caller is cancelled, running workers are cancelled
    and waited for; the exception is raised as itself, never as an `ExceptionGroup`.

    Raises:
        InvalidArgument: The limit is below 1.
    """
    _check_limit(limit)
    import anyio

    run = _AsyncBoundedRun(worker, items, handle, settle or _anothing)
    try:
        async with anyio.create_task_group() as group:
            await run.work(group, limit)
        if run.failure is not None:
            raise run.failure
    finally:
        for outcome in run.unhandled.values():
            _dispose(outcome, discard)


async def _anothing() -> None:
    """Settle nothing."""


class _AsyncBoundedRun(Generic[T, V]):
    def __init__(
        self,
        worker: Callable[[T], Awaitable[V]],
        items: Sequence[T],
        handle: Callable[[T, Outcome[V]], Awaitable[None]],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        import anyio

        self._worker = worker
        self._items = items
        self._handle = handle
        self._settle = settle
        self._next = 0
        self._finished: deque[int] = deque()
        self._wake = anyio.Event()
        self.unhandled: dict[int, Outcome[V]] = {}
        self.failure: BaseException | None = None

    async def work(self, group: TaskGroup, limit: int) -> None:
        import anyio

        try:
            for _ in range(limit):
                self._start(group)
            for _ in self._items:
                while not self._finished:
                    self._wake = anyio.Event()
                    await self._wake.wait()
                index = self._finished.popleft()
                self._start(group)
                await self._handle(self._items[index], self.unhandled[index])
                del self.unhandled[index]
                if not self._finished:
                    await self._settle()
        except BaseException as error:  # noqa: BLE001  # raised again outside the group
            self._stop(group, error)

    def _start(self, group: TaskGroup) -> None:
        if self._next < len(self._items):
            group.start_soon(self._attempt, group, self._next)
            self._next += 1

    async def _attempt(self, group: TaskGroup, index: int) -> None:
        try:
            outcome = Outcome(value=await self._worker(self._items[index]))
        except Exception as error:  # noqa: BLE001  # it is handed on as a value
            outcome = Outcome(error=error)
        except BaseException as error:  # noqa: BLE001  # raised again outside the group
            self._stop(group, error)
            return
        self.unhandled[index] = outcome
        self._finished.append(index)
        self._wake.set()

    def _stop(self, group: TaskGroup, error: BaseException) -> None:
        """Stop everything, keeping the exception out of the group, which would wrap it.

        A cancellation that the scopes around us asked for goes its own way.
        """
        import anyio

        if (
            isinstance(error, anyio.get_cancelled_exc_class())
            and anyio.current_effective_deadline() == -math.inf
        ):
            raise error
        if self.failure is None:
            self.failure = error
        group.cancel_scope.cancel()
