"""How the schema is made, brought forward, and kept apart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from charimg import CharacterReference, StorageError
from charimg.errors import SchemaError
from charimg.stores import (
    PostgresCharacterDirectory,
    PostgresDatabase,
    PostgresGenerationLedger,
    PostgresMetadataRepository,
)
from charimg.stores.postgres import schema

from ...servers.postgres import PostgresServer
from .values import image

VERSION_1 = """
CREATE SCHEMA charimg;
CREATE TABLE charimg.schema_version (version integer NOT NULL);
INSERT INTO charimg.schema_version VALUES (1);
CREATE TABLE charimg.images (
    id text COLLATE "C" NOT NULL PRIMARY KEY, character_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL, status text COLLATE "C" NOT NULL, created_ms bigint NOT NULL,
    record text NOT NULL
);
CREATE INDEX images_newest ON charimg.images (character_id, created_ms, id);
CREATE INDEX images_by_kind ON charimg.images (character_id, kind, created_ms, id);
CREATE INDEX images_by_status ON charimg.images (character_id, status, created_ms, id);
CREATE INDEX images_by_kind_status ON charimg.images (character_id, kind, status, created_ms, id);
CREATE TABLE charimg.characters (
    id text COLLATE "C" NOT NULL PRIMARY KEY, name text NOT NULL, library_db_id text,
    library_character_id text, traits text NOT NULL
);
CREATE TABLE charimg.leases (
    character_id text COLLATE "C" NOT NULL PRIMARY KEY, token bigint NOT NULL, owner text,
    expires_ms bigint NOT NULL
);
CREATE TABLE charimg.operations (
    id text COLLATE "C" NOT NULL PRIMARY KEY, character_id text COLLATE "C" NOT NULL,
    finished boolean NOT NULL, operation text NOT NULL
);
CREATE INDEX operations_newest ON charimg.operations (character_id, id);
CREATE INDEX operations_unfinished ON charimg.operations (character_id, id) WHERE NOT finished;
INSERT INTO charimg.characters VALUES ('mira', 'Mira', NULL, NULL, '{"hair":"red"}');
INSERT INTO charimg.leases VALUES ('mira', 41, NULL, 0);
"""
"""What version 1 is, word for word: later steps must bring it forward for ever."""

_SHAPE = """
SELECT table_name, column_name, data_type, collation_name, is_nullable
FROM information_schema.columns WHERE table_schema = 'charimg'
UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes
WHERE schemaname = 'charimg' ORDER BY 1, 2
"""


def shape(url: str) -> list[Any]:
    with psycopg.connect(url) as connection:
        return connection.execute(_SHAPE).fetchall()


def test_a_schema_of_version_1_is_read_and_has_the_shape_of_a_new_one(
    url: str, postgres_server: PostgresServer
) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(VERSION_1)
    with PostgresDatabase(url) as database:
        mira = CharacterReference(id="mira", name="Mira", traits={"hair": "red"})
        assert PostgresCharacterDirectory(database).list_all() == (mira,)
        lease = PostgresGenerationLedger(database).acquire("mira", owner="a", ttl=60)
        assert lease.token == 42, "tokens go on from where they were"
    new = postgres_server.new_database()
    with PostgresDatabase(new) as database:
        assert PostgresMetadataRepository(database).character_ids() == ()
    assert shape(url) == shape(new)


def test_steps_are_taken_once_and_whole(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        schema, "STEPS", (*schema.STEPS, ("CREATE TABLE {s}.x (n int)", "nonsense"))
    )
    with PostgresDatabase(url) as database:
        with pytest.raises(StorageError, match="syntax error"):
            PostgresMetadataRepository(database).list("mira")
        assert shape(url) == []
        monkeypatch.setattr(schema, "STEPS", (*schema.STEPS[:-1], ("CREATE TABLE {s}.x ()",)))
        assert PostgresMetadataRepository(database).list("mira").total == 0
    monkeypatch.undo()
    with PostgresDatabase(url) as database, pytest.raises(SchemaError, match="Upgrade charimg"):
        PostgresMetadataRepository(database).list("mira")


def test_many_make_the_schema_at_once(url: str) -> None:
    ready = threading.Barrier(8)

    def start(number: int) -> int:
        with PostgresDatabase(url) as database:
            records = PostgresMetadataRepository(database)
            ready.wait(600)
            records.add(image(f"k{number}"))
            return records.list("mira").total

    with ThreadPoolExecutor(8) as threads:
        assert max(threads.map(start, range(8))) == 8


def test_schemas_are_apart_and_may_have_any_name(url: str) -> None:
    names = ('we"ird; name', "second")
    for name in names:
        with PostgresDatabase(url, schema=name) as database:
            assert PostgresMetadataRepository(database).list("mira").total == 0
            PostgresMetadataRepository(database).add(image("k"))
    with PostgresDatabase.from_url(f"{url}?schema=second&application_name=me") as database:
        assert PostgresMetadataRepository(database).list("mira").total == 1
        with database._own() as connection:
            row = connection.execute("SHOW application_name").fetchone()
        assert row == ("me",)


def test_a_role_that_may_not_make_schemas_uses_one_that_was_made_for_it(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE modest LOGIN")
    other = url.replace("charimg@", "modest@")
    with PostgresDatabase(other) as database:
        with pytest.raises(StorageError, match=r"permission denied.*Grant the role the right"):
            PostgresMetadataRepository(database).list("mira")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE SCHEMA charimg AUTHORIZATION modest")
        assert PostgresMetadataRepository(database).list("mira").total == 0
    with psycopg.connect(url) as connection:
        connection.execute("DROP OWNED BY modest; DROP ROLE modest")
