"""Leases that somebody else has, and those taken for a caller who never gets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from .._surely import asurely, surely
from ..errors import GenerationInProgress, StorageError
from ..journal import Lease

__all__ = ["agive_back", "give_back", "taken_by"]


def taken_by(holder: str, character_id: str, left: float) -> GenerationInProgress:
    """Return the error of a lease that somebody has; whether they still work, no ledger knows.

    Args:
        holder: Who has it.
        character_id: The character.
        left: For how many seconds, unless it is renewed.
    """
    return GenerationInProgress(
        f"Another operation on character {character_id!r} is running, or was broken off. Try again "
        f"when it has ended; if it was broken off, in {left:.0f} s.",
        holder=holder,
        expires_in=left,
    )


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
