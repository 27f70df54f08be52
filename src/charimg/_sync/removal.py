# Generated from src/charimg/_async/removal.py by tools/unasync.py. Do not edit.
"""Removing images: tombstones first, then records, then media, then the tombstones go."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve

from .._ingest.naming import operation_of
from ..errors import CharacterLibraryError, ErrorCode
from ..journal import Doomed, ItemState, OperationKind, OperationState, RemoteDelete
from ..models import PROVIDER, CharacterImage, ReferencePolicy
from .operation import Run

__all__ = [
    "delete_remote_reference",
    "doom",
    "remove_all",
    "remove_replaced",
    "supersede",
    "sweep",
]

_PAGE = 500


def doom(image: CharacterImage) -> Doomed:
    """Return the tombstone of an image."""
    if image.media is not None:
        return Doomed(image_id=image.id, media_key=image.media.key)
    # A retry that was interrupted may have stored the file, and not yet changed the record.
    return Doomed(image_id=image.id, media_key=image.key if image.provider == PROVIDER else None)


def sweep(run: Run) -> None:
    """Remove what the operation has doomed: every record, then all media, then the tombstones."""
    _disown(run)
    removed = 0
    for doomed in run.op.doomed:
        removed += run.parts.metadata.delete(doomed.image_id)
    for doomed in run.op.doomed:
        if doomed.media_key is not None:
            run.parts.media.delete(doomed.media_key)
    run.write(doomed=(), removed=run.op.removed + removed)


def _disown(run: Run) -> None:
    """See to it that no unfinished operation brings back what is about to be removed."""
    doomed = {each.media_key: each.image_id for each in run.op.doomed}
    for op in run.parts.ledger.unfinished(run.op.character_id):
        items = tuple(
            evolve(item, state=ItemState.STORED, image_id=doomed[item.key])
            if item.state == ItemState.PENDING and item.key in doomed
            else item
            for item in op.items
        )
        if op.id != run.op.id and items != op.items:
            run.parts.ledger.write(evolve(op, items=items), lease=run.lease)


def remove_all(run: Run, *, keep: str | None = None, until: datetime | None = None) -> None:
    """Remove the local images of the operation's character.

    Args:
        run: The operation.
        keep: The id of an image that stays.
        until: Newer images stay, too.
    """
    cursor: str | None = None
    while True:
        page = run.parts.metadata.list(run.op.character_id, limit=_PAGE, cursor=cursor)
        doomed = tuple(
            doom(image)
            for image in page.images
            if image.id != keep and (until is None or image.created_at <= until)
        )
        if doomed:
            run.keep()
            run.write(doomed=doomed)
            sweep(run)
        cursor = page.next_cursor
        if cursor is None:
            return


def remove_replaced(run: Run) -> None:
    """Remove what a reference replaces under ``DELETE_AFTER_SUCCESS``, now that it is stored.

    That may be long after it was drawn: by a retry of its download, or by recovery. Images that
    came after the operation that drew it stay.
    """
    for item in run.op.items:
        if item.state == ItemState.STORED:
            drawn_by = run.parts.ledger.get(operation_of(item.key))
            policy = None if drawn_by is None else drawn_by.options.get("policy")
            if drawn_by is not None and policy == ReferencePolicy.DELETE_AFTER_SUCCESS:
                remove_all(run, keep=item.image_id, until=drawn_by.created_at)


def delete_remote_reference(run: Run) -> bool:
    """Send one remote DELETE of the master reference; a failure becomes a warning.

    It is journaled before it is sent, and never sent again.
    """
    if run.op.library_db_id is None:
        run.warn(
            ErrorCode.NOT_LINKED, "The character is not linked, so no remote reference was deleted."
        )
        return False
    run.write(remote_delete=RemoteDelete.INTENDED)
    try:
        run.parts.library.delete_reference_image(run.op.library_db_id)
    except CharacterLibraryError as error:
        run.write(remote_delete=RemoteDelete.FAILED)
        run.warn(error.code, f"The remote reference was not deleted: {error}")
        return False
    run.write(remote_delete=RemoteDelete.DONE)
    return True


def supersede(run: Run, *, everything: bool) -> None:
    """Close earlier operations of the character that can no longer come to anything.

    Args:
        run: The operation that takes their place.
        everything: Whether all of the character's images go. Otherwise only reference generations
            of unknown outcome are closed: once the remote master is replaced, nobody can tell any
            more what they produced.
    """
    for op in run.parts.ledger.unfinished(run.op.character_id):
        unknown = op.kind == OperationKind.REFERENCE and op.state == OperationState.UNKNOWN
        if op.id == run.op.id or not (everything or unknown):
            continue
        for item in op.items:
            if item.state == ItemState.PENDING:
                run.parts.media.delete(item.key)
        closed = evolve(
            op, state=OperationState.FAILED, error=f"Superseded by operation {run.op.id}."
        )
        run.parts.ledger.write(closed, lease=run.lease)
