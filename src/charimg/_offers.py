"""Whether an object has what a protocol asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from typing_extensions import TypeIs, get_protocol_members

__all__ = ["offers"]

_T = TypeVar("_T")
_members = cache(get_protocol_members)
_STANDS_FOR = {"add_many": "add", "list_stored": "list", "urls_by": "locate"}
"""What only spares time, and the method of the port that it must do the same as."""


def offers(value: object, protocol: Callable[..., _T]) -> TypeIs[_T]:
    """Tell whether a value has all that a protocol asks for, of its own or by ``__getattr__``.

    From Python 3.12 on ``isinstance`` overlooks what ``__getattr__`` gives, so a store within
    another object would lose what it can do. What stands for a method that was changed since, in a
    subclass or around the store, is not offered: it would pass the change over.
    """
    # Type checkers take no protocol for a ``type[_T]``, but any class for what makes one.
    names = _members(cast("type", protocol))
    return not isinstance(value, type) and all(
        hasattr(value, each) and _is_up_to_date(value, each) for each in names
    )


def _is_up_to_date(value: Any, name: str) -> bool:
    if (other := _STANDS_FOR.get(name)) is None:
        return True
    inner = getattr(getattr(value, name), "__self__", value)
    if inner is not value and not _is_up_to_date(inner, name):
        return False
    return _depth(value, name) <= _depth(value, other)


def _depth(value: Any, name: str) -> int:
    """Return how far from the outside something is found: the value, its classes, what it wraps."""
    places = [getattr(value, "__dict__", {}), *map(vars, type(value).__mro__)]
    return next((depth for depth, place in enumerate(places) if name in place), len(places))
