"""The server's clock, as the ``Date`` of its answers tells it (RFC 9110, 6.6.1)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

__all__ = ["ServerClock"]


class ServerClock:
    """Goes on from the last answer: behind by its way and a second at most, never ahead."""

    def __init__(self) -> None:
        self._last: tuple[datetime, float] | None = None

    def note(self, date: str | None) -> None:
        """Set it by the header of an answer that has just come."""
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        self._last = (told.astimezone(UTC), time.monotonic())

    def now(self) -> datetime | None:
        """Return what it says; ``None`` before any answer told the time."""
        if self._last is None:
            return None
        told, heard = self._last
        # Whole milliseconds, as all times that are kept.
        return told + timedelta(milliseconds=int((time.monotonic() - heard) * 1000))
