"""A served simulator that draws on the test's word, however long the test takes until then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

__all__ = ["held"]

_MOMENT = 0.001


@contextmanager
def held(simulator: Any, *, but: int = 0) -> Iterator[Callable[[], None]]:
    """Let no image be done until the function that is given is called, or the context ends.

    Meanwhile the simulator's clock stands still. Afterwards an image takes as long as
    ``generation_seconds`` says.

    Args:
        simulator: It is served in this process.
        but: So many images are done at once before.
    """
    clock, handle, switches = simulator._clock, simulator.handle, simulator.switches
    seconds = switches.generation_seconds
    asked, released = 0, False
    stopped: float | None = None

    def now() -> float:
        if released:
            # What was held is done now.
            return float(clock()) + _MOMENT
        return float(clock()) if stopped is None else stopped

    def handled(method: str, url: str, *rest: Any) -> Any:
        nonlocal asked, stopped
        with simulator._lock:
            if method == "POST" and "/generate-" in url and not released:
                asked += 1
                switches.generation_seconds = 0.0 if asked <= but else _MOMENT
                if asked > but and stopped is None:
                    stopped = float(clock())
            return handle(method, url, *rest)

    async def sleep(seconds: float) -> None:
        while seconds == _MOMENT and not released:
            await asyncio.sleep(0.005)
        await asyncio.sleep(seconds)

    def release() -> None:
        nonlocal released
        with simulator._lock:
            switches.generation_seconds = seconds
            released = True

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(simulator, "_clock", now)
        patched.setattr(simulator, "handle", handled)
        own = SimpleNamespace(get_running_loop=asyncio.get_running_loop, sleep=sleep)
        patched.setattr("charimg.testing.server.asyncio", own)
        try:
            yield release
        finally:
            release()
