"""Long listings of the async stores: many values per call, given one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Generic, Self, TypeVar

__all__ = ["Batches", "batch"]

T = TypeVar("T")

_MANY = 500


def batch(values: Iterator[T]) -> list[T]:
    """Return the next values, at most 500; none at the end."""
    return list(islice(values, _MANY))


class Batches(Generic[T]):
    """An iterator that may be left half read: unlike a generator, it needs no closing.

    Args:
        read: Returns the next values; none at the end.
    """

    def __init__(self, read: Callable[[], Awaitable[Sequence[T]]]) -> None:
        self._read = read
        self._values: Iterator[T] = iter(())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for value in self._values:
            return value
        self._values = iter(await self._read())
        for value in self._values:
            return value
        raise StopAsyncIteration
