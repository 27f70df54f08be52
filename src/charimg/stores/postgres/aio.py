"""The async database: as the sync one, on psycopg's own async connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakKeyDictionary

from attrs import define, field

from ..._home import AsyncHome
from ..._surely import unbroken
from ...errors import ConfigurationError
from .failures import driver, translated
from .schema import bring_forward
from .settings import quoted
from .settling import Work
from .source import Source, is_fresh, is_idle
from .statements import Program, Row, Statement

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool  # noqa: F401 - the class names it in quotes

__all__ = ["AsyncPostgresDatabase"]

T = TypeVar("T")


@define
class _Lane:
    """The connections of one event loop."""

    free: asyncio.Semaphore
    idle: list[tuple[float, AsyncConnection[Any]]] = field(factory=list)


class AsyncPostgresDatabase(Source["AsyncConnectionPool[Any]", "AsyncConnection[Any]"]):
    """The async twin of `PostgresDatabase`, for asyncio: psycopg does not know trio.

    Args:
        conninfo: See `PostgresDatabase`.
        pool: A `psycopg_pool.AsyncConnectionPool` of the host's.
        connection: An async connection of the host's, for one task at a time.
        schema: The schema's name.
        max_connections: See `PostgresDatabase`; per event loop.
        timeout: Seconds to wait for a connection.
    """

    def _reset(self) -> None:
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lane] = WeakKeyDictionary()
        self._home = AsyncHome("host's connection or pool")

    async def run(self, program: Program[T], *, atomic: bool = True, commits: bool = False) -> T:
        """See `PostgresDatabase.run`.

        A cancelled caller waits until the server is done with it, whole or not at all, so that
        writes keep their order. A server that says nothing is waited for 10 s; then the connection
        is closed, also a host's, and a warning is logged.
        """
        work = Work()

        async def call() -> T:
            with translated(self._place):
                async with self._lent() as connection, work.on(connection):
                    if commits:
                        self._check_idle(connection)
                    await self._bring_forward(connection, work)
                    if self._may_go_without(atomic=atomic):
                        return await _carry_out(connection, work, self._schema, program)
                    async with connection.transaction():
                        return await _carry_out(connection, work, self._schema, program)

        return await unbroken(call, work.end)

    async def aclose(self) -> None:
        """Close the connections that were opened here; those in use when they come back."""
        self._closed = True
        lanes = list(self._lanes.values())
        for lane in lanes:
            idle, lane.idle = lane.idle, []
            for _, connection in idle:
                await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncConnection[Any]]:
        self._check_open()
        async with AsyncExitStack() as stack:
            if self._conninfo is None:
                self._home.check()
            if self._host_connection is not None:
                yield self._host_connection
            elif self._host_pool is not None:
                lent = self._host_pool.connection(timeout=self._timeout)
                yield await stack.enter_async_context(lent)
            else:
                yield await stack.enter_async_context(self._own())

    @asynccontextmanager
    async def _own(self) -> AsyncIterator[AsyncConnection[Any]]:
        lane = self._lane()
        try:
            async with asyncio.timeout(self._timeout):
                await lane.free.acquire()
        except TimeoutError as error:
            raise self._all_in_use("tasks") from error
        try:
            connection = await self._take(lane) or await self._connect()
            try:
                yield connection
            finally:
                # A refusal of ours leaves it fit for the next call; a broken one is not idle.
                if not self._closed and is_idle(connection):
                    lane.idle.append((time.monotonic(), connection))
                else:
                    await connection.close()
        finally:
            lane.free.release()

    def _lane(self) -> _Lane:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError as error:
            raise ConfigurationError(
                "The async PostgreSQL stores need asyncio: psycopg does not know trio. Use the "
                "sync ones in a thread."
            ) from error
        if loop not in self._lanes:
            self._lanes[loop] = _Lane(asyncio.Semaphore(self._max))
        return self._lanes[loop]

    async def _take(self, lane: _Lane) -> AsyncConnection[Any] | None:
        """Return a connection that still lives, if one is idle."""
        psycopg = driver()
        while lane.idle:
            since, connection = lane.idle.pop()
            try:
                # The server may have been restarted, or a pooler may have let go of it.
                if not is_fresh(connection, since):
                    await connection.execute("", prepare=False)
            except psycopg.Error:
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            else:
                return connection
        return None

    async def _connect(self) -> AsyncConnection[Any]:
        connection: AsyncConnection[Any] = await driver().AsyncConnection.connect(
            self._conninfo, autocommit=True, prepare_threshold=None
        )
        return connection

    async def _bring_forward(self, connection: AsyncConnection[Any], work: Work) -> None:
        if self._ready:
            return
        idle = is_idle(connection)
        async with connection.transaction():
            await _carry_out(connection, work, self._schema, bring_forward(self._schema))
        # In a transaction of the host's the schema may yet be rolled back with it.
        self._ready = idle


async def _carry_out(
    connection: AsyncConnection[Any], work: Work, schema: str, program: Program[T]
) -> T:
    from psycopg.rows import tuple_row

    name = quoted(schema)
    async with connection.cursor(row_factory=tuple_row) as cursor:
        rows: list[Row] | None = None
        try:
            while True:
                statement: Statement = next(program) if rows is None else program.send(rows)
                work.check()
                sql: Any = statement.sql.replace("{s}", name)
                try:
                    await cursor.execute(sql, statement.values, prepare=False)
                    rows = await cursor.fetchall() if cursor.description else []
                except BaseException as error:  # noqa: BLE001 - it raises it again
                    # It may have something to put right.
                    program.throw(error)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            program.close()
