"""Whose turn it is to have a connection: whoever has waited longest."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["Turns"]


class Turns:
    """A semaphore that hands over: who comes back at once waits behind those who wait already.

    With one of `threading` a few busy threads keep all the connections to themselves, and the
    others give up, however short each call is.
    """

    def __init__(self, count: int) -> None:
        self._gate = threading.Lock()
        self._free = count
        self._waiting: deque[threading.Lock] = deque()

    def take(self, seconds: float) -> bool:
        """Wait for a turn; tell whether it came in time."""
        with self._gate:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        try:
            return mine.acquire(timeout=seconds) or not self._withdrawn(mine)
        except BaseException:
            if not self._withdrawn(mine):
                self.give()
            raise

    def give(self) -> None:
        """End a turn; the next one begins."""
        with self._gate:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _withdrawn(self, mine: threading.Lock) -> bool:
        """Wait no more, unless the turn has come meanwhile; tell which."""
        with self._gate:
            waited = mine in self._waiting
            if waited:
                self._waiting.remove(mine)
            return waited
