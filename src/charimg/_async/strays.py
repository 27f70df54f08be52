"""Files that no record names: what the ledger knows of them, and which may go."""

from __future__ import annotations

from datetime import datetime, timedelta

from attrs import evolve, frozen

from .._ingest.naming import TRIAL, operation_of
from .._plain import logger
from ..errors import CharimgError, GenerationInProgress
from ..journal import ItemState, Operation, OperationKind, OperationState
from ..verification import Finding, FindingKind, FindingOutcome
from .leases import leased
from .parts import AsyncParts
from .repair import keys_of
from .rivals import operations_of
from .unrecorded import removes_all

__all__ = ["stray"]

_log = logger("charimg.verification")

_PAGE = 200
_SKEW = timedelta(minutes=5)
"""How far the clocks of two hosts may be apart."""
_REMOVING = (OperationKind.DELETE, OperationKind.REFERENCE, OperationKind.RETRY)
"""They remove images; while one is open, a file without a record may be going just now."""


@frozen(kw_only=True)
class _Fate:
    """What the ledger says of a key that no record names.

    Attributes:
        in_flight: Whether an operation that is not finished has it.
        drawn: Whether the operation that it is named after has it.
        stored: Whether an operation has stored it.
        removed_at: When an operation had removed it.
        records: Ids of the records that it may have.
    """

    in_flight: bool
    drawn: bool
    stored: bool
    removed_at: datetime | None
    records: frozenset[str]


async def stray(parts: AsyncParts, key: str, *, since: datetime, repair: bool) -> Finding | None:
    """Say what a file is that had no record when the records were read, and remove it if it may go.

    Args:
        parts: The service's.
        key: Of charimg's form.
        since: When the records were begun to be read: what was removed later is going just now.
        repair: Whether it may be removed.
    """
    image_key = key.removesuffix(TRIAL)
    op = await parts.ledger.get(operation_of(image_key))
    if op is not None and image_key != key:
        # Made and removed under the lease: what is left is of a repair that was broken off.
        found = _found(key, "A repair that was broken off left it.", op)
        return await _remove(parts, op, found) if repair else found
    if op is None:
        return _found(
            key,
            "No record and no operation of this ledger names it. Keep it: it may be paid for, and "
            "known to a newer copy of the database, or to another host.",
        )
    fate = await _fate(parts, op, key)
    if fate.in_flight or await _recorded(parts, key, fate):
        # It is being drawn or removed, or came in after the records were read.
        return None
    if fate.removed_at is not None and fate.removed_at > since - _SKEW and not repair:
        return None
    found = _found(key, _reason(fate), op)
    if not (repair and _may_go(fate)):
        return found
    return await _remove(parts, op, found)


async def _remove(parts: AsyncParts, op: Operation, found: Finding) -> Finding | None:
    """Remove a file under the lease, if it may still go then."""
    key = found.key or ""
    try:
        async with leased(parts, op.character_id):
            if not key.endswith(TRIAL):
                fate = await _fate(parts, op, key)
                if fate.in_flight or not _may_go(fate) or await _is_named(parts, op, key):
                    return None
            gone = await parts.media.delete(key)
    except GenerationInProgress as error:
        return evolve(found, message=f"{found.message} {error}")
    except CharimgError as error:
        return evolve(found, outcome=FindingOutcome.FAILED, message=f"{found.message} {error}")
    if not gone:
        return None
    _log.info("media.removed", extra={"key": key, "operation_id": op.id})
    return evolve(found, outcome=FindingOutcome.REMOVED)


def _found(key: str, message: str, op: Operation | None = None) -> Finding:
    return Finding(
        kind=FindingKind.UNKNOWN_FILE,
        outcome=FindingOutcome.TOLD,
        message=message,
        key=key,
        character_id=None if op is None else op.character_id,
        operation_id=None if op is None else op.id,
    )


def _may_go(fate: _Fate) -> bool:
    """Whether the ledger proves that charimg made the file, and that it is not to be there."""
    return fate.drawn and (fate.removed_at is not None or not fate.stored)


def _reason(fate: _Fate) -> str:
    if not fate.drawn:
        return "It is named after an operation that has no such image; charimg did not store it."
    if fate.removed_at is not None:
        return "Its image was removed, and the file was left or came back."
    if not fate.stored:
        return "The operation that it belongs to ended without it."
    return (
        "charimg stored it and never removed it, and its record is gone: something else deleted "
        "that. Bring the record back from a backup, or delete the file by hand."
    )


async def _fate(parts: AsyncParts, drawn_by: Operation, key: str) -> _Fate:
    """Go through the operations of the character since the one that drew the image."""
    since = [op for op in await operations_of(parts, drawn_by.character_id) if op.id >= drawn_by.id]
    own = [(op, item) for op in since for item in op.items if item.key == key]
    records = frozenset({key, *(item.image_id for _, item in own if item.image_id is not None)})
    in_flight = any(
        op.id == drawn_by.id
        or op.kind in _REMOVING
        or any(item.key == key for item in op.items)
        or any(each.media_key == key for each in op.doomed)
        for op in since
        if not op.finished
    )
    removals = [op for op in since if op.id != drawn_by.id and _removes(op, records)]
    return _Fate(
        in_flight=in_flight,
        drawn=any(op.id == drawn_by.id for op, _ in own),
        stored=any(item.state == ItemState.STORED for _, item in own),
        removed_at=max((op.updated_at for op in removals), default=None),
        records=records,
    )


def _removes(op: Operation, records: frozenset[str]) -> bool:
    if removes_all(op):
        return True
    done = op.kind == OperationKind.DELETE and op.state == OperationState.DONE
    return done and op.options.get("image_id") in records


async def _recorded(parts: AsyncParts, key: str, fate: _Fate) -> bool:
    """Whether one of the records that the key may have has it."""
    for image_id in fate.records:
        record = await parts.metadata.get(image_id)
        if record is not None and record.key == key:
            return True
    return False


async def _is_named(parts: AsyncParts, op: Operation, key: str) -> bool:
    """Whether any record of the character names the file; nobody else writes them now."""
    cursor: str | None = None
    while True:
        page = await parts.metadata.list(op.character_id, limit=_PAGE, cursor=cursor)
        if any(key in keys_of(image) for image in page.images):
            return True
        cursor = page.next_cursor
        if cursor is None:
            return False
