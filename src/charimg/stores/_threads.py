"""Blocking calls of the async stores, in worker threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from .._concurrency import asleep
from .._surely import ashielded

__all__ = ["in_thread", "twin_of"]

T = TypeVar("T")

_PAUSE = 0.002


def twin_of(store: Any) -> Any:
    """Return the sync store whose calls an async one runs in threads, where that is all it does.

    So whoever has several calls for such stores can make them in one thread.
    """
    # What a subclass or another method in its place may have changed is not known.
    as_it_is = "_in_threads" in vars(type(store)) and vars(store).keys() == {"_sync"}
    return store._sync if as_it_is else None  # noqa: SLF001 - ours


async def in_thread(call: Callable[[], T]) -> T:
    """Run the call in a worker thread; a cancelled caller still waits for its end.

    A call that was left running could write after whatever its caller does next. anyio sees to this
    for its own cancel scopes, but ``asyncio.Task.cancel`` (``asyncio.timeout``, ``TaskGroup``) goes
    past it: then the result is lost, and the cancellation is raised once the call has ended.
    """
    from anyio import get_cancelled_exc_class
    from anyio.to_thread import run_sync

    claim = threading.Lock()
    ended = threading.Event()

    def work() -> T:
        # Whoever claims the call first decides: it runs to its end, or never.
        if not claim.acquire(blocking=False):
            raise RuntimeError("The caller was cancelled before the call began.")
        try:
            return call()
        finally:
            ended.set()

    try:
        return await run_sync(work)
    except BaseException:
        while not (ended.is_set() or claim.acquire(blocking=False)):
            with suppress(get_cancelled_exc_class()), ashielded():
                await asleep(_PAUSE)
        raise
