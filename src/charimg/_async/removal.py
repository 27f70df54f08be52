"""Removing images: tombstones first, then records, then media, then the tombstones go."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve

from .._ingest.naming import operation_of
from ..errors import CharacterLibraryError, ErrorCode
from ..journal import Doomed, ItemState, OperationKind, OperationState, RemoteDelete
from ..models import PROVIDER, CharacterImage, ReferencePolicy
from .operation import AsyncRun

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


async def sweep(run: AsyncRun) -> None:
    """Remove what the operation has doomed: every record, then all media, then the tombstones."""
    await _disown(run)
    removed = 0
    for doomed in run.op.doomed:
        removed += await run.parts.metadata.delete(doomed.image_id)
    for doomed in run.op.doomed:
        if doomed.media_key is not None:
            await run.parts.media.delete(doomed.media_key)
    await run.write(doomed=(), removed=run.op.removed + removed)


async def _disown(run: AsyncRun) -> None:
    """See to it that no unfinished operation brings back what is about to be removed."""
    doomed = {each.media_key: each.image_id for each in run.op.doomed}
    for op in await run.parts.ledger.unfinished(run.op.character_id):
        items = tuple(
            evolve(item, state=ItemState.STORED, image_id=doomed[item.key])
            if item.state == ItemState.PENDING and item.key in doomed
            else item
            for item in op.items
        )
        if op.id != run.op.id and items != op.items:
            await run.parts.ledger.write(evolve(op, items=items), lease=run.lease)


async def remove_all(
    run: AsyncRun, *, keep: str | None = None, until: datetime | None = None
) -> None:
    """Remove the local images of the operation's character.

    Args:
        run: The operation.
        keep: The id of an image that stays.
        until: Newer images stay, too.
    """
    cursor: str | None = None
    while True:
        page = await run.parts.metadata.list(run.op.character_id, limit=_PAGE, cursor=cursor)
        doomed = tuple(
            doom(image)
            for image in page.images
            if image.id != keep and (until is None or image.created_at <= until)
        )
        if doomed:
            await run.keep()
            await run.write(doomed=doomed)
            await sweep(run)
        cursor = page.next_cursor
        if cursor is None:
            return


async def remove_replaced(run: AsyncRun) -> None:
    """Remove what a reference replaces under ``DELETE_AFTER_SUCCESS``, now that it is stored.

    That may be long after it was drawn: by a retry of its download, or by recovery. Images that
    came after the operation that drew it stay.
    """
    for item in run.op.items:
        if item.state == ItemState.STORED:
            drawn_by = await run.parts.ledger.get(operation_of(item.key))
            policy = None if drawn_by is None else drawn_by.options.get("policy")
            if drawn_by is not None and policy == ReferencePolicy.DELETE_AFTER_SUCCESS:
                await remove_all(run, keep=item.image_id, until=drawn_by.created_at)


async def delete_remote_reference(run: AsyncRun) -> bool:
    """Send one remote DELETE of the master reference; a failure becomes a warning.

    It is journaled before it is sent, and never sent again.
    """
    if run.op.library_db_id is None:
        run.warn(
            ErrorCode.NOT_LINKED, "The character is not linked, so no remote reference was deleted."
        )
        return False
    await run.write(remote_delete=RemoteDelete.INTENDED)
    try:
        await run.parts.library.delete_reference_image(run.op.library_db_id)
    except CharacterLibraryError as error:
        await run.write(remote_delete=RemoteDelete.FAILED)
        run.warn(error.code, f"The remote reference was not deleted: {error}")
        return False
    await run.write(remote_delete=RemoteDelete.DONE)
    return True


async def supersede(run: AsyncRun, *, everything: bool) -> None:
    """Close earlier operations of the character that can no longer come to anything.

    Args:
        run: The operation that takes their place.
        everything: Whether all of the character's images go. Otherwise only reference generations
            of unknown outcome are closed: once the remote master is replaced, nobody can tell any
            more what they produced.
    """
    for op in await run.parts.ledger.unfinished(run.op.character_id):
        unknown = op.kind == OperationKind.REFERENCE and op.state == OperationState.UNKNOWN
        if op.id == run.op.id or not (everything or unknown):
            continue
        for item in op.items:
            if item.state == ItemState.PENDING:
                await run.parts.media.delete(item.key)
        closed = evolve(
            op, state=OperationState.FAILED, error=f"Superseded by operation {run.op.id}."
        )
        await run.parts.ledger.write(closed, lease=run.lease)
