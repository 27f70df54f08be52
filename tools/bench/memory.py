"""How much memory a portfolio takes: what the process grows by over what it is when idle.

Each figure comes from a process of its own, which makes one portfolio of small images first: so
everything that is loaded when it is first used is there. Linux tells the most that a process ever
was, and forgets it on demand.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import asdict

from .measure import Contest, Job, Missing, Row, demand, twins
from .pictures import PORTFOLIO, draw_photographs
from .server import serving

__all__ = ["CONTESTS"]

MEGABYTES = 10
"""Of one image."""
PORTFOLIOS = 100
"""Of small images, one after the other, each deleted before the next."""
LARGE_PORTFOLIOS = 3
"""Of large ones, likewise; of as many as of the small ones, the run would take minutes."""
SMALL_PX = 64
MOST_MIB = 25.0


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
        # At once: it is no time that is measured.
        modes = ("sync", "async")
        with ThreadPoolExecutor(2) as threads:
            told = threads.map(lambda mode: _figures(mode, root / mode, given), modes)
            found = dict(zip(modes, told, strict=True))
    jobs: dict[str, Job] = {"most": lambda: MOST_MIB}
    for mode, figures in found.items():
        for name, figure in figures.items():
            jobs[f"{mode} {name}"] = partial(float, figure)
    yield jobs


def _figures(mode: str, root: Path, given: Mapping[str, object]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory_process", mode, str(root)],
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
    work = f"memory: {large}, peak"
    yield twins(work, ours="async peak of large", other="sync peak of large", unit="MiB")


CONTESTS = (Contest(name="memory", rounds=2, prepare=_processes, rows=tuple(_rows())),)
