"""The process whose memory is measured: it makes portfolios, and tells how large it was."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .measure import demand
from .pictures import PORTFOLIO
from .server import Library
from .services import LENA, async_service, sync_service

THUMBNAIL = 320

_KIB = 1024.0


def _status(name: str) -> float:
    """Return a line of what Linux says about this process, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / _KIB
    raise SystemExit(f"bench: no {name} in /proc/self/status")


def _peak(work: Callable[[], None], times: int) -> float:
    """Return the most that the process was while it did something so many times."""
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(times):
        work()
    return _status("VmHWM")


def _report(mode: str, root: Path, given: Mapping[str, Any]) -> dict[str, float]:
    several_small, several_large = given["portfolios"]
    with ExitStack() as stack:
        opened = _sync if mode == "sync" else _async
        small, large = (
            opened(stack, root / str(number), Library(**each))
            for number, each in enumerate(given["libraries"])
        )
        small()
        idle = _status("VmRSS")
        figures = {
            "peak of small": _peak(small, 1),
            "peak of many small": _peak(small, several_small),
            "peak of large": _peak(large, 1),
            "peak of many large": _peak(large, several_large),
        }
        return {"growth": figures["peak of large"] - idle, **figures}


def _sync(stack: ExitStack, root: Path, library: Library) -> Callable[[], None]:
    service = stack.enter_context(sync_service(root, library, thumbnail_px=THUMBNAIL, decode=False))

    def work() -> None:
        made = service.generate_portfolio(LENA)
        demand(len(made.images) == PORTFOLIO, f"{len(made.images)} images")
        service.delete_all_images(LENA)

    return work


def _async(stack: ExitStack, root: Path, library: Library) -> Callable[[], None]:
    runner = stack.enter_context(asyncio.Runner())
    service = stack.enter_context(
        async_service(root, library, runner, thumbnail_px=THUMBNAIL, decode=False)
    )

    async def both() -> None:
        made = await service.generate_portfolio(LENA)
        demand(len(made.images) == PORTFOLIO, f"{len(made.images)} images")
        await service.delete_all_images(LENA)

    return lambda: runner.run(both())


if __name__ == "__main__":
    print(json.dumps(_report(sys.argv[1], Path(sys.argv[2]), json.load(sys.stdin))))
