"""The patterns of the cases can fail."""

from __future__ import annotations

from typing import Any

import pytest

from .matching import match

ID = "0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ({"a": 1}, {"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 1}, [1]),
        ({"...": True, "a": 1}, {"a": 1, "b": 2}, {"b": 2}),
        ([1, 2], [1, 2], [1]),
        ([1], [1], {"0": 1}),
        ({"$count": 2, "$each": "<id>"}, [ID, ID], [ID]),
        ({"$count": 1, "$each": "<id>"}, [ID], ["x"]),
        ({"$count": 1, "$each": "<id>"}, [ID], {"a": ID}),
        ({"$count": 2, "$first": 1, "$each": "<number>"}, [1, 2.5], [2, 1]),
        ("<id>", ID, ID.upper()),
        ("<uuid>", "550e8400-e29b-41d4-a716-446655440000", ID),
        ("<time>", "2026-11-23T12:01:55.839Z", "2026-11-23T12:01:55.839"),
        ("<url>", "/media/x.jpg", "media/x.jpg"),
        ("<url>", "http://x.test/y", ""),
        ("<string>", "x", ""),
        ("<string>", "x", None),
        ("<number>", 2.5, True),
        ("<list>", [0], []),
        ("<list>", [0], {"0": 0}),
        ("$name", "x", 1),
        ("exactly", "exactly", "other"),
        (None, None, ""),
        (1, 1, True),
        ("{known} x", "known x", "{known} x"),
    ],
)
def test_a_pattern_takes_what_fits_and_nothing_else(pattern: Any, fits: Any, does_not: Any) -> None:
    match(pattern, fits, {"known": "known"}, "here")
    with pytest.raises(AssertionError, match="here"):
        match(pattern, does_not, {"known": "known"}, "here")


def test_a_name_stands_for_one_value() -> None:
    known: dict[str, str] = {}
    match({"a": "$name", "b": ["$name"]}, {"a": "x", "b": ["x"]}, known, "here")
    assert known == {"name": "x"}
    with pytest.raises(AssertionError, match="not the same"):
        match("$name", "y", known, "here")
