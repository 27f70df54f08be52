"""Calls that neither an interrupt nor a cancellation prevents."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any, TypeVar

__all__ = ["ashielded", "asurely", "surely"]

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


async def asurely(call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make a call that a cancellation does not prevent: it is raised once the call has ended.

    A shield holds off anyio's and trio's scopes, but not ``asyncio.Task.cancel`` (as of
    ``asyncio.timeout`` and ``TaskGroup``): on asyncio the call is a task of its own. A loop that
    ends cancels that, too; then the call is made again.

    Args:
        call: Idempotent, and short.
    """
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with ashielded():
            return await call()
    cancelled: BaseException | None = None
    while True:
        task = asyncio.create_task(call())
        while not task.done():
            try:
                with ashielded():
                    await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
        try:
            result = task.result()
        except asyncio.CancelledError as error:
            cancelled = error
            continue
        if cancelled is not None:
            raise cancelled
        return result
