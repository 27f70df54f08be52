"""What a service works on: closing takes nothing away from it."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from .._home import AsyncHome
from .._plain import logger
from .._surely import asurely
from ..errors import ConfigurationError
from ..journal import Lease
from ..protocols import AsyncGenerationLedger

__all__ = ["AsyncUnderway"]

_log = logger("charimg.service")


def _anywhere() -> None:
    """Refuse no event loop."""


class AsyncUnderway:
    """The work of one service under way, and the end of the service.

    Args:
        in_one_loop: Whether the service belongs to the event loop of its first call.

    Attributes:
        owned: Closes what the service made itself, when nobody works with it any more.
    """

    def __init__(self, *, in_one_loop: bool) -> None:
        self.owned = AsyncExitStack()
        self._closed = False
        self._check_home = AsyncHome("async service").check if in_one_loop else _anywhere
        self._unreleased: list[tuple[AsyncGenerationLedger, Lease]] = []
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._working: dict[object, str] = {}

    def check(self) -> None:
        """Refuse what is asked for too late, or in the wrong place.

        Raises:
            ConfigurationError: The service is closed, or belongs to another event loop.
        """
        if self._closed:
            raise ConfigurationError(
                "This service is closed. Nothing was sent and nothing was changed; make a new one."
            )
        self._check_home()

    @asynccontextmanager
    async def working(self, character_id: str) -> AsyncIterator[None]:
        """Keep what the service owns open for so long.

        Raises:
            ConfigurationError: See `check`.
        """
        if self._process != os.getpid():
            # After a fork the work, and the lock if it was held, are the parent's.
            self._begin()
        work = object()
        with self._lock:
            self.check()
            self._working[work] = character_id
        try:
            await self._release()
            yield
        finally:
            with self._lock:
                del self._working[work]
                last = self._closed and not self._working
            if last:
                try:
                    await asurely(self._end)
                except Exception:  # noqa: BLE001 - what was done before stands
                    _log.exception("service.unclosed")

    def unreleased(self, ledger: AsyncGenerationLedger, lease: Lease) -> None:
        """Remember a lease that could not be given up: it is tried again with the next work."""
        self._unreleased.append((ledger, lease))

    async def close(self) -> None:
        """Let nothing begin any more; whoever is the last to end closes what is owned."""
        with self._lock:
            self._closed = True
            working = tuple(self._working.values()) if self._process == os.getpid() else ()
        if working:
            _log.warning("service.closing", extra={"character_ids": working})
        else:
            await asurely(self._end)

    async def _end(self) -> None:
        await self._release()
        await self.owned.aclose()

    async def _release(self) -> None:
        """Give up what could not be given up before; other processes wait for it."""
        left, self._unreleased = self._unreleased, []
        for ledger, lease in left:
            try:
                await ledger.release(lease)
            except Exception:  # noqa: BLE001 - it was told when it failed first
                self._unreleased.append((ledger, lease))
