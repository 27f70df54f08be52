"""Independent readers find nothing wrong with what cleaning leaves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..figures import Figure
from .dressed import KINDS, Dressed, dressed
from .test_cleaning import cleaned

pytest.importorskip("PIL")

SUFFIXES = {"JPEG": "jpg"}


def program(name: str, package: str) -> str:
    """Return where a program is, or skip the test."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def written(kind: str, folder: Path) -> dict[str, Dressed]:
    """Write cleaned files, one of each place and foreign thing, and those without anything."""
    named = {}
    for number, each in enumerate(dressed(kind)):
        if number % 3 and each.what != "page":
            continue
        name = f"{number}.{SUFFIXES.get(kind, kind.lower())}"
        named[name] = each
        (folder / name).write_bytes(cleaned(each.data))
        (folder / f"plain-{name}").write_bytes(each.plain)
        (folder / f"sent-{name}").write_bytes(each.data)
    return named


@pytest.mark.parametrize("kind", KINDS)
def test_exiftool_warns_of_nothing_new(kind: str, tmp_path: Path, figure: Figure) -> None:
    exiftool = program("exiftool", "libimage-exiftool-perl")
    named = written(kind, tmp_path)
    asked = [
        exiftool,
        "-json",
        "-validate",
        "-warning",
        "-error",
        "-a",
        "-ImageSize",
        str(tmp_path),
    ]
    told = subprocess.run(asked, capture_output=True, check=False)
    found: dict[str, dict[str, Any]] = {
        Path(each["SourceFile"]).name: each for each in json.loads(told.stdout)
    }
    for name, each in named.items():
        now, plain = found[name], found[f"plain-{name}"]
        assert now.get("Error") is None, each.name
        assert now["ImageSize"] == plain["ImageSize"], each.name
        assert warnings(now) <= warnings(plain) | warnings(found[f"sent-{name}"]), each.name
    figure(f"cleaned files that exiftool validates, {kind}", f"{len(named)} tried, none worse")


def warnings(found: dict[str, Any]) -> set[str]:
    told = found.get("Warning") or []
    return {told} if isinstance(told, str) else set(told)


@pytest.mark.parametrize("kind", KINDS)
def test_imagemagick_identifies_all(kind: str, tmp_path: Path, figure: Figure) -> None:
    identify = program("identify", "imagemagick")
    named = written(kind, tmp_path)
    known = _complaints(identify, [tmp_path / f"plain-{name}" for name in named])[1]
    seen, told = _complaints(identify, [tmp_path / name for name in named])
    assert seen == set(named)
    # It refuses the XMP of every WebP, those of Pillow included.
    assert told <= known
    figure(f"cleaned files that ImageMagick identifies, {kind}", f"{len(named)} tried, all well")


def _complaints(identify: str, paths: list[Path]) -> tuple[set[str], set[str]]:
    """Return the names of the files that are understood, and what is said against any."""
    asked = [identify, "-format", "%f\n", *map(str, paths)]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    complaints = {re.sub("`.*?'", "", line) for line in told.stderr.splitlines()}
    return set(told.stdout.split()), complaints
