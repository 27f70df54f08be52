"""Leases that were taken for a caller who never gets them: interrupted, cancelled, or cut off."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from .._concurrency import asurely, surely
from ..errors import StorageError
from ..journal import Lease

__all__ = ["agive_back", "give_back"]


def give_back(taken: list[Lease], release: Callable[[Lease], None]) -> None:
    """Give up what was taken, or perhaps not: nobody knows of it, so it would stand for its life.

    Args:
        taken: The lease, if it came so far.
        release: Gives up a lease of exactly this character, token and owner.
    """
    for lease in taken:
        with suppress(StorageError):
            surely(partial(release, lease))


async def agive_back(taken: list[Lease], release: Callable[[Lease], Awaitable[None]]) -> None:
    """See `give_back`."""
    for lease in taken:
        with suppress(StorageError):
            await asurely(partial(release, lease))
