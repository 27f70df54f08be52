"""The metadata repository in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

from attrs import evolve

from ..._arguments import checked
from ...capabilities import StoredPage
from ...errors import ImageNotFound, InvalidArgument
from ...models import CharacterImage, ImagePage
from .._documents import dump, load_image, load_page, to_ms
from .._pages import check_limit, decode_cursor, encode_cursor
from .._written import as_new, as_read, without_urls
from .database import SqliteDatabase

__all__ = ["SqliteMetadataRepository"]

_SELECT = "SELECT record FROM images WHERE id = ?"
_MAX_INTEGER = 2**63 - 1
_Row: TypeAlias = tuple[str, str, str, str, int, str]
"""In the order of the table's columns."""
# One index per set of filters, in the order of the page. Named in the query, so that no version of
# SQLite sorts instead.
_INDEXES = {
    (False, False): "images_newest",
    (True, False): "images_by_kind",
    (False, True): "images_by_status",
    (True, True): "images_by_kind_status",
}


@checked
class SqliteMetadataRepository:
    """A `MetadataRepository`; a record's id is its key, and times are kept to the millisecond.

    Args:
        database: The file. Whoever opened it closes it.
    """

    requires_media = False

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        return self._add([image])[0]

    def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        return self._add(images)

    def _add(self, images: Sequence[CharacterImage]) -> tuple[CharacterImage, ...]:
        new = [as_new(image) for image in images]
        rows = [_row(image) for image in new]
        with self._database.writing() as connection:
            found = _insert(connection, rows)
        together = zip(new, rows, found, strict=True)
        return tuple(as_read(image, row[-1], text) for image, row, text in together)

    def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        row = self._database.row(_SELECT, image_id)
        return None if row is None else load_image(image_id, row[0])

    def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        with self._database.writing() as connection:
            first = _record(connection, image.id)
            if first is None:
                raise ImageNotFound(f"There is no record {image.id!r} to update.")
            kept = evolve(image, key=first.key, created_at=first.created_at)
            _, character_id, kind, status, _, record = _row(without_urls(kept))
            connection.execute(
                "UPDATE images SET character_id = ?, kind = ?, status = ?, record = ? WHERE id = ?",
                (character_id, kind, status, record, kept.id),
            )
        return load_image(kept.id, record)

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
        with self._database.reading() as connection:
            stored = _page(connection, character_id, kind, status, limit, cursor, ())
        return load_page(stored)

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
        with self._database.reading() as connection:
            return _page(connection, character_id, kind, status, limit, cursor, unless)

    def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        with self._database.writing() as connection:
            cursor = connection.execute("DELETE FROM images WHERE id = ?", (image_id,))
            return cursor.rowcount > 0

    def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        query = (
            "SELECT DISTINCT character_id FROM image_counts WHERE images > 0 ORDER BY character_id"
        )
        with self._database.reading() as connection:
            return tuple(each for (each,) in connection.execute(query))


def _page(
    connection: sqlite3.Connection,
    character_id: str,
    kind: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
    unless: Collection[str],
) -> StoredPage:
    check_limit(limit)
    before = _place(cursor)
    groups = connection.execute(
        "SELECT kind, status, images, token FROM image_counts WHERE character_id = ? "
        "ORDER BY kind, status",
        (character_id,),
    ).fetchall()
    total = sum(
        images
        for of_kind, of_status, images, _ in groups
        if kind in (None, of_kind) and status in (None, of_status)
    )
    version = blake2b(b"".join([token for *_, token in groups]), digest_size=16).hexdigest()
    if version in unless:
        return StoredPage(version=version, records=None, next_cursor=None, total=total)
    where, values = _selection(character_id, kind, status)
    index = _INDEXES[kind is not None, status is not None]
    rows = connection.execute(
        "SELECT created_ms, id, record "  # noqa: S608 - ours
        f"FROM images INDEXED BY {index} {where} AND (created_ms, id) < (?, ?) "
        "ORDER BY created_ms DESC, id DESC LIMIT ?",
        (*values, *before, limit + 1),
    ).fetchall()
    return StoredPage(
        version=version,
        records=tuple(row[1:] for row in rows[:limit]),
        next_cursor=encode_cursor(*rows[limit - 1][:2]) if len(rows) > limit else None,
        total=total,
    )


def _insert(connection: sqlite3.Connection, rows: Sequence[_Row]) -> list[Any]:
    """Write rows whose ids are new, and return the texts that now stand under all of the ids."""
    inserted = connection.executemany(
        "INSERT INTO images (id, character_id, kind, status, created_ms, record) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        rows,
    ).rowcount
    if inserted == len(rows):
        return [row[-1] for row in rows]
    return [connection.execute(_SELECT, row[:1]).fetchone()[0] for row in rows]


def _selection(character_id: str, kind: str | None, status: str | None) -> tuple[str, list[str]]:
    where, values = "WHERE character_id = ?", [character_id]
    if kind is not None:
        where, values = f"{where} AND kind = ?", [*values, kind]
    if status is not None:
        where, values = f"{where} AND status = ?", [*values, status]
    return where, values


def _place(cursor: str | None) -> tuple[Any, ...]:
    """Return what the page comes before; for the first one something later than any record."""
    if cursor is None:
        return (_MAX_INTEGER, "")
    created_ms, image_id = decode_cursor(cursor, int, str)
    if not -_MAX_INTEGER <= int(created_ms) <= _MAX_INTEGER:
        raise InvalidArgument("The cursor is none of this listing's: its time is out of range.")
    return (created_ms, image_id)


def _record(connection: sqlite3.Connection, image_id: str) -> CharacterImage | None:
    row = connection.execute(_SELECT, (image_id,)).fetchone()
    return None if row is None else load_image(image_id, row[0])


def _row(image: CharacterImage) -> _Row:
    created_ms = to_ms(image.created_at)
    record = dump(image, what=f"the record {image.id!r}")
    return (image.id, image.character_id, image.kind, image.status, created_ms, record)
