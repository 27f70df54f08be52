"""The generation ledger in SQLite."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Any

from ..._arguments import checked
from ..._owner import owner_is_dead
from ...errors import (
    InvalidArgument,
    LeaseLost,
    StorageConflict,
)
from ...journal import Lease, Operation, OperationPage
from .._documents import dump, from_ms, load
from .._leases import give_back, taken_by
from .._pages import check_limit, decode_cursor, encode_cursor
from .database import SqliteDatabase

__all__ = ["SqliteGenerationLedger"]

_MAX_TTL = 366 * 86_400


@checked
class SqliteGenerationLedger:
    """A `GenerationLedger` for several processes.

    Leases end by the wall clock, the only one that processes share. A lease that was left by a dead
    process of this machine is taken over at once.

    Args:
        database: The file. Whoever opened it closes it.
        clock: Seconds since 1970. Tests give one that they move themselves.
    """

    def __init__(self, database: SqliteDatabase, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`.

        Raises:
            InvalidArgument: ``ttl`` is not positive, or more than a year.
        """
        _check_ttl(ttl)
        taken: list[Lease] = []
        try:
            with self._database.writing() as connection:
                taken.append(self._take(connection, character_id, owner, ttl))
        except BaseException:
            give_back(taken, self.release)
            raise
        return taken[0]

    def _take(
        self, connection: sqlite3.Connection, character_id: str, owner: str, ttl: float
    ) -> Lease:
        now = self._now()
        row = connection.execute(
            "SELECT token, owner, expires_ms FROM leases WHERE character_id = ?", (character_id,)
        ).fetchone()
        token, holder, expires = row or (0, None, 0)
        if holder is not None and expires > now and not owner_is_dead(holder):
            left = (expires - now) / 1000
            raise taken_by(holder, character_id, left)
        expires = now + _ms(ttl)
        connection.execute(
            "INSERT INTO leases (character_id, token, owner, expires_ms) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (character_id) DO UPDATE SET "
            "token = excluded.token, owner = excluded.owner, expires_ms = excluded.expires_ms",
            (character_id, token + 1, owner, expires),
        )
        return Lease(
            character_id=character_id, token=token + 1, owner=owner, expires_at=from_ms(expires)
        )

    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`.

        Raises:
            InvalidArgument: ``ttl`` is not positive, or more than a year.
        """
        _check_ttl(ttl)
        with self._database.writing() as connection:
            _check(connection, lease)
            expires = self._now() + _ms(ttl)
            connection.execute(
                "UPDATE leases SET expires_ms = ? WHERE character_id = ?",
                (expires, lease.character_id),
            )
        return Lease(
            character_id=lease.character_id,
            token=lease.token,
            owner=lease.owner,
            expires_at=from_ms(expires),
        )

    def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        # One that was never committed has its token perhaps from somebody else, but not its owner.
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE leases SET owner = NULL WHERE character_id = ? AND token = ? AND owner = ?",
                (lease.character_id, lease.token, lease.owner),
            )

    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `GenerationLedger.write`.

        Raises:
            InvalidArgument: The lease is on another character than the operation, or the options
                hold something that JSON cannot.
            StorageConflict: The id is taken by an operation of another character.
        """
        if operation.character_id != lease.character_id:
            raise InvalidArgument(
                f"Operation {operation.id} is of character {operation.character_id!r}, but the "
                f"lease is on {lease.character_id!r}. Nothing was written."
            )
        values = (
            operation.id,
            operation.character_id,
            operation.finished,
            dump(operation, what=f"operation {operation.id!r}"),
        )
        with self._database.writing() as connection:
            _check(connection, lease)
            written = connection.execute(
                "INSERT INTO operations (id, character_id, finished, operation) "
                "VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "finished = excluded.finished, operation = excluded.operation "
                "WHERE character_id = excluded.character_id",
                values,
            ).rowcount
            if not written:
                raise StorageConflict(
                    f"The id {operation.id!r} is taken by an operation of another character. "
                    "Nothing was written; start a new operation."
                )

    def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        row = self._database.row("SELECT id, operation FROM operations WHERE id = ?", operation_id)
        return None if row is None else _operation(row)

    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        # Named, because SQLite would rather read all operations of everybody than sort a few.
        query = (
            "SELECT id, operation FROM operations INDEXED BY operations_unfinished "
            "WHERE finished = 0 "
        )
        values: tuple[str, ...] = ()
        if character_id is not None:
            query, values = query + "AND character_id = ? ", (character_id,)
        with self._database.reading() as connection:
            rows = connection.execute(query + "ORDER BY id", values).fetchall()
        return tuple(_operation(row) for row in rows)

    def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `GenerationLedger.list`.

        Raises:
            InvalidArgument: The cursor is none of this listing's, or the limit is not 1 to 1,000.
        """
        check_limit(limit)
        # In SQLite every text sorts before a blob, so the first page comes before an empty one.
        before: object = b"" if cursor is None else decode_cursor(cursor, str)[0]
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, operation FROM operations WHERE character_id = ? AND id < ? "
                "ORDER BY id DESC LIMIT ?",
                (character_id, before, limit + 1),
            ).fetchall()
        page = rows[:limit]
        return OperationPage(
            operations=tuple(_operation(row) for row in page),
            next_cursor=encode_cursor(page[-1][0]) if len(rows) > limit else None,
        )

    def _now(self) -> int:
        return _ms(self._clock())


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _check_ttl(ttl: float) -> None:
    if not 0 < ttl <= _MAX_TTL:
        raise InvalidArgument(f"ttl must be more than 0 s and at most a year, not {ttl!r}.")


def _check(connection: sqlite3.Connection, lease: Lease) -> None:
    """Refuse a lease that is not the latest, in the transaction that relies on it."""
    held = connection.execute(
        "SELECT 1 FROM leases WHERE character_id = ? AND token = ? AND owner IS NOT NULL",
        (lease.character_id, lease.token),
    ).fetchone()
    if held is None:
        raise LeaseLost(
            f"Lease {lease.token} on character {lease.character_id!r} was given up or taken over. "
            "Nothing was written; look at what stands in the ledger before going on."
        )


def _operation(row: tuple[str, Any]) -> Operation:
    operation_id, text = row
    return load(Operation, text, what=f"operation {operation_id!r}")
