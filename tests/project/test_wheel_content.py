"""What wheel and sdist must hold."""

from __future__ import annotations

import pytest

from .tools import ROOT, load_tool

content = load_tool("wheel_content")

MODULES = {"charimg/__init__.py", "charimg/py.typed", "charimg/cli/app.py"}
INFO = {
    f"charimg-1.2.dist-info/{name}"
    for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
}


def test_a_wheel_with_everything_passes() -> None:
    assert content.judge_wheel(MODULES | INFO, MODULES, "1.2") == []


@pytest.mark.parametrize("lost", sorted(MODULES | INFO))
def test_a_wheel_may_lack_nothing(lost: str) -> None:
    found = content.judge_wheel((MODULES | INFO) - {lost}, MODULES, "1.2")
    assert found == [f"the wheel lacks {lost}"]


@pytest.mark.parametrize("name", ["tests/conftest.py", "charimg/old.py", "tools/bench.py"])
def test_a_wheel_may_hold_nothing_else(name: str) -> None:
    found = content.judge_wheel(MODULES | INFO | {name}, MODULES, "1.2")
    assert found == [f"the wheel holds {name}"]


def test_a_source_archive_holds_the_package_and_what_builds_it() -> None:
    whole = {f"charimg-1.2/{name}" for name in content.SDIST} | {
        f"charimg-1.2/src/{name}" for name in MODULES
    }
    assert content.judge_sdist(whole, MODULES, "1.2") == []
    assert content.judge_sdist(whole - {"charimg-1.2/LICENSE"}, MODULES, "1.2") == [
        "the sdist lacks LICENSE"
    ]
    assert content.judge_sdist(whole | {"charimg-1.2/.coverage.1"}, MODULES, "1.2") == [
        "the sdist holds .coverage.1"
    ]


def test_the_files_of_the_package_include_the_marker_of_types() -> None:
    files = content.package_files(ROOT)
    assert {"charimg/py.typed", "charimg/__init__.py", "charimg/_sync/service.py"} <= files
    assert not [name for name in files if "__pycache__" in name]
