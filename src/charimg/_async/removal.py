"""Removing images: tombstones first, then records, then media, then the tombstones go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from attrs import evolve

from .._ingest.naming import operation_of
from .._library.ids import check_object_id
from ..errors import CharacterLibraryError, ErrorCode, InvalidArgument, LeaseLost
from ..journal import Doomed, ItemState, OperationKind, OperationState, RemoteDelete
from ..models import CharacterImage, ReferencePolicy
from .master import current_reference
from .operation import AsyncRun
from .sparing import AsyncSparing
from .unrecorded import find_image, unrecorded_images

__all__ = [
    "delete_remote_reference",
    "doom",
    "finish_removal",
    "remove_all",
    "remove_everything",
    "remove_replaced",
    "resume_removal",
    "supersede",
    "sweep",
]

_PAGE = 500


def doom(image: CharacterImage) -> Doomed:
    """Return the tombstone of an image."""
    # A record without media may have some all the same, if a crash came in between.
    return Doomed(
        image_id=image.id, media_key=image.key if image.media is None else image.media.key
    )


async def sweep(run: AsyncRun, *, images: Iterable[CharacterImage] = ()) -> None:
    """Remove what the operation has doomed: every record, then all media, then the tombstones.

    Args:
        run: The operation.
        images: The records themselves, if they are at hand: what they say is stored and is not
            becomes a warning. After a crash a part of it may have been removed before.

    Raises:
        StorageError: A store refused some of them; these stay doomed, the others are gone.
    """
    sparing = AsyncSparing()
    gone, left = [], []
    removed = 0
    for doomed in run.op.doomed:
        deleted = await sparing.run(partial(_delete_record, run, doomed))
        if deleted is None:
            left.append(doomed)
        else:
            removed += deleted
            # Some repositories give the id of what was deleted to something new.
            gone.append(evolve(doomed, image_id=""))
    stored = {image.media.key for image in images if image.media is not None}
    for doomed in gone:
        deleted = await sparing.run(partial(run.parts.media.delete, doomed.media_key))
        if deleted is None:
            left.append(doomed)
        elif deleted:
            stored.discard(doomed.media_key)
    stored.difference_update(doomed.media_key for doomed in left)
    await run.write(doomed=tuple(left), removed=run.op.removed + removed)
    if stored:
        run.warn(
            ErrorCode.NO_MEDIA,
            f"Of {len(stored)} removed images the media store had no file, of {min(stored)!r} for "
            "example. If it is kept in another store, it is still there.",
        )
    sparing.end()


async def _delete_record(run: AsyncRun, doomed: Doomed) -> bool:
    return bool(doomed.image_id) and await run.parts.metadata.delete(doomed.image_id)


async def remove_all(
    run: AsyncRun, *, keep: str | None = None, until: datetime | None = None
) -> None:
    """Remove the local images of the operation's character.

    Args:
        run: The operation.
        keep: The id of an image that stays.
        until: Newer images stay, too.
    """
    sparing = AsyncSparing()
    cursor: str | None = None
    while True:
        page = await run.parts.metadata.list(run.op.character_id, limit=_PAGE, cursor=cursor)
        images = [
            image
            for image in page.images
            if image.id != keep and (until is None or image.created_at <= until)
        ]
        if images:
            await run.keep()
            known = {doomed.image_id for doomed in run.op.doomed}
            fresh = tuple(doom(image) for image in images if image.id not in known)
            await run.write(doomed=(*run.op.doomed, *fresh))
            await sparing.run(partial(sweep, run, images=images))
        if run.op.kind != OperationKind.DELETE:
            # No more than this goes while it is not certain that something comes in its place.
            sparing.end()
        cursor = page.next_cursor
        if cursor is None:
            sparing.end()
            return


async def remove_replaced(run: AsyncRun) -> None:
    """Remove what a reference replaces under ``DELETE_AFTER_SUCCESS``, now that it is stored.

    That may be long after it was drawn: by a retry of its download, or by recovery. Images that
    came after the operation that drew it stay; all do when another reference has become the master
    meanwhile.
    """
    for item in run.op.items:
        drawn_by = await run.parts.ledger.get(operation_of(item.key))
        policy = None if drawn_by is None else drawn_by.options.get("policy")
        if drawn_by is None or policy != ReferencePolicy.DELETE_AFTER_SUCCESS:
            continue
        current = await current_reference(run.parts, run.op.character_id)
        if item.state == ItemState.STORED and current and current.id == item.image_id:
            await remove_all(run, keep=item.image_id, until=drawn_by.created_at)


async def remove_everything(run: AsyncRun) -> None:
    """Remove all local images of the operation's character, and close what is to bring more."""
    # Those that no record can hold go as well: what the operation writes down hides them.
    unrecorded = 0
    if run.parts.metadata.requires_media:
        unrecorded = len(await unrecorded_images(run.parts, run.op.character_id, None))
    await remove_all(run)
    run.op = evolve(run.op, removed=run.op.removed + unrecorded)
    await supersede(run)


