# Generated from src/charimg/_async/rivals.py by tools/unasync.py. Do not edit.
"""Who may have drawn what lies on the Character Library, as far as the ledger knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from attrs import frozen

from .._library.claims import OFF, Claim
from .._library.filenames import last_part
from .._library.values import Job
from ..journal import Operation, OperationState
from .links import linked_to
from .operation import BY_DATE, DRAWN_BY, PERHAPS, SETTLED, UNFINISHED
from .parts import Parts

__all__ = [
    "LATE",
    "OPEN",
    "Rivals",
    "begun_on_server",
    "drawn_until",
    "given_up",
    "has_all_of",
    "may_draw_since",
    "off",
    "on_server",
    "operations_of",
    "rivals_of",
    "taken_by_others",
    "took_at_end",
]

_PAGE = 200
_TICK = timedelta(seconds=2)
"""By how much the server's clock may have been ahead of what was known of it."""
_GIVEN_UP = {SETTLED, "superseded"}
"""Options of operations that ended, though the server may draw for them all the same."""
LATE = timedelta(days=1)
"""How long after a request something may still come of it. A server that takes longer is not
known."""
OPEN = (OperationState.POSTING, OperationState.UNKNOWN)
"""What the server has drawn for such an operation, if anything, is not written down."""


@frozen(kw_only=True)
class Rivals:
    """What the operations have that draw for the same character, and what they may have.

    Attributes:
        others: All of them but the one that looks, whatever they draw.
        media: Media ids of their images.
        names: Names of their images' files.
        own: How what is the operation's own can be told.
        claims: The same of those of its kind that have nothing, its own among them.
        open: Ids of the operations with a claim that may have drawn since the operation began.
    """

    others: tuple[Operation, ...]
    media: frozenset[str]
    names: frozenset[str]
    own: Claim
    claims: tuple[Claim, ...]
    open: frozenset[str]


def rivals_of(parts: Parts, op: Operation) -> Rivals:
    """Return what the ledger knows of those that draw for the operation's character."""
    others = _others(parts, op, {op.library_db_id or ""})
    urls = (item.source_url for each in others for item in each.items)
    # The operation itself as it stands in the ledger: somebody may have settled it.
    current = parts.ledger.get(op.id) or op
    alike = [each for each in (current, *others) if each.kind == op.kind]
    rivals = [each for each in alike if _may_have_drawn(each)]
    return Rivals(
        others=others,
        media=_media(others),
        names=frozenset(filter(None, map(last_part, urls))),
        own=_claim(current, alike),
        claims=tuple(_claim(each, alike) for each in rivals),
        open=frozenset(
            each.id
            for each in rivals
            if each.state in OPEN or (given_up(each) and may_draw_since(each, op))
        ),
    )


def taken_by_others(
    parts: Parts, op: Operation, db_ids: Collection[str]
) -> tuple[frozenset[str], tuple[Operation, ...]]:
    """Return what is not the operation's: media ids, and the operations that may have some.

    Args:
        parts: The service's parts.
        op: The operation.
        db_ids: Characters of the Library; its own is always among them.
    """
    others = _others(parts, op, {*db_ids, op.library_db_id or ""})
    there = (each.removeprefix("image:") for each in op.baseline)
    return _media(others).union(there), others


def operations_of(parts: Parts, character_id: str) -> list[Operation]:
    """Return every operation of a character, newest first."""
    found: list[Operation] = []
    cursor: str | None = None
    while True:
        page = parts.ledger.list(character_id, limit=_PAGE, cursor=cursor)
        found += page.operations
        cursor = page.next_cursor
        if cursor is None:
            return found


