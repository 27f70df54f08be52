"""The coverage gate lets nothing through: not a line, a branch, a module or an exclusion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .tools import ROOT, load_tool

gate = load_tool("coverage_gate")


def measured(
    statements: int = 10, missing: tuple[int, ...] = (), branches: tuple[tuple[int, int], ...] = ()
) -> dict[str, Any]:
    """Return one file of a report: so many statements and four branches, some of them missing."""
    return {
        "missing_lines": list(missing),
        "missing_branches": [list(branch) for branch in branches],
        "summary": {
            "num_statements": statements,
            "num_branches": 4,
            "covered_lines": statements - len(missing),
            "covered_branches": 4 - len(branches),
        },
    }


def judge(**files: dict[str, Any]) -> list[str]:
    """Judge a report of files named without their folder and suffix, ``cli__x`` for ``cli/x``."""
    report = {f"src/charimg/{name.replace('__', '/')}.py": each for name, each in files.items()}
    found: list[str] = gate.judge(report, set(report))
    return found


def test_full_coverage_passes() -> None:
    assert judge(models=measured(), cli__app=measured()) == []


def test_one_line_is_missed() -> None:
    assert judge(models=measured(missing=(3,))) == ["src/charimg/models.py: lines 3"]


def test_one_branch_is_missed() -> None:
    found = judge(models=measured(branches=((3, 5), (7, -1))))
    assert found == ["src/charimg/models.py: branches 3->5, 7->exit"]


def test_runs_of_lines_are_drawn_together() -> None:
    assert gate.ranges([9, 1, 2, 3, 7]) == "1-3, 7, 9"


@pytest.mark.parametrize(("missing", "passes"), [(5, True), (6, False)])
def test_the_command_needs_95_percent_as_a_whole(missing: int, passes: bool) -> None:
    lines = tuple(range(missing))
    found = judge(cli__a=measured(statements=46, missing=lines), cli__b=measured(statements=46))
    assert (found == []) is passes
    if not passes:
        assert found[0] == "src/charimg/cli/: 94.00 %, needs 95 %"
        assert found[1].endswith("cli/a.py: lines 0-5")


def test_a_module_that_was_never_measured_is_missed() -> None:
    found = gate.judge({"src/charimg/a.py": measured()}, {"src/charimg/a.py", "src/charimg/b.py"})
    assert found == ["src/charimg/b.py: was never measured"]


def test_an_empty_report_does_not_pass() -> None:
    assert gate.judge({}, set()) == ["the report names no file at all"]


def write_project(root: Path, settings: str = "", code: str = "x = 1\n") -> None:
    """Write a made-up checkout with one module."""
    (root / "src/charimg").mkdir(parents=True)
    (root / "src/charimg/__init__.py").write_text(code, encoding="utf-8")
    text = (
        '[tool.coverage.run]\nbranch = true\nsource = ["src"]\n'
        '[tool.coverage.report]\nexclude_also = ["@overload"]\n'
    )
    (root / "pyproject.toml").write_text(settings or text, encoding="utf-8")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("run.branch=true\nreport.exclude_also=['if debug:']", "pyproject.toml excludes if debug:"),
        ("run.branch=true\nreport.exclude_lines=['x']", "pyproject.toml sets exclude_lines"),
        ("run.branch=true\nreport.partial_branches=['x']", "pyproject.toml sets partial_branches"),
        ("run.branch=true\nrun.omit=['x']", "pyproject.toml leaves files out"),
        ("run.branch=true\nreport.include=['x']", "pyproject.toml leaves files out"),
        ("run.source=['src']", "pyproject.toml does not measure branches"),
    ],
)
def test_settings_that_hide_something_are_told(tmp_path: Path, settings: str, told: str) -> None:
    write_project(tmp_path, f"[tool.coverage]\n{settings}\n")
    assert gate.judge_exclusions(tmp_path) == [told]


# Put together here, so that a search for such excuses does not end in this file.
EXCUSE = "# pragma: " + "no cover"


@pytest.mark.parametrize("excuse", [EXCUSE, EXCUSE.upper(), "#pragma " + "no  branch"])
def test_a_line_that_excludes_itself_is_told(tmp_path: Path, excuse: str) -> None:
    write_project(tmp_path, code=f"x = 1\nif x:  {excuse}\n    x = 2\n")
    assert gate.judge_exclusions(tmp_path) == ["src/charimg/__init__.py:2: excludes itself"]


def test_the_settings_of_the_project_itself_hide_nothing() -> None:
    assert gate.judge_exclusions(ROOT) == []


def run_measured(root: Path, script: str) -> None:
    """Run a script under coverage in a made-up checkout, as one process of several."""
    (root / "script.py").write_text(script, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "coverage", "run", "--parallel-mode", "script.py"],
        cwd=root,
        check=True,
        env={"PYTHONPATH": "src"},
    )


BRANCHED = "def f(x):\n    if x:\n        return 1\n    return 2\n"


def test_what_several_processes_left_behind_is_judged_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COVERAGE_FILE", raising=False)
    write_project(tmp_path, code=BRANCHED)
    run_measured(tmp_path, "import charimg\ncharimg.f(0)\n")
    assert gate.main([], tmp_path) == 1
    out = capsys.readouterr().out
    assert "src/charimg/__init__.py: lines 3; branches 2->3" in out
    assert out.endswith("coverage gate: not passed, 1 modules\n")
    run_measured(tmp_path, "import charimg\ncharimg.f(1)\n")
    assert gate.main([], tmp_path) == 0
    assert capsys.readouterr().out == "coverage gate: passed, 1 modules\n"


def test_without_data_it_does_not_pass(tmp_path: Path) -> None:
    write_project(tmp_path)
    with pytest.raises(SystemExit, match="There is no coverage data"):
        gate.main([], tmp_path)


def test_data_that_cannot_be_read_does_not_pass(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / ".coverage").write_text("nonsense", encoding="utf-8")
    with pytest.raises(SystemExit, match="coverage json failed"):
        gate.main([], tmp_path)
