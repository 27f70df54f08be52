"""What images that are small as files and large when decoded cost the host's own process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charimg import DownloadLimits

from ..figures import Figure

pytest.importorskip("PIL")

from ..decoding import bombs
from .measured import SHOTS

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the highest memory"),
]

ROOT = Path(__file__).parents[2]
MIB = 1024 * 1024
MEANT: dict[str, tuple[Callable[[], bytes], bool]] = {
    "a WebP of one colour, 40 megapixels": (bombs.colour, True),
    "a JPEG of 451 scans, 40 megapixels": (bombs.scans, False),
    "a PNG with 40 EXIF entries over one place": (lambda: bombs.exif(12 * MIB), True),
}
"""Each with whether it comes in."""


@pytest.mark.parametrize("name", MEANT)
@pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.long)])
def test_what_an_image_decodes_to_is_nothing_to_the_host(
    name: str, mode: str, tmp_path: Path, figure: Figure
) -> None:
    make, fine = MEANT[name]
    path = tmp_path / "bomb"
    path.write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.measured", mode, path, tmp_path / "media"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    allowed = DownloadLimits().max_bytes + 16 * MIB
    grown = []
    for when, count in (("one", 1), ("set", SHOTS), ("again", SHOTS)):
        found = told[when]
        counts = (found["stored"], found["drawn"], found["refused"])
        assert counts == ((count, count, 0) if fine else (0, 0, count)), (when, told)
        grown.append((found["peak"] - told["idle"]) * 1024)
        assert grown[-1] < allowed, when
    assert told["interrupted"]
    assert ("more than 100 scans" in told.get("error", "")) is not fine
    one, many, again = (f"{each / MIB:.1f}" for each in grown)
    figure(
        f"{name}, {mode}",
        f"the host's memory grows by {one} MiB for one, {many} for {SHOTS}, {again} for as many "
        f"in recovery (allowed: {allowed / MIB:.0f})",
    )
