"""The operations that this process works on: what each has told so far, for everyone who listens.

A generation outlives the request that asked for it. In the async world it is a task of its own; in
the sync world it stays in the thread of the request (and so in the host's transaction), unless the
client wants a stream: then it has a thread of its own, and the request's thread only listens.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..events import JobProgressed, OperationStarted, ProgressEvent
from ..protocols import ProgressCallback
from ._ending import LOOK, ServerEnds, server_ends
from .failures import failure_body
from .sse import Told, number_after, told

if TYPE_CHECKING:
    import anyio

__all__ = ["AsyncRun", "AsyncRuns", "Run", "Runs"]

_AGAIN = 5.0
"""Seconds after which a task that goes on though cancelled is cancelled again."""
_KEPT = 200
"""How many ended runs are remembered, for clients that come back with ``Last-Event-ID``."""


class _Run:
    """One operation: its events, and how it ended.

    Attributes:
        character_id: Whose images it makes.
        operation_id: Known once the service has written it down.
        events: Everything told, in order and numbered.
        ended: Whether nothing more will come.
        answer: The route's answer, if it ended well.
        error: What it raised, if not.
    """

    def __init__(self, character_id: str, register: Callable[[Any], None]) -> None:
        self.character_id = character_id
        self.operation_id: str | None = None
        self.events: list[Told] = []
        self.ended = False
        self.answer: dict[str, Any] = {}
        self.error: BaseException | None = None
        self._register = register

    def progress(self, event: ProgressEvent) -> None:
        """Take in an event of the service."""
        if isinstance(event, OperationStarted):
            self.operation_id = event.operation_id
            self._register(self)
        one = told(event)
        if one is not None:
            self._tell(one)

    def succeed(self, answer: dict[str, Any]) -> None:
        """End well."""
        self.answer = answer
        self._end(Told(name="done", data=answer))

    def fail(self, error: BaseException) -> None:
        """End with what was raised."""
        self.error = error
        self._end(Told(name="error", data=failure_body(error, self.operation_id)))

    def _tell(self, event: Told) -> None:
        last = self.events[-1].number if self.events else 0
        self.events.append(evolve(event, number=number_after(last)))
        self._notify()

    def _end(self, event: Told) -> None:
        self._tell(event)
        self.ended = True
        self._notify()

    def _notify(self) -> None:
        """Wake whoever listens."""


class Run(_Run):
    """A run whose listeners are threads."""

    def __init__(self, character_id: str, register: Callable[[Any], None]) -> None:
        super().__init__(character_id, register)
        self._changed = threading.Condition()

    def progress(self, event: ProgressEvent) -> None:
        """See `_Run.progress`. A job of half an hour keeps no server that ends from it."""
        super().progress(event)
        if isinstance(event, JobProgressed) and server_ends():
            raise ServerEnds

    def wait(self, seen: int, seconds: float) -> bool:
        """Wait until more than ``seen`` events are there or it has ended; false when time is up."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.events) > seen or self.ended, seconds)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


class AsyncRun(_Run):
    """A run whose listeners are tasks of the loop that it runs in."""

    def __init__(self, character_id: str, register: Callable[[Any], None]) -> None:
        super().__init__(character_id, register)
        self._waiting: list[anyio.Event] = []

    async def wait(self, seen: int, seconds: float) -> bool:
        """See `Run.wait`."""
        import anyio

        with anyio.move_on_after(seconds):
            while len(self.events) <= seen and not self.ended:
                changed = anyio.Event()
                self._waiting.append(changed)
                await changed.wait()
        return len(self.events) > seen or self.ended

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.set()


class _Registry:
    def __init__(self) -> None:
        self._runs: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def register(self, run: Any) -> None:
        with self._lock:
            self._runs[run.operation_id] = run
            ended = [key for key, each in self._runs.items() if each.ended]
            for key in ended[: max(0, len(ended) - _KEPT)]:
                del self._runs[key]

    def get(self, operation_id: str) -> Any:
        with self._lock:
            return self._runs.get(operation_id)


