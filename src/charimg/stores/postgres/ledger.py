"""The generation ledger in PostgreSQL."""

from __future__ import annotations

from attrs import evolve

from ..._arguments import checked
from ..._owner import owner_is_dead
from ...errors import InvalidArgument, LeaseLost, StorageConflict
from ...journal import Lease, Operation, OperationPage
from .._documents import dump, from_ms, load
from .._leases import give_back, taken_by
from .._pages import check_limit, decode_cursor, encode_cursor
from .database import PostgresDatabase
from .statements import Program, Row, Statement

__all__ = ["PostgresGenerationLedger"]

_MAX_TTL = 366 * 86_400
_NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""The server's clock: the only one that several machines share."""
_PATIENTLY = "FROM (SELECT set_config('lock_timeout', '10s', true)) AS patience"
"""Within the statement, so that it needs no transaction: who takes the lease holds the lock on it
only while the server works, however slow the machine of the client is."""


@checked
class PostgresGenerationLedger:
    """A `GenerationLedger` for several processes on several machines.

    A lease is a row with a fencing token, and each write checks it in the transaction that writes.
    Leases end by the server's clock. One that was left by a dead process of this machine is taken
    over at once; one of another machine when it has expired.

    What it writes must hold at once, whatever becomes of the host's own work. So it commits by
    itself and cannot take part in a transaction of the host's: where the database stands on a
    connection of the host's that is inside of one, it refuses.

    Args:
        database: Where. Whoever opened it closes it.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`.

        Raises:
            InvalidArgument: ``ttl`` is not positive, or more than a year.
        """
        taken: list[Lease] = []
        program = acquire(character_id, owner, ttl, taken)
        try:
            return self._database.run(program, atomic=False, commits=True)
        except BaseException:
            give_back(taken, self.release)
            raise

    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`.

        Raises:
            InvalidArgument: ``ttl`` is not positive, or more than a year.
        """
        return self._database.run(renew(lease, ttl), atomic=False, commits=True)

    def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        self._database.run(release(lease), atomic=False, commits=True)

    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `GenerationLedger.write`.

        Raises:
            InvalidArgument: The lease is on another character than the operation, or the options
                hold something that JSON cannot.
            StorageConflict: The id is taken by an operation of another character.
        """
        self._database.run(write(operation, lease), commits=True)

    def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        try:
            return self._database.run(get(operation_id), atomic=False)
        except InvalidArgument:
            # No text that PostgreSQL can hold, so nothing was ever written under it.
            return None

    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        return self._database.run(unfinished(character_id), atomic=False)

    def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `GenerationLedger.list`.

        Raises:
            InvalidArgument: The cursor is none of this listing's, or the limit is not 1 to 1,000.
        """
        return self._database.run(page(character_id, limit=limit, cursor=cursor), atomic=False)


def acquire(character_id: str, owner: str, ttl: float, taken: list[Lease]) -> Program[Lease]:
    """Take the lease, unless somebody holds it.

    Args:
        character_id: Whose.
        owner: Who takes it.
        ttl: For how many seconds.
        taken: Gets the lease before it is tried to take it; it is held unless somebody was faster.
    """
    _check_ttl(ttl)
    while True:
        # Looked at without a lock: who is refused has waited for nobody, and nobody waits for him.
        rows = yield Statement(
            f"SELECT token, owner, expires_ms, {_NOW} "  # noqa: S608 - a constant
            "FROM {s}.leases WHERE character_id = %s",
            (character_id,),
        )
        token, holder, expires, now = rows[0] if rows else (0, None, 0, 0)
        if holder is not None and expires > now and not owner_is_dead(holder):
            left = (expires - now) / 1000
            raise taken_by(holder, character_id, left)
        lease = Lease(
            character_id=character_id, token=token + 1, owner=owner, expires_at=from_ms(expires)
        )
        # Before it is tried: nobody is told what became of a try that was interrupted.
        taken[:] = [lease]
        seen = (character_id, token, holder, expires)
        try:
            done = yield from _take(owner, ttl, seen) if rows else _begin(character_id, owner, ttl)
        except BaseException as error:
            if getattr(error, "sqlstate", None) is not None:
                # The server says itself that it has not done it.
                taken.clear()
            raise
        if done:
            # Otherwise somebody else was faster.
            return evolve(lease, expires_at=from_ms(done[0][0]))


def _begin(character_id: str, owner: str, ttl: float) -> Program[list[Row]]:
    """Take the first lease on a character."""
    return (
        yield Statement(
            "INSERT INTO {s}.leases (character_id, token, owner, expires_ms) "
            f"SELECT %s, 1, %s, {_NOW} + %s {_PATIENTLY} "
            "ON CONFLICT (character_id) DO NOTHING RETURNING expires_ms",
            (character_id, owner, int(ttl * 1000)),
        )
    )


def _take(owner: str, ttl: float, seen: Row) -> Program[list[Row]]:
    """Take the lease if it is as it was seen, once what is being written under it is committed."""
    return (
        yield Statement(
            "UPDATE {s}.leases SET token = token + 1, owner = %s, "  # noqa: S608 - constants
            f"expires_ms = {_NOW} + %s {_PATIENTLY} WHERE character_id = %s AND token = %s "
            "AND owner IS NOT DISTINCT FROM %s AND expires_ms = %s RETURNING expires_ms",
            (owner, int(ttl * 1000), *seen),
        )
    )


def renew(lease: Lease, ttl: float) -> Program[Lease]:
    """Extend the lease, if it is still the latest."""
    _check_ttl(ttl)
    rows = yield Statement(
        f"UPDATE {{s}}.leases SET expires_ms = {_NOW} + %s "  # noqa: S608 - a constant
        "WHERE character_id = %s AND token = %s AND owner IS NOT NULL RETURNING expires_ms",
        (int(ttl * 1000), lease.character_id, lease.token),
    )
    if not rows:
        raise _lost(lease)
    return Lease(
        character_id=lease.character_id,
        token=lease.token,
        owner=lease.owner,
        expires_at=from_ms(rows[0][0]),
    )


def release(lease: Lease) -> Program[None]:
    """Give the lease up, unless somebody else has it.

    One that was never committed has its token perhaps from somebody else, but not its owner.
    """
    yield Statement(
        f"UPDATE {{s}}.leases SET owner = NULL {_PATIENTLY} "  # noqa: S608 - a constant
        "WHERE character_id = %s AND token = %s AND owner = %s",
        (lease.character_id, lease.token, lease.owner),
    )


def write(operation: Operation, lease: Lease) -> Program[None]:
    """Write the operation under its lease."""
    if operation.character_id != lease.character_id:
        raise InvalidArgument(
            f"Operation {operation.id} is of character {operation.character_id!r}, but the "
            f"lease is on {lease.character_id!r}. Nothing was written."
        )
    document = dump(operation, what=f"operation {operation.id!r}")
    # Locked until the end, so nobody takes the lease between the check and the commit.
    held = yield Statement(
        "SELECT 1 FROM {s}.leases WHERE character_id = %s AND token = %s AND owner IS NOT NULL "
        "FOR SHARE",
        (lease.character_id, lease.token),
    )
    if not held:
        raise _lost(lease)
    written = yield Statement(
        "INSERT INTO {s}.operations AS stored (id, character_id, finished, operation) "
        "VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, "
        "operation = excluded.operation WHERE stored.character_id = excluded.character_id "
        "RETURNING id",
        (operation.id, operation.character_id, operation.finished, document),
    )
    if not written:
        raise StorageConflict(
            f"The id {operation.id!r} is taken by an operation of another character. "
            "Nothing was written; start a new operation."
        )


def get(operation_id: str) -> Program[Operation | None]:
    """Find an operation."""
    rows = yield Statement(
        "SELECT id, operation FROM {s}.operations WHERE id = %s", (operation_id,)
    )
    return _operation(rows[0]) if rows else None


def unfinished(character_id: str | None) -> Program[tuple[Operation, ...]]:
    """Read what recovery has to look at."""
    where, values = (
        ("", ()) if character_id is None else ("AND character_id = %s ", (character_id,))
    )
    rows = yield Statement(
        f"SELECT id, operation FROM {{s}}.operations WHERE NOT finished {where}ORDER BY id",  # noqa: S608 - ours
        values,
    )
    return tuple(_operation(row) for row in rows)


def page(character_id: str, *, limit: int, cursor: str | None) -> Program[OperationPage]:
    """Read one page of a character's operations."""
    check_limit(limit)
    before = "" if cursor is None else decode_cursor(cursor, str)[0]
    rows = yield Statement(
        "SELECT id, operation FROM {s}.operations WHERE character_id = %s "
        "AND (%s OR id < %s) ORDER BY id DESC LIMIT %s",
        (character_id, cursor is None, before, limit + 1),
    )
    found = rows[:limit]
    return OperationPage(
        operations=tuple(_operation(row) for row in found),
        next_cursor=encode_cursor(found[-1][0]) if len(rows) > limit else None,
    )


def _check_ttl(ttl: float) -> None:
    if not 0 < ttl <= _MAX_TTL:
        raise InvalidArgument(f"ttl must be more than 0 s and at most a year, not {ttl!r}.")


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(
        f"Lease {lease.token} on character {lease.character_id!r} was given up or taken over. "
        "Nothing was written; look at what stands in the ledger before going on."
    )


def _operation(row: Row) -> Operation:
    operation_id, text = row
    return load(Operation, text, what=f"operation {operation_id!r}")
