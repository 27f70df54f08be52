"""A cancelled call ends when the server is done with it: nothing of it takes effect later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from charimg import GenerationInProgress, StorageError
from charimg.journal import Lease
from charimg.stores import (
    AsyncPostgresDatabase,
    AsyncPostgresGenerationLedger,
    AsyncPostgresMetadataRepository,
    PostgresDatabase,
    PostgresGenerationLedger,
)
from charimg.stores.postgres import settling

from ...servers.postgres import PostgresServer
from ...servers.wire import Wire, wired
from .values import image, operation

Call = Callable[[], Awaitable[object]]


async def by_scope(call: Call, held: Call) -> None:
    """Cancel as anyio and trio do: again at each turn of the loop, until it has arrived."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def cancel() -> None:
                await held()
                scope.cancel()

            group.start_soon(cancel)
            await call()
    assert scope.cancelled_caught


async def by_task(call: Call, held: Call, times: int = 1) -> None:
    """Cancel as asyncio does: once, or again and again."""
    task = asyncio.ensure_future(call())
    await held()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


async def by_task_again_and_again(call: Call, held: Call) -> None:
    await by_task(call, held, 50)


async def by_timeout(call: Call, held: Call) -> None:
    async def limited() -> None:
        async with asyncio.timeout(None) as limit:
            limits.append(limit)
            await call()

    limits: list[asyncio.Timeout] = []
    task = asyncio.ensure_future(limited())
    await held()
    limits[0].reschedule(0)
    with pytest.raises(TimeoutError):
        await task


class Server:
    """Holds up what is written to a table, and tells what is under way.

    Attributes:
        connection: Another one, for looking.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self.connection = connection

    async def under_way(self) -> int:
        """Count the connections of charimg's on which something goes on, a transaction included."""
        cursor = await self.connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'charimg' AND state <> 'idle'"
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def waits(self, name: str = "charimg") -> None:
        """Wait until a statement stands before a lock, of whichever name the connection is."""
        query = (
            "SELECT FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name LIKE '%%' || %s AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(60):
            while not (await self.connection.execute(query, (name,))).rowcount:
                await asyncio.sleep(0.005)

    async def rows(self, table: str) -> list[Any]:
        return await (await self.connection.execute(f"TABLE charimg.{table}")).fetchall()


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[Server]:
    """Nobody writes to the table inside of this block; who tries to waits for its end."""
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as watching,
        await psycopg.AsyncConnection.connect(url) as locking,
    ):
        await locking.execute(f"LOCK TABLE charimg.{table} IN SHARE ROW EXCLUSIVE MODE")
        yield Server(watching)
        await locking.commit()


class Stores:
    def __init__(self, given: str | AsyncPostgresDatabase) -> None:
        self.database = AsyncPostgresDatabase(given) if isinstance(given, str) else given
        self.records = AsyncPostgresMetadataRepository(self.database)
        self.ledger = AsyncPostgresGenerationLedger(self.database)

    def calls(self, lease: Lease) -> dict[str, tuple[str, Call]]:
        """Name the table that each call writes to, and the call."""
        return {
            "add": ("images", lambda: self.records.add(image("late"))),
            "delete": ("images", lambda: self.records.delete("there")),
            "update": ("images", lambda: self.records.update(image("there", prompt="late"))),
            "renew": ("leases", lambda: self.ledger.renew(lease, ttl=900)),
            "release": ("leases", lambda: self.ledger.release(lease)),
            "acquire": ("leases", lambda: self.ledger.acquire("other", owner="late", ttl=900)),
            "write": ("operations", lambda: self.ledger.write(operation("late"), lease=lease)),
        }


@pytest.mark.parametrize("cancelled", [by_scope, by_task, by_task_again_and_again, by_timeout])
def test_nothing_of_a_cancelled_call_takes_effect_later(
    url: str, cancelled: Callable[[Call, Call], Awaitable[None]]
) -> None:
    async def main() -> None:
        stores = Stores(url)
        async with stores.database:
            await stores.records.add(image("there"))
            lease = await stores.ledger.acquire("mira", owner="a", ttl=60)
            for name, (table, call) in stores.calls(lease).items():
                async with locked(url, table) as server:
                    before = await server.rows(table)
                    await cancelled(call, server.waits)
                    assert await server.under_way() == 0, f"the server is done with {name}"
                async with locked(url, table) as server:
                    assert await server.rows(table) == before, name
                # The connection is as good as before.
                assert (await stores.records.list("mira")).total == 1
            assert len(stores.database._lane().idle) == 1
            await stores.ledger.acquire("other", owner="b", ttl=60)

    asyncio.run(main())


