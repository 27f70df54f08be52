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

# A page tells how many records there are in all: counting them anew would take the longer the more
# there are. The database keeps the sums itself, whoever writes. No writer waits for another one, so
# none can be in the way of a long transaction of a host's: each changes a part of the sum that no
# other transaction has changed and not yet ended, or adds a part. So there are no more parts than
# there once were writers at the same moment.
_COUNTS = (
    # What is written meanwhile would not be counted.
    "LOCK TABLE {s}.images IN SHARE ROW EXCLUSIVE MODE",
    """
    CREATE TABLE {s}.image_counts (
        part bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        character_id text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        images bigint NOT NULL  -- the parts of a sum; one alone may be negative
    )
    """,
    "CREATE INDEX image_counts_parts ON {s}.image_counts (character_id, kind, status)",
    """
    INSERT INTO {s}.image_counts (character_id, kind, status, images)
    SELECT character_id, kind, status, count(*) FROM {s}.images GROUP BY 1, 2, 3
    """,
    """
    CREATE FUNCTION {s}.change_image_count(text, text, text, bigint) RETURNS void
    LANGUAGE plpgsql AS $charimg$
    BEGIN
        -- Elsewhere a part that was changed meanwhile would end the transaction.
        IF current_setting('transaction_isolation') = 'read committed' THEN
            UPDATE {s}.image_counts SET images = images + $4 WHERE part = (
                SELECT part FROM {s}.image_counts
                WHERE character_id = $1 AND kind = $2 AND status = $3
                LIMIT 1 FOR UPDATE SKIP LOCKED
            );
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
        INSERT INTO {s}.image_counts (character_id, kind, status, images)
        VALUES ($1, $2, $3, $4);
    END
    $charimg$
    """,
    """
    CREATE FUNCTION {s}.count_images() RETURNS trigger LANGUAGE plpgsql AS $charimg$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM {s}.change_image_count(character_id, kind, status, change) FROM (
                SELECT character_id, kind, status, count(*) AS change FROM added GROUP BY 1, 2, 3
            ) AS each;
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM {s}.change_image_count(character_id, kind, status, change) FROM (
                SELECT character_id, kind, status, -count(*) AS change FROM removed
                GROUP BY 1, 2, 3
            ) AS each;
        ELSIF TG_OP = 'TRUNCATE' THEN
            DELETE FROM {s}.image_counts;
        ELSE
            PERFORM {s}.change_image_count(character_id, kind, status, change) FROM (
                SELECT character_id, kind, status, sum(change)::bigint AS change FROM (
                    SELECT character_id, kind, status, 1 AS change FROM added
                    UNION ALL SELECT character_id, kind, status, -1 FROM removed
                ) AS moved GROUP BY 1, 2, 3 HAVING sum(change) <> 0
            ) AS each;
        END IF;
        RETURN NULL;
    END
    $charimg$
    """,
    """
    CREATE TRIGGER images_added AFTER INSERT ON {s}.images REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.count_images()
    """,
    """
    CREATE TRIGGER images_removed AFTER DELETE ON {s}.images REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.count_images()
    """,
    """
    CREATE TRIGGER images_emptied AFTER TRUNCATE ON {s}.images
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.count_images()
    """,
    """
    CREATE TRIGGER images_moved AFTER UPDATE ON {s}.images
    REFERENCING NEW TABLE AS added OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION {s}.count_images()
    """,
)

# Who is linked to a character of the Library is found without reading all.
_LINKS = ("CREATE INDEX characters_linked ON {s}.characters (library_db_id)",)

# What each part of a sum was last changed by: a page asked for again is compared by these alone.
# Drawn by lot, so that not even a database from a backup gives one to two states. Every change of a
# record goes through the parts, also one that leaves the sum as it is.
_VERSIONS = (
    # A change that is under way would pass unnoticed.
    "LOCK TABLE {s}.images IN SHARE ROW EXCLUSIVE MODE",
    "ALTER TABLE {s}.image_counts ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()",
    """
    CREATE OR REPLACE FUNCTION {s}.change_image_count(text, text, text, bigint) RETURNS void
    LANGUAGE plpgsql AS $charimg$
    BEGIN
        -- Elsewhere a part that was changed meanwhile would end the transaction.
        IF current_setting('transaction_isolation') = 'read committed' THEN
            UPDATE {s}.image_counts SET images = images + $4, token = gen_random_uuid()
            WHERE part = (
                SELECT part FROM {s}.image_counts
                WHERE character_id = $1 AND kind = $2 AND status = $3
                LIMIT 1 FOR UPDATE SKIP LOCKED
            );
            IF FOUND THEN
                RETURN;
            END IF;
        END IF;
        INSERT INTO {s}.image_counts (character_id, kind, status, images)
        VALUES ($1, $2, $3, $4);
    END
    $charimg$
    """,
    """
    CREATE OR REPLACE FUNCTION {s}.count_images() RETURNS trigger LANGUAGE plpgsql AS $charimg$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            PERFORM {s}.change_image_count(character_id, kind, status, change) FROM (
                SELECT character_id, kind, status, count(*) AS change FROM added GROUP BY 1, 2, 3
            ) AS each;
        ELSIF TG_OP = 'DELETE' THEN
            PERFORM {s}.change_image_count(character_id, kind, status, change) FROM (
                SELECT character_id, kind, status, -count(*) AS change FROM removed
                GROUP BY 1, 2, 3
            ) AS each;
        ELSIF TG_OP = 'TRUNCATE' THEN
            DELETE FROM {s}.image_counts;
        ELSE
            PERFORM {s}.change_image_count(character_id, kind, status, change) FROM (
                SELECT character_id, kind, status, sum(change)::bigint AS change FROM (
                    SELECT character_id, kind, status, 1 AS change FROM added
                    UNION ALL SELECT character_id, kind, status, -1 FROM removed
                ) AS moved GROUP BY 1, 2, 3
            ) AS each;
        END IF;
        RETURN NULL;
    END
    $charimg$
    """,
)

STEPS: tuple[tuple[str, ...], ...] = (_TABLES, _COUNTS, _LINKS, _VERSIONS)
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
