"""A page of a character's images: its records, with the failed images that none can hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from ..errors import InvalidArgument
from ..models import CharacterImage, ImagePage, ImageStatus
from .parts import AsyncParts
from .unrecorded import unrecorded_images

__all__ = ["list_page"]

_NOTHING = ImagePage(images=(), next_cursor=None, total=0)


@frozen(kw_only=True)
class _Place:
    """Where a page begins, in the records and in the images without one.

    Attributes:
        records: The repository's cursor; ``None`` at the beginning.
        over: Whether there are no more records.
        after: The last of the other images that was given out: its time and key.
    """

    records: str | None = None
    over: bool = False
    after: tuple[datetime, str] | None = None

    @classmethod
    def read(cls, cursor: str | None) -> _Place:
        """Read what `text` wrote.

        Raises:
            InvalidArgument: It is none of ours.
        """
        if cursor is None:
            return cls()
        try:
            moment, key, state, records = cursor.split("_", 3)
            after = (datetime.fromisoformat(moment), key) if key else None
            if state not in ("records", "over") or (after and after[0].tzinfo is None):
                raise ValueError
        except (ValueError, AttributeError) as error:
            raise InvalidArgument(
                "The cursor is none of this listing's. Pass next_cursor of the page before "
                "unchanged, or none for the first page."
            ) from error
        return cls(records=records or None, over=state == "over", after=after)

    def text(self) -> str:
        """Return it as a cursor."""
        moment, key = ("", "") if self.after is None else (self.after[0].isoformat(), self.after[1])
        return f"{moment}_{key}_{'over' if self.over else 'records'}_{self.records or ''}"


async def list_page(
    parts: AsyncParts,
    character_id: str,
    *,
    kind: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
) -> ImagePage:
    """Return one page, newest first; where no record stands without media, of both.

    Raises:
        InvalidArgument: The limit is out of range, or the cursor is not one of ours.
    """
    metadata = parts.metadata
    if not metadata.requires_media or status not in (None, ImageStatus.FAILED):
        return await metadata.list(
            character_id, kind=kind, status=status, limit=limit, cursor=cursor
        )
    if type(limit) is not int or not 1 <= limit <= 1_000:
        raise InvalidArgument(f"limit must be a whole number from 1 to 1000, not {limit!r}.")
    place = _Place.read(cursor)
    every = await unrecorded_images(parts, character_id, kind)
    others = [each for each in every if place.after is None or _order(each) < place.after]
    records, total = _NOTHING, 0
    if status is None and place.over:
        total = (await metadata.list(character_id, kind=kind, limit=1)).total
    elif status is None:
        records = await metadata.list(character_id, kind=kind, limit=limit, cursor=place.records)
        total = records.total
    kept = _records_among(records.images, others, limit)
    shown = others[: min(limit, len(records.images) + len(others)) - kept]
    if 0 < kept < len(records.images):
        # The repository's cursors stand at the ends of its pages.
        records = await metadata.list(character_id, kind=kind, limit=kept, cursor=place.records)
    following, over = records.next_cursor, records.next_cursor is None
    if kept == 0 and records.images:
        records, following, over = _NOTHING, place.records, False
    place = _Place(records=following, over=over, after=_order(shown[-1]) if shown else place.after)
    return ImagePage(
        images=tuple(_merged(records.images, shown)),
        next_cursor=None if over and len(shown) == len(others) else place.text(),
        total=total + len(every),
    )


def _order(image: CharacterImage) -> tuple[datetime, str]:
    return (image.created_at, image.key)


def _merged(
    records: Sequence[CharacterImage], others: Sequence[CharacterImage]
) -> list[CharacterImage]:
    # Stable: records of one moment keep their order, and stand before the others of it.
    return sorted((*records, *others), key=lambda image: image.created_at, reverse=True)


def _records_among(
    records: Sequence[CharacterImage], others: Sequence[CharacterImage], limit: int
) -> int:
    """Return how many records are among the first images."""
    first = {id(image) for image in _merged(records, others)[:limit]}
    return sum(id(record) in first for record in records)
