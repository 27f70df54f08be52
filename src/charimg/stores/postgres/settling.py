"""How a call ends whose caller is cancelled: not before the server is done with it.

psycopg can be cancelled, too: it then asks the server to give up and waits for that. But anyio
cancels again at each turn of the loop, and what is cancelled while it does so leaves the statement
behind, to take effect when nobody reckons with it. So psycopg's own task is left alone: the server
is asked to give up, and psycopg hears of it as of any other error.

Only libpq 17 and later can ask without holding up the whole process where the network is dead. With
an older one, the statement is waited for.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..._plain import logger
from .failures import driver

if TYPE_CHECKING:
    from psycopg import AsyncConnection

__all__ = ["Work"]

_log = logger("charimg.stores.postgres")

_PATIENCE = 10.0
"""Seconds in which a server that is asked to give up does so, if it can be reached at all."""
_AGAIN = 0.5
"""Seconds after which it is asked again: it may have been asked before it had the statement."""


class Work:
    """One call, in a task of its own."""

    def __init__(self) -> None:
        self._connection: AsyncConnection[Any] | None = None
        self._asking = asyncio.Lock()
        self._stopped = False

    def check(self) -> None:
        """Refuse a further statement when the caller has been cancelled."""
        if self._stopped:
            raise asyncio.CancelledError

    @asynccontextmanager
    async def on(self, connection: AsyncConnection[Any]) -> AsyncIterator[None]:
        """Use the connection inside."""
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

    async def end(self, task: asyncio.Task[Any]) -> None:
        """Have the task end: at once, or as soon as the server has given up what it is at."""
        self._stopped = True
        last = time.monotonic() + _PATIENCE
        while not task.done():
            left = last - time.monotonic()
            if self._connection is None:
                task.cancel()
            elif left > 0:
                await self._ask(self._connection, left)
            else:
                _log.warning("connection.unsettled", extra={"seconds": _PATIENCE})
                _hang_up(self._connection)
            await asyncio.wait([task], timeout=_AGAIN)

    async def _ask(self, connection: AsyncConnection[Any], seconds: float) -> None:
        if not driver().capabilities.has_cancel_safe():
            return
        async with self._asking:
            # It says why it could not, if so; the statement may end all the same.
            with suppress(driver().Error, TimeoutError):
                async with asyncio.timeout(seconds):
                    await connection.cancel_safe(timeout=seconds)


def _hang_up(connection: AsyncConnection[Any]) -> None:
    """Break the connection off, as the network would: psycopg is told, and libpq closes it."""
    with (
        suppress(driver().Error, OSError),
        # A copy: libpq closes its own.
        socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)
