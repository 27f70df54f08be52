"""Servers that many worlds use one after the other: each finds them empty.

What tests do here from outside, they do past the stores, in the servers' own tables and files.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charimg import CharacterReference
from charimg.stores import S3MediaStore
from charimg.stores.payload.wire import key_in

from .payload import PayloadServer
from .s3 import BUCKET, S3Server

__all__ = ["Bucket", "PayloadRoom", "PostgresRoom"]


class PostgresRoom:
    """A database with charimg's tables."""

    def __init__(self, url: str, connection: Any) -> None:
        self.url = url
        self._connection = connection

    @classmethod
    @contextmanager
    def opened(cls, url: str) -> Iterator[PostgresRoom]:
        """Make the tables in an empty database."""
        import psycopg

        from charimg.stores import PostgresDatabase, PostgresMetadataRepository

        with PostgresDatabase(url) as database:
            PostgresMetadataRepository(database).list("nobody")
        with psycopg.connect(url, autocommit=True) as connection:
            yield cls(url, connection)

    def empty(self) -> None:
        """Delete every row."""
        for table in ("images", "characters", "leases", "operations"):
            self._connection.execute(f"DELETE FROM charimg.{table}")

    def later(self, seconds: float) -> None:
        """Let every lease end so much earlier: nobody moves the server's clock."""
        self._connection.execute(
            "UPDATE charimg.leases SET expires_ms = expires_ms - %s", (int(seconds * 1000),)
        )


class Bucket:
    """A prefix of its own in the bucket of `rclone serve s3`."""

    def __init__(self, server: S3Server) -> None:
        self._prefix = f"world-{secrets.token_hex(6)}"
        self.files = server.directory / "data" / BUCKET / self._prefix
        # With a public URL, because signed ones differ whenever they are made.
        self.url = server.url(self._prefix, public="https://images.example")

    def put(self, path: Path, data: bytes | None) -> None:
        """Put bytes into the object that lies in a file, or take it away."""
        bucket = S3MediaStore.from_url(self.url)._bucket
        name = f"{self._prefix}/{path.relative_to(self.files).as_posix()}"
        if data is None:
            bucket.delete(name, "")
        else:
            bucket.put(name, "", data, {})

    def keys(self) -> set[str]:
        """Return the keys of all objects."""
        return _first_parts(self.files)


class PayloadRoom:
    """A Payload CMS on SQLite, with integers as ids and collections as any host defines them."""

    def __init__(self, server: PayloadServer, work: Path) -> None:
        self.server = server
        self._database = sqlite3.connect(work / "payload.db", timeout=60, isolation_level=None)
        # Payload's transactions wait for the disk less often so; a plug is pulled elsewhere.
        self._database.execute("PRAGMA journal_mode = WAL")

    def close(self) -> None:
        """Let go of the tables, and end the server."""
        self._database.close()
        self.server.kill()

    def empty(self) -> None:
        """Delete every document and file. New documents get the old ids again."""
        self._database.execute("BEGIN IMMEDIATE")
        for table in ("character_image_metadata", "media", "character_references"):
            self._database.execute(f"DELETE FROM {table}")
        self._database.execute("COMMIT")
        for path in self.server.files.glob("*"):
            path.unlink()

    def put(self, character: CharacterReference) -> None:
        """Put a character into the collection, or change it."""
        self._database.execute(
            "INSERT INTO character_references (id, project_character_name, "
            "library_integration_library_db_id, library_integration_library_character_id, "
            "generation_metadata_baml_data) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET "
            "library_integration_library_db_id = excluded.library_integration_library_db_id",
            (
                int(character.id),
                character.name,
                character.library_db_id,
                character.library_character_id,
                json.dumps(character.traits),
            ),
        )

    def keys(self) -> set[str]:
        """Return the keys of all media, and the names of files that belong to none."""
        query = "SELECT filename, sizes_thumbnail_filename FROM media"
        rows = self._database.execute(query).fetchall()
        files = {path.name for path in self.server.files.glob("*")}
        named = {name for row in rows for name in row if name is not None}
        return {key_in(row[0]) for row in rows} | (files - named)

    def files(self, key: str) -> list[Path]:
        """Return where the file of a key is, and what was made of it."""
        query = "SELECT filename, sizes_thumbnail_filename FROM media"
        rows = [row for row in self._database.execute(query) if key_in(row[0]) == key]
        names = [name for row in rows for name in row if name is not None]
        return [self.server.files / name for name in names]


def _first_parts(directory: Path) -> set[str]:
    """Return what the paths of all files below the directory begin with."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).parts[0] for path in files}
