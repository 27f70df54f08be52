"""The JSON form of charimg's own values: camelCase keys, ISO 8601 times, wrong types refused.

One private cattrs converter for records, sidecar files, the command line and the routes. Unknown
fields are ignored and unknown enum values kept, so that an older charimg reads what a newer one
wrote; a wrong type is an error naming the path, because cattrs alone would turn ``7`` into ``"7"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import GenericAlias
from typing import Any, TypeVar, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from ._quick import Unusual, reader
from .errors import StorageError

__all__ = ["from_json", "to_json"]

T = TypeVar("T")

_NAMES_OF_TYPES = {str: "a string", int: "an integer", float: "a number", bool: "true or false"}


class _WrongType(ValueError):
    """A JSON value has another type than its field."""


def json_name(name: str) -> str:
    # The metadata record calls the host's id of the character so; every other value follows.
    if name == "character_id":
        return "characterReference"
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _strict(value: Any, cls: type[T]) -> T:
    """Accept exactly the type; an integer also stands for a number, as JSON does not tell."""
    if cls is float and type(value) is int:
        value = float(value)
    if type(value) is not cls:
        raise _WrongType(f"must be {_NAMES_OF_TYPES[cls]}, not {type(value).__name__}")
    return value


def _time_to_json(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time_from_json(value: Any, _: object) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _WrongType("must be an ISO 8601 date and time") from error
    if parsed.tzinfo is None:
        raise _WrongType("must be an ISO 8601 date and time with a time zone")
    return parsed.astimezone(UTC)


def _mapping_from_json(value: Any, _: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _WrongType(f"must be an object, not {type(value).__name__}")
    return dict(value)


def _is_mapping(cls: Any) -> bool:
    return get_origin(cls) is Mapping


def _is_tuple(cls: Any) -> bool:
    return get_origin(cls) is tuple


def _converter() -> Converter:
    converter = Converter(detailed_validation=True, unstruct_collection_overrides={tuple: list})
    for cls in (str, int, float, bool):
        converter.register_structure_hook(cls, _strict)
    # An open enum stands in a field of type str: written as the plain string that it is. Not by
    # `str` alone, which would turn a None that got there into "None".
    converter.register_unstructure_hook(str, str.__str__)
    converter.register_structure_hook(datetime, _time_from_json)
    converter.register_unstructure_hook(datetime, _time_to_json)
    converter.register_structure_hook_func(_is_mapping, _mapping_from_json)

    def overrides(cls: type[attrs.AttrsInstance]) -> dict[str, Any]:
        return {each.name: override(rename=json_name(each.name)) for each in attrs.fields(cls)}

    def structure(cls: Any) -> Any:
        build = make_dict_structure_fn(cls, converter, **overrides(cls))

        def read(value: Any, target: Any) -> Any:
            if not isinstance(value, Mapping):
                raise _WrongType(f"must be an object, not {type(value).__name__}")
            return build(value, target)

        return read

    def sequence(cls: Any) -> Any:
        items: Any = GenericAlias(list, get_args(cls)[:1])
        build = converter.get_structure_hook(items)

        def read(value: Any, _: object) -> tuple[Any, ...]:
            # A string has items, too.
            if not isinstance(value, list | tuple):
                raise _WrongType(f"must be a list, not {type(value).__name__}")
            return tuple(build(value, items))

        return read

    converter.register_structure_hook_factory(_is_tuple, sequence)
    converter.register_structure_hook_factory(attrs.has, structure)
    converter.register_unstructure_hook_factory(
        attrs.has, lambda cls: make_dict_unstructure_fn(cls, converter, **overrides(cls))
    )
    return converter


_CONVERTER = _converter()


def to_json(value: Any) -> Any:
    """Return the JSON form of a value of charimg's: an image, a page, a result, an event.

    Plain dicts with camelCase keys, lists, strings, numbers, ``None``, ready for ``json.dumps`` or
    a web framework's own JSON answer.

    Raises:
        TypeError: A field that holds a string holds something else.
    """
    return _CONVERTER.unstructure(value)


def from_json(expected: type[T], data: object, *, what: str) -> T:
    """Return the value that `to_json` wrote.

    Args:
        expected: The class of the value, `CharacterImage` for example.
        data: Parsed JSON.
        what: What is being read, for the message, e.g. ``the record 'abc'``.

    Raises:
        StorageError: A field is missing or has a wrong type; the message names its path.
    """
    kind: Any = expected
    try:
        read: T = reader(kind, json_name)(data)
    except Unusual:
        return _structured(expected, data, what)
    return read


def _structured(expected: type[T], data: object, what: str) -> T:
    try:
        return _CONVERTER.structure(data, expected)
    except (ClassValidationError, IterableValidationError, _WrongType) as error:
        path, reason = _first(error)
        raise StorageError(
            f"Cannot read {what}: ${path} {reason}. It was damaged or written by something else."
        ) from error


def _first(error: BaseException, path: str = "") -> tuple[str, str]:
    """Return the path and the reason of the first complaint in cattrs' tree of errors."""
    if not isinstance(error, (ClassValidationError, IterableValidationError)):
        return path, str(error)
    inner, note = error.group_exceptions()[0][0]
    if isinstance(inner, KeyError):
        return f"{path}.{inner.args[0]}", "is missing"
    if isinstance(note, IterableValidationNote):
        return _first(inner, f"{path}[{note.index}]")
    return _first(inner, f"{path}.{json_name(note.name)}")
