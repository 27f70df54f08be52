"""For tests that are not about time: however busy the machine is, nothing is given up."""

from __future__ import annotations

import time
from collections.abc import Callable

from charimg import DownloadLimits, JobPolicy, Timeouts

__all__ = ["FAST", "LIMITS", "PATIENT", "until"]

_SECONDS = 600
PATIENT = Timeouts(connect=_SECONDS, read=_SECONDS, delete=_SECONDS)
LIMITS = DownloadLimits(spool_bytes=1, timeout=_SECONDS, connect_timeout=_SECONDS)
"""Files of any size pass through a real temporary file."""
FAST = JobPolicy(
    interval=0.001, interval_max=0.002, deadline=_SECONDS, stall=_SECONDS, cancel_grace=0
)
"""What is done at once is seen at once."""


def until(condition: Callable[[], object]) -> None:
    """Wait until something has come true."""
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
