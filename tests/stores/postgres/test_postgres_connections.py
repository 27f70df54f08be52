"""Connections: kept, few, broken, cancelled, forked, and those of a pooler."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from charimg import GenerationInProgress, StorageError
from charimg.stores import (
    AsyncPostgresDatabase,
    AsyncPostgresGenerationLedger,
    AsyncPostgresMetadataRepository,
    PostgresDatabase,
    PostgresGenerationLedger,
    PostgresMetadataRepository,
)
from charimg.stores.postgres import source

from ...servers.ports import Port
from ...servers.postgres import PostgresServer, opened_to_all, running
from .values import image, operation


def _idle(kept: list[tuple[float, Any]]) -> list[Any]:
    return [connection for _, connection in kept]


def test_a_restarted_server_costs_nothing_but_the_calls_meanwhile() -> None:
    with running() as own:
        url = own.new_database()
        database = PostgresDatabase(url)
        records = PostgresMetadataRepository(database)
        records.add(image("k1"))
        runner = asyncio.Runner()
        others = AsyncPostgresDatabase(url)
        async_records = AsyncPostgresMetadataRepository(others)
        assert runner.run(async_records.get("k1")) is not None
        own.stop()
        with pytest.raises(StorageError, match="Is the server up"):
            records.get("k1")
        with pytest.raises(StorageError, match="Is the server up"):
            runner.run(async_records.get("k1"))
        own.start()
        records.add(image("k2"))
        assert runner.run(async_records.list("mira")).total == 2
        own.stop()
        own.start()
        # Connections of before the restart lie idle; they are found out before they are used.
        assert records.list("mira").total == 2
        assert runner.run(async_records.list("mira")).total == 2
        runner.run(others.aclose())
        runner.close()
        database.close()


def test_the_server_needs_no_way_through_pytests_directories(
    postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each pytest that starts shuts them to others; a checkpoint without a way ended the server."""
    tmp_path_factory.getbasetemp().parent.chmod(0o700)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_connections_are_few_and_kept(url: str) -> None:
    with PostgresDatabase(url, max_connections=3, timeout=600) as database:
        records = PostgresMetadataRepository(database)
        with ThreadPoolExecutor(12) as threads:
            list(threads.map(lambda number: records.add(image(f"k{number}")), range(60)))
        assert records.list("mira").total == 60
        assert 1 <= len(database._idle) <= 3
    with PostgresDatabase(url, max_connections=1, timeout=0.2) as database:
        records = PostgresMetadataRepository(database)
        with database._own(), pytest.raises(StorageError, match="All 1 connections"):
            records.list("mira")


