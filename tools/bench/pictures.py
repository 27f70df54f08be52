"""The images that are measured with: as large as the real ones, and as hard to decode."""

from __future__ import annotations

import atexit
import io
import os
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

__all__ = ["PORTFOLIO", "draw_photographs"]

PORTFOLIO = 27
_SIDES = {0.2: 640, 2: 2048, 10: 4096}
"""Of a square image, by its megabytes."""
_MEGABYTE = 1_000_000


def draw_photographs(folder: Path, *, megabytes: float = 2, count: int = PORTFOLIO) -> list[Path]:
    """Put JPEG files of this size into a folder, each different, and return their paths.

    Noise on a gradient: what a sensor makes of a plain wall. Its coefficients fill the file, as
    those of a detailed photograph do. They are drawn once in a run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = _drawn(megabytes, count)
    return [Path(shutil.copy(path, folder)) for path in drawn]


@cache
def _drawn(megabytes: float, count: int) -> list[Path]:
    folder = Path(mkdtemp(prefix="charimg-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    side = _SIDES[megabytes]
    # Noise is noise: what suits the first suits all.
    quality = _quality(_picture(side), int(megabytes * _MEGABYTE))
    paths = []
    for number in range(count):
        path = folder / f"{number:02}.jpg"
        _picture(side).save(path, "JPEG", quality=quality)
        paths.append(path)
    return paths


def _picture(side: int) -> Any:
    from PIL import Image, ImageChops

    ramp = Image.linear_gradient("L").resize((side, side))
    base = Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
    grain = Image.frombytes("RGB", (side // 2, side // 2), os.urandom(side * side // 4 * 3))
    grain = grain.resize((side, side), Image.Resampling.BICUBIC)
    return ImageChops.add(base, grain, scale=2.0)


def _quality(image: Any, wanted: int) -> int:
    """Return the quality that brings a JPEG nearest to a size, from below."""
    low, high = 20, 100
    while high - low > 1:
        middle = (low + high) // 2
        drawn = io.BytesIO()
        image.save(drawn, "JPEG", quality=middle)
        # The others are a little larger or smaller.
        low, high = (middle, high) if drawn.tell() <= wanted * 0.995 else (low, middle)
    return low
