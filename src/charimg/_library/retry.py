"""Whether and when an idempotent call is repeated. Pure: the clock is handed in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ..errors import CharacterLibraryError
from ..policies import RetryPolicy

__all__ = ["RetryDecision", "parse_retry_after"]

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (seconds or an HTTP date).

    Returns:
        At least 0; ``None`` for an absent or unreadable header.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, OverflowError):
        return None


class RetryDecision:
    """stamina's backoff hook for one call: ``False``, ``True``, or seconds to wait.

    Attributes:
        failures: How many attempts have failed so far.
        last: The error of the last failed attempt.
    """

    def __init__(self, policy: RetryPolicy, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._started = clock()
        self.failures = 0
        self.last: CharacterLibraryError | None = None

    @property
    def left(self) -> float:
        """Seconds in which a further attempt may still start."""
        return self._policy.timeout - (self._clock() - self._started)

    def __call__(self, error: Exception) -> bool | float:
        """Decide about one failed attempt."""
        if not isinstance(error, CharacterLibraryError) or not error.retryable:
            return False
        self.failures += 1
        self.last = error
        if error.retry_after is None:
            return True
        wait = min(error.retry_after, self._policy.retry_after_max)
        if wait > self.left:
            return False
        return wait
