"""Versions of a listing: what the suites catch, and that nothing escapes SQLite's triggers."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import CharacterImage, StoredPage, to_json
from charimg.stores import SqliteDatabase, SqliteMetadataRepository
from charimg.stores.memory import MemoryMetadataRepository
from charimg.testing import MetadataRepositoryContract, MetadataRepositoryMachine, run_contract

from .test_sqlite_schema import VERSION_1

MakeImage = Callable[..., CharacterImage]


class Versioned(MemoryMetadataRepository):
    """As a host might write it."""

    def list_stored(
        self, character_id: str, /, *, unless: Collection[str] = (), **asked: Any
    ) -> StoredPage:
        page = self.list(character_id, **asked)
        version = self.version(character_id)
        records = tuple((image.id, json.dumps(to_json(image))) for image in page.images)
        return StoredPage(
            version=version,
            records=None if version in unless else records,
            next_cursor=page.next_cursor,
            total=page.total,
        )

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def version(self, character_id: str) -> str:
        return str(self.changes)

    def add(self, image: CharacterImage, /) -> CharacterImage:
        self.changes += 1
        return super().add(image)

    def update(self, image: CharacterImage, /) -> CharacterImage:
        self.changes += 1
        return super().update(image)

    def delete(self, image_id: str, /) -> bool:
        self.changes += 1
        return super().delete(image_id)


class BlindToUpdates(Versioned):
    def update(self, image: CharacterImage, /) -> CharacterImage:
        self.changes -= 1
        return super().update(image)


class Counted(Versioned):
    def version(self, character_id: str) -> str:
        return str(self.list(character_id).total)


class OfTheContent(Versioned):
    """An earlier listing has its version once more, which a page read meanwhile may bear."""

    def version(self, character_id: str) -> str:
        records = [to_json(each) for each in self.list(character_id, limit=1000).images]
        return hashlib.sha256(json.dumps(records).encode()).hexdigest()


class Quoted(Versioned):
    def version(self, character_id: str) -> str:
        return f'"{self.changes}"'


class AllTheSame(Versioned):
    def list_stored(self, *args: Any, unless: Collection[str] = (), **asked: Any) -> StoredPage:
        return super().list_stored(*args, **asked)


class Unfiltered(Versioned):
    def list_stored(self, *args: Any, kind: str | None = None, **asked: Any) -> StoredPage:
        return super().list_stored(*args, **asked)


def suite(base: Any, repository: Any) -> Any:
    class Suite(base):  # type: ignore[misc]
        many = 51
        shrink = False

        def make(self) -> Any:
            return repository()

    return Suite()


@pytest.mark.parametrize("base", [MetadataRepositoryContract, MetadataRepositoryMachine])
def test_versions_of_a_hosts_own_are_fine(base: Any) -> None:
    assert run_contract(suite(base, Versioned)) == {}


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (BlindToUpdates, "every_change_gives_another_version"),
        (Counted, "every_change_gives_another_version"),
        (OfTheContent, "every_change_gives_another_version"),
        (Quoted, "every_change_gives_another_version"),
        (AllTheSame, "stored_pages_are_those_of_the_listing"),
        (Unfiltered, "stored_pages_are_those_of_the_listing"),
    ],
)
def test_broken_versions_are_caught(broken: Any, test: str) -> None:
    failures = run_contract(suite(MetadataRepositoryContract, broken))
    assert set(failures) == {f"test_{test}"}


@pytest.mark.parametrize("broken", [BlindToUpdates, Counted, AllTheSame])
def test_broken_versions_are_caught_in_any_order(broken: Any) -> None:
    failures = run_contract(suite(MetadataRepositoryMachine, broken))
    assert "The contract says: " in str(failures["test_any_sequence_of_calls"])


@pytest.fixture
def records(database: SqliteDatabase, make_image: MakeImage) -> SqliteMetadataRepository:
    records = SqliteMetadataRepository(database)
    records.add(make_image("k1", kind="scene"))
    records.add(make_image("k2", kind="reference"))
    records.add(make_image("k3", kind="reference", character_id="abel"))
    return records


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE images SET record = record || ' ' WHERE id = 'k1'",
        "UPDATE images SET created_ms = created_ms + 1 WHERE id = 'k1'",
        "UPDATE images SET character_id = 'abel' WHERE id = 'k1'",
        "UPDATE images SET character_id = 'mira' WHERE id = 'k3'",
        "UPDATE images SET id = 'k9' WHERE id = 'k1'",
        "DELETE FROM images WHERE id = 'k1'",
        "DELETE FROM images",
        "REPLACE INTO images SELECT * FROM images WHERE id = 'k1'",
        "REPLACE INTO images SELECT id, 'abel', kind, status, 0, '{}' FROM images WHERE id = 'k1'",
        "INSERT INTO images SELECT 'k4', 'mira', 'new', status, 0, '{}' FROM images LIMIT 1",
    ],
)
def test_no_change_by_other_programs_escapes(
    records: SqliteMetadataRepository, path: Path, sql: str
) -> None:
    before = records.list_stored("mira").version
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)
    assert records.list_stored("mira").version != before


def test_other_characters_and_readers_change_nothing(
    records: SqliteMetadataRepository, make_image: MakeImage
) -> None:
    before = records.list_stored("mira").version
    records.add(make_image("k4", character_id="abel"))
    records.delete("k3")
    records.list("mira")
    assert not records.delete("k3")
    assert records.list_stored("mira").version == before


def test_a_backup_does_not_bring_an_earlier_version_back(
    records: SqliteMetadataRepository, path: Path, tmp_path: Path, make_image: MakeImage
) -> None:
    with (
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(tmp_path / "backup")) as to,
    ):
        source.backup(to)
    image = records.get("k1")
    assert image is not None
    records.update(evolve(image, prompt="one"))
    with SqliteDatabase(tmp_path / "backup") as database:
        restored = SqliteMetadataRepository(database)
        restored.update(evolve(image, prompt="another"))
        assert restored.list_stored("mira").version != records.list_stored("mira").version


def test_records_of_before_have_a_version(path: Path, make_image: MakeImage) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(VERSION_1)
        for number, character in enumerate(("mira", "abel")):
            text = json.dumps(to_json(make_image(f"k{number}", character_id=character)))
            connection.execute(
                "INSERT INTO images VALUES (?, ?, 'scene', 'succeeded', 0, ?)",
                (f"k{number}", character, text),
            )
    with SqliteDatabase(path) as database:
        records = SqliteMetadataRepository(database)
        pages = [records.list_stored(each) for each in ("mira", "abel")]
        assert pages[0].version != pages[1].version
        assert [len(page.records or ()) for page in pages] == [1, 1]


def test_nothing_is_read_of_a_version_that_is_known(records: SqliteMetadataRepository) -> None:
    version = records.list_stored("mira").version
    seen: list[str] = []
    with records._database.reading() as connection:
        connection.set_trace_callback(seen.append)
    assert records.list_stored("mira", unless=[version]).records is None
    assert [each for each in seen if "FROM images" in each] == []
    assert len([each for each in seen if each.startswith("SELECT")]) == 1