def _others(parts: Parts, op: Operation, db_ids: Collection[str]) -> tuple[Operation, ...]:
    """Return every other operation of the ledger that draws, or drew, for one of the characters.

    Two local characters may be one on the Library, or have the same name there.
    """
    characters: set[str] = set()
    for db_id in db_ids:
        linked = linked_to(parts.directory, db_id)
        if linked is None:
            # At least those are known that have something open.
            unfinished = parts.ledger.unfinished()
            linked = {each.character_id for each in unfinished if each.library_db_id == db_id}
        characters |= linked
    found = operations_of(parts, op.character_id)
    for character_id in sorted(characters - {op.character_id}):
        operations = operations_of(parts, character_id)
        found += [each for each in operations if each.library_db_id in db_ids]
    return tuple(each for each in found if each.id != op.id)


def _media(operations: Iterable[Operation]) -> frozenset[str]:
    items = (item for each in operations for item in each.items)
    return frozenset(item.external_id for item in items if item.external_id)


def _known(op: Operation, alike: Iterable[Operation]) -> frozenset[str]:
    """Return what was there before an operation: all that it, or an earlier one, has seen."""
    earlier = (each.baseline for each in alike if _posted(each) < _posted(op))
    return frozenset(op.baseline).union(*earlier)


def _claim(op: Operation, alike: Iterable[Operation]) -> Claim:
    asked = {name: op.options.get(name) for name in ("scene_type", "mood")}
    return Claim(
        operation_id=op.id,
        begun=begun_on_server(op),
        ended=_ended(op),
        **{name: None if value is None else str(value) for name, value in asked.items()},
        known=_known(op, alike),
        denied=op.state == OperationState.FAILED,
    )


def _may_have_drawn(op: Operation) -> bool:
    """Tell whether something may be the operation's, although it has nothing.

    Also where a person has settled that there is nothing, or the server had said that it failed: it
    may come later. What the server refused never comes.
    """
    denied = op.state == OperationState.FAILED and (given_up(op) or PERHAPS in op.options)
    return op.job_id is None and (op.state in OPEN or (denied and not op.items))


def given_up(op: Operation) -> bool:
    """Tell whether it was said of an operation that nothing, or nothing more, is its."""
    return not _GIVEN_UP.isdisjoint(op.options)


def may_draw_since(other: Operation, op: Operation) -> bool:
    """Tell whether something may have come of one operation since another began."""
    return _posted(other) + LATE > _posted(op)


def _posted(op: Operation) -> datetime:
    return op.posted_at or op.created_at


def _ended(op: Operation) -> datetime | None:
    """Return by when the operation's image is there, if ever; ``None`` where nobody knows."""
    if op.posted_on_server is None or BY_DATE in op.options:
        return None
    if PERHAPS in op.options or op.state == OperationState.FAILED:
        # What was said to be nothing may come all the same.
        return op.posted_on_server + LATE
    return drawn_until(op)


def drawn_until(op: Operation) -> datetime | None:
    """Return when the server said that it had failed after drawing, by its own clock."""
    until = op.options.get(DRAWN_BY)
    return None if until is None else datetime.fromisoformat(str(until))


def off(op: Operation) -> timedelta:
    """Return by how much the operation's times by the server's clock may be wrong."""
    return OFF if BY_DATE in op.options else timedelta(0)


def begun_on_server(op: Operation) -> datetime | None:
    """Return the moment, by the server's clock, before which an operation drew nothing."""
    return None if op.posted_on_server is None else op.posted_on_server - off(op)


def on_server(op: Operation, moment: datetime) -> datetime | None:
    """Return what the server's clock said at a moment, as far as it was known."""
    if op.posted_on_server is None or op.posted_at is None:
        return None
    return op.posted_on_server + (moment - op.posted_at)


def has_all_of(op: Operation, job: Job) -> bool:
    """Tell whether an operation has all that a job has drawn, which has ended."""
    # A person may have chosen too few.
    return took_at_end(op, job) and not op.options.get(SETTLED)


def took_at_end(op: Operation, job: Job) -> bool:
    """Tell whether an operation has what a job had drawn when it had ended."""
    if op.job_id != job.job_id or not op.items or op.received_at is None:
        return False
    if op.options.get(UNFINISHED):
        return False
    received = on_server(op, op.received_at)
    ended = job.completed_at
    return received is not None and ended is not None and received + _TICK >= ended
