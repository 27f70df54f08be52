"""The tables, and the steps that bring an older schema forward.

The table ``schema_version`` holds how many steps were taken. A step is never changed once databases
with it exist.
"""

from __future__ import annotations

from ...errors import SchemaError
from .statements import Program, Statement

__all__ = ["STEPS", "bring_forward"]

_LOCK = 0x63686172696D67
"""Key of the advisory lock under which the steps are taken ("charimg"). It ends with the
transaction, so it works behind a pooler, too."""

_TABLES = (
    """
    CREATE TABLE {s}.images (
        id text COLLATE "C" NOT NULL PRIMARY KEY,  -- the record's key
        character_id text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        created_ms bigint NOT NULL,  -- milliseconds since 1970, UTC
        record text NOT NULL  -- the whole record, as JSON in ASCII
    )
    """,
    "CREATE INDEX images_newest ON {s}.images (character_id, created_ms, id)",
    "CREATE INDEX images_by_kind ON {s}.images (character_id, kind, created_ms, id)",
    "CREATE INDEX images_by_status ON {s}.images (character_id, status, created_ms, id)",
    "CREATE INDEX images_by_kind_status ON {s}.images (character_id, kind, status, created_ms, id)",
    """
    CREATE TABLE {s}.characters (
        id text COLLATE "C" NOT NULL PRIMARY KEY,
        name text NOT NULL,
        library_db_id text,
        library_character_id text,
        traits text NOT NULL  -- JSON in ASCII
    )
    """,
    # A row stays when its lease is given up (owner NULL), so that tokens grow for ever.
    """
    CREATE TABLE {s}.leases (
        character_id text COLLATE "C" NOT NULL PRIMARY KEY,
        token bigint NOT NULL,
        owner text,
        expires_ms bigint NOT NULL  -- milliseconds since 1970, UTC, by the server's clock
    )
    """,
    """
    CREATE TABLE {s}.operations (
        id text COLLATE "C" NOT NULL PRIMARY KEY,
        character_id text COLLATE "C" NOT NULL,
        finished boolean NOT NULL,
        operation text NOT NULL  -- the whole operation, as JSON in ASCII
    )
    """,
    "CREATE INDEX operations_newest ON {s}.operations (character_id, id)",
    "CREATE INDEX operations_unfinished ON {s}.operations (character_id, id) WHERE NOT finished",
)

STEPS: tuple[tuple[str, ...], ...] = (_TABLES,)
"""Step ``n`` (from 1) brings a schema from version ``n - 1`` to version ``n``."""


def bring_forward(schema: str) -> Program[None]:
    """Take the steps that are missing; a schema that is up to date is only looked at.

    Args:
        schema: The schema's name, unquoted, for messages and for looking it up.

    Raises:
        SchemaError: A newer charimg wrote it.
    """
    version = yield from _version(schema)
    if version == len(STEPS):
        return
    yield Statement("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    # Looked for first: a role that may not make schemas can use one that was made for it.
    if not (yield Statement("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,))):
        yield Statement("CREATE SCHEMA {s}")
    # Read again under the lock: another process may have been faster.
    version = yield from _version(schema)
    if version == 0:
        yield Statement("CREATE TABLE {s}.schema_version (version integer NOT NULL)")
        yield Statement("INSERT INTO {s}.schema_version VALUES (0)")
    for step in STEPS[version:]:
        for sql in step:
            yield Statement(sql)
    yield Statement("UPDATE {s}.schema_version SET version = %s", (len(STEPS),))


def _version(schema: str) -> Program[int]:
    there = yield Statement(
        "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'schema_version'", (schema,)
    )
    if not there:
        return 0
    rows = yield Statement("SELECT version FROM {s}.schema_version")
    version = int(rows[0][0])
    if version > len(STEPS):
        raise SchemaError(
            f"The schema {schema!r} has version {version}, but this charimg knows only "
            f"{len(STEPS)}. Upgrade charimg before using it. Nothing was changed."
        )
    return version
