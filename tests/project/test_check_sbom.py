"""A bill of materials is judged by what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .tools import load_tool

TOOL = load_tool("check_sbom")
PACKAGES = {"attrs": "25.4.0", "typing-extensions": "4.15.0", "charimg": "0.1.0"}


def document(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "metadata": {"component": {"name": "charimg", "version": "0.1.0"}},
        "components": [
            {"name": "attrs", "version": "25.4.0"},
            {"name": "typing_extensions", "version": "4.15.0"},
        ],
    }
    return {**given, **changes}


def test_a_bill_that_names_what_is_there_is_right() -> None:
    assert TOOL.problems(document(), PACKAGES, "/somewhere/env") == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"bomFormat": "SPDX"}, "CycloneDX"),
        ({"metadata": {}}, "about None"),
        ({"components": [{"name": "attrs", "version": "25.4.0"}]}, "typing-extensions"),
        (
            {
                "components": [
                    {"name": "attrs", "version": "1"},
                    {"name": "typing_extensions", "version": "4.15.0"},
                ]
            },
            "attrs",
        ),
        ({"serialNumber": "file:///somewhere/env/x"}, "this machine"),
    ],
)
def test_another_bill_is_wrong(changes: dict[str, Any], word: str) -> None:
    (found,) = TOOL.problems(document(**changes), PACKAGES, "/somewhere/env")
    assert word in found


def test_an_empty_environment_proves_nothing() -> None:
    assert TOOL.problems(document(components=[]), {}, "/x") == ["the environment is empty"]


def test_what_is_installed_is_read_from_its_metadata(tmp_path: Path) -> None:
    folder = tmp_path / "lib/python3.11/site-packages/Typing_Extensions-4.dist-info"
    folder.mkdir(parents=True)
    text = "Metadata-Version: 2.4\nName: Typing_Extensions\nVersion: 4\n\nVersion: 5\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")
    assert TOOL.installed(tmp_path) == {"typing-extensions": "4"}
