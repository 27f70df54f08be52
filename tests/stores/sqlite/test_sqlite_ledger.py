"""Leases by the wall clock and by who still lives; what the ledger refuses; what it costs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from charimg._owner import new_owner
from charimg.errors import (
    GenerationInProgress,
    InvalidArgument,
    LeaseLost,
    StorageConflict,
    StorageError,
)
from charimg.journal import Operation
from charimg.stores.sqlite import SqliteDatabase, SqliteGenerationLedger, SqliteMetadataRepository

MakeOperation = Callable[..., Operation]


@pytest.fixture
def ledger(database: SqliteDatabase, clock: Any) -> SqliteGenerationLedger:
    return SqliteGenerationLedger(database, clock=clock)


def _of_dead_process() -> str:
    """Return the name of a process of this machine whose pid belongs to another one by now."""
    machine, pid, _, random = new_owner().split(":")
    return f"{machine}:{pid}:1:{random}"


def test_who_holds_the_lease_and_for_how_long(ledger: SqliteGenerationLedger, clock: Any) -> None:
    lease = ledger.acquire("mira", owner="host:7", ttl=30)
    assert lease.expires_at == datetime.fromtimestamp(clock.now + 30, UTC)
    clock.now += 10
    with pytest.raises(
        GenerationInProgress, match=r"'mira' is running, or was broken off\..* 20 s"
    ) as caught:
        ledger.acquire("mira", owner="host:8", ttl=30)
    assert (caught.value.holder, caught.value.expires_in) == ("host:7", 20.0)
    clock.now += 20
    assert ledger.acquire("mira", owner="host:8", ttl=30).token == lease.token + 1


def test_a_lease_of_a_dead_process_is_taken_over_at_once(
    ledger: SqliteGenerationLedger, make_operation: MakeOperation
) -> None:
    dead = ledger.acquire("mira", owner=_of_dead_process(), ttl=3600)
    lease = ledger.acquire("mira", owner=new_owner(), ttl=3600)
    assert lease.token == dead.token + 1
    with pytest.raises(GenerationInProgress):
        ledger.acquire("mira", owner=new_owner(), ttl=3600)
    with pytest.raises(LeaseLost, match="given up or taken over"):
        ledger.write(make_operation("op"), lease=dead)
    assert ledger.get("op") is None


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf"), 400 * 86_400])
def test_a_senseless_ttl_is_refused(ledger: SqliteGenerationLedger, ttl: float) -> None:
    with pytest.raises(InvalidArgument, match="at most a year"):
        ledger.acquire("mira", owner="a", ttl=ttl)
    lease = ledger.acquire("mira", owner="a", ttl=60)
    with pytest.raises(InvalidArgument, match="at most a year"):
        ledger.renew(lease, ttl=ttl)
    assert lease.token == 1, "nothing was taken"


def test_a_lease_on_another_character_cannot_write(
    ledger: SqliteGenerationLedger, make_operation: MakeOperation
) -> None:
    lease = ledger.acquire("mira", owner="x", ttl=60)
    ledger.acquire("abel", owner="x", ttl=60)
    with pytest.raises(InvalidArgument, match="of character 'abel', but the lease is on 'mira'"):
        ledger.write(make_operation("op", character_id="abel"), lease=lease)
    with pytest.raises(LeaseLost):
        ledger.write(
            make_operation("op", character_id="bea"), lease=evolve(lease, character_id="bea")
        )
    assert ledger.get("op") is None


def test_an_id_of_another_character_is_not_overwritten(
    ledger: SqliteGenerationLedger, make_operation: MakeOperation
) -> None:
    first = make_operation("op", prompt="Mira")
    ledger.write(first, lease=ledger.acquire("mira", owner="a", ttl=60))
    other = make_operation("op", character_id="abel")
    lease = ledger.acquire("abel", owner="a", ttl=60)
    with pytest.raises(StorageConflict, match=r"'op' is taken.*Nothing was written"):
        ledger.write(other, lease=lease)
    assert ledger.get("op") == first


def test_options_that_are_no_json_are_refused(
    ledger: SqliteGenerationLedger, make_operation: MakeOperation
) -> None:
    lease = ledger.acquire("mira", owner="a", ttl=60)
    with pytest.raises(InvalidArgument, match=r"operation 'op'.*no JSON"):
        ledger.write(make_operation("op", options={"x": object()}), lease=lease)


def test_a_damaged_operation_is_told(
    ledger: SqliteGenerationLedger, database: SqliteDatabase, make_operation: MakeOperation
) -> None:
    ledger.write(make_operation("op"), lease=ledger.acquire("mira", owner="a", ttl=60))
    with database.writing() as connection:
        connection.execute("""UPDATE operations SET operation = '{"id": 7}'""")
    with pytest.raises(StorageError, match=r"operation 'op': \$\.id must be a string"):
        ledger.get("op")


def test_a_cursor_of_another_listing_is_refused(
    ledger: SqliteGenerationLedger, database: SqliteDatabase, make_operation: Any, make_image: Any
) -> None:
    repository = SqliteMetadataRepository(database)
    lease = ledger.acquire("mira", owner="a", ttl=60)
    for number in range(2):
        repository.add(make_image(f"k{number}"))
        ledger.write(make_operation(f"o{number}"), lease=lease)
    with pytest.raises(InvalidArgument):
        repository.list("mira", cursor=ledger.list("mira", limit=1).next_cursor)
    with pytest.raises(InvalidArgument):
        ledger.list("mira", cursor=repository.list("mira", limit=1).next_cursor)


def test_one_of_many_threads_gets_the_lease(ledger: SqliteGenerationLedger) -> None:
    def take(number: int) -> bool:
        try:
            ledger.acquire("mira", owner=str(number), ttl=60)
        except GenerationInProgress:
            return False
        return True

    with ThreadPoolExecutor(8) as executor:
        assert sum(executor.map(take, range(40))) == 1


def test_operations_are_found_without_reading_them_all(
    ledger: SqliteGenerationLedger, database: SqliteDatabase
) -> None:
    seen: list[str] = []
    with database.reading() as connection:
        connection.set_trace_callback(seen.append)
    ledger.list("mira")
    ledger.unfinished("mira")
    ledger.unfinished()
    with database.reading() as connection:
        connection.set_trace_callback(None)
        queries = [each for each in seen if each.startswith("SELECT")]
        plans = [
            [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
            for query in queries
        ]
    assert plans == [
        ["SEARCH operations USING INDEX operations_newest (character_id=? AND id<?)"],
        ["SEARCH operations USING INDEX operations_unfinished (character_id=?)"],
        # Of everybody: sorted, but only the few that are unfinished.
        ["SCAN operations USING INDEX operations_unfinished", "USE TEMP B-TREE FOR ORDER BY"],
    ]


def test_writers_begin_immediate(
    ledger: SqliteGenerationLedger, database: SqliteDatabase, make_operation: MakeOperation
) -> None:
    seen: list[str] = []
    with database.reading() as connection:
        connection.set_trace_callback(seen.append)
    lease = ledger.acquire("mira", owner="a", ttl=60)
    ledger.renew(lease, ttl=60)
    ledger.write(make_operation("op"), lease=lease)
    ledger.release(lease)
    begun = [each for each in seen if each.startswith("BEGIN")]
    assert begun == ["BEGIN IMMEDIATE"] * 4
