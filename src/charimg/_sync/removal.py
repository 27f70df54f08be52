# Generated from src/charimg/_async/removal.py by tools/unasync.py. Do not edit.
"""Removing images: tombstones first, then records, then media, then the tombstones go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import evolve

from .._ingest.naming import operation_of
from .._library.ids import check_object_id
from ..errors import CharacterLibraryError, ErrorCode, InvalidArgument
from ..journal import Doomed, ItemState, OperationState, RemoteDelete
from ..models import CharacterImage, ReferencePolicy
from .master import current_reference
from .operation import Run

__all__ = [
    "delete_remote_reference",
    "doom",
    "finish_removal",
    "remove_all",
    "remove_replaced",
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


def sweep(run: Run, *, images: Iterable[CharacterImage] = ()) -> None:
    """Remove what the operation has doomed: every record, then all media, then the tombstones.

    Args:
        run: The operation.
        images: The records themselves, if they are at hand: what they say is stored and is not
            becomes a warning. After a crash a part of it may have been removed before.
    """
    removed = 0
    for doomed in run.op.doomed:
        removed += run.parts.metadata.delete(doomed.image_id)
    stored = {image.media.key for image in images if image.media is not None}
    for doomed in run.op.doomed:
        if run.parts.media.delete(doomed.media_key):
            stored.discard(doomed.media_key)
    run.write(doomed=(), removed=run.op.removed + removed)
    if stored:
        run.warn(
            ErrorCode.NO_MEDIA,
            f"Of {len(stored)} removed images the media store had no file, of {min(stored)!r} for "
            "example. If it is kept in another store, it is still there.",
        )


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
        images = [
            image
            for image in page.images
            if image.id != keep and (until is None or image.created_at <= until)
        ]
        if images:
            run.keep()
            run.write(doomed=tuple(doom(image) for image in images))
            sweep(run, images=images)
        cursor = page.next_cursor
        if cursor is None:
            return


def remove_replaced(run: Run) -> None:
    """Remove what a reference replaces under ``DELETE_AFTER_SUCCESS``, now that it is stored.

    That may be long after it was drawn: by a retry of its download, or by recovery. Images that
    came after the operation that drew it stay; all do when another reference has become the master
    meanwhile.
    """
    for item in run.op.items:
        drawn_by = run.parts.ledger.get(operation_of(item.key))
        policy = None if drawn_by is None else drawn_by.options.get("policy")
        if drawn_by is None or policy != ReferencePolicy.DELETE_AFTER_SUCCESS:
            continue
        current = current_reference(run.parts, run.op.character_id)
        if item.state == ItemState.STORED and current and current.id == item.image_id:
            remove_all(run, keep=item.image_id, until=drawn_by.created_at)


def finish_removal(run: Run, *, until: datetime | None = None) -> bool | None:
    """Carry out what a removal has written down that it is going to do, and close it.

    Args:
        run: The removal.
        until: Newer images stay: nobody had asked to remove them.

    Returns:
        Whether the remote reference was deleted; ``None`` when that was not due.
    """
    options = run.op.options
    if options.get("all"):
        remove_all(run, until=until)
        supersede(run)
    remote = None
    if options.get("remote") and run.op.remote_delete == RemoteDelete.NOT_DUE:
        remote = delete_remote_reference(run, only=options.get("media_id"))
    run.write(state=OperationState.DONE)
    return remote


def delete_remote_reference(run: Run, *, only: str | None = None) -> bool:
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
            state = run.parts.library.get_reference_image(db_id)
            if state.media_id not in (None, only):
                run.warn(
                    ErrorCode.NOT_MASTER,
                    "The Character Library has another master reference than the deleted one, so "
                    "it was left alone.",
                )
                return False
        run.write(remote_delete=RemoteDelete.INTENDED)
        run.parts.library.delete_reference_image(db_id)
    except CharacterLibraryError as error:
        run.write(remote_delete=RemoteDelete.FAILED)
        run.warn(error.code, f"The remote reference was not deleted: {error}")
        return False
    run.write(remote_delete=RemoteDelete.DONE)
    return True


def supersede(run: Run) -> None:
    """Close what earlier operations still wait for, now that all of the character's images go.

    Those of unknown outcome stay open: should they have drawn something after all, it is found.
    """
    for op in run.parts.ledger.unfinished(run.op.character_id):
        if op.id == run.op.id or op.state != OperationState.RECEIVED:
            continue
        for item in op.items:
            if item.state == ItemState.PENDING:
                run.parts.media.delete(item.key)
        message = f"Superseded by operation {run.op.id}."
        run.parts.ledger.write(
            evolve(op, state=OperationState.FAILED, error=message), lease=run.lease
        )
        run.warn(
            ErrorCode.SUPERSEDED,
            f"Operation {op.id} ({op.kind}) was not finished and is given up, with what the "
            "Character Library drew for it.",
        )
