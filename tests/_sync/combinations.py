# Generated from tests/_async/combinations.py by tools/unasync.py. Do not edit.
"""The combinations of stores that hosts have, for worlds to stand on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from charimg import CharacterReference
from charimg.stores import (
    DiskMediaStore,
    PayloadCharacterDirectory,
    PayloadClient,
    PayloadMediaStore,
    PayloadMetadataRepository,
    PostgresCharacterDirectory,
    PostgresDatabase,
    PostgresGenerationLedger,
    PostgresMetadataRepository,
    S3MediaStore,
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
)

from ..servers.rooms import Bucket, PayloadRoom, PostgresRoom
from ..servers.s3 import credentials
from .world import Clock, Stores

__all__ = ["COMBINATIONS", "Place"]


class Place:
    """Where the worlds of one test stand. Each of them is new; what they open goes with `opened`.

    Attributes:
        request: The test's, which starts the servers that it needs.
        work: A directory of the test's own.
    """

    def __init__(self, request: pytest.FixtureRequest, work: Path, opened: ExitStack) -> None:
        self.request = request
        self.work = work
        self.opened = opened
        self._homes = 0

    def home(self) -> Path:
        """Make a new directory."""
        self._homes += 1
        home = self.work / str(self._homes)
        home.mkdir()
        return home

    def sqlite(self, home: Path) -> SqliteDatabase:
        """Open a new database."""
        database = SqliteDatabase(home / "charimg.sqlite")
        self.opened.callback(database.close)
        return database


def spoiled(path: Path, change: Callable[[bytes], bytes | None]) -> None:
    """Change a file, or take it away."""
    changed = change(path.read_bytes())
    path.unlink()
    if changed is not None:
        path.write_bytes(changed)


class _OnDisk(Stores):
    """What lies in files."""

    def files(self, key: str) -> list[Path]:
        """Return where the file of a key is, then its thumbnails."""
        raise NotImplementedError

    def spoil(self, key: str, change: Callable[[bytes], bytes | None]) -> None:
        spoiled(self.files(key)[0], change)

    def thumbnails(self, key: str) -> list[Path]:
        return [path for path in self.files(key)[1:] if path.exists()]


class DiskAndSqlite(_OnDisk):
    """One machine: what `CharacterImageService.local` makes."""

    costs = 10
    strides = (4, 1)

    def __init__(self, place: Place) -> None:
        home = place.home()
        database = place.sqlite(home)
        self._files = home / "media"
        self.clock = Clock()
        self.directory = SqliteCharacterDirectory(database)
        self.media = DiskMediaStore(self._files, base_url="/media")
        self.metadata = SqliteMetadataRepository(database)
        self.ledger = SqliteGenerationLedger(database, clock=self.clock)

    def keys(self) -> set[str]:
        return {path.parent.name for path in self._files.rglob("*") if path.is_file()}

    def files(self, key: str) -> list[Path]:
        found = [path for path in self._files.glob(f"*/{key}/*") if path.suffix != ".json"]
        return sorted(found, key=lambda path: "thumbnail" in path.name)


class S3AndPostgres(_OnDisk):
    """Many machines."""

    costs = 10
    strides = (8, 1)

    def __init__(self, place: Place) -> None:
        credentials(place.request.getfixturevalue("monkeypatch"))
        self._bucket = Bucket(place.request.getfixturevalue("rclone_server"))
        self._room: PostgresRoom = place.request.getfixturevalue("postgres_room")
        self._room.empty()
        database = PostgresDatabase(self._room.url)
        place.opened.callback(database.close)
        self.clock = Clock()
        self.directory = PostgresCharacterDirectory(database)
        self.media = S3MediaStore.from_url(self._bucket.url)
        self.metadata = PostgresMetadataRepository(database)
        self.ledger = PostgresGenerationLedger(database)

    def later(self, seconds: float) -> None:
        self._room.later(seconds)

    def keys(self) -> set[str]:
        return self._bucket.keys()

    def spoil(self, key: str, change: Callable[[bytes], bytes | None]) -> None:
        # By the server, which keeps in mind what it has of a file.
        path = self.files(key)[0]
        self._bucket.put(path, change(path.read_bytes()))

    def take_away(self, path: Path) -> None:
        self._bucket.put(path, None)

    def files(self, key: str) -> list[Path]:
        found = [path for path in self._bucket.files.glob(f"{key}/*/*") if path.is_file()]
        return sorted(found, key=lambda path: "thumbnail" in path.name)


class InPayload(_OnDisk):
    """A CMS, and the ledger in SQLite. No record there stands without a file."""

    costs = 100
    strides = (16, 4)

    def __init__(self, place: Place) -> None:
        self._room: PayloadRoom = place.request.getfixturevalue("payload_room")
        self._room.empty()
        server = self._room.server
        client = PayloadClient(server.url, api_key=server.api_key)
        place.opened.callback(client.close)
        self.clock = Clock()
        self.directory = PayloadCharacterDirectory(client)
        self.media = PayloadMediaStore(client)
        self.metadata = PayloadMetadataRepository(client)
        self.ledger = SqliteGenerationLedger(place.sqlite(place.home()), clock=self.clock)

    def put(self, character: CharacterReference) -> None:
        self._room.put(character)

    def keys(self) -> set[str]:
        return self._room.keys()

    def files(self, key: str) -> list[Path]:
        return self._room.files(key)


COMBINATIONS: dict[str, Callable[[Place], Any]] = {
    "disk_and_sqlite": DiskAndSqlite,
    "s3_and_postgres": S3AndPostgres,
    "payload": InPayload,
}
