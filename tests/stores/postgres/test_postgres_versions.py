"""Versions of a listing: kept by the database, another one for each state that a reader can see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from charimg.stores import PostgresDatabase, PostgresMetadataRepository

from .test_postgres_schema import VERSION_1
from .test_postgres_totals import image

UPSERT = """
INSERT INTO charimg.images VALUES ('k1', 'mira', 'scene', 'failed', 0, '')
ON CONFLICT (id) DO UPDATE SET record = '{}'
"""


@pytest.fixture
def records(database: PostgresDatabase) -> PostgresMetadataRepository:
    records = PostgresMetadataRepository(database)
    records.add(image("k1", kind="scene"))
    records.add(image("k2"))
    records.add(image("k3", character_id="abel"))
    return records


def version(records: PostgresMetadataRepository, character_id: str = "mira") -> str:
    return records.list_stored(character_id).version


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE charimg.images SET record = record || ' ' WHERE id = 'k1'",
        "UPDATE charimg.images SET created_ms = created_ms + 1",
        "UPDATE charimg.images SET character_id = 'abel' WHERE id = 'k1'",
        "UPDATE charimg.images SET character_id = 'mira' WHERE id = 'k3'",
        "UPDATE charimg.images SET id = 'k9' WHERE id = 'k1'",
        "DELETE FROM charimg.images WHERE id = 'k1'",
        "DELETE FROM charimg.images",
        "TRUNCATE charimg.images",
        "INSERT INTO charimg.images VALUES ('k4', 'mira', 'new', 'new', 0, '{}')",
        UPSERT,
    ],
)
def test_no_change_by_other_programs_escapes(
    records: PostgresMetadataRepository, url: str, sql: str
) -> None:
    before = version(records)
    with psycopg.connect(url) as connection:
        connection.execute(sql)
    assert version(records) != before


def test_other_characters_change_nothing(records: PostgresMetadataRepository) -> None:
    before = version(records)
    records.add(image("k4", character_id="abel"))
    records.delete("k3")
    assert not records.delete("k3")
    records.add(image("k1"))
    assert version(records) == before


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_a_version_is_of_what_its_reader_sees(
    records: PostgresMetadataRepository, url: str, isolation: str
) -> None:
    before = version(records)
    with (
        psycopg.connect(url, autocommit=True) as host,
        PostgresDatabase(connection=host) as theirs,
    ):
        inside = PostgresMetadataRepository(theirs)
        for end in ("ROLLBACK", "COMMIT"):
            host.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            inside.add(image("k5"))
            assert version(inside) != before
            assert version(records) == before
            host.execute(end)
        assert version(records) == version(inside) != before


def test_writers_at_once_each_change_it(records: PostgresMetadataRepository) -> None:
    seen: dict[str, set[str]] = {}

    def work(number: int) -> None:
        records.add(image(f"w{number}"))
        if number % 2:
            records.delete(f"w{number}")
        page = records.list_stored("mira", limit=1000)
        keys = {image_id for image_id, _ in page.records or ()}
        assert seen.setdefault(page.version, keys) == keys

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(work, range(120)))
    assert len(seen) > 1


def test_a_version_that_is_known_reads_nothing(records: PostgresMetadataRepository) -> None:
    page = records.list_stored("mira", limit=1)
    again = records.list_stored("mira", limit=1, unless=["other", page.version])
    assert (again.version, again.records, again.total) == (page.version, None, 2)
    assert records.list_stored("nobody").records == ()


def test_records_of_before_have_a_version(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(VERSION_1)
        connection.execute(
            "INSERT INTO charimg.images VALUES ('k1', 'mira', 'scene', 'failed', 0, '{}'), "
            "('k2', 'abel', 'scene', 'failed', 0, '{}')"
        )
    with PostgresDatabase(url) as database:
        records = PostgresMetadataRepository(database)
        assert len({version(records, each) for each in ("mira", "abel", "nobody")}) == 3
