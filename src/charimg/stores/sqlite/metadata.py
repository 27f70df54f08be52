"""The metadata repository in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from ..._arguments import checked
from ...errors import ImageNotFound, InvalidArgument
from ...models import CharacterImage, ImagePage
from .._documents import dump, load_image, to_ms
from .._pages import check_limit, decode_cursor, encode_cursor
from .database import SqliteDatabase

__all__ = ["SqliteMetadataRepository", "insert"]

_SELECT = "SELECT record FROM images WHERE id = ?"
_MAX_INTEGER = 2**63 - 1
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
        return self.add_many([image])[0]

    def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        rows = [_new_row(image) for image in images]
        with self._database.writing() as connection:
            kept = _insert(connection, rows)
        return tuple(load_image(row["id"], text) for row, text in zip(rows, kept, strict=True))

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
            row = _row(kept)
            connection.execute(
                "UPDATE images SET character_id = :character_id, kind = :kind, status = :status, "
                "record = :record WHERE id = :id",
                row,
            )
        return load_image(kept.id, row["record"])

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
        check_limit(limit)
        where, values = _selection(character_id, kind, status)
        index = _INDEXES[kind is not None, status is not None]
        before = _place(cursor)
        with self._database.reading() as connection:
            (total,) = connection.execute(
                f"SELECT coalesce(sum(images), 0) FROM image_counts {where}",  # noqa: S608 - ours
                values,
            ).fetchone()
            rows = connection.execute(
                "SELECT created_ms, id, record "  # noqa: S608 - ours
                f"FROM images INDEXED BY {index} {where} AND (created_ms, id) < (?, ?) "
                "ORDER BY created_ms DESC, id DESC LIMIT ?",
                (*values, *before, limit + 1),
            ).fetchall()
        page = rows[:limit]
        return ImagePage(
            images=tuple(load_image(image_id, record) for _, image_id, record in page),
            next_cursor=encode_cursor(*page[-1][:2]) if len(rows) > limit else None,
            total=total,
        )

    def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        with self._database.writing() as connection:
            cursor = connection.execute("DELETE FROM images WHERE id = ?", (image_id,))
            return cursor.rowcount > 0

    def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        query = "SELECT DISTINCT character_id FROM image_counts ORDER BY character_id"
        with self._database.reading() as connection:
            return tuple(each for (each,) in connection.execute(query))


def insert(connection: sqlite3.Connection, image: CharacterImage) -> CharacterImage:
    """Write a record, unless there is one with its key, and return the first one as stored."""
    row = _new_row(image)
    return load_image(image.key, _insert(connection, [row])[0])


def _insert(connection: sqlite3.Connection, rows: Sequence[dict[str, Any]]) -> list[Any]:
    """Write rows whose ids are new, and return the texts that now stand under all of the ids."""
    inserted = connection.executemany(
        "INSERT INTO images (id, character_id, kind, status, created_ms, record) "
        "VALUES (:id, :character_id, :kind, :status, :created_ms, :record) "
        "ON CONFLICT (id) DO NOTHING",
        rows,
    ).rowcount
    if inserted == len(rows):
        return [row["record"] for row in rows]
    return [connection.execute(_SELECT, (row["id"],)).fetchone()[0] for row in rows]


def _new_row(image: CharacterImage) -> dict[str, Any]:
    return _row(image if image.id == image.key else evolve(image, id=image.key))


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


def _row(image: CharacterImage) -> dict[str, Any]:
    if image.media is not None and (image.media.url or image.media.thumbnail_url) is not None:
        # URLs are derived when a record is read.
        image = image.with_media(evolve(image.media, url=None, thumbnail_url=None))
    return {
        "id": image.id,
        "character_id": image.character_id,
        "kind": image.kind,
        "status": image.status,
        "created_ms": to_ms(image.created_at),
        "record": dump(image, what=f"the record {image.id!r}"),
    }
