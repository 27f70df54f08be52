"""Demand full line and branch coverage of the package, and name what is missing.

Reads what ``make test`` measured, the data of worker and child processes included. ``cli/`` and
``web/`` need 95 %, each as a whole; every other module needs 100 %. No line of the package may
exclude itself, and pyproject.toml may exclude only what never runs.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/charimg"
AREAS = {f"{PACKAGE}/cli/": 95.0, f"{PACKAGE}/web/": 95.0}
"""Percent that an area needs as a whole. What lies in none of them needs everything."""
EXCLUDED = ("if TYPE_CHECKING:", "@overload", r"^\s*\.\.\.$")
"""The only lines that the settings may leave out: they never run."""
PRAGMA = re.compile(r"#\s*pragma\s*:?\s*no\s*(?:cover|branch)", re.IGNORECASE)


def run_coverage(root: Path, *arguments: str) -> None:
    """Run the coverage command in the checkout."""
    done = subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"coverage {arguments[0]} failed: {done.stdout}{done.stderr}".rstrip())


def read_report(root: Path) -> dict[str, Any]:
    """Combine what all processes left behind, and return coverage's JSON report."""
    if any(root.glob(".coverage.*")):
        keep = ("--append",) if (root / ".coverage").exists() else ()
        run_coverage(root, "combine", "--quiet", *keep)
    if not (root / ".coverage").exists():
        raise SystemExit("There is no coverage data. Run make test.")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "coverage.json"
        run_coverage(root, "json", "--quiet", "-o", str(path))
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def ranges(lines: list[int]) -> str:
    """Return line numbers with runs drawn together: ``3, 7-9``."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def missing(measured: Mapping[str, Any]) -> str:
    """Return what one file lacks, or an empty text."""
    told = []
    if measured["missing_lines"]:
        told.append(f"lines {ranges(measured['missing_lines'])}")
    if measured["missing_branches"]:
        # A negative target is the end of a function or of the module.
        branches = [
            f"{line}->{'exit' if target < 0 else target}"
            for line, target in measured["missing_branches"]
        ]
        told.append(f"branches {', '.join(branches)}")
    return "; ".join(told)


def judge(files: Mapping[str, Mapping[str, Any]], present: set[str]) -> list[str]:
    """Return what is wrong with a report.

    Args:
        files: coverage's report per file, by path from the checkout.
        present: The modules that the package consists of, by path from the checkout.
    """
    found = [f"{name}: was never measured" for name in sorted(present - set(files))]
    if not files:
        found.append("the report names no file at all")
    areas: dict[str, list[str]] = {area: [] for area in AREAS}
    for name in sorted(files):
        area = next((area for area in AREAS if name.startswith(area)), None)
        if area is not None:
            areas[area].append(name)
        elif lack := missing(files[name]):
            found.append(f"{name}: {lack}")
    for area, names in areas.items():
        sums = [files[name]["summary"] for name in names]
        total = sum(each["num_statements"] + each["num_branches"] for each in sums)
        covered = sum(each["covered_lines"] + each["covered_branches"] for each in sums)
        if total and 100 * covered / total < AREAS[area]:
            found.append(f"{area}: {100 * covered / total:.2f} %, needs {AREAS[area]:g} %")
            found += [f"  {name}: {missing(files[name])}" for name in names if missing(files[name])]
    return found


def judge_exclusions(root: Path) -> list[str]:
    """Return the exclusions that are not allowed, in the settings and in the package."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    coverage = settings.get("tool", {}).get("coverage", {})
    report, run = coverage.get("report", {}), coverage.get("run", {})
    found = []
    if extra := set(report.get("exclude_also", [])) - set(EXCLUDED):
        found.append(f"pyproject.toml excludes {', '.join(sorted(extra))}")
    for section, name in ((report, "exclude_lines"), (report, "partial_branches")):
        if name in section:
            found.append(f"pyproject.toml sets {name}")
    if any(name in section for section in (report, run) for name in ("omit", "include")):
        found.append("pyproject.toml leaves files out")
    if run.get("branch") is not True:
        found.append("pyproject.toml does not measure branches")
    for path in sorted((root / PACKAGE).rglob("*.py")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if PRAGMA.search(line):
                found.append(f"{path.relative_to(root).as_posix()}:{number}: excludes itself")
    return found


def modules(root: Path) -> set[str]:
    """Return the package's modules, by path from the checkout."""
    return {path.relative_to(root).as_posix() for path in (root / PACKAGE).rglob("*.py")}


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Print what is missing; 1 if anything is."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    report = read_report(root)
    files = {Path(name).as_posix(): measured for name, measured in report["files"].items()}
    found = judge_exclusions(root) + judge(files, modules(root))
    for problem in found:
        print(problem)
    print(f"coverage gate: {'not passed' if found else 'passed'}, {len(files)} modules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