async def finish_removal(run: AsyncRun) -> bool | None:
    """Carry out what a removal has written down that it is going to do, and close it.

    Returns:
        Whether the remote reference was deleted; ``None`` when that was not due.
    """
    if run.op.options.get("all"):
        await remove_everything(run)
        # Whatever is the master: it is to go.
        remote = await _send_due(run, only=None)
    else:
        remote = await _send_due(run, only=run.op.options.get("media_id"))
    await run.write(state=OperationState.DONE)
    return remote


async def resume_removal(run: AsyncRun) -> None:
    """Go on with a removal that was broken off, on its own or ahead of a new reference.

    What came after it stays: nobody had asked to remove that. The remote DELETE is sent even if a
    store refuses the rest again: else the next images would be drawn from what is gone here.
    """
    options = run.op.options
    try:
        if run.op.doomed:
            await sweep(run)
        if options.get("all"):
            await remove_all(run, until=run.op.created_at)
            await supersede(run, until=run.op.created_at)
    except LeaseLost:
        raise
    except Exception:
        await _send_due(run, only=options.get("media_id"))
        raise
    await _send_due(run, only=options.get("media_id"))


async def _send_due(run: AsyncRun, *, only: str | None) -> bool | None:
    """Send the remote DELETE that the operation has written down as due, unless it was begun."""
    options = run.op.options
    if not options.get("remote") or run.op.remote_delete != RemoteDelete.NOT_DUE:
        return None
    replaced = options.get("replaces")
    if replaced is not None and await find_image(run.parts, replaced) is not None:
        # A new reference was never drawn, and this one is still here.
        return None
    return await delete_remote_reference(run, only=only)


async def delete_remote_reference(run: AsyncRun, *, only: str | None = None) -> bool:
    """Send one remote DELETE of the master reference; a failure becomes a warning.

    It is journaled before it is sent, and never sent again.

    Args:
        run: The operation.
        only: The media id that the master must have; another one is left alone.
    """
    try:
        db_id = check_object_id(run.op.library_db_id)
    except InvalidArgument:
        run.warn(
            ErrorCode.NOT_LINKED, "The character is not linked, so no remote reference was deleted."
        )
        return False
    try:
        if run.unseen is not None:
            # What an earlier operation has drawn would go with it, unseen.
            raise run.unseen
        if only is not None:
            state = await run.parts.library.get_reference_image(db_id)
            if state.media_id not in (None, only):
                run.warn(
                    ErrorCode.NOT_MASTER,
                    "The Character Library has another master reference than the deleted one, so "
                    "it was left alone.",
                )
                return False
        run.parts.library.check()
        await run.write(remote_delete=RemoteDelete.INTENDED)
        await run.parts.library.delete_reference_image(db_id)
    except CharacterLibraryError as error:
        await run.write(remote_delete=RemoteDelete.FAILED)
        told = "may not be" if error.outcome_unknown else "was not"
        run.warn(error.code, f"The remote reference {told} deleted: {error}")
        return False
    await run.write(remote_delete=RemoteDelete.DONE)
    return True


async def supersede(run: AsyncRun, *, until: datetime | None = None) -> None:
    """Close what earlier operations still wait for, now that all of the character's images go.

    Those of unknown outcome stay open: should they have drawn something after all, it is found.

    Args:
        run: The operation.
        until: Newer operations stay, too.
    """
    for op in await run.parts.ledger.unfinished(run.op.character_id):
        if op.id == run.op.id or op.state != OperationState.RECEIVED:
            continue
        if until is not None and op.created_at > until:
            continue
        for item in op.items:
            if item.state == ItemState.PENDING:
                await run.parts.media.delete(item.key)
        message = f"Superseded by operation {run.op.id}."
        await run.parts.ledger.write(
            evolve(
                op,
                state=OperationState.FAILED,
                error=message,
                options={**op.options, "superseded": run.op.id},
            ),
            lease=run.lease,
        )
        run.warn(
            ErrorCode.SUPERSEDED,
            f"Operation {op.id} ({op.kind}) was not finished and is given up, with what the "
            "Character Library drew for it.",
        )
