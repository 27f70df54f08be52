"""``make help`` names every target, and the switch of CI turns every skip into a failure."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .. import conftest
from .tools import ROOT

SKIPPING = """\
import pytest

def test_passes():
    pass

def test_skips():
    pytest.skip("no server")

@pytest.mark.skipif(True, reason="no server")
def test_is_marked():
    pass

@pytest.fixture
def server():
    pytest.skip("no server")

def test_needs(server):
    pass

@pytest.mark.parametrize("nothing", [])
def test_has_no_case(nothing):
    pass

@pytest.mark.xfail(reason="known")
def test_is_known_to_fail():
    assert False
"""


def targets() -> set[str]:
    """Return what the Makefile offers by name."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))


def test_help_names_every_target() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        # Not as a part of the make that may be running the tests.
        env={"PATH": os.environ["PATH"]},
    )
    assert set(re.findall(r"^make ([a-z-]+) +\S", done.stdout, re.MULTILINE)) == targets() - {
        "help"
    }


def test_no_target_is_mistaken_for_a_file() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == targets()


def run_suite(folder: Path, *options: str, **env: str) -> tuple[int, str]:
    """Run a suite with the project's conftest; return its exit code and what it printed."""
    tests = folder / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_it.py").write_text(SKIPPING, encoding="utf-8")
    for path in (ROOT / "tests").glob("*.py"):
        if not path.name.startswith("test_"):
            shutil.copy(path, tests)
    shutil.copytree(ROOT / "tests/servers", tests / "servers", dirs_exist_ok=True)
    quiet = ["-q", "--import-mode=importlib", "-p", "no:randomly", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, *options, "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], **env},
    )
    return done.returncode, done.stdout + done.stderr


def test_a_skip_is_only_a_skip_on_a_machine_of_ones_own(tmp_path: Path) -> None:
    code, out = run_suite(tmp_path)
    assert code == 0
    assert "1 passed, 4 skipped, 1 xfailed" in out


def test_a_skip_is_a_failure_where_everything_is_required(tmp_path: Path) -> None:
    code, out = run_suite(tmp_path, CHARIMG_REQUIRE_ALL="1")
    assert code == 1
    assert "no server" in out
    assert out.splitlines()[-1].startswith("1 failed, 1 passed, 1 xfailed, 3 errors in ")


def test_a_whole_module_that_skips_itself_is_a_failure_too(tmp_path: Path) -> None:
    text = 'import pytest\n\npytest.importorskip("surely_not_installed")\n'
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_all.py").write_text(text, encoding="utf-8")
    code, out = run_suite(tmp_path, CHARIMG_REQUIRE_ALL="1")
    assert code == 2
    assert "surely_not_installed" in out
    assert out.splitlines()[-1].startswith("1 error in ")


def test_ci_turns_the_switch_on() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.search(r"^export CHARIMG_REQUIRE_ALL=1$", script, re.MULTILINE)
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_figures_that_tests_note_are_printed(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    text = 'def test_it(figure):\n    figure("vectors, inward", "212 tried, 0 reached")\n'
    (tmp_path / "tests/test_figure.py").write_text(text, encoding="utf-8")
    code, out = run_suite(tmp_path)
    assert code == 0
    assert "\nvectors, inward: 212 tried, 0 reached\n" in out


def test_sums_over_many_tests_are_printed(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    text = (
        "import pytest\n"
        '@pytest.mark.parametrize("n", [3, 3, 36])\n'
        'def test_it(add_up, n):\n    add_up("points", n)\n'
    )
    (tmp_path / "tests/test_sum.py").write_text(text, encoding="utf-8")
    code, out = run_suite(tmp_path, "-n", "2")
    assert code == 0
    assert "\ntotal, points: 42\n" in out


def test_what_quick_leaves_out_is_there() -> None:
    """Or a file that was renamed would come in unnoticed."""
    missing = [path for path in conftest.NOT_QUICK if not (ROOT / "tests" / path).exists()]
    assert missing == []


def test_quick_takes_nothing_that_needs_a_framework_or_a_cluster() -> None:
    command = [sys.executable, "-m", "pytest", "--quick", "--collect-only", "-q", "-n", "0"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    ids = [line for line in told.stdout.splitlines() if "::" in line]
    assert len(ids) > 1000
    assert [
        each
        for each in ids
        if re.search(r"^tests/web/.*\[(django|flask)|test_dask|/browser/", each)
    ] == []
