"""Older files come forward with all they hold; newer and foreign ones are left alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from charimg._json import to_json
from charimg.errors import SchemaError, StorageError
from charimg.journal import Doomed, Operation
from charimg.models import CharacterImage, CharacterReference
from charimg.stores.sqlite import (
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
    schema,
)

MakeImage = Callable[..., CharacterImage]
MakeOperation = Callable[..., Operation]

# What version 1 wrote, word for word: later steps must read it for ever.
VERSION_1 = """
CREATE TABLE images (
    id TEXT NOT NULL PRIMARY KEY, character_id TEXT NOT NULL, kind TEXT NOT NULL,
    status TEXT NOT NULL, created_ms INTEGER NOT NULL, record TEXT NOT NULL
);
CREATE INDEX images_newest ON images (character_id, created_ms, id);
CREATE TABLE characters (
    id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, library_db_id TEXT,
    library_character_id TEXT, traits TEXT NOT NULL
);
CREATE TABLE leases (
    character_id TEXT NOT NULL PRIMARY KEY, token INTEGER NOT NULL, owner TEXT,
    expires_ms INTEGER NOT NULL
);
CREATE TABLE operations (
    id TEXT NOT NULL PRIMARY KEY, character_id TEXT NOT NULL, operation TEXT NOT NULL
);
CREATE INDEX operations_newest ON operations (character_id, id);
PRAGMA application_id = 1667785074;
PRAGMA user_version = 1;
"""


def _dump(value: object) -> str:
    return json.dumps(to_json(value))


@pytest.fixture
def old(path: Path, make_image: MakeImage, make_operation: MakeOperation) -> list[Operation]:
    """Write a file of version 1 with two images, a character, a lease and some operations."""
    path.parent.mkdir(parents=True)
    operations = [
        make_operation("op-1", state="done"),
        make_operation("op-2", state="failed"),
        make_operation("op-3", state="received"),
        make_operation("op-4", state="done", doomed=(Doomed(image_id="i", media_key="k"),)),
        make_operation("op-5", state="unknown"),
    ]
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1)
        for number, kind in enumerate(("reference", "scene")):
            image = make_image(f"k{number}", kind=kind)
            connection.execute(
                "INSERT INTO images VALUES (?, 'mira', ?, 'succeeded', ?, ?)",
                (image.id, kind, int(image.created_at.timestamp() * 1000), _dump(image)),
            )
        connection.execute("INSERT INTO characters VALUES ('mira', 'Mira', NULL, NULL, '{}')")
        connection.execute("INSERT INTO leases VALUES ('mira', 41, NULL, 0)")
        connection.executemany(
            "INSERT INTO operations VALUES (?, 'mira', ?)",
            [(operation.id, _dump(operation)) for operation in operations],
        )
        connection.execute("INSERT INTO operations VALUES ('op-6', 'abel', '{damaged')")
        connection.execute("INSERT INTO operations VALUES ('op-7', 'abel', '[]')")
        connection.commit()
    return operations


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _shape(path: Path) -> set[tuple[str, ...]]:
    """Return every table's columns and every index's columns."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall()
        return {
            (kind, name, table, *map(str, row[1:]))
            for kind, name, table in names
            for row in connection.execute(
                f"PRAGMA {'table_info' if kind == 'table' else 'index_xinfo'}({name!r})"
            )
        }


def test_an_older_file_keeps_everything(
    path: Path, old: list[Operation], make_operation: MakeOperation
) -> None:
    assert _version(path) == 1
    with SqliteDatabase(path) as database:
        page = SqliteMetadataRepository(database).list("mira")
        assert (page.total, {image.key for image in page.images}) == (2, {"k0", "k1"})
        page = SqliteMetadataRepository(database).list("mira", kind="scene")
        assert (page.total, [image.key for image in page.images]) == (1, ["k1"])
        assert SqliteMetadataRepository(database).character_ids() == ("mira",)
        directory = SqliteCharacterDirectory(database)
        assert directory.list_all() == (CharacterReference(id="mira", name="Mira"),)
        ledger = SqliteGenerationLedger(database)
        assert list(ledger.list("mira").operations) == old[::-1]
        assert [each.id for each in ledger.unfinished("mira")] == ["op-3", "op-4", "op-5"]
        lease = ledger.acquire("mira", owner="a", ttl=60)
        assert lease.token == 42, "tokens go on from where they were"
        ledger.write(make_operation("op-3", state="done"), lease=lease)
        assert [each.id for each in ledger.unfinished("mira")] == ["op-4", "op-5"]
        with pytest.raises(StorageError, match=r"operation 'op-6'.*damaged"):
            ledger.unfinished("abel")
    assert _version(path) == len(schema.STEPS)


def test_an_older_file_gets_the_shape_of_a_new_one(
    path: Path, tmp_path: Path, old: list[Operation]
) -> None:
    new = tmp_path / "new.sqlite"
    for each in (path, new):
        with SqliteDatabase(each) as database, database.reading():
            pass
    assert _shape(path) == _shape(new)
    assert _version(new) == len(schema.STEPS)


def test_a_step_that_fails_changes_nothing(
    path: Path, old: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM images")
        connection.execute("SELECT * FROM absent")

    shape = _shape(path)
    with monkeypatch.context() as patched:
        patched.setattr(schema, "STEPS", (*schema.STEPS, broken))
        with SqliteDatabase(path) as database, pytest.raises(StorageError, match="no such table"):
            SqliteMetadataRepository(database).list("mira")
    assert (_version(path), _shape(path)) == (1, shape)
    with SqliteDatabase(path) as database:
        assert SqliteMetadataRepository(database).list("mira").total == 2


def test_steps_of_the_future_run_once(
    path: Path, old: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The present version, too, is an older one some day."""
    ran = []

    def future(connection: sqlite3.Connection) -> None:
        ran.append(connection.execute("SELECT count(*) FROM images").fetchone())

    with SqliteDatabase(path) as database:
        assert SqliteMetadataRepository(database).list("mira").total == 2
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, future))
    for _ in range(2):
        with SqliteDatabase(path) as database:
            assert SqliteMetadataRepository(database).list("mira").total == 2
    assert ran == [(2,)]


def _newer(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA application_id = 1667785074")
    connection.execute(f"PRAGMA user_version = {len(schema.STEPS) + 1}")
    connection.execute("CREATE TABLE images (other TEXT)")


def _of_another_program(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE bookmarks (url TEXT)")


def _of_another_program_with_a_version(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (_newer, SchemaError, r"version 6, .* knows only 5\. Upgrade charimg.*Nothing was changed"),
        (_of_another_program, StorageError, r"another program.*file of its own"),
        (_of_another_program_with_a_version, StorageError, r"another program"),
    ],
)
def test_files_that_are_left_alone(
    path: Path, make: Callable[[sqlite3.Connection], Any], error: type[Exception], message: str
) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection:
        make(connection)
        connection.commit()
    content = path.read_bytes()
    with SqliteDatabase(path) as database:
        for _ in range(2):
            with pytest.raises(error, match=message) as caught:
                SqliteMetadataRepository(database).list("mira")
            assert str(path) in str(caught.value)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_an_empty_file_becomes_ours(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    with SqliteDatabase(path) as database:
        assert SqliteMetadataRepository(database).list("mira").total == 0
