"""The server's clock: its own, by which it names its files, or at worst that of its answers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["ServerClock"]

_FRESH = 300.0
"""Seconds for which two clocks are taken to run alike."""


class ServerClock:
    """Goes on from what the server has last told: behind by the answer's way, never ahead.

    The server's health tells its own time. The ``Date`` of an answer (RFC 9110, 6.6.1) tells whole
    seconds, and may be that of a proxy in between; it counts only where nothing else is known.
    """

    def __init__(self) -> None:
        self._own: tuple[datetime, float] | None = None
        self._asked: float | None = None
        self._date: tuple[datetime, float] | None = None

    def note(self, date: str | None) -> None:
        """Hear the ``Date`` of an answer that has just come."""
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        self._date = (told.astimezone(UTC), time.monotonic())

    def hear(self, own: datetime | None) -> None:
        """Hear the server's own time, which has just come; ``None`` if it tells none."""
        self._asked = time.monotonic()
        if own is not None:
            self._own = (own, self._asked)

    @property
    def fresh(self) -> bool:
        """Whether the server was asked for its own time not long ago, and has answered."""
        return self._asked is not None and time.monotonic() - self._asked < _FRESH

    @property
    def own(self) -> bool:
        """Whether `now` goes by the server's own clock."""
        return self._own is not None

    def now(self) -> datetime | None:
        """Return what it says; ``None`` before any answer told the time."""
        last = self._own or self._date
        if last is None:
            return None
        told, heard = last
        # Whole milliseconds, as all times that are kept.
        return told + timedelta(milliseconds=int((time.monotonic() - heard) * 1000))
