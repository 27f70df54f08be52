"""The contracts can fail: each broken ledger is caught by the test that names its fault."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg.errors import LeaseLost
from charimg.journal import Lease, Operation, OperationPage
from charimg.stores.memory import MemoryGenerationLedger
from charimg.testing import GenerationLedgerContract

from .catching import caught


class NoLease(MemoryGenerationLedger):
    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        self._leases.pop(character_id, None)
        return super().acquire(character_id, owner=owner, ttl=ttl)


class OneLease(MemoryGenerationLedger):
    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        lease = super().acquire("all", owner=owner, ttl=ttl)
        return evolve(lease, character_id=character_id)


class Eternal(MemoryGenerationLedger):
    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        return super().acquire(character_id, owner=owner, ttl=3600)


class FreshTokens(MemoryGenerationLedger):
    def release(self, lease: Lease, /) -> None:
        super().release(lease)
        self._tokens.clear()


class NoRenew(MemoryGenerationLedger):
    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        self._check(lease)
        return evolve(lease, expires_at=lease.expires_at.replace(year=2100))


class TakesBack(MemoryGenerationLedger):
    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        self._leases[lease.character_id] = lease
        return super().renew(lease, ttl=ttl)


class StrictExpiry(MemoryGenerationLedger):
    def _check(self, lease: Lease) -> None:
        super()._check(lease)
        if self._leases[lease.character_id].expires_at <= self._now():
            raise LeaseLost("expired")


class BlindRelease(MemoryGenerationLedger):
    def release(self, lease: Lease, /) -> None:
        self._leases.pop(lease.character_id, None)


class ByValue(MemoryGenerationLedger):
    """Knows a lease by all of its fields, so a renewal orphans the older copy."""

    def _holds(self, lease: Lease) -> bool:
        return self._leases.get(lease.character_id) == lease


class NoRelease(MemoryGenerationLedger):
    def release(self, lease: Lease, /) -> None:
        pass


class Unfenced(MemoryGenerationLedger):
    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        self._operations[operation.id] = operation


class WritesFirst(MemoryGenerationLedger):
    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        self._operations[operation.id] = operation
        super().write(operation, lease=lease)


class Lossy(MemoryGenerationLedger):
    def get(self, operation_id: str, /) -> Operation | None:
        operation = super().get(operation_id)
        return None if operation is None else evolve(operation, baseline=())


class AppendOnly(MemoryGenerationLedger):
    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        if operation.id not in self._operations:
            super().write(operation, lease=lease)


class NoTombstones(MemoryGenerationLedger):
    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        found = super().unfinished(character_id)
        return tuple(each for each in found if each.state not in ("done", "failed"))


class YoungestFirst(MemoryGenerationLedger):
    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        return super().unfinished(character_id)[::-1]


class SloppyGet(MemoryGenerationLedger):
    def get(self, operation_id: str, /) -> Operation | None:
        return super().get(operation_id) or Operation(id=operation_id, kind="", character_id="")


class OldestOperationsFirst(MemoryGenerationLedger):
    def list(self, *args: Any, **options: Any) -> OperationPage:
        page = super().list(*args, **options)
        return evolve(page, operations=page.operations[::-1])


class OneOperationPage(MemoryGenerationLedger):
    def list(self, *args: Any, limit: int = 50, cursor: str | None = None) -> OperationPage:
        return super().list(*args, limit=1_000)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (NoLease, "test_a_held_lease_is_not_given_twice"),
        (OneLease, "test_leases_are_per_character"),
        (Eternal, "test_an_expired_lease_can_be_taken"),
        (FreshTokens, "test_tokens_grow_for_ever"),
        (NoRenew, "test_renew_extends"),
        (TakesBack, "test_renew_of_a_lost_lease"),
        (StrictExpiry, "test_an_expired_lease_that_nobody_took_still_holds"),
        (BlindRelease, "test_release_of_a_lost_lease"),
        (ByValue, "test_release_of_a_renewed_lease"),
        (NoRelease, "test_release_gives_the_lease_up"),
        (NoRelease, "test_write_with_a_lease_that_was_given_up"),
        (Unfenced, "test_write_with_a_lost_lease"),
        (WritesFirst, "test_write_with_a_lost_lease"),
        (WritesFirst, "test_write_with_a_lease_that_was_given_up"),
        (Lossy, "test_write_keeps_everything"),
        (AppendOnly, "test_write_replaces"),
        (NoTombstones, "test_unfinished"),
        (YoungestFirst, "test_unfinished"),
        (SloppyGet, "test_get_of_nothing"),
        (OldestOperationsFirst, "test_list_is_newest_first"),
        (OneOperationPage, "test_list_is_newest_first"),
        (OneOperationPage, "test_bad_pages_are_refused"),
    ],
)
def test_broken_ledgers(broken: Any, test: str) -> None:
    assert caught(GenerationLedgerContract, broken, test)
