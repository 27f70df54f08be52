"""Whether an object has what a protocol asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar, cast

from typing_extensions import TypeIs, get_protocol_members

__all__ = ["offers"]

_T = TypeVar("_T")
_members = cache(get_protocol_members)


def offers(value: object, protocol: Callable[..., _T]) -> TypeIs[_T]:
    """Tell whether a value has all that a protocol asks for, of its own or by ``__getattr__``.

    From Python 3.12 on ``isinstance`` overlooks what ``__getattr__`` gives, so a store within
    another object would lose what it can do.
    """
    # Type checkers take no protocol for a ``type[_T]``, but any class for what makes one.
    names = _members(cast("type", protocol))
    return not isinstance(value, type) and all(hasattr(value, each) for each in names)
