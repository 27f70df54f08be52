"""Demand that wheel and sdist hold what they should and nothing else; write the lower bounds.

Reads the archives in a folder, and leaves ``lowest.txt`` (the core dependencies, each exactly at
its lower bound) and ``lowest-local.txt`` (those of the extra ``local`` as well) there for pip.
"""

from __future__ import annotations

import re
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SDIST = ("LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "src/charimg/py.typed", "Makefile")


def pinned(bounds: Iterable[str]) -> list[str]:
    """Return requirements with every ``>=`` made exact.

    Raises:
        ValueError: One states no lower bound, or more than that.
    """
    found = []
    for bound in bounds:
        parts = re.fullmatch(r"([a-z0-9-]+)>=([0-9.]+)", bound)
        if parts is None:
            raise ValueError(f"{bound} is not of the form name>=version")
        found.append(f"{parts[1]}=={parts[2]}")
    return found


def bounds_of(project: dict[str, Any], extra: str) -> list[str]:
    """Return what an extra requires, extras that it is made of resolved."""
    found: list[str] = []
    for each in project["optional-dependencies"][extra]:
        inner = re.fullmatch(rf"{project['name']}\[(.*)\]", each)
        if inner is None:
            found.append(each)
        else:
            for name in inner[1].split(","):
                found += bounds_of(project, name.strip())
    return found


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
    core = pinned(project["dependencies"])
    local = core + pinned(bounds_of(project, "local"))
    (folder / "lowest.txt").write_text("\n".join(core), encoding="utf-8")
    (folder / "lowest-local.txt").write_text("\n".join(local), encoding="utf-8")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
