"""The metadata repository in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any

from attrs import evolve

from ..._arguments import checked
from ...capabilities import StoredPage
from ...errors import ImageNotFound, InvalidArgument, StorageConflict
from ...models import CharacterImage, ImagePage
from .._documents import dump, load_image, load_page, to_ms
from .._pages import check_limit, decode_cursor, encode_cursor
from .._written import as_new, as_read, without_urls
from .database import PostgresDatabase
from .statements import Program, Row, Statement

__all__ = ["PostgresMetadataRepository"]

_MAX_INTEGER = 2**63 - 1
_TRIES = 3
_INSERT = "INSERT INTO {s}.images (id, character_id, kind, status, created_ms, record)"
_VALUES = "(%s, %s, %s, %s, %s, %s)"
_UNLESS_THERE = "ON CONFLICT (id) DO NOTHING RETURNING id"
_AT_ONCE = 500
"""Rows of one statement; PostgreSQL takes 65,535 values in one."""


@checked
class PostgresMetadataRepository:
    """A `MetadataRepository`; a record's id is its key, and times are kept to the millisecond.

    Args:
        database: Where. Whoever opened it closes it.
    """

    requires_media = False

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        return self._database.run(add(image), atomic=False)

    def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        return self._database.run(add_many(images))

    def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        try:
            return self._database.run(get(image_id), atomic=False)
        except InvalidArgument:
            # No text that PostgreSQL can hold, so nothing was ever written under it.
            return None

    def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        return self._database.run(update(image))

    def list(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ImagePage:
        """See `MetadataRepository.list`.

        Raises:
            InvalidArgument: The cursor is none of this listing's, or the limit is not 1 to 1,000.
        """
        program = page(character_id, kind=kind, status=status, limit=limit, cursor=cursor)
        return self._database.run(program, atomic=False)

    def list_stored(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        unless: Collection[str] = (),
    ) -> StoredPage:
        """See `VersionedMetadataRepository.list_stored`.

        Raises:
            InvalidArgument: As `list`.
        """
        program = stored_page(
            character_id, kind=kind, status=status, limit=limit, cursor=cursor, unless=unless
        )
        return self._database.run(program, atomic=False)

    def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return self._database.run(delete(image_id), atomic=False)

    def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        return self._database.run(character_ids(), atomic=False)


def add(image: CharacterImage) -> Program[CharacterImage]:
    """Insert the record, or find the first one with its key."""
    image = as_new(image)
    row = _row(image)
    for _ in range(_TRIES):
        inserted = yield Statement(f"{_INSERT} VALUES {_VALUES} {_UNLESS_THERE}", row)
        if inserted:
            return as_read(image, row[-1], row[-1])
        # A statement of its own sees what the insertion has waited for.
        first = yield from get(image.key)
        if first is not None:
            return first
    raise StorageConflict(
        f"The record {image.key!r} is being added and removed by others, or stands outside of "
        "what this transaction can see. Nothing was written; try again."
    )


def add_many(images: Sequence[CharacterImage]) -> Program[tuple[CharacterImage, ...]]:
    """Insert the records that are new, and find the first ones of the others."""
    # In the order of their ids, so that two who add the same do not wait for each other for ever.
    new = {image.key: as_new(image) for image in reversed(images)}
    rows = [_row(new[key]) for key in sorted(new)]
    stored: dict[str, CharacterImage] = {}
    for start in range(0, len(rows), _AT_ONCE):
        given = {row[0]: row for row in rows[start : start + _AT_ONCE]}
        added = yield Statement(
            f"{_INSERT} VALUES {', '.join([_VALUES] * len(given))} {_UNLESS_THERE}",
            tuple(chain.from_iterable(given.values())),
        )
        for (key,) in added:
            text = given[key][-1]
            stored[key] = as_read(new[key], text, text)
    for image in images:
        if image.key not in stored:
            stored[image.key] = yield from add(image)
    return tuple(stored[image.key] for image in images)


def get(image_id: str) -> Program[CharacterImage | None]:
    """Find a record."""
    rows = yield Statement("SELECT record FROM {s}.images WHERE id = %s", (image_id,))
    return load_image(image_id, rows[0][0]) if rows else None


def update(image: CharacterImage) -> Program[CharacterImage]:
    """Replace a record, but for its key and its time of creation."""
    rows = yield Statement("SELECT record FROM {s}.images WHERE id = %s FOR UPDATE", (image.id,))
    if not rows:
        raise ImageNotFound(f"There is no record {image.id!r} to update.")
    first = load_image(image.id, rows[0][0])
    image_id, character_id, kind, status, _, record = _row(
        without_urls(evolve(image, key=first.key, created_at=first.created_at))
    )
    yield Statement(
        "UPDATE {s}.images SET character_id = %s, kind = %s, status = %s, record = %s "
        "WHERE id = %s",
        (character_id, kind, status, record, image_id),
    )
    return load_image(image_id, record)


def page(
    character_id: str, *, kind: str | None, status: str | None, limit: int, cursor: str | None
) -> Program[ImagePage]:
    """Read one page and count what matches, both as of one moment."""
    stored = yield from stored_page(
        character_id, kind=kind, status=status, limit=limit, cursor=cursor, unless=()
    )
    return load_page(stored)


def stored_page(
    character_id: str,
    *,
    kind: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
    unless: Collection[str],
) -> Program[StoredPage]:
    """Read one page as it is kept, unless its version is known."""
    check_limit(limit)
    where, values = "character_id = %s", [character_id]
    matching, wanted_values = "true", []
    for column, wanted in (("kind", kind), ("status", status)):
        if wanted is not None:
            matching += f" AND {column} = %s"
            wanted_values.append(wanted)
    rows = yield Statement(
        "SELECT counted.total, counted.version, newest.created_ms, newest.id, "  # noqa: S608 - ours
        "newest.record FROM (SELECT "
        f"coalesce(sum(images) FILTER (WHERE {matching}), 0)::bigint AS total, "
        # Whoever wrote a part has seen all that it held before.
        "encode(sha256(convert_to(coalesce(string_agg(part || ' ' || token, ' ' ORDER BY part), "
        f"''), 'UTF8')), 'hex') AS version FROM {{s}}.image_counts WHERE {where}) AS counted "
        f"LEFT JOIN LATERAL (SELECT created_ms, id, record FROM {{s}}.images WHERE {where} "
        f"AND {matching} AND (created_ms, id) < (%s, %s) AND NOT counted.version = ANY(%s) "
        "ORDER BY created_ms DESC, id DESC LIMIT %s) AS newest "
        "ON true ORDER BY newest.created_ms DESC, newest.id DESC",
        (
            *(*wanted_values, *values, *values, *wanted_values, *_place(cursor)),
            *(list(unless), limit + 1),
        ),
    )
    total, version, *_ = rows[0]
    # The one row of an empty page has no record.
    found = [row[2:] for row in rows if row[3] is not None]
    return StoredPage(
        version=version,
        records=None if version in unless else tuple(row[1:] for row in found[:limit]),
        next_cursor=encode_cursor(*found[limit - 1][:2]) if len(found) > limit else None,
        total=total,
    )


def delete(image_id: str) -> Program[bool]:
    """Remove a record."""
    rows = yield Statement("DELETE FROM {s}.images WHERE id = %s RETURNING id", (image_id,))
    return bool(rows)


def character_ids() -> Program[tuple[str, ...]]:
    """Name whose records there are, one step in the index each."""
    rows = yield Statement(
        "WITH RECURSIVE found AS ("
        "(SELECT character_id FROM {s}.images ORDER BY character_id LIMIT 1) UNION ALL "
        "SELECT (SELECT character_id FROM {s}.images WHERE character_id > found.character_id "
        "ORDER BY character_id LIMIT 1) FROM found WHERE found.character_id IS NOT NULL) "
        "SELECT character_id FROM found WHERE character_id IS NOT NULL"
    )
    return tuple(character_id for (character_id,) in rows)


def _place(cursor: str | None) -> tuple[Any, ...]:
    """Return what the page comes before; for the first one something later than any record."""
    if cursor is None:
        return (_MAX_INTEGER, "")
    created_ms, image_id = decode_cursor(cursor, int, str)
    if not -_MAX_INTEGER <= int(created_ms) <= _MAX_INTEGER:
        raise InvalidArgument("The cursor is none of this listing's: its time is out of range.")
    return (created_ms, image_id)


def _row(image: CharacterImage) -> Row:
    created_ms = to_ms(image.created_at)
    record = dump(image, what=f"the record {image.id!r}")
    return (image.id, image.character_id, image.kind, image.status, created_ms, record)
