"""A PostgreSQL database: its connections, its transactions, and how its schema comes forward."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .failures import driver, translated
from .schema import bring_forward
from .settings import quoted
from .source import Source, is_fresh, is_idle
from .statements import Program, Row, Statement
from .turns import Turns

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool  # noqa: F401 - the class names it in quotes

__all__ = ["PostgresDatabase"]

T = TypeVar("T")


class PostgresDatabase(Source["ConnectionPool[Any]", "Connection[Any]"]):
    """A database that the PostgreSQL stores of any number of threads and processes share.

    Its tables stand in a schema of their own. Nothing is connected to before the first use; then
    the schema is made if it is missing, and an older one is brought forward under a lock.

    Give one of: ``conninfo``, and connections are opened as they are needed, kept, and closed by
    `close`; ``pool``, a `psycopg_pool.ConnectionPool` of the host's; ``connection``, one connection
    of the host's. What the host gave stays open. On the host's connection the stores take part in
    the transaction that it stands in: their writes are committed and rolled back with it. The
    ledger alone does not, see `PostgresGenerationLedger`.

    It works behind PgBouncer in transaction mode: nothing relies on a session, neither a prepared
    statement nor a session lock.

    Args:
        conninfo: A ``postgresql://`` URL or a conninfo string of libpq, which also reads the
            ``PG…`` variables, ``~/.pgpass`` and service files. Empty takes all from there.
        pool: A pool of the host's.
        connection: A connection of the host's, for one thread at a time.
        schema: The schema's name.
        max_connections: With ``conninfo``, how many connections are open at once; a thread that
            needs another waits.
        timeout: Seconds to wait for a connection.

    Raises:
        InvalidArgument: Not exactly one source is given, or a bad schema or number.
        ConfigurationError: psycopg is missing, or libpq cannot read the conninfo.
    """

    def run(self, program: Program[T], *, atomic: bool = True, commits: bool = False) -> T:
        """Carry a program out: all of it, or nothing.

        Args:
            program: What to do.
            atomic: Whether it has several statements, which need a transaction.
            commits: Whether it must hold at once, so not in a transaction of the host's.

        Raises:
            StorageError: PostgreSQL failed, or the database is closed. When the connection broke
                on committing, nobody knows whether it was written; every call may be repeated.
        """
        with translated(self._place), self._lent() as connection:
            if commits:
                self._check_idle(connection)
            self._bring_forward(connection)
            if self._may_go_without(atomic=atomic):
                return _carry_out(connection, self._schema, program)
            with connection.transaction():
                return _carry_out(connection, self._schema, program)

    def close(self) -> None:
        """Close the connections that were opened here; those in use when they come back."""
        with self._gate:
            self._closed = True
            while self._idle:
                self._idle.pop()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _reset(self) -> None:
        self._gate = threading.Lock()
        self._turns = Turns(self._max)
        self._idle: list[tuple[float, Connection[Any]]] = []
        self._process = os.getpid()

    @contextmanager
    def _lent(self) -> Iterator[Connection[Any]]:
        self._check_open()
        with ExitStack() as stack:
            if self._host_connection is not None:
                yield self._host_connection
            elif self._host_pool is not None:
                yield stack.enter_context(self._host_pool.connection(timeout=self._timeout))
            else:
                yield stack.enter_context(self._own())

    @contextmanager
    def _own(self) -> Iterator[Connection[Any]]:
        if self._process != os.getpid():
            # After a fork the connections are the parent's; they are not even closed here.
            self._reset()
        if not self._turns.take(self._timeout):
            raise self._all_in_use("threads")
        try:
            connection = self._take() or self._connect()
            try:
                yield connection
            finally:
                self._put_back(connection)
        finally:
            self._turns.give()

    def _put_back(self, connection: Connection[Any]) -> None:
        """Keep a connection that is fit for the next call; a refusal of ours leaves it so."""
        with self._gate:
            if not self._closed and is_idle(connection):
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def _take(self) -> Connection[Any] | None:
        """Return a connection that still lives, if one is idle."""
        psycopg = driver()
        while True:
            with self._gate:
                if not self._idle:
                    return None
                since, connection = self._idle.pop()
            try:
                # The server may have been restarted, or a pooler may have let go of it.
                if not is_fresh(connection, since):
                    connection.execute("", prepare=False)
            except psycopg.Error:
                connection.close()
            else:
                return connection

    def _connect(self) -> Connection[Any]:
        connection: Connection[Any] = driver().connect(
            self._conninfo, autocommit=True, prepare_threshold=None
        )
        return connection

    def _bring_forward(self, connection: Connection[Any]) -> None:
        if self._ready:
            return
        idle = is_idle(connection)
        with connection.transaction():
            _carry_out(connection, self._schema, bring_forward(self._schema))
        # In a transaction of the host's the schema may yet be rolled back with it.
        self._ready = idle


def _carry_out(connection: Connection[Any], schema: str, program: Program[T]) -> T:
    from psycopg.rows import tuple_row

    name = quoted(schema)
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows: list[Row] | None = None
        try:
            while True:
                statement: Statement = next(program) if rows is None else program.send(rows)
                sql: Any = statement.sql.replace("{s}", name)
                try:
                    cursor.execute(sql, statement.values, prepare=False)
                    rows = cursor.fetchall() if cursor.description else []
                except BaseException as error:  # noqa: BLE001 - it raises it again
                    # It may have something to put right.
                    program.throw(error)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            program.close()
