# Generated from src/charimg/_async/manage.py by tools/unasync.py. Do not edit.
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
from .operation import Run
from .removal import doom, finish_removal, remove_replaced, sweep
from .sources import has_source, whole_source
from .unrecorded import find_image, unrecorded_image

__all__ = ["delete_all_images", "delete_image", "restore_reference", "retry_ingestion"]


def _image(run: Run, image_id: str) -> CharacterImage:
    """Read the image again, now that nobody else can remove it."""
    image = find_image(run.parts, image_id)
    if image is None:
        raise ImageNotFound(f"There is no image {image_id}; it may have been deleted already.")
    return image


def delete_image(run: Run, image_id: str) -> DeleteResult:
    """Remove record and media, and the remote master if this was it."""
    unrecorded = unrecorded_image(run.parts, image_id)
    image = unrecorded or _image(run, image_id)
    current = None
    if image.kind == ImageKind.REFERENCE and image.provider == PROVIDER:
        current = current_reference(run.parts, image.character_id)
    is_master = current is not None and current.id == image.id
    intent = {**run.op.options, "remote": is_master, "media_id": image.external_id}
    run.write(doomed=(doom(image),), options=intent)
    sweep(run, images=(image,))
    if unrecorded is not None:
        run.write(removed=run.op.removed + 1)
    return _deleted(run)


def delete_all_images(run: Run) -> DeleteResult:
    """Remove everything local, and the remote master if there was one."""
    reference = current_reference(run.parts, run.op.character_id)
    media_id = None if reference is None else reference.external_id
    remote = reference is not None
    if media_id is None:
        state = _remote_reference(run)
        remote, media_id = remote or state.exists, state.media_id
    # The id tells it from a later master, should this be broken off.
    run.write(options={"all": True, "remote": remote, "media_id": media_id})
    return _deleted(run)


def _remote_reference(run: Run) -> ReferenceState:
    """Return the Library's reference, which no record here may stand for, as far as it can."""
    if run.op.library_db_id is None:
        return ReferenceState()
    try:
        return run.parts.library.get_reference_image(run.op.library_db_id)
    except (CharacterLibraryError, InvalidArgument):
        return ReferenceState()


def _deleted(run: Run) -> DeleteResult:
    remote_deleted = finish_removal(run)
    return DeleteResult(
        operation_id=run.op.id,
        removed=run.op.removed,
        remote_deleted=remote_deleted,
        warnings=tuple(run.warnings),
        duration_ms=run.duration_ms,
    )


def restore_reference(run: Run, db_id: str, image_id: str) -> CharacterImage:
    """Make an earlier reference the remote master again."""
    reference = reference_of(run, run.op.character_id, image_id)
    if reference.media is None:
        raise ImageMismatch(
            f"Reference {image_id!a:.80} was not brought in, so there is no image of it here. "
            "Nothing was sent. Bring it in with retry_ingestion first, then make it the master."
        )
    run.write(state=OperationState.POSTING, posted_at=utcnow())
    try:
        restored = make_master(run, db_id, reference)
    except CharacterLibraryError as error:
        run.call_failed(error)
        raise
    run.write(state=OperationState.DONE)
    return restored


def retry_ingestion(
    run: Run, image_id: str, character: CharacterReference | None
) -> GenerationResult:
    """Download a failed image again."""
    unrecorded = unrecorded_image(run.parts, image_id)
    image = unrecorded or _image(run, image_id)
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
        source_url=whole_source(run.parts, image),
        external_id=image.external_id,
        shot=image.metrics.shot,
    )
    options = dict(run.op.options)
    if unrecorded is not None:
        options["unrecorded"] = image.kind
    run.write(state=OperationState.RECEIVED, items=(item,), options=options)
    result = single(run, character, kind=image.kind, replaced=image)
    remove_replaced(run)
    run.write(state=OperationState.DONE)
    return evolve(result, removed=run.op.removed)
