"""Calls that neither an interrupt nor a cancellation prevents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

__all__ = ["ashielded", "asurely", "surely", "unbroken"]

T = TypeVar("T")


def ashielded() -> AbstractContextManager[object]:
    """Return a context manager in which an outer cancellation does not arrive. For clean-up."""
    import anyio

    return anyio.CancelScope(shield=True)


def surely(call: Callable[[], T]) -> T:
    """Make a call that an interrupt (Ctrl-C) does not prevent: it is made again, then raised.

    Args:
        call: Idempotent. A second interrupt ends it.
    """
    try:
        return call()
    except KeyboardInterrupt:
        call()
        raise


async def asurely(call: Callable[[], Awaitable[T]]) -> T:
    """Make a call that a cancellation does not prevent: it is raised once the call has ended.

    A shield holds off anyio's and trio's scopes, but not ``asyncio.Task.cancel`` (as of
    ``asyncio.timeout`` and ``TaskGroup``): a call that this has broken off is made again.

    Args:
        call: Idempotent, and short.
    """
    import anyio

    cancelled: BaseException | None = None
    while True:
        try:
            with ashielded():
                result = await call()
        except anyio.get_cancelled_exc_class() as error:
            cancelled = error
            continue
        if cancelled is not None:
            raise cancelled
        return result


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
    import asyncio

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
