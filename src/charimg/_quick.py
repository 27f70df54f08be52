"""Reads a value in the form in which `to_json` writes it: every field is there, with its own type.

cattrs calls a function for each field; here a whole object is looked at in a few calls, which
makes half of the cost of a page. What has another form (a field is missing, an integer stands for a
number, a type is wrong) is left to cattrs, which reads it or says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from operator import contains, itemgetter
from types import MemberDescriptorType, NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import attrs

__all__ = ["Unusual", "reader"]

_MOST = 64
_PLAIN = (str, int, float, bool, NoneType)


class Unusual(Exception):
    """This is not how `to_json` writes it."""


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unusual from error
    if moment.tzinfo is not UTC:
        raise Unusual
    return moment


def _texts(items: list[Any]) -> tuple[str, ...]:
    if not all(type(item) is str for item in items):
        raise Unusual
    return tuple(items)


def _refuse(_: Any) -> Any:
    raise Unusual


@cache
def reader(cls: Any, rename: Callable[[str], str]) -> Callable[[Any], Any]:
    """Return what reads a value of a class from JSON, or raises `Unusual`.

    Args:
        cls: An attrs class; one whose fields are more than plain values, times, lists of texts,
            mappings and attrs classes is never read here.
        rename: Gives the name of a field in JSON.
    """
    if not attrs.has(cls):
        return _refuse
    fields, hints = attrs.fields(cls), get_type_hints(cls)
    allowed: list[frozenset[type]] = []
    inner: list[tuple[int, Callable[[Any], Any]]] = []
    for index, field in enumerate(fields):
        hint = hints[field.name]
        types: set[type] = set()
        for kind in get_args(hint) if isinstance(hint, UnionType) else (hint,):
            if kind in _PLAIN:
                types.add(kind)
            elif kind is datetime:
                types.add(str)
                inner.append((index, _moment))
            elif kind == tuple[str, ...]:
                types.add(list)
                inner.append((index, _texts))
            elif get_origin(kind) is Mapping:
                types.add(dict)
                inner.append((index, dict))
            else:
                types.add(dict)
                inner.append((index, reader(kind, rename)))
        allowed.append(frozenset(types))
    names = tuple(field.name for field in fields)
    found = itemgetter(*(rename(name) for name in names))
    # One alone comes as it is.
    pick = found if len(names) > 1 else lambda data: (found(data),)
    make = _maker(cls, names)
    # Most objects have values of the same types as one before.
    seen: set[tuple[type, ...]] = set()

    def read(data: Any) -> Any:
        try:
            values = list(pick(data))
        except (KeyError, TypeError) as error:
            raise Unusual from error
        types = tuple(map(type, values))
        if types not in seen:
            if not all(map(contains, allowed, types)):
                raise Unusual
            if len(seen) < _MOST:
                seen.add(types)
        for index, convert in inner:
            if values[index] is not None:
                values[index] = convert(values[index])
        return make(values)

    return read


def _maker(cls: Any, names: tuple[str, ...]) -> Callable[[list[Any]], Any]:
    """Return what makes a value of a class of all of its fields, in half of the time of a call.

    The call of a frozen class does no more than to fill its slots, one by one and by name, unless
    a field is checked or converted.
    """
    fields = attrs.fields(cls)
    slots = [vars(cls).get(name) for name in names]
    if hasattr(cls, "__attrs_post_init__") or not all(
        isinstance(slot, MemberDescriptorType) and not (field.validator or field.converter)
        for slot, field in zip(slots, fields, strict=True)
    ):
        return lambda values: cls(**dict(zip(names, values, strict=True)))
    fill = [slot.__set__ for slot in slots]

    def make(values: list[Any]) -> Any:
        made = cls.__new__(cls)
        for put, value in zip(fill, values, strict=True):
            put(made, value)
        return made

    return make
