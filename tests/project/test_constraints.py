"""Versions: constraints.txt fixes those of development, pyproject.toml has lower bounds alone."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from .tools import ROOT, load_package

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"dev", "docs", "fuzz", "supply", "test"}
LINES = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NAMED = sorted(
    {
        *PROJECT["dependencies"],
        *(each for bounds in EXTRAS.values() for each in bounds if not each.startswith("charimg[")),
    }
)


def on(python: str) -> dict[str, str]:
    """Return the environment that markers ask for: CPython on Linux."""
    return {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "python_full_version": f"{python}.8",
        "python_version": python,
        "sys_platform": "linux",
    }


def test_the_file_names_packages_and_versions_and_no_host() -> None:
    for line in LINES:
        assert re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+( ; [^/:@]+)?", line), line


def test_the_file_is_sorted() -> None:
    names = [Requirement(line).name for line in LINES]
    assert names == sorted(names)


@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_has_one_version_on_every_python(python: str) -> None:
    fixed = [
        each.name
        for each in map(Requirement, LINES)
        if each.marker is None or each.marker.evaluate(on(python))
    ]
    assert len(fixed) == len(set(fixed))
    wanted = {
        each.name
        for each in map(Requirement, NAMED)
        if each.marker is None or each.marker.evaluate(on(python))
    }
    assert wanted - set(fixed) == set()


@pytest.mark.parametrize("bound", NAMED)
def test_the_project_states_a_lower_bound_and_nothing_else(bound: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+(\[[a-z]+\])?>=[0-9.]+(; .+)?", bound)


def test_every_make_target_installs_what_the_file_says() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [install] = re.findall(r"^INSTALL := (install .*)$", makefile, re.MULTILINE)
    assert install.endswith("--constraint constraints.txt")
    recipes = re.findall(r"^\t@.*(?:pip|\$\(PIP\)).*$", makefile, re.MULTILINE)
    assert len(recipes) > 7
    for line in recipes:
        assert re.search(r"@\$\(PIP\) |-m pip \$\(INSTALL\) |uv pip compile ", line), line
    stamps = re.findall(r"^\$\(VENV\)/\.\w+: (.*)$", makefile, re.MULTILINE)
    assert len(stamps) > 6
    assert all("constraints.txt" in each.split() for each in stamps)


@pytest.mark.parametrize("tool", ["check_wheel.py", "supply.sh"])
def test_what_users_get_is_tried_without_the_file(tool: str) -> None:
    text = (ROOT / "tools" / tool).read_text(encoding="utf-8")
    assert not re.search(r"--constraint|-c constraints", text)


def test_every_extra_of_users_is_tried_with_the_wheel() -> None:
    brings = {name for name, bounds in EXTRAS.items() if bounds}
    assert set(load_package("extra_smoke").SMOKES) == brings - FOR_DEVELOPERS
