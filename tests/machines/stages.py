"""One service over memory stores, which may be in trouble; the same calls for both modes."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from charimg import JobPolicy

from .._async.world import AsyncWorld
from .._sync.world import LENA, URL, World
from ..crash.invariants import Facts, aread_facts, read_facts
from .trouble import Gate, Trouble, TroubledSimulator

__all__ = ["LENA", "AsyncStage", "Stage", "SyncStage"]

# A job that is not done when first polled is given up at once, however slow this machine is.
IMPATIENT = JobPolicy(interval=0.0005, interval_max=0.0005, deadline=0.001, stall=5, cancel_grace=0)


class Stage(Protocol):
    """What a machine drives."""

    simulator: TroubledSimulator
    trouble: Trouble
    world: Any

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Call a method of the service that may be in trouble."""

    def facts(self) -> Facts:
        """Read everything that is stored, past all trouble."""

    def restart(self) -> None:
        """Begin a new process over the same stores, long after the old one."""

    def close(self) -> None:
        """Let go."""


class _Staged:
    def __init__(self, kind: Any) -> None:
        self.trouble = Trouble()
        self.simulator = TroubledSimulator(self.trouble, URL)
        self.world = kind(self.simulator, concurrency=1, job_policy=IMPATIENT)
        self.service = self._assemble()

    def _assemble(self) -> Any:
        ports = {
            name: Gate(getattr(self.world, name), self.trouble)
            for name in ("media", "metadata", "ledger")
        }
        return self.world.assemble(**ports)

    def restart(self) -> None:
        self.trouble.clear()
        self.world.clock.now += 10_000
        self.service = self._assemble()


class SyncStage(_Staged):
    """See `Stage`."""

    def __init__(self) -> None:
        super().__init__(World)
        self.world.link()

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        return getattr(self.service, name)(*args, **options)

    def facts(self) -> Facts:
        return read_facts(self.world.service, [LENA])

    def close(self) -> None:
        """Nothing is open."""


class AsyncStage(_Staged):
    """See `Stage`; one event loop for all calls."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        super().__init__(AsyncWorld)
        self._runner.run(self.world.link())

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        return self._runner.run(getattr(self.service, name)(*args, **options))

    def facts(self) -> Facts:
        return self._runner.run(aread_facts(self.world.service, [LENA]))

    def close(self) -> None:
        self._runner.close()
