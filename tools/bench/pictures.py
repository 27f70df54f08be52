"""The images that are measured with: as large as the real ones, and as hard to decode."""

from __future__ import annotations

import io
import os
from pathlib import Path

__all__ = ["PORTFOLIO", "draw_photographs"]

PORTFOLIO = 27
_MEGABYTE = 1_000_000


def draw_photographs(folder: Path, *, megabytes: int = 2, count: int = PORTFOLIO) -> list[Path]:
    """Write JPEG files of this size, each different, and return their paths.

    Noise on a gradient: what a sensor makes of a plain wall. Its coefficients fill the file, as
    those of a detailed photograph do.
    """
    from PIL import Image, ImageChops

    side = {2: 2048, 10: 4096}[megabytes]
    folder.mkdir(parents=True, exist_ok=True)
    ramp = Image.linear_gradient("L").resize((side, side))
    base = Image.merge("RGB", (ramp, ramp.rotate(90), ramp.rotate(180)))
    paths = []
    for number in range(count):
        grain = Image.frombytes("RGB", (side // 2, side // 2), os.urandom(side * side // 4 * 3))
        grain = grain.resize((side, side), Image.Resampling.BICUBIC)
        drawn = ImageChops.add(base, grain, scale=2.0)
        path = folder / f"{number:02}.jpg"
        path.write_bytes(_as_large_as(drawn, megabytes * _MEGABYTE))
        paths.append(path)
    return paths


def _as_large_as(image: object, wanted: int) -> bytes:
    """Return the JPEG whose quality brings it nearest to a size, from below."""
    best = b""
    for quality in range(20, 100, 2):
        drawn = io.BytesIO()
        image.save(drawn, "JPEG", quality=quality)  # type: ignore[attr-defined]
        if drawn.tell() > wanted and best:
            break
        best = drawn.getvalue()
    return best
