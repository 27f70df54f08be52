"""The host's transactions, what is refused, records, characters and the ledger."""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from attrs import evolve
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from charimg import (
    CharacterReference,
    ConfigurationError,
    GenerationInProgress,
    InvalidArgument,
    LeaseLost,
    StorageError,
)
from charimg._owner import new_owner
from charimg.errors import CharacterNotFound, ImageNotFound, StorageConflict
from charimg.journal import Lease
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
from charimg.stores.postgres import ledger as module
from charimg.stores.postgres import metadata
from charimg.stores.postgres.settings import conninfo_of
from charimg.stores.postgres.statements import Program

from ...servers.postgres import PostgresServer
from .values import image, operation

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
            again = AsyncPostgresMetadataRepository(AsyncPostgresDatabase(pool=pool, timeout=600))
            assert (await again.list("mira")).total == 1
            assert "the host's pool" in repr(again._database)

    asyncio.run(work())


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
    with pytest.raises((ConfigurationError, InvalidArgument)):
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


def test_what_libpq_is_told_by_its_variables_holds(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGAPPNAME", "theirs")
    with PostgresDatabase(url) as database, database._own() as connection:
        assert connection.info.parameter_status("application_name") == "theirs"
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "77")
    assert "connect_timeout" not in conninfo_of(url, 10)
    monkeypatch.delenv("PGCONNECT_TIMEOUT")
    assert "connect_timeout=10" in conninfo_of(url, 10)
    assert "connect_timeout=5" in conninfo_of(f"{url}?connect_timeout=5", 10)


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
    assert directory.linked("a" * 24) == (linked,)
    assert directory.linked("c" * 24) == ()
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
            assert await others.totals() == (1, 1)
            assert (await others.link("tom", library_db_id="b" * 24)).library_db_id == "b" * 24
            assert [each.id for each in await others.linked("b" * 24)] == ["tom"]
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


def dead_owner() -> str:
    """Name a process of this machine that lives no more."""
    machine, pid, _, random = new_owner().split(":")
    return f"{machine}:{pid}:1:{random}"


def test_a_lease_of_a_dead_process_of_this_machine_is_taken_over(
    database: PostgresDatabase,
) -> None:
    ledger = PostgresGenerationLedger(database)
    ledger.acquire("mira", owner=dead_owner(), ttl=3600)
    assert ledger.acquire("mira", owner="b", ttl=60).token == 2


def test_a_write_excludes_a_takeover_until_it_is_committed(url: str) -> None:
    """Or an operation could be written after somebody else had begun to work."""
    with PostgresDatabase(url) as database, psycopg.connect(url) as slow:
        ledger = PostgresGenerationLedger(database)
        lease = ledger.acquire("mira", owner=dead_owner(), ttl=3600)
        slow.execute("SELECT 1 FROM charimg.leases WHERE character_id = 'mira' FOR SHARE")
        waits = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'charimg' AND wait_event_type = 'Lock'"
        )
        with (
            ThreadPoolExecutor(1) as thread,
            psycopg.connect(url, autocommit=True) as watching,
        ):
            other = thread.submit(ledger.acquire, "mira", owner="b", ttl=60)
            while not watching.execute(waits).rowcount:
                assert not other.done(), "it waits"
                time.sleep(0.005)
            slow.commit()
            assert other.result(600).token == lease.token + 1


def test_who_is_refused_waits_for_no_lock(url: str) -> None:
    """Or many that ask at once would wait for one another, and give up on a slow machine."""
    with PostgresDatabase(url) as database, psycopg.connect(url) as slow:
        ledger = PostgresGenerationLedger(database)
        ledger.acquire("mira", owner="a", ttl=60)
        slow.execute("SELECT 1 FROM charimg.leases WHERE character_id = 'mira' FOR UPDATE")
        with ThreadPoolExecutor(1) as thread:
            other = thread.submit(ledger.acquire, "mira", owner="b", ttl=60)
            assert isinstance(other.exception(600), GenerationInProgress)
            slow.rollback()


def test_who_takes_a_lease_does_not_lock_it_while_the_client_works(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = module.acquire
    asked = 0
    with PostgresDatabase(url) as database, psycopg.connect(url, autocommit=True) as other:

        def slowly(*args: Any) -> Program[Lease]:
            nonlocal asked
            program = acquire(*args)
            statement = next(program)
            while True:
                rows = yield statement
                other.execute("SELECT 1 FROM charimg.leases FOR UPDATE NOWAIT")
                asked += 1
                try:
                    statement = program.send(rows)
                except StopIteration as end:
                    return end.value

        monkeypatch.setattr(module, "acquire", slowly)
        ledger = PostgresGenerationLedger(database)
        ledger.release(ledger.acquire("mira", owner="a", ttl=60))
        assert ledger.acquire("mira", owner="b", ttl=60).token == 2
    assert asked == 4


def test_a_lease_that_another_one_takes_meanwhile_is_looked_at_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquire = module.acquire
    taken: list[Lease] = []
    with PostgresDatabase(url) as database, PostgresDatabase(url) as other:

        def slowly(*args: Any) -> Program[Lease]:
            program = acquire(*args)
            rows = yield next(program)
            taken.append(other.run(acquire("mira", "faster", 60, []), atomic=False))
            statement = program.send(rows)
            while True:
                try:
                    statement = program.send((yield statement))
                except StopIteration as end:
                    return end.value

        monkeypatch.setattr(module, "acquire", slowly)
        ledger = PostgresGenerationLedger(database)
        for _ in range(2):
            with pytest.raises(GenerationInProgress) as caught:
                ledger.acquire("mira", owner="slower", ttl=60)
            assert caught.value.holder == "faster"
            ledger.release(taken.pop())


def test_one_of_many_gets_the_lease(url: str) -> None:
    with PostgresDatabase(url, max_connections=8, timeout=600) as database:
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
            # The first turns are always too few; how many more are depends on the machine.
            assert left > 1

    asyncio.run(work())
