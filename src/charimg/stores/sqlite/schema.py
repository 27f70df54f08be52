"""The tables, and the steps that bring an older file forward.

``PRAGMA user_version`` holds how many steps a file has taken. A step is never changed once files
with it exist: it must still read what the charimg of its day wrote, so it imports nothing of ours.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from ...errors import SchemaError, StorageError

__all__ = ["APPLICATION_ID", "STEPS", "check", "migrate"]

APPLICATION_ID = 0x63686172
"""``PRAGMA application_id`` of our files ("char"), so that another program's file is told apart."""

_TABLES = (
    """
    CREATE TABLE images (
        id TEXT NOT NULL PRIMARY KEY,  -- the record's key
        character_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        created_ms INTEGER NOT NULL,  -- milliseconds since 1970, UTC
        record TEXT NOT NULL  -- the whole record, as JSON
    )
    """,
    "CREATE INDEX images_newest ON images (character_id, created_ms, id)",
    """
    CREATE TABLE characters (
        id TEXT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        library_db_id TEXT,
        library_character_id TEXT,
        traits TEXT NOT NULL  -- JSON
    )
    """,
    # A row stays when its lease is given up (owner NULL), so that tokens grow for ever.
    """
    CREATE TABLE leases (
        character_id TEXT NOT NULL PRIMARY KEY,
        token INTEGER NOT NULL,
        owner TEXT,
        expires_ms INTEGER NOT NULL  -- milliseconds since 1970, UTC
    )
    """,
    """
    CREATE TABLE operations (
        id TEXT NOT NULL PRIMARY KEY,
        character_id TEXT NOT NULL,
        operation TEXT NOT NULL  -- the whole operation, as JSON
    )
    """,
    "CREATE INDEX operations_newest ON operations (character_id, id)",
)

_FILTERS = (
    "CREATE INDEX images_by_kind ON images (character_id, kind, created_ms, id)",
    "CREATE INDEX images_by_status ON images (character_id, status, created_ms, id)",
    "CREATE INDEX images_by_kind_status ON images (character_id, kind, status, created_ms, id)",
    "ALTER TABLE operations ADD COLUMN finished INTEGER NOT NULL DEFAULT 0",
)


# A page tells how many records there are in all: counting them anew would take the longer the more
# there are.
_COUNTS = (
    """
    CREATE TABLE image_counts (
        character_id TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        images INTEGER NOT NULL,  -- how many there are; no row when there are none
        PRIMARY KEY (character_id, kind, status)
    ) WITHOUT ROWID
    """,
    """
    INSERT INTO image_counts
    SELECT character_id, kind, status, count(*) FROM images GROUP BY character_id, kind, status
    """,
    """
    CREATE TRIGGER images_added AFTER INSERT ON images BEGIN
        INSERT INTO image_counts VALUES (new.character_id, new.kind, new.status, 1)
        ON CONFLICT (character_id, kind, status) DO UPDATE SET images = images + 1;
    END
    """,
    """
    CREATE TRIGGER images_removed AFTER DELETE ON images BEGIN
        UPDATE image_counts SET images = images - 1
        WHERE character_id = old.character_id AND kind = old.kind AND status = old.status;
        DELETE FROM image_counts
        WHERE character_id = old.character_id AND kind = old.kind AND status = old.status
        AND images = 0;
    END
    """,
    """
    CREATE TRIGGER images_moved AFTER UPDATE OF character_id, kind, status ON images BEGIN
        INSERT INTO image_counts VALUES (new.character_id, new.kind, new.status, 1)
        ON CONFLICT (character_id, kind, status) DO UPDATE SET images = images + 1;
        UPDATE image_counts SET images = images - 1
        WHERE character_id = old.character_id AND kind = old.kind AND status = old.status;
        DELETE FROM image_counts
        WHERE character_id = old.character_id AND kind = old.kind AND status = old.status
        AND images = 0;
    END
    """,
)

