"""How much memory a portfolio takes: what the process grows by over what it is when idle.

Each figure comes from a process of its own, which makes one portfolio of small images first: so
everything that is loaded when it is first used is there. Linux tells the most that a process ever
was, and forgets it on demand.
"""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import asdict

from .measure import Contest, Goal, Job, Missing, Row, demand
from .pictures import PORTFOLIO, draw_photographs
from .server import Library, serving
from .services import LENA, async_service, sync_service

__all__ = ["CONTESTS"]

MEGABYTES = 10
"""Of one image."""
PORTFOLIOS = 100
"""Of small images, one after the other, each deleted before the next."""
LARGE_PORTFOLIOS = 4
"""Of large ones, likewise; of as many as of the small ones, the run would take minutes."""
SMALL_PX = 64
THUMBNAIL = 320
MOST_MIB = 25.0

_KIB = 1024.0


def _draw_small(folder: Path) -> list[Path]:
    from PIL import Image

    folder.mkdir()
    paths = []
    for number in range(PORTFOLIO):
        drawn = io.BytesIO()
        Image.new("RGB", (SMALL_PX, SMALL_PX), (number, 80, 160)).save(drawn, "JPEG")
        path = folder / f"{number:02}.jpg"
        path.write_bytes(drawn.getvalue())
        paths.append(path)
    return paths


def _draw_large(folder: Path) -> list[Path]:
    """Draw one, which takes long; memory does not care that all are the same."""
    (drawn,) = draw_photographs(folder, megabytes=MEGABYTES, count=1)
    paths = [folder / f"large-{number:02}.jpg" for number in range(PORTFOLIO)]
    for path in paths:
        path.hardlink_to(drawn)
    return paths


@contextmanager
def _processes() -> Iterator[Mapping[str, Job]]:
    if not Path("/proc/self/clear_refs").exists():
        raise Missing("Only Linux tells the most that a process ever was; run it there.")
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        large = stack.enter_context(serving(_draw_large(root / "large")))
        small = stack.enter_context(serving(_draw_small(root / "small")))
        given = {
            "libraries": [asdict(small), asdict(large)],
            "portfolios": [PORTFOLIOS, LARGE_PORTFOLIOS],
        }
        found = {mode: _figures(mode, root / mode, given) for mode in ("sync", "async")}
    jobs: dict[str, Job] = {"most": lambda: MOST_MIB}
    for mode, figures in found.items():
        for name, figure in figures.items():
            jobs[f"{mode} {name}"] = partial(float, figure)
    yield jobs


def _figures(mode: str, root: Path, given: Mapping[str, object]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory", mode, str(root)],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    demand(done.returncode == 0, f"the {mode} process failed")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _rows() -> Iterator[Row]:
    large = f"{PORTFOLIO} x {MEGABYTES} MB"
    for mode in ("sync", "async"):
        suffix = "" if mode == "sync" else ", async"
        yield Row(
            work=f"memory: {large}, growth{suffix}",
            ours=f"{mode} growth",
            other="most",
            against=f"{MOST_MIB:.0f} MiB",
            reach=1,
            unit="MiB",
        )
        yield Row(
            work=f"memory: {PORTFOLIO * LARGE_PORTFOLIOS} x {MEGABYTES} MB, peak{suffix}",
            ours=f"{mode} peak of many large",
            other=f"{mode} peak of large",
            against=f"{large}, peak",
            reach=1.1,
            unit="MiB",
        )
        yield Row(
            work=f"memory: {PORTFOLIO * PORTFOLIOS:,} small images, peak{suffix}",
            ours=f"{mode} peak of many small",
            other=f"{mode} peak of small",
            against=f"{PORTFOLIO} small images, peak",
            reach=1.1,
            unit="MiB",
        )
    yield Row(
        work=f"memory: {large}, peak, async",
        ours="async peak of large",
        other="sync peak of large",
        against="the sync service",
        reach=1.25,
        goal=Goal.WITHIN,
        unit="MiB",
    )


CONTESTS = (Contest(name="memory", rounds=2, prepare=_processes, rows=tuple(_rows())),)


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
