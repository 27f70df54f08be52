"""How a call ends whose caller is cancelled: not before the server is done with it.

psycopg can be cancelled, too: it then asks the server to give up and waits for that. But anyio
cancels again at each turn of the loop, and what is cancelled while it does so leaves the statement
behind, to take effect when nobody reckons with it. So psycopg's own task is left alone: the server
is asked to give up, and psycopg hears of it as of any other error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from .failures import driver

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = ["Work"]

_log = logging.getLogger("charimg.stores.postgres")

_PATIENCE = 10.0
"""Seconds in which a server that is asked to give up does so, if it can be reached at all."""
_AGAIN = 0.5
"""Seconds after which it is asked again: it may have been asked before it had the statement."""
_PAUSE = 0.02


class Work:
    """One call, in a task of its own."""

    def __init__(self) -> None:
        self._connection: AsyncConnection[Any] | None = None
        self._asking = asyncio.Lock()
        self._stopped = False
        self._unsettled = False

    def check(self) -> None:
        """Refuse a further statement when the caller has been cancelled."""
        if self._stopped:
            raise asyncio.CancelledError

    @asynccontextmanager
    async def on(self, connection: AsyncConnection[Any]) -> AsyncIterator[None]:
        """Use the connection inside; nothing is left on it, or it is closed."""
        self.check()
        self._connection = connection
        try:
            yield
        finally:
            try:
                # A request to give up that is on its way must not meet whoever is next.
                async with self._asking:
                    pass
            finally:
                self._connection = None
                if self._unsettled:
                    connection.pgconn.finish()

    async def end(self, task: asyncio.Task[Any]) -> None:
        """Have the task end: at once, or as soon as the server has given up what it is at."""
        self._stopped = True
        last = time.monotonic() + _PATIENCE
        while not task.done() and (left := last - time.monotonic()) > 0:
            if self._connection is None:
                task.cancel()
            else:
                await self._ask(self._connection, left)
            await asyncio.wait([task], timeout=min(_AGAIN, left))
        if task.done():
            return
        # Whatever it is at may yet take effect. The connection is not used for anything else.
        _log.warning("connection.unsettled", extra={"seconds": _PATIENCE})
        self._unsettled = True
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_PAUSE)

    async def _ask(self, connection: AsyncConnection[Any], seconds: float) -> None:
        async with self._asking:
            # It says why it could not, if so; the statement may end all the same.
            with suppress(driver().Error, TimeoutError):
                async with asyncio.timeout(seconds):
                    await connection.cancel_safe(timeout=seconds)
