# Generated from src/charimg/_async/unrecorded.py by tools/unasync.py. Do not edit.
"""Failed images that no record stands for, because the repository keeps none without media.

The ledger knows them: as failed items of the operations that drew them, until a retry stored them,
or they were deleted, or a removal of everything came after.
"""

from __future__ import annotations

import re
from datetime import datetime

from attrs import evolve, field, frozen

from .._ingest.naming import operation_of
from ..journal import DRAWS, ItemState, Operation, OperationItem, OperationKind, OperationState
from ..models import (
    CharacterImage,
    ImageKind,
    ImageMetrics,
    ImageStatus,
    ReferencePolicy,
)
from .operation import generation_ms
from .parts import Parts
from .sources import shown_image

__all__ = [
    "KEY",
    "find_image",
    "removes_all",
    "unrecorded_images",
    "unrecorded_image",
    "unrecorded_references",
]

_PAGE = 500
KEY = re.compile(r"[0-9a-f]{32}-\d{3,}")
"""What the keys of images look like."""


def find_image(parts: Parts, image_id: str) -> CharacterImage | None:
    """Return an image: by its record's id, or by the key that stands for one while it has none.

    Such a key still leads to the image when a retry has stored it, and it has a record.
    """
    image = parts.metadata.get(image_id)
    if image is not None:
        return image
    known = _known(parts, image_id)
    if known is None:
        return None
    if image_id not in known.stored:
        return known.failed.get(image_id)
    record = parts.metadata.get(known.stored[image_id])
    # Some repositories give the id of what was deleted to something new.
    return record if record is not None and record.key == image_id else None


def unrecorded_image(parts: Parts, image_id: str) -> CharacterImage | None:
    """Return the failed image that has this key, if it has no record."""
    known = _known(parts, image_id)
    return None if known is None else known.failed.get(image_id)


def unrecorded_references(parts: Parts, character_id: str) -> list[CharacterImage]:
    """Return the failed references of a character that have no record."""
    if not parts.metadata.requires_media:
        return []
    return unrecorded_images(parts, character_id, ImageKind.REFERENCE)


def _known(parts: Parts, image_id: str) -> _Unrecorded | None:
    if not parts.metadata.requires_media or not KEY.fullmatch(image_id):
        return None
    op = parts.ledger.get(operation_of(image_id))
    return None if op is None else _unrecorded(parts, op.character_id)


def unrecorded_images(parts: Parts, character_id: str, kind: str | None) -> list[CharacterImage]:
    """Return the failed images of a character that have no record, newest first."""
    found = (_unrecorded(parts, character_id)).failed.values()
    return sorted(
        (image for image in found if kind in (None, image.kind)),
        key=lambda image: (image.created_at, image.key),
        reverse=True,
    )


@frozen
class _Unrecorded:
    """What the ledger knows of a character's images that failed.

    Attributes:
        failed: Those that have no record, by key.
        stored: The ids of the records that retries gave to others, by key.
    """

    failed: dict[str, CharacterImage] = field(factory=dict)
    stored: dict[str, str] = field(factory=dict)


def _unrecorded(parts: Parts, character_id: str) -> _Unrecorded:
    found = _Unrecorded()
    deleted: set[object] = set()
    errors: dict[str, str | None] = {}
    cursor: str | None = None
    while True:
        page = parts.ledger.list(character_id, limit=_PAGE, cursor=cursor)
        for op in page.operations:
            # Newest first: a retry or a deletion is seen before what it was done to.
            if op.kind == OperationKind.RETRY:
                for item in op.items:
                    if item.state == ItemState.STORED:
                        found.stored.setdefault(item.key, item.image_id or item.key)
                    elif item.state == ItemState.FAILED:
                        errors.setdefault(item.key, item.error)
            elif op.kind == OperationKind.DELETE and op.state == OperationState.DONE:
                deleted.add(op.options.get("image_id"))
            elif op.kind in DRAWS:
                for item in op.items:
                    done = item.key in found.stored or item.key in deleted
                    if item.state == ItemState.FAILED and not done:
                        error = errors.get(item.key) or item.error
                        found.failed[item.key] = _failed(op, evolve(item, error=error))
            if removes_all(op):
                return found
        cursor = page.next_cursor
        if cursor is None:
            return found


def removes_all(op: Operation) -> bool:
    """Whether nothing older than the operation is kept."""
    if op.kind == OperationKind.REFERENCE:
        policy = op.options.get("policy")
        if policy == ReferencePolicy.DELETE_ALL:
            return op.posted_at is not None
        kept = policy != ReferencePolicy.DELETE_AFTER_SUCCESS
        return not kept and any(item.state == ItemState.STORED for item in op.items)
    # One that was broken off is finished later, or has removed nothing.
    return bool(op.options.get("all")) and op.state == OperationState.DONE


def _failed(op: Operation, item: OperationItem) -> CharacterImage:
    kind = DRAWS[OperationKind(op.kind)]
    drawn = op.received_at or op.created_at
    since = op.options.get("master_since")
    image = CharacterImage(
        key=item.key,
        character_id=op.character_id,
        kind=kind,
        status=ImageStatus.FAILED,
        prompt=item.prompt,
        source_url=item.source_url,
        external_id=item.external_id,
        error=item.error,
        metrics=ImageMetrics(
            shot=item.shot,
            scene=op.scene,
            prompt_origin=item.prompt_origin,
            generation_ms=generation_ms(op),
            master_since=datetime.fromisoformat(str(since)) if since else None,
        ),
        created_by=op.created_by,
        created_at=drawn,
        updated_at=op.updated_at,
    )
    return shown_image(image)
