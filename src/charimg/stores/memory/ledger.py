"""The generation ledger in memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import evolve

from ..._arguments import Unpicklable, checked
from ..._owner import owner_is_dead
from ...errors import InvalidArgument, LeaseLost
from ...journal import Lease, Operation, OperationPage
from .._leases import taken_by
from .._pages import check_limit, decode_cursor, encode_cursor
from .copies import copy_of

__all__ = ["AsyncMemoryGenerationLedger", "MemoryGenerationLedger"]


@checked
class MemoryGenerationLedger(Unpicklable):
    """A `GenerationLedger` in dictionaries.

    Args:
        clock: Seconds since 1970; leases end by it. Tests give one that they move themselves.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._operations: dict[str, Operation] = {}
        self._leases: dict[str, Lease] = {}
        # Kept when a lease is given up: tokens grow for ever.
        self._tokens: dict[str, int] = {}

    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`."""
        with self._lock:
            now = self._now()
            held = self._leases.get(character_id)
            free = held is None or held.expires_at <= now or owner_is_dead(held.owner)
            if held is not None and not free:
                left = (held.expires_at - now).total_seconds()
                raise taken_by(held.owner, character_id, left)
            token = self._tokens.get(character_id, 0) + 1
            lease = Lease(
                character_id=character_id,
                token=token,
                owner=owner,
                expires_at=now + timedelta(seconds=ttl),
            )
            self._tokens[character_id] = token
            self._leases[character_id] = lease
            return lease

    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`."""
        with self._lock:
            self._check(lease)
            renewed = evolve(lease, expires_at=self._now() + timedelta(seconds=ttl))
            self._leases[lease.character_id] = renewed
            return renewed

    def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        with self._lock:
            if self._holds(lease):
                del self._leases[lease.character_id]

    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `GenerationLedger.write`.

        Raises:
            InvalidArgument: The lease is on another character than the operation.
        """
        with self._lock:
            self._check(lease)
            if operation.character_id != lease.character_id:
                raise InvalidArgument(
                    f"Operation {operation.id} is of character {operation.character_id!r}, but the "
                    f"lease is on {lease.character_id!r}. Nothing was written."
                )
            self._operations[operation.id] = _copy(operation)

    def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        with self._lock:
            operation = self._operations.get(operation_id)
        return None if operation is None else _copy(operation)

    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        return tuple(
            _copy(operation)
            for operation in self._sorted()
            if not operation.finished and character_id in (None, operation.character_id)
        )

    def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `GenerationLedger.list`.

        Raises:
            InvalidArgument: The cursor is none of this listing's, or the limit is not 1 to 1,000.
        """
        check_limit(limit)
        before = None if cursor is None else str(decode_cursor(cursor, str)[0])
        rest = [
            operation
            for operation in reversed(self._sorted())
            if operation.character_id == character_id and (before is None or operation.id < before)
        ]
        more = len(rest) > limit
        return OperationPage(
            operations=tuple(_copy(operation) for operation in rest[:limit]),
            next_cursor=encode_cursor(rest[limit - 1].id) if more else None,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _sorted(self) -> tuple[Operation, ...]:
        with self._lock:
            return tuple(self._operations[each] for each in sorted(self._operations))

    def _holds(self, lease: Lease) -> bool:
        held = self._leases.get(lease.character_id)
        return held is not None and held.token == lease.token

    def _check(self, lease: Lease) -> None:
        if not self._holds(lease):
            raise LeaseLost(
                f"Lease {lease.token} on character {lease.character_id!r} was given up or taken "
                "over. Nothing was written; look at what stands in the ledger before going on."
            )


def _copy(operation: Operation) -> Operation:
    return evolve(operation, options=copy_of(operation.options))


class AsyncMemoryGenerationLedger:
    """The async twin of `MemoryGenerationLedger`."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._sync = MemoryGenerationLedger(clock=clock)

    async def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `GenerationLedger.acquire`."""
        return self._sync.acquire(character_id, owner=owner, ttl=ttl)

    async def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `GenerationLedger.renew`."""
        return self._sync.renew(lease, ttl=ttl)

    async def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        self._sync.release(lease)

    async def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `MemoryGenerationLedger.write`."""
        self._sync.write(operation, lease=lease)

    async def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        return self._sync.get(operation_id)

    async def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        return self._sync.unfinished(character_id)

    async def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `MemoryGenerationLedger.list`."""
        return self._sync.list(character_id, limit=limit, cursor=cursor)
