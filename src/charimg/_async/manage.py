"""Deleting, restoring and retrying: the operations that pay for nothing."""

from __future__ import annotations

from attrs import evolve

from .._library.values import ReferenceState
from ..errors import CharacterLibraryError, ImageMismatch, ImageNotFound, InvalidArgument
from ..journal import OperationItem, OperationState
from ..models import (
    PROVIDER,
    CharacterImage,
    CharacterReference,
    DeleteResult,
    GenerationResult,
    ImageKind,
    ImageStatus,
    utcnow,
)
from .generate import single
from .master import current_reference, make_master, reference_of
from .operation import AsyncRun
from .removal import doom, finish_removal, remove_replaced, sweep
from .sources import has_source, whole_source
from .unrecorded import find_image, unrecorded_image

__all__ = ["delete_all_images", "delete_image", "restore_reference", "retry_ingestion"]


async def _image(run: AsyncRun, image_id: str) -> CharacterImage:
    """Read the image again, now that nobody else can remove it."""
    image = await find_image(run.parts, image_id)
    if image is None:
        raise ImageNotFound(f"There is no image {image_id}; it may have been deleted already.")
    return image


async def delete_image(run: AsyncRun, image_id: str) -> DeleteResult:
    """Remove record and media, and the remote master if this was it."""
    unrecorded = await unrecorded_image(run.parts, image_id)
    image = unrecorded or await _image(run, image_id)
    current = None
    if image.kind == ImageKind.REFERENCE and image.provider == PROVIDER:
        current = await current_reference(run.parts, image.character_id)
    is_master = current is not None and current.id == image.id
    intent = {**run.op.options, "remote": is_master, "media_id": image.external_id}
    await run.write(doomed=(doom(image),), options=intent)
    await sweep(run, images=(image,))
    if unrecorded is not None:
        await run.write(removed=run.op.removed + 1)
    return await _deleted(run)


async def delete_all_images(run: AsyncRun) -> DeleteResult:
    """Remove everything local, and the remote master if there was one."""
    reference = await current_reference(run.parts, run.op.character_id)
    media_id = None if reference is None else reference.external_id
    remote = reference is not None
    if media_id is None:
        state = await _remote_reference(run)
        remote, media_id = remote or state.exists, state.media_id
    # The id tells it from a later master, should this be broken off.
    await run.write(options={"all": True, "remote": remote, "media_id": media_id})
    return await _deleted(run)


async def _remote_reference(run: AsyncRun) -> ReferenceState:
    """Return the Library's reference, which no record here may stand for, as far as it can."""
    if run.op.library_db_id is None:
        return ReferenceState()
    try:
        return await run.parts.library.get_reference_image(run.op.library_db_id)
    except (CharacterLibraryError, InvalidArgument):
        return ReferenceState()


async def _deleted(run: AsyncRun) -> DeleteResult:
    remote_deleted = await finish_removal(run)
    return DeleteResult(
        operation_id=run.op.id,
        removed=run.op.removed,
        remote_deleted=remote_deleted,
        warnings=tuple(run.warnings),
        duration_ms=run.duration_ms,
    )


async def restore_reference(run: AsyncRun, db_id: str, image_id: str) -> CharacterImage:
    """Make an earlier reference the remote master again."""
    reference = await reference_of(run, run.op.character_id, image_id)
    if reference.media is None:
        raise ImageMismatch(
            f"Reference {image_id!a:.80} was not brought in, so there is no image of it here. "
            "Nothing was sent. Bring it in with retry_ingestion first, then make it the master."
        )
    await run.write(state=OperationState.POSTING, posted_at=utcnow())
    try:
        restored = await make_master(run, db_id, reference)
    except CharacterLibraryError as error:
        await run.call_failed(error)
        raise
    await run.write(state=OperationState.DONE)
    return restored


async def retry_ingestion(
    run: AsyncRun, image_id: str, character: CharacterReference | None
) -> GenerationResult:
    """Download a failed image again."""
    unrecorded = await unrecorded_image(run.parts, image_id)
    image = unrecorded or await _image(run, image_id)
    if image.status != ImageStatus.FAILED:
        raise ImageMismatch(f"Image {image_id} is {image.status}; there is nothing to retry.")
    if not has_source(image):
        raise ImageMismatch(
            f"Image {image_id} has neither a URL nor a media id, like one that was not drawn: "
            "there is nothing to download."
        )
    item = OperationItem(
        key=image.key,
        index=0,
        prompt=image.prompt,
        prompt_origin=image.metrics.prompt_origin,
        source_url=await whole_source(run.parts, image),
        external_id=image.external_id,
        shot=image.metrics.shot,
    )
    options = dict(run.op.options)
    if unrecorded is not None:
        options["unrecorded"] = image.kind
    await run.write(state=OperationState.RECEIVED, items=(item,), options=options)
    result = await single(run, character, kind=image.kind, replaced=image)
    await remove_replaced(run)
    await run.write(state=OperationState.DONE)
    return evolve(result, removed=run.op.removed)
