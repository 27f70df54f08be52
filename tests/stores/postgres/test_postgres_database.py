"""Connections, transactions of the host's, migrations, outages, poolers."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attrs import evolve
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from charimg import (
    CharacterImage,
    CharacterReference,
    ConfigurationError,
    GenerationInProgress,
    InvalidArgument,
    LeaseLost,
    Operation,
    StorageError,
)
from charimg._owner import new_owner
from charimg.errors import CharacterNotFound, ImageNotFound, SchemaError, StorageConflict
from charimg.stores import (
    AsyncPostgresCharacterDirectory,
    AsyncPostgresDatabase,
    AsyncPostgresGenerationLedger,
    AsyncPostgresMetadataRepository,
    PostgresCharacterDirectory,
    PostgresDatabase,
    PostgresGenerationLedger,
    PostgresMetadataRepository,
)
from charimg.stores.postgres import metadata, schema

from ...servers.postgres import PostgresServer


def image(key: str, **changes: Any) -> CharacterImage:
    fields: dict[str, Any] = {"character_id": "mira", "kind": "scene", "status": "failed"}
    return CharacterImage(key=key, **{**fields, **changes})


def operation(operation_id: str, **changes: Any) -> Operation:
    return Operation(id=operation_id, **{"kind": "scene", "character_id": "mira", **changes})


# The host's transactions


def test_records_are_committed_and_rolled_back_with_the_hosts_transaction(url: str) -> None:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        connection.execute("CREATE TABLE theirs (n int)")
        connection.commit()
        records = PostgresMetadataRepository(PostgresDatabase(connection=connection))
        with connection.transaction():
            connection.execute("INSERT INTO theirs VALUES (1)")
            records.add(image("kept"))
        with suppress(RuntimeError), connection.transaction():
            connection.execute("INSERT INTO theirs VALUES (2)")
            records.add(image("lost"))
            assert records.list("mira").total == 2
            with pytest.raises(ImageNotFound):
                records.update(image("absent"))
            # A refusal of ours has not broken the host's transaction.
            assert records.delete("kept")
            raise RuntimeError
        assert [each.key for each in records.list("mira").images] == ["kept"]
        assert connection.execute("SELECT n FROM theirs").fetchall() == [{"n": 1}]
    with PostgresDatabase(url) as database:
        assert PostgresMetadataRepository(database).get("kept") is not None


def test_a_schema_that_is_rolled_back_is_made_again(url: str) -> None:
    with psycopg.connect(url) as connection:
        database = PostgresDatabase(connection=connection)
        directory = PostgresCharacterDirectory(database)
        with suppress(RuntimeError), connection.transaction():
            directory.put(CharacterReference(id="mira", name="Mira"))
            raise RuntimeError
        assert directory.get("mira") is None
        database.close()
        assert not connection.closed


def test_the_ledger_takes_no_part_in_the_hosts_transaction(url: str) -> None:
    with psycopg.connect(url) as connection:
        ledger = PostgresGenerationLedger(PostgresDatabase(connection=connection))
        lease = ledger.acquire("mira", owner="a", ttl=60)
        with connection.transaction(), pytest.raises(StorageError, match="a URL or a pool"):
            ledger.write(operation("op"), lease=lease)
        ledger.write(operation("op"), lease=lease)
        connection.rollback()
        assert ledger.get("op") is not None


def test_async_hosts(url: str) -> None:
    async def work() -> None:
        connection = await psycopg.AsyncConnection.connect(url)
        database = AsyncPostgresDatabase(connection=connection)
        records = AsyncPostgresMetadataRepository(database)
        await records.add(image("kept"))
        with suppress(RuntimeError):
            async with connection.transaction():
                await records.add(image("lost"))
                raise RuntimeError
        assert (await records.list("mira")).total == 1
        ledger = AsyncPostgresGenerationLedger(database)
        async with connection.transaction():
            with pytest.raises(StorageError, match="a URL or a pool"):
                await ledger.acquire("mira", owner="a", ttl=60)
        await connection.close()
        async with AsyncConnectionPool(url, min_size=1, open=False) as pool:
            again = AsyncPostgresMetadataRepository(AsyncPostgresDatabase(pool=pool))
            assert (await again.list("mira")).total == 1
            assert "the host's pool" in repr(again._database)

    asyncio.run(work())


# The schema


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
            ready.wait(30)
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


# What is refused


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"conninfo": "", "connection": object()},
        {"conninfo": "", "max_connections": 0},
        {"conninfo": "", "timeout": 0},
        {"conninfo": "", "timeout": float("nan")},
        {"conninfo": "", "schema": ""},
        {"conninfo": "", "schema": "x" * 64},
        {"conninfo": "", "schema": "a\0b"},
    ],
)
@pytest.mark.parametrize("kind", [PostgresDatabase, AsyncPostgresDatabase])
def test_bad_arguments(kind: Callable[..., Any], options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        kind(**options)


@pytest.mark.parametrize("kind", [PostgresDatabase, AsyncPostgresDatabase])
def test_a_conninfo_is_checked_as_a_url_is(kind: Any) -> None:
    for conninfo in ("postgresql://me:hush/1@host/db", "postgresql://me@host/db?schema=hush"):
        with pytest.raises(ConfigurationError) as caught:
            kind(conninfo)
        assert "hush" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("kind", [PostgresDatabase, AsyncPostgresDatabase])
@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hush@host/db",
        "postgresql://[hush",
        "postgresql://me:hush@host/db?nonsense=hush",
        "postgresql://me:hush@host/db?schema=",
        "postgresql://me:hush/1@host/db",
        "postgresql://me:1@hush@host/db",
        "postgresql://me@host:1,h2:hush/db",
    ],
)
def test_bad_urls(kind: Any, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind.from_url(url)
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_nothing_secret_is_shown(postgres_server: PostgresServer) -> None:
    where = f"127.0.0.1:{postgres_server.port}"
    for kind in (PostgresDatabase, AsyncPostgresDatabase):
        shown = repr(kind(f"postgresql://me:hush@{where}/studio"))
        assert "hush" not in shown
        assert f"'studio on {where}'" in shown
    assert "the default database on the local socket" in repr(PostgresDatabase(""))
    for role, database, told in (
        ("nobody", "postgres", 'role "nobody" does not exist'),
        ("charimg", "absent", "Check user, password and database"),
    ):
        url = f"postgresql://{role}:hush@{where}/{database}"
        with PostgresDatabase(url) as opened, pytest.raises(StorageError) as caught:
            PostgresMetadataRepository(opened).list("mira")
        assert told in str(caught.value)
        assert f"{database} on {where}" in str(caught.value)
        assert "hush" not in "".join(traceback.format_exception(caught.value))
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_psycopg_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'charimg\[postgres\]'"):
        PostgresDatabase("")


def test_trio_is_told(url: str) -> None:
    import trio

    async def work() -> None:
        await AsyncPostgresMetadataRepository(AsyncPostgresDatabase(url)).list("mira")

    with pytest.raises(ConfigurationError, match="does not know trio"):
        trio.run(work)


def test_texts_that_postgresql_cannot_hold(database: PostgresDatabase, url: str) -> None:
    records = PostgresMetadataRepository(database)
    directory = PostgresCharacterDirectory(database)
    ledger = PostgresGenerationLedger(database)
    for bad in ("a\0b", "\ud800"):
        assert records.get(bad) is None
        assert directory.get(bad) is None
        assert ledger.get(bad) is None
        with pytest.raises(InvalidArgument, match="A text for"):
            records.add(image(bad))
        with pytest.raises(InvalidArgument, match="A text for"):
            directory.put(CharacterReference(id="x", name=bad))
    # Inside of a record any text is kept.
    kept = records.add(image("k", prompt="a\0b \ud800 ü"))
    assert records.get("k") == kept
    assert kept.prompt == "a\0b \ud800 ü"

    async def work() -> None:
        async with AsyncPostgresDatabase(url) as opened:
            assert await AsyncPostgresCharacterDirectory(opened).get("a\0b") is None

    asyncio.run(work())


def test_a_record_that_others_add_and_remove_meanwhile() -> None:
    program = metadata.add(image("k"))
    assert next(program).sql.startswith("INSERT")
    # It was there, and is gone when it is looked at: so it is written after all.
    assert program.send([]).sql.startswith("SELECT")
    assert program.send([]).sql.startswith("INSERT")
    with pytest.raises(StopIteration) as end:
        program.send([("k",)])
    assert end.value.value == image("k", created_at=end.value.value.created_at)
    program = metadata.add(image("k"))
    next(program)
    for _ in range(5):
        program.send([])
    with pytest.raises(StorageConflict, match="try again"):
        program.send([])


def test_wrong_cursors(database: PostgresDatabase) -> None:
    from charimg.stores._pages import encode_cursor

    records = PostgresMetadataRepository(database)
    with pytest.raises(InvalidArgument, match="out of range"):
        records.list("mira", cursor=encode_cursor(2**63, "x"))


def test_characters_are_linked_and_removed(database: PostgresDatabase, url: str) -> None:
    directory = PostgresCharacterDirectory(database)
    directory.put(CharacterReference(id="mira", name="Mira"))
    linked = directory.link("mira", library_db_id="a" * 24, library_character_id="mira-1")
    assert linked == directory.get("mira")
    assert linked.library_db_id == "a" * 24
    with pytest.raises(CharacterNotFound, match="put"):
        directory.link("nobody", library_db_id=None)
    assert directory.remove("mira")
    assert not directory.remove("mira")

    async def work() -> None:
        async with AsyncPostgresDatabase.from_url(url) as opened:
            others = AsyncPostgresCharacterDirectory(opened)
            await others.put(CharacterReference(id="tom", name="Tom"))
            assert [each.id for each in await others.list_all()] == ["tom"]
            assert (await others.link("tom", library_db_id="b" * 24)).library_db_id == "b" * 24
            assert await others.remove("tom")
            records = AsyncPostgresMetadataRepository(opened)
            await records.add(image("k"))
            assert await records.character_ids() == ("mira",)

    asyncio.run(work())


def test_whose_records_there_are(database: PostgresDatabase) -> None:
    records = PostgresMetadataRepository(database)
    for key, character_id in (("1", "b"), ("2", "a"), ("3", "b"), ("4", "c")):
        records.add(image(key, character_id=character_id))
    records.delete("4")
    assert records.character_ids() == ("a", "b")


# The ledger


def test_the_ledgers_refusals(database: PostgresDatabase) -> None:
    ledger = PostgresGenerationLedger(database)
    for ttl in (0, float("nan"), 400 * 86_400):
        with pytest.raises(InvalidArgument, match="at most a year"):
            ledger.acquire("mira", owner="a", ttl=ttl)
    lease = ledger.acquire("mira", owner="a", ttl=60)
    with pytest.raises(GenerationInProgress) as caught:
        ledger.acquire("mira", owner="b", ttl=60)
    assert caught.value.holder == "a"
    assert 0 < (caught.value.expires_in or 0) <= 60
    with pytest.raises(InvalidArgument, match="but the lease is on 'mira'"):
        ledger.write(operation("op", character_id="abel"), lease=lease)
    other = ledger.acquire("abel", owner="a", ttl=60)
    ledger.write(operation("op"), lease=lease)
    with pytest.raises(StorageConflict, match="taken by an operation of another"):
        ledger.write(operation("op", character_id="abel"), lease=other)
    with pytest.raises(LeaseLost):
        ledger.renew(evolve(lease, token=99), ttl=60)


def test_a_lease_of_a_dead_process_of_this_machine_is_taken_over(
    database: PostgresDatabase,
) -> None:
    ledger = PostgresGenerationLedger(database)
    machine, pid, _, random = new_owner().split(":")
    ledger.acquire("mira", owner=f"{machine}:{pid}:1:{random}", ttl=3600)
    assert ledger.acquire("mira", owner="b", ttl=60).token == 2


def test_a_write_excludes_a_takeover_until_it_is_committed(url: str) -> None:
    """Or an operation could be written after somebody else had begun to work."""
    with PostgresDatabase(url) as database, psycopg.connect(url) as slow:
        ledger = PostgresGenerationLedger(database)
        lease = ledger.acquire("mira", owner="a", ttl=0.05)
        slow.execute("SELECT 1 FROM charimg.leases WHERE character_id = 'mira' FOR SHARE")
        taken = threading.Event()

        def take() -> int:
            token = ledger.acquire("mira", owner="b", ttl=60).token
            taken.set()
            return token

        with ThreadPoolExecutor(1) as thread:
            other = thread.submit(take)
            assert not taken.wait(0.3)
            slow.commit()
            assert other.result(30) == lease.token + 1


def test_one_of_many_gets_the_lease(url: str) -> None:
    with PostgresDatabase(url, max_connections=8) as database:
        ledger = PostgresGenerationLedger(database)

        def take(number: int) -> bool:
            try:
                ledger.acquire("mira", owner=str(number), ttl=60)
            except GenerationInProgress:
                return False
            return True

        with ThreadPoolExecutor(16) as threads:
            assert sum(threads.map(take, range(60))) == 1


def test_a_cancelled_acquire_leaves_no_lease(url: str) -> None:
    async def work() -> None:
        async with AsyncPostgresDatabase(url) as database:
            ledger = AsyncPostgresGenerationLedger(database)
            await ledger.release(await ledger.acquire("mira", owner="warm", ttl=60))
            left = 0
            for turns in range(40):
                task = asyncio.create_task(ledger.acquire("mira", owner=str(turns), ttl=60))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await ledger.release(await task)
                except asyncio.CancelledError:
                    left += 1
                # Nobody holds it.
                await ledger.release(await ledger.acquire("mira", owner="next", ttl=60))
            assert left > 10

    asyncio.run(work())


# Connections


def test_a_restarted_server_costs_nothing_but_the_calls_meanwhile(tmp_path: Path) -> None:
    own = PostgresServer(tmp_path)
    own.start()
    url = own.new_database()
    database = PostgresDatabase(url, timeout=5)
    records = PostgresMetadataRepository(database)
    records.add(image("k1"))
    runner = asyncio.Runner()
    others = AsyncPostgresDatabase(url, timeout=5)
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
    own.stop()


def test_connections_are_few_and_kept(url: str) -> None:
    with PostgresDatabase(url, max_connections=3) as database:
        records = PostgresMetadataRepository(database)
        with ThreadPoolExecutor(12) as threads:
            list(threads.map(lambda number: records.add(image(f"k{number}")), range(60)))
        assert records.list("mira").total == 60
        assert 1 <= len(database._idle) <= 3
    with PostgresDatabase(url, max_connections=1, timeout=0.2) as database:
        records = PostgresMetadataRepository(database)
        with database._own(), pytest.raises(StorageError, match="All 1 connections"):
            records.list("mira")


def test_a_refusal_costs_no_connection(url: str) -> None:
    with PostgresDatabase(url) as database:
        ledger = PostgresGenerationLedger(database)
        ledger.acquire("mira", owner="a", ttl=60)
        kept = database._idle[:]
        with pytest.raises(GenerationInProgress):
            ledger.acquire("mira", owner="b", ttl=60)
        assert database._idle == kept
        assert not kept[0].closed

    async def work() -> None:
        async with AsyncPostgresDatabase(url) as opened:
            others = AsyncPostgresGenerationLedger(opened)
            with pytest.raises(GenerationInProgress):
                await others.acquire("mira", owner="b", ttl=60)
            kept = opened._lane().idle[:]
            with pytest.raises(GenerationInProgress):
                await others.acquire("mira", owner="b", ttl=60)
            assert opened._lane().idle == kept

    asyncio.run(work())


def test_async_connections_are_few_and_kept(url: str) -> None:
    async def work() -> None:
        async with AsyncPostgresDatabase(url, max_connections=3) as database:
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


def test_a_task_that_is_cancelled_spoils_no_connection(url: str) -> None:
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
    for connection in database._lane().idle:
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
        theirs = database._idle[:]
        database._process = -1
        assert records.get("k") is not None
        assert database._idle != theirs
        assert not theirs[0].closed
        theirs[0].close()


# A pooler


@pytest.fixture
def pooled(url: str, postgres_server: PostgresServer, tmp_path: Path) -> Iterator[str]:
    """PgBouncer in transaction mode, with two connections to the server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is missing; install it with: apt-get install pgbouncer")
    import os
    import socket
    import time

    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    database = url.rpartition("/")[2]
    settings = tmp_path / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={postgres_server.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        "pool_mode = transaction\ndefault_pool_size = 2\n"
        f"[users]\n"
    )
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o055)
    settings.write_text(settings.read_text().replace("* = host", f"{database} = user=charimg host"))
    user = "postgres" if os.geteuid() == 0 else None
    process = subprocess.Popen([program, str(settings)], user=user, stderr=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"postgresql://charimg@127.0.0.1:{port}/{database}"
    process.terminate()
    process.wait()


def test_it_works_behind_a_pooler_in_transaction_mode(pooled: str) -> None:
    with PostgresDatabase(pooled, max_connections=8) as database:
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
        async with AsyncPostgresDatabase(pooled) as opened:
            again = AsyncPostgresMetadataRepository(opened)
            async with asyncio.TaskGroup() as group:
                for number in range(30):
                    group.create_task(again.get(f"k{number}"))
            assert (await again.list("mira")).total == 60

    asyncio.run(others())