# What each group of records was last changed by: a page asked for again is compared by these alone.
# Drawn by lot, so that not even a file from a backup gives one to two states. A group that is empty
# keeps its row: without it an earlier state would seem to be back.
_VERSIONS = (
    "ALTER TABLE image_counts ADD COLUMN token BLOB NOT NULL DEFAULT x''",
    "UPDATE image_counts SET token = randomblob(8)",
    "DROP TRIGGER images_added",
    "DROP TRIGGER images_removed",
    "DROP TRIGGER images_moved",
    """
    CREATE TRIGGER images_added AFTER INSERT ON images BEGIN
        INSERT INTO image_counts VALUES
            (new.character_id, new.kind, new.status, 1, randomblob(8))
        ON CONFLICT (character_id, kind, status)
        DO UPDATE SET images = images + 1, token = excluded.token;
    END
    """,
    """
    CREATE TRIGGER images_removed AFTER DELETE ON images BEGIN
        UPDATE image_counts SET images = images - 1, token = randomblob(8)
        WHERE character_id = old.character_id AND kind = old.kind AND status = old.status;
    END
    """,
    """
    CREATE TRIGGER images_changed AFTER UPDATE ON images BEGIN
        INSERT INTO image_counts VALUES
            (new.character_id, new.kind, new.status, 1, randomblob(8))
        ON CONFLICT (character_id, kind, status)
        DO UPDATE SET images = images + 1, token = excluded.token;
        UPDATE image_counts SET images = images - 1, token = randomblob(8)
        WHERE character_id = old.character_id AND kind = old.kind AND status = old.status;
    END
    """,
    # REPLACE takes the old row away without a word.
    """
    CREATE TRIGGER images_replaced BEFORE INSERT ON images
    WHEN EXISTS (SELECT 1 FROM images WHERE id = new.id) BEGIN
        UPDATE image_counts SET token = randomblob(8) WHERE (character_id, kind, status) =
            (SELECT character_id, kind, status FROM images WHERE id = new.id);
    END
    """,
)


def _tables(connection: sqlite3.Connection) -> None:
    """Step 1: the tables."""
    for statement in _TABLES:
        connection.execute(statement)


def _filters(connection: sqlite3.Connection) -> None:
    """Step 2: an index for every filter; unfinished operations are found without reading all."""
    for statement in _FILTERS:
        connection.execute(statement)
    rows = connection.execute("SELECT id, operation FROM operations").fetchall()
    finished = [(operation_id,) for operation_id, text in rows if _was_finished(text)]
    connection.executemany("UPDATE operations SET finished = 1 WHERE id = ?", finished)
    connection.execute(
        "CREATE INDEX operations_unfinished ON operations (character_id, id) WHERE finished = 0"
    )


def _was_finished(text: str) -> bool:
    try:
        operation = json.loads(text)
        return operation["state"] in ("done", "failed") and not operation["doomed"]
    except (ValueError, TypeError, KeyError):
        # Damaged: left among the unfinished, where reading it says so.
        return False


def _counts(connection: sqlite3.Connection) -> None:
    """Step 3: how many records there are, kept by the database itself."""
    for statement in _COUNTS:
        connection.execute(statement)


def _links(connection: sqlite3.Connection) -> None:
    """Step 4: who is linked to a character of the Library is found without reading all."""
    connection.execute("CREATE INDEX characters_linked ON characters (library_db_id)")


def _versions(connection: sqlite3.Connection) -> None:
    """Step 5: what changes whenever records change, kept by the database itself."""
    for statement in _VERSIONS:
        connection.execute(statement)


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _tables,
    _filters,
    _counts,
    _links,
    _versions,
)
"""Step ``n`` (from 1) brings a file from version ``n - 1`` to version ``n``."""


def check(connection: sqlite3.Connection, path: object) -> bool:
    """Return whether the file has taken every step; change nothing.

    Raises:
        SchemaError: A newer charimg wrote the file.
        StorageError: Another program wrote the file.
    """
    # One transaction: another process may be creating the tables at this moment.
    connection.execute("BEGIN")
    version = _pragma(connection, "user_version")
    application = _pragma(connection, "application_id")
    (entries,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.execute("COMMIT")
    if version > len(STEPS):
        raise SchemaError(
            f"{path} has schema version {version}, but this charimg knows only {len(STEPS)}. "
            "Upgrade charimg before using this file. Nothing was changed."
        )
    is_new = version == application == entries == 0
    if not is_new and application != APPLICATION_ID:
        raise StorageError(
            f"{path} is a SQLite database of another program. Give charimg a file of its own. "
            "Nothing was changed."
        )
    return version == len(STEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that are missing: all of them, or none when one fails."""
    connection.execute("BEGIN IMMEDIATE")
    # Read again under the lock: another process may have been faster.
    for step in STEPS[_pragma(connection, "user_version") :]:
        step(connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
