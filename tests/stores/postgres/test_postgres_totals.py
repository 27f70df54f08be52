"""Totals: kept by the database, exact whoever writes, and nobody waits for anybody."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from attrs import evolve

from charimg import CharacterImage, to_json
from charimg.stores import PostgresDatabase, PostgresMetadataRepository

from . import values
from .test_postgres_schema import VERSION_1

FILTERS: list[dict[str, str]] = [{}, {"kind": "scene"}, {"status": "failed"}]


def image(key: str, **changes: Any) -> CharacterImage:
    return values.image(key, **{"kind": "reference", "status": "succeeded", **changes})


def totals(records: PostgresMetadataRepository, character_id: str = "mira") -> list[int]:
    return [records.list(character_id, **each).total for each in FILTERS]


def parts(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM charimg.image_counts").fetchone()
    assert row is not None
    return int(row[0])


def test_totals_follow_every_change(url: str) -> None:
    with PostgresDatabase(url) as database:
        records = PostgresMetadataRepository(database)
        first = records.add(image("k1", kind="scene"))
        records.add(image("k2", kind="scene", status="failed"))
        records.add(image("k1", kind="scene", status="failed"))
        assert totals(records) == [2, 2, 1]
        records.update(evolve(first, prompt="another"))
        assert totals(records) == [2, 2, 1]
        records.update(evolve(first, kind="reference", status="failed"))
        assert totals(records) == [2, 1, 2]
        records.update(evolve(first, character_id="abel"))
        assert (totals(records), records.list("abel").total) == ([1, 1, 1], 1)
        assert records.delete("k2")
        assert not records.delete("k2")
        assert totals(records) == [0, 0, 0]
        assert records.character_ids() == ("abel",)


def test_images_of_before_are_counted(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(VERSION_1)
        for number in range(5):
            made = image(f"k{number}", kind="scene" if number else "reference")
            connection.execute(
                "INSERT INTO charimg.images VALUES (%s, 'mira', %s, 'succeeded', %s, %s)",
                (made.id, made.kind, number, json.dumps(to_json(made))),
            )
    with PostgresDatabase(url) as database:
        records = PostgresMetadataRepository(database)
        assert totals(records) == [5, 4, 0]
        assert records.delete("k0")
        assert totals(records) == [4, 4, 0]


def test_totals_are_exact_when_many_write_at_once(url: str) -> None:
    with PostgresDatabase(url, max_connections=8, timeout=600) as database:
        records = PostgresMetadataRepository(database)

        def work(number: int) -> None:
            records.add(image(f"k{number}", kind="scene"))
            if number % 3 == 0:
                records.delete(f"k{number}")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(300)))
        assert totals(records) == [200, 200, 0]
        assert parts(url) <= 8, "no more than there were writers at once"


def test_one_statement_for_many_images_counts_them_all(url: str) -> None:
    with PostgresDatabase(url) as database:
        records = PostgresMetadataRepository(database)
        for number in range(10):
            records.add(image(f"k{number}"))
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE charimg.images SET kind = 'scene' WHERE id < 'k4'")
            connection.execute("DELETE FROM charimg.images WHERE id >= 'k8'")
        assert totals(records) == [8, 4, 0]
        with psycopg.connect(url) as connection:
            connection.execute("TRUNCATE charimg.images")
        assert totals(records) == [0, 0, 0]
        records.add(image("k1"))
        assert totals(records) == [1, 0, 0]


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_long_transaction_of_the_hosts_is_in_nobodys_way(
    url: str, isolation: str, end: str
) -> None:
    with PostgresDatabase(url) as database, psycopg.connect(url, autocommit=True) as host:
        records = PostgresMetadataRepository(database)
        records.add(image("k0"))
        with PostgresDatabase(connection=host) as theirs:
            host.execute(f"BEGIN ISOLATION LEVEL {isolation}")
            inside = PostgresMetadataRepository(theirs)
            inside.add(image("k1"))
            with database._own() as connection:
                connection.execute("SET lock_timeout = '5s'")
            records.add(image("k2"))
            assert totals(records)[0] == 2
            # In the host's transaction, too, although others have changed the sum meanwhile.
            inside.add(image("k3"))
            seen = 4 if isolation == "READ COMMITTED" else 3
            assert totals(inside)[0] == seen
            host.execute(end)
        assert totals(records)[0] == (4 if end == "COMMIT" else 2)