class Runs:
    """The runs of a sync workspace.

    Args:
        after_thread: Called at the end of a thread of ours, e.g. to close the database connections
            that the host's framework opened in it.
    """

    def __init__(self, after_thread: Callable[[], None] | None = None) -> None:
        self._registry = _Registry()
        self._after_thread = after_thread

    def get(self, operation_id: str) -> Run | None:
        """Return the run of an operation that this process works on, or did lately."""
        run: Run | None = self._registry.get(operation_id)
        return run

    def complete(
        self, character_id: str, work: Callable[[ProgressCallback], dict[str, Any]]
    ) -> Run:
        """Do the work in the caller's thread."""
        run = Run(character_id, self._registry.register)
        _work(run, work)
        return run

    def begin(self, character_id: str, work: Callable[[ProgressCallback], dict[str, Any]]) -> Run:
        """Let a thread do the work, and return as soon as it has told something or has ended."""
        run = Run(character_id, self._registry.register)
        context = copy_context()

        def body() -> None:
            try:
                context.run(_work, run, work)
            finally:
                if self._after_thread is not None:
                    # Where the work was done: the host's framework may look for its own there.
                    context.run(self._after_thread)

        # Not a daemon: the interpreter waits for an image that is being paid for.
        threading.Thread(target=body, name="charimg-operation").start()
        while not run.wait(0, 3600):
            pass
        return run

    def ends(self) -> bool:
        """Return whether the server ends: nobody may listen any longer."""
        return server_ends()

    def close(self) -> None:
        """Do nothing: threads end by themselves, and the interpreter waits for them."""


class AsyncRuns:
    """The runs of an async workspace."""

    def __init__(self, after_thread: Callable[[], None] | None = None) -> None:
        del after_thread  # Nothing runs in a thread here.
        self._registry = _Registry()
        self._tasks: set[Any] = set()

    def get(self, operation_id: str) -> AsyncRun | None:
        """See `Runs.get`."""
        run: AsyncRun | None = self._registry.get(operation_id)
        return run

    async def complete(
        self, character_id: str, work: Callable[[ProgressCallback], Awaitable[dict[str, Any]]]
    ) -> AsyncRun:
        """Let a task do the work and wait for it. When the waiting is cancelled, it goes on."""
        run = await self.begin(character_id, work)
        while not run.ended:
            await run.wait(len(run.events), LOOK)
            await self.ends()
        return run

    async def begin(
        self, character_id: str, work: Callable[[ProgressCallback], Awaitable[dict[str, Any]]]
    ) -> AsyncRun:
        """Let a task do the work, and return as soon as it has told something or has ended."""
        run = AsyncRun(character_id, self._registry.register)
        self._spawn(_awork(run, work))
        while not run.events:
            await run.wait(0, LOOK)
            await self.ends()
        return run

    async def ends(self) -> bool:
        """Return whether the server ends; what runs is broken off then, before its stores close."""
        if not server_ends():
            return False
        await self.aclose()
        return True

    async def aclose(self) -> None:
        """Cancel what still runs, and wait for its end. Trio does so itself when it ends."""
        import asyncio

        while self._tasks:
            for task in self._tasks:
                task.cancel()
            # A cancellation can get lost in a library below; then it is given again.
            await asyncio.wait({*self._tasks}, timeout=_AGAIN)

    def _spawn(self, coroutine: Any) -> None:
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_run():

            async def body() -> None:
                await coroutine

            trio.lowlevel.spawn_system_task(body, context=copy_context())
            return
        import asyncio

        task = asyncio.get_running_loop().create_task(coroutine)
        # The loop itself holds only a weak reference.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _work(run: Run, work: Callable[[ProgressCallback], dict[str, Any]]) -> None:
    try:
        answer = work(run.progress)
    except (Exception, ServerEnds) as error:  # noqa: BLE001 - told to whoever listens
        run.fail(error)
    except BaseException as error:
        run.fail(error)
        raise
    else:
        run.succeed(answer)


async def _awork(
    run: AsyncRun, work: Callable[[ProgressCallback], Awaitable[dict[str, Any]]]
) -> None:
    try:
        answer = await work(run.progress)
    except Exception as error:  # noqa: BLE001 - told to whoever listens
        run.fail(error)
    except BaseException as error:
        # The loop ends: the ledger has what recover() needs.
        run.fail(error)
        raise
    else:
        run.succeed(answer)
