"""Removing images: tombstones first, then records, then media, then the tombstones go."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve

from ..errors import CharacterLibraryError
from ..journal import Doomed, ItemState, OperationKind, OperationState, RemoteDelete
from ..models import PROVIDER, CharacterImage, ImageKind
from .operation import AsyncRun
from .parts import AsyncParts

__all__ = [
    "current_reference",
    "delete_remote_reference",
    "doom",
    "remove_all",
    "supersede",
    "sweep",
]

_PAGE = 500


def _master_since(image: CharacterImage) -> tuple[datetime, str]:
    return (image.metrics.master_since or image.created_at, image.id)


async def current_reference(parts: AsyncParts, character_id: str) -> CharacterImage | None:
    """Return the reference that is the remote master as far as charimg knows.

    It is the one that became master last, whether or not its download succeeded: the Character
    Library holds it either way.
    """
    best: CharacterImage | None = None
    cursor: str | None = None
    while True:
        page = await parts.metadata.list(
            character_id, kind=ImageKind.REFERENCE, limit=_PAGE, cursor=cursor
        )
        for image in page.images:
            if image.provider != PROVIDER:
                continue
            if best is None or _master_since(image) > _master_since(best):
                best = image
        cursor = page.next_cursor
        if cursor is None:
            return best


def doom(image: CharacterImage) -> Doomed:
    """Return the tombstone of an image."""
    return Doomed(image_id=image.id, media_key=None if image.media is None else image.media.key)


async def sweep(run: AsyncRun) -> None:
    """Remove what the operation has doomed: every record, then all media, then the tombstones."""
    removed = 0
    for doomed in run.op.doomed:
        if doomed.image_id is not None:
            removed += await run.parts.metadata.delete(doomed.image_id)
    for doomed in run.op.doomed:
        if doomed.media_key is not None:
            await run.parts.media.delete(doomed.media_key)
    await run.write(doomed=(), removed=run.op.removed + removed)


async def remove_all(run: AsyncRun, *, keep: str | None = None) -> None:
    """Remove every local image of the operation's character, but the one with the id ``keep``."""
    cursor: str | None = None
    while True:
        page = await run.parts.metadata.list(run.op.character_id, limit=_PAGE, cursor=cursor)
        doomed = tuple(doom(image) for image in page.images if image.id != keep)
        if doomed:
            await run.keep()
            await run.write(doomed=doomed)
            await sweep(run)
        cursor = page.next_cursor
        if cursor is None:
            return


async def delete_remote_reference(run: AsyncRun) -> bool:
    """Send one remote DELETE of the master reference; a failure becomes a warning.

    It is journaled before it is sent, and never sent again.
    """
    if run.op.library_db_id is None:
        run.warn("NOT_LINKED", "The character is not linked, so no remote reference was deleted.")
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
