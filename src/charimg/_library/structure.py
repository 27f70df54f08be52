"""The one strict converter from decoded JSON to wire classes.

A wrong type is refused, with its path: cattrs alone would turn ``7`` into ``"7"``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.errors import ClassValidationError
from cattrs.gen import make_dict_structure_fn

__all__ = ["Related", "WireError", "structure"]

T = TypeVar("T")


class WireError(Exception):
    """A document does not have the shape that it should have.

    Attributes:
        path: The offending field, e.g. ``$.data.imageId``.
        problem: What is wrong with it, e.g. ``is missing``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


class Related:
    """Marks a document that the server may leave as its bare id (an unpopulated relationship)."""


def structure(document: object, cls: type[T]) -> T:
    """Turn decoded JSON into a wire class.

    Raises:
        WireError: A field is missing or has the wrong type; names its path.
    """
    try:
        return _converter.structure(document, cls)
    except (_Unfit, ClassValidationError) as error:
        path, problem = _locate(error)
        raise WireError("$" + path, problem) from error


class _Unfit(Exception):
    """A value that does not fit, with its path below the point where it was found."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


def _locate(error: BaseException) -> tuple[str, str]:
    """Return the path and problem of the first offending field."""
    if isinstance(error, _Unfit):
        return error.path, error.problem
    if isinstance(error, ClassValidationError):
        inner, note = error.group_exceptions()[0][0]
        path, problem = _locate(inner)
        return f".{note.name}{path}", problem
    return "", "is missing"  # the generated code leaves a KeyError for an absent required field


def _string(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise _Unfit("is not a string")
    # JavaScript cuts strings between surrogates; a half one could be neither stored nor logged.
    return value.encode("utf-8", "replace").decode() if not value.isascii() else value


def _boolean(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("is not a boolean")
    return value


def _integer(value: object, _: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unfit("is not an integer")
    return value


def _number(value: object, _: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _Unfit("is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Unfit("is not a finite number")
    return number


def _moment(value: object, _: object) -> datetime:
    try:
        moment = datetime.fromisoformat(cast(str, value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise _Unfit("is not a date and time") from error


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) is UnionType and NoneType in get_args(kind)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _optional(kind: Any) -> Callable[[object, object], object]:
    (inner,) = (each for each in get_args(kind) if each is not NoneType)
    related = isinstance(inner, type) and issubclass(inner, Related)

    def hook(value: object, _: object) -> object:
        if related and isinstance(value, str):
            return None
        return _converter.structure(value, inner)

    return hook


def _sequence(kind: Any) -> Callable[[object, object], object]:
    inner = get_args(kind)[0]

    def hook(value: object, _: object) -> object:
        if not isinstance(value, list):
            raise _Unfit("is not a list")
        items = []
        for index, each in enumerate(value):
            try:
                items.append(_converter.structure(each, inner))
            except (_Unfit, ClassValidationError) as error:
                path, problem = _locate(error)
                raise _Unfit(problem, f"[{index}]{path}") from error
        return tuple(items)

    return hook


def _document(cls: Any) -> Callable[[object, object], object]:
    fill = make_dict_structure_fn(cls, _converter)
    optional = {each.name for each in attrs.fields(cls) if each.default is not attrs.NOTHING}

    def hook(value: object, kind: object) -> object:
        if not isinstance(value, dict):
            raise _Unfit("is not an object")
        given = {
            name: each
            for name, each in value.items()
            if name not in optional or (each is not None and each != [])
        }
        return fill(given, cast(Any, kind))

    return hook


_converter = Converter(detailed_validation=True)
_converter.register_structure_hook(str, _string)
_converter.register_structure_hook(bool, _boolean)
_converter.register_structure_hook(int, _integer)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook(datetime, _moment)
_converter.register_structure_hook_factory(attrs.has, _document)
_converter.register_structure_hook_factory(_is_tuple, _sequence)
_converter.register_structure_hook_factory(_is_optional, _optional)