def test_on_what_a_host_gave_a_cancelled_call_leaves_nothing_behind(url: str) -> None:
    async def main() -> None:
        stores = Stores(url)
        async with stores.database:
            await stores.records.add(image("there"))
            lease = await stores.ledger.acquire("mira", owner="a", ttl=60)
        name = make_conninfo(url, application_name="charimg")
        async with (
            await psycopg.AsyncConnection.connect(name) as connection,
            AsyncConnectionPool(name, min_size=1, max_size=1, open=False) as pool,
        ):
            for given in (
                AsyncPostgresDatabase(connection=connection),
                AsyncPostgresDatabase(pool=pool, timeout=600),
            ):
                stores = Stores(given)
                for table, call in stores.calls(lease).values():
                    async with locked(url, table) as server:
                        await by_scope(call, server.waits)
                        assert await server.under_way() == 0
                assert (await stores.records.list("mira")).total == 1
            assert pool.get_stats().get("connections_lost", 0) == 0
            # The host's own transaction goes on without what was cancelled.
            stores = Stores(AsyncPostgresDatabase(connection=connection))
            await connection.execute("CREATE TABLE theirs (n int)")
            async with connection.transaction():
                await connection.execute("INSERT INTO theirs VALUES (1)")
                async with locked(url, "images") as server:
                    await by_scope(lambda: stores.records.add(image("late")), server.waits)
                await stores.records.add(image("kept"))
            keys = {each.key for each in (await stores.records.list("mira")).images}
            assert keys == {"kept", "there"}

    asyncio.run(main())


async def free(url: str) -> bool:
    """Whether nobody holds the lease."""
    async with AsyncPostgresDatabase(url) as database:
        ledger = AsyncPostgresGenerationLedger(database)
        await ledger.release(await ledger.acquire("mira", owner="next", ttl=60))
    return True


