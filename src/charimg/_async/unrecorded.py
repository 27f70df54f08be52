"""Failed images that no record stands for, because the repository keeps none without media.

The ledger knows them: as failed items of the operations that drew them, until a retry stored them
or a removal of everything came after.
"""

from __future__ import annotations

import re

from .._ingest.naming import operation_of
from ..errors import InvalidArgument
from ..journal import ItemState, Operation, OperationItem, OperationKind
from ..models import (
    CharacterImage,
    ImageKind,
    ImageMetrics,
    ImagePage,
    ImageStatus,
    ReferencePolicy,
)
from .parts import AsyncParts

__all__ = ["DRAWS", "list_unrecorded", "unrecorded_image"]

_PAGE = 500
_KEY = re.compile(r"[0-9a-f]{32}-\d{3,}")
DRAWS = {
    OperationKind.REFERENCE: ImageKind.REFERENCE,
    OperationKind.PORTFOLIO: ImageKind.PORTFOLIO_ITEM,
    OperationKind.SCENE: ImageKind.SCENE,
}
"""What the operations that pay for images draw."""


async def unrecorded_image(parts: AsyncParts, image_id: str) -> CharacterImage | None:
    """Return the failed image that has this key, if it has no record and was not retried since."""
    if not parts.metadata.requires_media or not _KEY.fullmatch(image_id):
        return None
    op = await parts.ledger.get(operation_of(image_id))
    if op is None:
        return None
    found = await _unrecorded(parts, op.character_id)
    return next((image for image in found if image.id == image_id), None)


async def list_unrecorded(
    parts: AsyncParts, character_id: str, *, kind: str | None, limit: int, cursor: str | None
) -> ImagePage:
    """Return one page of them, newest first; the cursor is the key of the page's last.

    Raises:
        InvalidArgument: The limit is out of range, or the cursor is not one of ours.
    """
    if type(limit) is not int or not 1 <= limit <= 1_000:
        raise InvalidArgument(f"limit must be a whole number from 1 to 1000, not {limit!r}.")
    if cursor is not None and not _KEY.fullmatch(cursor):
        raise InvalidArgument("The cursor is none of this listing's.")
    found = await _unrecorded(parts, character_id)
    found = sorted(
        (image for image in found if kind in (None, image.kind)),
        key=lambda image: image.key,
        reverse=True,
    )
    rest = [image for image in found if cursor is None or image.key < cursor]
    return ImagePage(
        images=tuple(rest[:limit]),
        next_cursor=rest[limit - 1].key if len(rest) > limit else None,
        total=len(found),
    )


async def _unrecorded(parts: AsyncParts, character_id: str) -> list[CharacterImage]:
    found: list[CharacterImage] = []
    stored: set[str] = set()
    cursor: str | None = None
    while True:
        page = await parts.ledger.list(character_id, limit=_PAGE, cursor=cursor)
        for op in page.operations:
            # Newest first: a retry is seen before what it retried.
            if op.kind == OperationKind.RETRY:
                stored |= {item.key for item in op.items if item.state == ItemState.STORED}
            elif op.kind in DRAWS:
                found += [
                    _failed(op, item)
                    for item in op.items
                    if item.state == ItemState.FAILED and item.key not in stored
                ]
            if _removes_all(op):
                return found
        cursor = page.next_cursor
        if cursor is None:
            return found


def _removes_all(op: Operation) -> bool:
    """Whether nothing older than the operation is kept."""
    if op.kind == OperationKind.REFERENCE:
        policy = op.options.get("policy")
        if policy == ReferencePolicy.DELETE_ALL:
            return op.posted_at is not None
        kept = policy != ReferencePolicy.DELETE_AFTER_SUCCESS
        return not kept and any(item.state == ItemState.STORED for item in op.items)
    return bool(op.options.get("all"))


def _failed(op: Operation, item: OperationItem) -> CharacterImage:
    return CharacterImage(
        key=item.key,
        character_id=op.character_id,
        kind=DRAWS[OperationKind(op.kind)],
        status=ImageStatus.FAILED,
        prompt=item.prompt,
        source_url=item.source_url,
        external_id=item.external_id,
        error=item.error,
        metrics=ImageMetrics(shot=item.shot),
        created_by=op.created_by,
        created_at=op.received_at or op.created_at,
        updated_at=op.updated_at,
    )