def test_a_connection_is_asked_for_its_health_only_after_a_while(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def traced(cls: type[Any]) -> None:
        original = cls.execute

        def execute(self: Any, query: str, *args: Any, **options: Any) -> Any:
            asked.append(query)
            return original(self, query, *args, **options)

        monkeypatch.setattr(cls, "execute", execute)

    traced(psycopg.Connection)
    traced(psycopg.AsyncConnection)

    async def work(expected: list[str]) -> None:
        async with AsyncPostgresDatabase(url) as database:
            records = AsyncPostgresMetadataRepository(database)
            await records.list("mira")
            asked.clear()
            await records.list("mira")
            assert asked == expected

    for seconds, expected in ((3600.0, []), (-1.0, [""])):
        monkeypatch.setattr(source, "_FRESH", seconds)
        with PostgresDatabase(url) as database:
            records = PostgresMetadataRepository(database)
            records.list("mira")
            asked.clear()
            records.list("mira")
            assert asked == expected
        asyncio.run(work(expected))


def test_a_refusal_costs_no_connection(url: str) -> None:
    with PostgresDatabase(url) as database:
        ledger = PostgresGenerationLedger(database)
        ledger.acquire("mira", owner="a", ttl=60)
        kept = _idle(database._idle)
        with pytest.raises(GenerationInProgress):
            ledger.acquire("mira", owner="b", ttl=60)
        assert _idle(database._idle) == kept
        assert not kept[0].closed

    async def work() -> None:
        async with AsyncPostgresDatabase(url) as opened:
            others = AsyncPostgresGenerationLedger(opened)
            with pytest.raises(GenerationInProgress):
                await others.acquire("mira", owner="b", ttl=60)
            kept = _idle(opened._lane().idle)
            with pytest.raises(GenerationInProgress):
                await others.acquire("mira", owner="b", ttl=60)
            assert _idle(opened._lane().idle) == kept

    asyncio.run(work())


def test_async_connections_are_few_and_kept(url: str) -> None:
    async def work() -> None:
        async with AsyncPostgresDatabase(url, max_connections=3, timeout=600) as database:
            records = AsyncPostgresMetadataRepository(database)
            async with asyncio.TaskGroup() as group:
                for number in range(40):
                    group.create_task(records.add(image(f"k{number}")))
            assert (await records.list("mira")).total == 40
            assert 1 <= len(database._lane().idle) <= 3
        database = AsyncPostgresDatabase(url, max_connections=1, timeout=0.2)
        records = AsyncPostgresMetadataRepository(database)
        async with database._own():
            with pytest.raises(StorageError, match="All 1 connections"):
                await records.list("mira")
            await database.aclose()
        assert database._lane().idle == []
        with pytest.raises(StorageError, match="is closed"):
            await records.list("mira")

    asyncio.run(work())


@pytest.mark.parametrize("asks_first", [False, True])
def test_a_task_that_is_cancelled_spoils_no_connection(
    url: str, monkeypatch: pytest.MonkeyPatch, asks_first: bool
) -> None:
    monkeypatch.setattr(source, "_FRESH", -1.0 if asks_first else 3600.0)

    async def work() -> None:
        async with AsyncPostgresDatabase(url, max_connections=2) as database:
            records = AsyncPostgresMetadataRepository(database)
            await records.add(image("k"))
            for turns in range(40):
                task = asyncio.create_task(records.list("mira"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert (await records.list("mira")).total == 1

    asyncio.run(work())


def test_a_loop_has_connections_of_its_own(url: str) -> None:
    database = AsyncPostgresDatabase(url)
    records = AsyncPostgresMetadataRepository(database)
    for number in range(3):
        asyncio.run(_one(records, database, number))


async def _one(records: Any, database: AsyncPostgresDatabase, number: int) -> None:
    await records.add(image(f"k{number}"))
    assert (await records.list("mira")).total == number + 1
    for connection in _idle(database._lane().idle):
        await connection.close()


def test_a_closed_database_is_told(url: str) -> None:
    database = PostgresDatabase(url)
    records = PostgresMetadataRepository(database)
    records.add(image("k"))
    with database._own():
        database.close()
    assert database._idle == []
    with pytest.raises(StorageError, match="is closed"):
        records.get("k")


_FORKING = """
import os, sys
from charimg.stores import PostgresDatabase, PostgresMetadataRepository
from charimg import CharacterImage
database = PostgresDatabase(sys.argv[1])
records = PostgresMetadataRepository(database)
def add(key):
    records.add(CharacterImage(key=key, character_id="mira", kind="scene", status="failed"))
add("parent")
for number in range(3):
    if os.fork() == 0:
        for again in range(20):
            add(f"child-{number}-{again}")
        os._exit(0)
for again in range(20):
    add(f"parent-{again}")
codes = [os.wait()[1] for _ in range(3)]
assert codes == [0, 0, 0], codes
print(records.list("mira").total)
"""


def test_a_forked_child_opens_connections_of_its_own(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _FORKING, url], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "81"


def test_connections_of_another_process_are_left_alone(url: str) -> None:
    with PostgresDatabase(url) as database:
        records = PostgresMetadataRepository(database)
        records.add(image("k"))
        theirs = _idle(database._idle)
        database._process = -1
        assert records.get("k") is not None
        assert _idle(database._idle) != theirs
        assert not theirs[0].closed
        theirs[0].close()


# A pooler


@pytest.fixture
def pooled(url: str, postgres_server: PostgresServer) -> Iterator[str]:
    """PgBouncer in transaction mode, with two connections to the server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is missing; install it with: apt-get install pgbouncer")
    held = Port()
    port = held.number
    database = url.rpartition("/")[2]
    user = "postgres" if os.geteuid() == 0 else None
    with opened_to_all() as directory:
        settings = directory / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n{database} = user=charimg host=127.0.0.1 port={postgres_server.port}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n[users]\n"
        )
        process = subprocess.Popen([program, str(settings)], user=user, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 600
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    assert process.poll() is None, "PgBouncer did not start."
                    assert time.monotonic() < end, "PgBouncer does not answer."
                    time.sleep(0.05)
            yield f"postgresql://charimg@127.0.0.1:{port}/{database}"
        finally:
            process.terminate()
            process.wait()


def test_it_works_behind_a_pooler_in_transaction_mode(pooled: str) -> None:
    with PostgresDatabase(pooled, max_connections=8, timeout=600) as database:
        records = PostgresMetadataRepository(database)
        ledger = PostgresGenerationLedger(database)

        def work(number: int) -> None:
            records.add(image(f"k{number}"))
            records.get(f"k{number}")
            records.list("mira", limit=3)
            lease = ledger.acquire(f"c{number}", owner="a", ttl=60)
            ledger.write(operation(f"o{number}", character_id=f"c{number}"), lease=lease)
            ledger.release(ledger.renew(lease, ttl=60))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(60)))
        assert records.list("mira").total == 60
        assert len(ledger.unfinished()) == 60

    async def others() -> None:
        async with AsyncPostgresDatabase(pooled, timeout=600) as opened:
            again = AsyncPostgresMetadataRepository(opened)
            async with asyncio.TaskGroup() as group:
                for number in range(30):
                    group.create_task(again.get(f"k{number}"))
            assert (await again.list("mira")).total == 60

    asyncio.run(others())