class Late:
    """A request to give up that comes before the statement, or after it, and does nothing."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.asked = 0
        real = psycopg.AsyncConnection.cancel_safe

        async def cancel_safe(connection: Any, **options: Any) -> None:
            self.asked += 1
            if self.asked > times:
                await real(connection, **options)
            elif self.asked == 2:
                raise psycopg.OperationalError("out of connections")

        monkeypatch.setattr(psycopg.AsyncConnection, "cancel_safe", cancel_safe)


def test_a_server_that_was_asked_too_early_is_asked_again(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "_AGAIN", 0.01)
    late = Late(monkeypatch, 3)

    async def main() -> None:
        assert await free(url)
        async with AsyncPostgresDatabase(url) as database, locked(url, "images") as server:
            records = AsyncPostgresMetadataRepository(database)
            await by_scope(lambda: records.add(image("late")), server.waits)
            assert await server.under_way() == 0

    asyncio.run(main())
    assert late.asked >= 4


@pytest.mark.parametrize("asks", [True, False])
def test_a_statement_that_ends_by_itself_is_the_last(
    url: str, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    monkeypatch.setattr(settling, "_AGAIN", 0.01)
    # An older libpq cannot ask.
    monkeypatch.setattr(psycopg.capabilities, "has_cancel_safe", lambda: asks)
    late = Late(monkeypatch, 10**6)

    async def main() -> None:
        stores = Stores(url)
        async with stores.database:
            assert await free(url)
            async with locked(url, "leases") as server:
                call = stores.ledger.acquire("mira", owner="a", ttl=60)
                task = asyncio.ensure_future(call)
                await server.waits()
                task.cancel()
                for _ in range(10):
                    await asyncio.sleep(0.01)
                assert not task.done(), "it waits for the server"
            with pytest.raises(asyncio.CancelledError):
                await task
            # It has taken the lease, and given it back.
            assert (await stores.ledger.acquire("mira", owner="b", ttl=60)).token == 3

    asyncio.run(main())
    assert (late.asked > 0) == asks


def test_a_lease_whose_answer_never_comes_is_given_up(
    url: str, postgres_server: PostgresServer
) -> None:
    async def main(through: str) -> None:
        async with AsyncPostgresDatabase(through) as database:
            ledger = AsyncPostgresGenerationLedger(database)
            await ledger.release(await ledger.acquire("mira", owner="a", ttl=60))
            wire.cut_after = b"RETURNING expires_ms"
            with pytest.raises(StorageError):
                await ledger.acquire("mira", owner="a", ttl=60)
            wire.cut_after = None
            assert await ledger.unfinished() == ()
        assert await free(url)

    with wired(postgres_server.port) as wire:
        through = make_conninfo(url, port=wire.port, gssencmode="disable", sslmode="disable")
        asyncio.run(main(through))
        with PostgresDatabase(through) as database:
            ledger = PostgresGenerationLedger(database)
            ledger.release(ledger.acquire("mira", owner="a", ttl=60))
            wire.cut_after = b"RETURNING expires_ms"
            with pytest.raises(StorageError):
                ledger.acquire("mira", owner="a", ttl=60)
            wire.cut_after = None
            assert ledger.acquire("mira", owner="b", ttl=60).token == 6


def test_a_lease_that_another_took_instead_is_theirs(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was never sent, and the next one got the very same token."""

    class Interrupted(PostgresDatabase):
        def run(self, program: Any, **options: Any) -> Any:
            def unsent() -> Any:
                program.send((yield next(program)))
                ledger.acquire("mira", owner="b", ttl=60)
                raise KeyboardInterrupt

            first = not interruptions
            interruptions.append(program)
            return super().run(unsent() if first else program, **options)

    interruptions: list[Any] = []
    with PostgresDatabase(url) as database, Interrupted(url) as interrupted:
        ledger = PostgresGenerationLedger(database)
        with pytest.raises(KeyboardInterrupt):
            PostgresGenerationLedger(interrupted).acquire("mira", owner="a", ttl=60)
        with pytest.raises(GenerationInProgress) as caught:
            ledger.acquire("mira", owner="c", ttl=60)
        assert caught.value.holder == "b"


@pytest.mark.parametrize("given", ["conninfo", "connection", "pool"])
def test_a_dead_network_ends_the_wait_and_the_connection(
    url: str,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    given: str,
) -> None:
    monkeypatch.setattr(settling, "_PATIENCE", 0.2)

    async def main(wire: Wire) -> None:
        through = make_conninfo(url, port=wire.port, gssencmode="disable", sslmode="disable")
        async with AsyncExitStack() as stack:
            if given == "conninfo":
                source: Any = through
            elif given == "connection":
                source = await psycopg.AsyncConnection.connect(through, autocommit=True)
                stack.push_async_callback(source.close)
            else:
                source = AsyncConnectionPool(through, min_size=1, max_size=1, open=False)
                await stack.enter_async_context(source)
            database = AsyncPostgresDatabase(**{given: source}, max_connections=1, timeout=600)
            stack.push_async_callback(database.aclose)
            records = AsyncPostgresMetadataRepository(database)
            await records.add(image("there"))
            async with locked(url, "images") as server:

                async def held() -> None:
                    await server.waits("")
                    wire.dead = True

                await by_scope(lambda: records.update(image("there", prompt="late")), held)
            wire.dead = False
            if given == "connection":
                assert source.closed
            else:
                assert await records.get("there") is not None

    with wired(postgres_server.port) as wire:
        asyncio.run(main(wire))
    assert "connection.unsettled" in caplog.messages


def test_who_waits_for_a_connection_is_cancelled_at_once(url: str) -> None:
    async def main() -> None:
        async with AsyncPostgresDatabase(url, max_connections=1, timeout=3600) as database:
            records = AsyncPostgresMetadataRepository(database)
            async with database._own():
                await by_scope(lambda: records.get("k"), lambda: asyncio.sleep(0.01))
            assert await records.get("k") is None

    asyncio.run(main())
