"""For tests that are not about time: however busy the machine is, nothing is given up."""

from __future__ import annotations

from charimg import DownloadLimits, JobPolicy, Timeouts

__all__ = ["FAST", "LIMITS", "PATIENT"]

PATIENT = Timeouts(connect=600, read=600, delete=600)
LIMITS = DownloadLimits(spool_bytes=1, timeout=600, connect_timeout=600)
"""Files of any size pass through a real temporary file."""
FAST = JobPolicy(interval=0.001, interval_max=0.002, deadline=600, stall=600, cancel_grace=0)
"""What is done at once is seen at once."""
