"""What is written by `to_json` is read without cattrs, and other classes by their own call."""

from __future__ import annotations

import attrs
import pytest

from charimg._json import json_name
from charimg._quick import Unusual, reader


@attrs.frozen(kw_only=True)
class Plain:
    name: str
    size: int | None = None


@attrs.frozen(kw_only=True)
class Converted:
    name: str = attrs.field(converter=str.upper)


@attrs.frozen(kw_only=True)
class Checked:
    name: str = attrs.field(validator=attrs.validators.min_len(1))


@attrs.define(kw_only=True)
class Finished:
    name: str

    def __attrs_post_init__(self) -> None:
        self.name += "!"


@attrs.frozen(kw_only=True, slots=False)
class Open:
    name: str


@attrs.frozen(kw_only=True)
class Holder:
    inner: set[str]


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Converted, Converted(name="abc")),
        (Checked, Checked(name="abc")),
        (Finished, Finished(name="abc")),
        (Open, Open(name="abc")),
    ],
)
def test_a_class_that_does_more_is_called(cls: type, expected: object) -> None:
    assert reader(cls, json_name)({"name": "abc"}) == expected


def test_no_check_is_passed_over() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words of attrs
        reader(Checked, json_name)({"name": ""})


def test_types_are_looked_at_however_often() -> None:
    read = reader(Plain, json_name)
    for size in (None, 7, None, 7):
        assert read({"name": "a", "size": size}) == Plain(name="a", size=size)
    for wrong in ("7", 7.0, True, "7"):
        with pytest.raises(Unusual):
            read({"name": "a", "size": wrong})


def test_what_holds_something_else_is_never_read_here() -> None:
    with pytest.raises(Unusual):
        reader(Holder, json_name)({"inner": {}})
