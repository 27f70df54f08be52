"""What wheel and sdist must hold, and which versions are the lowest."""

from __future__ import annotations

import tomllib

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


def test_lower_bounds_become_exact() -> None:
    assert content.pinned(["attrs>=24.2", "pytest-cov>=7"]) == ["attrs==24.2", "pytest-cov==7"]


@pytest.mark.parametrize("bound", ["attrs", "attrs==1", "attrs>=1,<2", "attrs~=1.0"])
def test_a_requirement_without_a_plain_lower_bound_is_refused(bound: str) -> None:
    with pytest.raises(ValueError, match="is not of the form"):
        content.pinned([bound])


def test_the_extras_that_an_extra_is_made_of_are_resolved() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {bound.partition(">=")[0] for bound in content.bounds_of(project, "local")}
    assert names == {"jinja2", "pillow", "rich", "typer", "uvicorn"}


def test_the_files_of_the_package_include_the_marker_of_types() -> None:
    files = content.package_files(ROOT)
    assert {"charimg/py.typed", "charimg/__init__.py", "charimg/_sync/service.py"} <= files
    assert not [name for name in files if "__pycache__" in name]
