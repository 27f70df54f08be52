# Generated from src/charimg/_async/leases.py by tools/unasync.py. Do not edit.
"""Leases: of a character, for all that works on it; of one of the Library's, for what is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from .._concurrency import sleep
from .._owner import abandon, forget, new_owner
from .._plain import logger
from .._surely import surely
from ..errors import GenerationInProgress, PreconditionError
from ..journal import Lease, Operation
from ..protocols import GenerationLedger
from .parts import Parts

__all__ = ["alone_with", "held", "leased"]

_log = logger("charimg.service")

_PAUSES = (0.05, 0.25)
"""Seconds after which a lease that could not be given up is given up again."""


@contextmanager
def leased(parts: Parts, character_id: str) -> Iterator[Lease]:
    """Work on a character under its lease; what is needed for it stays open for so long.

    Raises:
        ConfigurationError: The service or its client is closed, or belongs to another event loop.
    """
    parts.library.check()
    with parts.underway.working(character_id):
        ledger = parts.ledger
        with held(ledger, character_id, parts.lease_seconds, parts.underway.unreleased) as lease:
            yield lease


@contextmanager
def alone_with(parts: Parts, op: Operation) -> Iterator[None]:
    """Let nobody else give images of the same character of the Library to an operation.

    Two characters here may be one there, though no directory of charimg's takes such a pair.

    Raises:
        GenerationInProgress: Somebody gives images of it to an operation of another character.
    """
    key = f"library:{op.library_db_id}"
    with ExitStack() as stack:
        try:
            stack.enter_context(
                held(parts.ledger, key, parts.lease_seconds, parts.underway.unreleased)
            )
        except GenerationInProgress as error:
            raise GenerationInProgress(
                f"Operation {op.id} of character {op.character_id!r} waits: another character here "
                f"has the same library_db_id, {op.library_db_id}, and what was drawn for that one "
                "is looked for, or that was broken off. Try again when it has ended.",
                holder=error.holder,
                expires_in=error.expires_in,
            ) from error
        yield


def _nowhere(*_: object) -> None:
    """Take nothing over."""


@contextmanager
def held(
    ledger: GenerationLedger,
    character_id: str,
    ttl: float,
    unreleased: Callable[[GenerationLedger, Lease], object] = _nowhere,
) -> Iterator[Lease]:
    """Hold a character's lease; it is given up even when the caller is cancelled.

    Args:
        ledger: Whose lease.
        character_id: The character.
        ttl: Seconds.
        unreleased: Takes a lease over that could not be given up.
    """
    # Named now: the process may have forked since the service was made, and its parent may be gone.
    owner = new_owner()
    try:
        lease = ledger.acquire(character_id, owner=owner, ttl=ttl)
    except BaseException as error:
        if not isinstance(error, PreconditionError):
            # It may stand in the ledger all the same.
            abandon(owner)
        raise
    try:
        yield lease
    finally:
        # Nobody works under it any more, whether the ledger hears of it or not.
        abandon(owner)
        try:
            surely(lambda: give_up(ledger, lease))
        except Exception:  # noqa: BLE001
            # What was done under it stands, and must not seem to fail.
            _log.exception("lease.unreleased", extra={"character_id": character_id})
            unreleased(ledger, lease)
        else:
            forget(owner)


def give_up(ledger: GenerationLedger, lease: Lease) -> None:
    """Give the lease up; a moment's trouble must not lock its character.

    Raises:
        StorageError: The ledger failed each time.
    """
    for pause in _PAUSES:
        try:
            ledger.release(lease)
        except Exception:  # noqa: BLE001 - the last one is raised
            sleep(pause)
        else:
            return
    ledger.release(lease)
