"""The SQLite file: connections, transactions, and how it is opened."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..._arguments import Unpicklable, checked
from ..._surely import asurely
from ...errors import InvalidArgument, StorageError
from .._advice import advice
from .._directories import make_directory
from .._threads import in_thread
from . import schema
from .failures import is_busy, translated
from .pool import Pool

__all__ = ["SqliteDatabase"]

_PAUSE = 0.01


@checked
class SqliteDatabase(Unpicklable):
    """One SQLite file, shared by the SQLite stores of any number of threads and processes.

    Nothing is opened before the first use; then the parent directory and the file are made if they
    are missing, readable by their owner alone (0700 and 0600; chmod them for others), and an older
    file is brought to the present schema. Every transaction has a
    connection to itself. When the process forks, its connections are closed first, and parent and
    child open new ones; a thread that holds a transaction open must not fork.

    A file that is moved, removed or replaced after its first use is noticed: every transaction then
    fails with `StorageError`, because what it wrote would be lost with the old file.

    The file must lie on a local disk: WAL does not work over a network.

    Args:
        path: The file. Two more, ``-wal`` and ``-shm``, stand beside it while it is in use.
        busy_timeout: Seconds to wait for another writer before giving up.

    Raises:
        InvalidArgument: ``":memory:"``, which every connection would see differently (use the
            memory stores), or a negative time-out.
    """

    def __init__(self, path: str | PathLike[str], *, busy_timeout: float = 10.0) -> None:
        if os.fspath(path) in ("", ":memory:") or "\0" in os.fspath(path):
            raise InvalidArgument(
                "SqliteDatabase needs the path of a file. Use the memory stores to keep nothing."
            )
        if not 0 <= busy_timeout <= 3600:
            raise InvalidArgument(f"busy_timeout must be 0 to 3600 seconds, not {busy_timeout!r}.")
        # Absolute, so that a later change of the working directory does not switch files.
        self._path = Path(path).absolute()
        self._name = str(self._path)
        self._busy_timeout = busy_timeout
        self._identity: tuple[int, int] | None = None
        self._pool = Pool(self._open, patience=self._busy_timeout)

    def __repr__(self) -> str:
        return f"SqliteDatabase({str(self._path)!r})"

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self._path

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open a transaction that sees one moment of the file, whoever writes meanwhile.

        Raises:
            StorageError: SQLite failed, the file is gone, or the database is closed.
        """
        return self._transaction("BEGIN")

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open the only writing transaction; on leaving it everything is on the disk, or nothing.

        Raises:
            StorageError: SQLite failed, another writer took too long, the file is gone, or the
                database is closed.
        """
        # IMMEDIATE: a transaction that starts as a reader could not wait for another writer.
        return self._transaction("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Close the connections. Transactions under way end first; later ones are refused."""
        with translated(self._path):
            self._pool.close()

    async def aclose(self) -> None:
        """Close the connections, as `close` does, even when the caller is cancelled."""
        await asurely(lambda: in_thread(self.close))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def row(self, query: str, key: str) -> Any:
        """Return the one row under a key, or ``None``."""
        try:
            with self.reading() as connection:
                return connection.execute(query, (key,)).fetchone()
        except InvalidArgument:
            # No valid Unicode, so nothing was ever written under it.
            return None

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        if self._pool.closed:
            raise StorageError(f"The database {self._path} is closed. Open a new SqliteDatabase.")
        with translated(self._path), self._pool.lend() as connection:
            self._check_place()
            connection.execute(begin)
            yield connection
            # Once more: SQLite itself would commit to a file that has no name any more.
            self._check_place()
            connection.execute("COMMIT")

    def _check_place(self) -> None:
        """Refuse to go on when the path no longer leads to the file that was opened first."""
        found = _identity(self._name)
        if found is None or found != (self._identity or found):
            raise StorageError(
                f"The database {self._path} was moved, removed or replaced while it was in use. "
                "Nothing was written. Put the file back, or open a new SqliteDatabase."
            )
        self._identity = found

    def _open(self) -> sqlite3.Connection:
        if self._identity is not None:
            # Before SQLite makes a new file in the place of the one that is gone.
            self._check_place()
        try:
            make_directory(self._path.parent)
        except OSError as error:
            raise StorageError(
                f"Cannot make the directory {self._path.parent} of the database: {error.strerror}. "
                f"{advice(error)}"
            ) from error
        # SQLite would go by the umask. What it puts beside the file gets the mode of the file, and
        # what cannot be made it tells itself.
        with suppress(OSError):
            self._path.touch(0o600, exist_ok=False)
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout,
            isolation_level=None,  # Transactions begin and end where this module says so.
            check_same_thread=False,  # One after the other is allowed, and is how they are used.
        )
        try:
            self._prepare(connection)
            self._check_place()
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        is_current = schema.check(connection, self._path)
        self._write_ahead(connection)
        # With WAL, FULL means that a committed transaction survives a loss of power.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: the disk's own cache, too.
        connection.execute("PRAGMA foreign_keys = ON")
        if not is_current:
            schema.migrate(connection)

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                # SQLite does not wait here by itself while another process does the same.
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(_PAUSE)
                continue
            if mode != "wal":
                raise StorageError(
                    f"The database {self._path} cannot use WAL (it stays in mode {mode!r}). Put it "
                    "on a local disk."
                )
            return


def _identity(path: str) -> tuple[int, int] | None:
    """Return what tells the file from any other that exists, or ``None`` when it is not there."""
    try:
        found = os.stat(path)  # noqa: PTH116 - thrice as fast, and asked twice in each transaction
    except OSError:
        return None
    return found.st_dev, found.st_ino
