"""No file grows past what one reads at a sitting."""

from __future__ import annotations

import pytest

from .tools import ROOT

LIMITS = {"src": 450, "tests": 600}
LONGER = {}
"""Exceptions, none of which may grow."""


def lines() -> dict[str, int]:
    """Return how long each Python file is."""
    return {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for folder in LIMITS
        for path in (ROOT / folder).rglob("*.py")
    }


def test_no_file_is_too_long() -> None:
    long = {
        path: length
        for path, length in lines().items()
        if length > LONGER.get(path, LIMITS[path.partition("/")[0]])
    }
    assert long == {}


@pytest.mark.parametrize("path", sorted(LONGER))
def test_an_exception_that_is_none_any_more_is_struck(path: str) -> None:
    assert lines().get(path, 0) > LIMITS[path.partition("/")[0]]
