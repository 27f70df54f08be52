"""Demand that wheel and sdist, in a folder, hold what they should and nothing else."""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SDIST = ("LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "src/charimg/py.typed", "Makefile")


def judge_wheel(names: Iterable[str], modules: set[str], version: str) -> list[str]:
    """Return what a wheel lacks or has too much.

    Args:
        names: The files in it.
        modules: The files of the package in the checkout, from ``src``.
        version: The project's.
    """
    info = f"charimg-{version}.dist-info"
    wanted = modules | {
        f"{info}/{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }
    have = set(names)
    return [f"the wheel lacks {name}" for name in sorted(wanted - have)] + [
        f"the wheel holds {name}" for name in sorted(have - wanted)
    ]


def judge_sdist(names: Iterable[str], modules: set[str], version: str) -> list[str]:
    """Return what a source archive lacks; it may hold more, such as the tests."""
    top = f"charimg-{version}/"
    have = {name.removeprefix(top) for name in names}
    wanted = {*SDIST, *(f"src/{name}" for name in modules)}
    found = [f"the sdist lacks {name}" for name in sorted(wanted - have)]
    strange = [name for name in sorted(have) if re.search(r"__pycache__|\.venv|\.coverage", name)]
    return found + [f"the sdist holds {name}" for name in strange]


def package_files(root: Path) -> set[str]:
    """Return the files of the package, from ``src``."""
    source = root / "src"
    return {
        path.relative_to(source).as_posix()
        for path in (source / "charimg").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def main(argv: list[str], root: Path = ROOT) -> int:
    """Print what is wrong; 1 if anything is."""
    folder = Path(argv[0])
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    modules = package_files(root)
    with zipfile.ZipFile(wheel) as archive:
        found = judge_wheel(archive.namelist(), modules, project["version"])
    with tarfile.open(sdist) as source:
        files = [member.name for member in source.getmembers() if member.isfile()]
    found += judge_sdist(files, modules, project["version"])
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
