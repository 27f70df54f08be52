"""One deadline over every step of a blocking download: DNS, connect, TLS, head and body.

httpx's time-outs begin anew with each step: a server that sends a byte now and then, or one
"100 Continue" after the other, is never too slow for them, and nothing interrupts a blocking call.
So whoever downloads says `within` how many seconds, and each step of the network (``timed.py``)
asks what is `left` of them. Async code needs none of this: there a cancel scope interrupts whatever
is awaited.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["left", "within"]

_end: ContextVar[float] = ContextVar("charimg_deadline", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what is done inside so many seconds."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def left(timeout: float | None, error: type[Exception]) -> float | None:
    """Return the seconds that the next step may take; ``None`` is no limit.

    Args:
        timeout: The limit of the step itself.
        error: Raised when the deadline has passed.
    """
    remaining = _end.get() - time.monotonic()
    if remaining <= 0:
        raise error("the deadline has passed")
    least = min(remaining, math.inf if timeout is None else timeout)
    return None if least == math.inf else least
