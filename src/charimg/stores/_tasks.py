"""Calls of the async stores that a cancellation must not break off in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .._surely import ashielded, asurely

__all__ = ["unbroken"]

T = TypeVar("T")


async def unbroken(
    call: Callable[[], Coroutine[Any, Any, T]],
    end: Callable[[asyncio.Task[T]], Coroutine[Any, Any, object]] | None = None,
) -> T:
    """Make a call that a cancelled caller waits for; the cancellation is raised when it has ended.

    What was broken off may yet arrive: its server would write after whatever the caller does next.

    Args:
        call: On asyncio it runs in a task of its own, where no cancellation of the caller arrives.
        end: Only on asyncio: sees to it that the task ends soon. Without it, the call is awaited.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with ashielded():
            return await call()
    task = asyncio.create_task(call())
    try:
        await asyncio.wait([task])
    except BaseException:
        ending = task if end is None else asyncio.create_task(end(task))
        await asurely(lambda: asyncio.wait([ending]))
        if not task.cancelled():
            # Nobody else asks for it.
            task.exception()
        raise
    return task.result()
