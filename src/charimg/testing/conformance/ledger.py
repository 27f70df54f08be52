"""The contract of `GenerationLedger`."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve

from ...errors import GenerationInProgress, InvalidArgument, LeaseLost
from ...journal import Doomed, JobSeen, Lease, Operation, OperationItem
from ...models import Shot
from .base import Contract, expect, expect_equal, expect_raises

__all__ = ["LONG", "SHORT", "GenerationLedgerContract", "LedgerHooks", "make_operation"]

_BEGIN = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
LONG = 600.0
SHORT = 0.02


def make_operation(
    operation_id: str, character_id: str, *, minute: int = 0, **changes: Any
) -> Operation:
    """Return an operation with every field set, started so many minutes after the first."""
    at = _BEGIN + timedelta(minutes=minute)
    fields: dict[str, Any] = {
        "id": operation_id,
        "kind": "portfolio",
        "character_id": character_id,
        "library_db_id": "0123456789abcdef01234567",
        "state": "received",
        "prompt": '  "Exactly" this —\r\n 😀 ',
        "options": {"policy": "keep-history", "mood": None, "deep": {"list": [1, 2.5, "x", True]}},
        "created_by": "user-7",
        "baseline": ("media-1", "media-2"),
        "job_id": "job-1",
        "job_seen": JobSeen(status="processing", current=3, total=27, moved_at=at),
        "items": (
            OperationItem(
                key=f"{operation_id}-000",
                index=0,
                state="stored",
                prompt="shot",
                source_url="https://library.example/1.png?x=ü",
                external_id="m1",
                shot=Shot(name="50mm 25° RIGHT", lens_mm=50.0, sort_order=3),
                image_id="image-1",
            ),
            OperationItem(key=f"{operation_id}-001", index=1, state="failed", error="404"),
        ),
        "doomed": (Doomed(image_id="i", media_key="k"), Doomed(image_id="j", media_key="k2")),
        "removed": 2,
        "remote_delete": "intended",
        "error": "plain text",
        "posted_at": at,
        "posted_on_server": at,
        "received_at": at + timedelta(milliseconds=1500),
        "created_at": at,
        "updated_at": at + timedelta(seconds=2),
        **changes,
    }
    return Operation(**fields)


class LedgerHooks(Contract):
    """What the suites ask of the host about time."""

    def advance(self, seconds: float) -> None:
        """Let time pass for the ledger. Override it where the ledger has a clock of its own."""
        time.sleep(seconds)


class GenerationLedgerContract(LedgerHooks):
    """`make` returns a ledger."""

    def _expired(self, ledger: Any, character: str) -> Lease:
        """Take a lease and let it expire."""
        lease: Lease = ledger.acquire(character, owner="a", ttl=SHORT)
        self.advance(SHORT * 2)
        return lease

    def _lost(self, ledger: Any, character: str) -> tuple[Lease, Lease]:
        """Return a lease that expired and was taken over, and the one that took it."""
        old = self._expired(ledger, character)
        return old, ledger.acquire(character, owner="b", ttl=LONG)

    def _written(self, ledger: Any, *operations: Operation) -> None:
        for operation in operations:
            lease = ledger.acquire(operation.character_id, owner="a", ttl=LONG)
            ledger.write(operation, lease=lease)
            ledger.release(lease)

    def test_acquire_takes_the_lease(self) -> None:
        """``acquire``: Take the character's lease for ``ttl`` seconds."""
        with self.opened() as ledger:
            character = self.unique()
            lease = ledger.acquire(character, owner="host:1", ttl=LONG)
            expect_equal((lease.character_id, lease.owner), (character, "host:1"), "it says whose")
            expect(lease.expires_at.tzinfo is not None, "expires_at is timezone-aware")

    def test_a_held_lease_is_not_given_twice(self) -> None:
        """``acquire``: GenerationInProgress: A lease is held and has not expired."""
        with self.opened_twice() as (ledger, reopen):
            character = self.unique()
            ledger.acquire(character, owner="a", ttl=LONG)
            for other in ("a", "b"):
                with expect_raises(GenerationInProgress, "a held lease is not given twice"):
                    ledger.acquire(character, owner=other, ttl=LONG)
            with expect_raises(GenerationInProgress, "nor by another process"):
                reopen().acquire(character, owner="c", ttl=LONG)

    def test_leases_are_per_character(self) -> None:
        """``acquire``: the character's lease."""
        with self.opened() as ledger:
            ledger.acquire(self.unique(), owner="a", ttl=LONG)
            ledger.acquire(self.unique(), owner="b", ttl=LONG)

    def test_an_expired_lease_can_be_taken(self) -> None:
        """``acquire``: and has not expired."""
        with self.opened() as ledger:
            old, new = self._lost(ledger, self.unique())
            expect_equal(new.owner, "b", "an expired lease can be taken over")
            expect(new.expires_at > old.expires_at, "and lasts its own time")

    def test_tokens_grow_for_ever(self) -> None:
        """``acquire``: with a token higher than any before: released, expired, restarted."""
        with self.opened_twice() as (ledger, reopen):
            character = self.unique()
            tokens = []
            for _ in range(2):
                lease = ledger.acquire(character, owner="a", ttl=LONG)
                tokens.append(lease.token)
                ledger.release(lease)
            tokens.append(self._expired(ledger, character).token)
            tokens.append(reopen().acquire(character, owner="b", ttl=LONG).token)
            expect(all(type(token) is int for token in tokens), "tokens are integers")
            expect_equal(tokens, sorted(set(tokens)), "every token is higher than any before")

    def test_renew_extends(self) -> None:
        """``renew``: Extend a held lease to ``ttl`` seconds from now; the token stays."""
        with self.opened() as ledger:
            character = self.unique()
            lease = ledger.acquire(character, owner="a", ttl=SHORT)
            renewed = ledger.renew(lease, ttl=LONG)
            expect_equal(renewed.token, lease.token, "the token stays")
            expect(renewed.expires_at > lease.expires_at, "expires_at is later")
            self.advance(SHORT * 2)
            with expect_raises(GenerationInProgress, "a renewed lease is still held"):
                ledger.acquire(character, owner="b", ttl=LONG)
            shortened = ledger.renew(renewed, ttl=SHORT)
            expect(shortened.expires_at < renewed.expires_at, "the ttl counts from now")
            self.advance(SHORT * 2)
            ledger.acquire(character, owner="b", ttl=LONG)

    def test_an_expired_lease_that_nobody_took_still_holds(self) -> None:
        """``renew``, ``write``: only a lease that is no longer the latest is lost."""
        with self.opened() as ledger:
            character = self.unique()
            lease = self._expired(ledger, character)
            operation = make_operation(self.unique(), character)
            ledger.write(operation, lease=lease)
            expect_equal(ledger.get(operation.id), operation, "it can still write")
            ledger.renew(lease, ttl=LONG)
            with expect_raises(GenerationInProgress, "and be renewed"):
                ledger.acquire(character, owner="b", ttl=LONG)

    def test_renew_of_a_lost_lease(self) -> None:
        """``renew``: LeaseLost: The lease is no longer the character's latest."""
        with self.opened() as ledger:
            old, new = self._lost(ledger, self.unique())
            with expect_raises(LeaseLost, "a lease that was taken over cannot be renewed"):
                ledger.renew(old, ttl=LONG)
            ledger.renew(new, ttl=LONG)

    def test_release_gives_the_lease_up(self) -> None:
        """``release``: Give the lease up. Idempotent."""
        with self.opened() as ledger:
            character = self.unique()
            lease = ledger.acquire(character, owner="a", ttl=LONG)
            ledger.release(lease)
            ledger.release(lease)
            with expect_raises(LeaseLost, "a lease that was given up cannot be renewed"):
                ledger.renew(lease, ttl=LONG)
            ledger.acquire(character, owner="b", ttl=LONG)

    def test_release_of_a_lost_lease(self) -> None:
        """``release``: a lease that someone else took meanwhile is left alone."""
        with self.opened() as ledger:
            character = self.unique()
            old, new = self._lost(ledger, character)
            ledger.release(old)
            with expect_raises(GenerationInProgress, "the other's lease is left alone"):
                ledger.acquire(character, owner="c", ttl=LONG)
            ledger.write(make_operation(self.unique(), character), lease=new)

    def test_release_of_a_renewed_lease(self) -> None:
        """``release``: a lease is known by its token, however often it was renewed."""
        with self.opened() as ledger:
            character = self.unique()
            first = ledger.acquire(character, owner="a", ttl=LONG)
            ledger.renew(first, ttl=LONG)
            ledger.write(make_operation(self.unique(), character), lease=first)
            ledger.release(first)
            ledger.acquire(character, owner="b", ttl=LONG)

    def test_write_keeps_everything(self) -> None:
        """``write``: Write the operation down, whole, durably. ``get``: Return the operation."""
        with self.opened_twice() as (ledger, reopen):
            full = make_operation(self.unique(), self.unique())
            bare = Operation(
                id=self.unique(), kind="new-kind", character_id=self.unique(), state="new-state"
            )
            self._written(ledger, full, bare)
            again = reopen()
            for operation in (full, bare):
                expect_equal(ledger.get(operation.id), operation, "every field is kept")
                expect_equal(again.get(operation.id), operation, "a restart loses nothing")

    def test_write_replaces(self) -> None:
        """``write``: replacing what stood under its id."""
        with self.opened() as ledger:
            operation = make_operation(self.unique(), self.unique())
            changed = evolve(operation, state="done", items=(), doomed=(), error=None, prompt="")
            self._written(ledger, operation, changed)
            expect_equal(ledger.get(operation.id), changed, "the latest stands, whole")
            page = ledger.list(operation.character_id)
            expect_equal(page.operations, (changed,), "and stands once")
            expect_equal(ledger.unfinished(operation.character_id), (), "and nowhere as it was")

    def test_write_with_a_lost_lease(self) -> None:
        """``write``: LeaseLost: The lease is no longer the latest; nothing was written."""
        with self.opened() as ledger:
            character = self.unique()
            old, new = self._lost(ledger, character)
            operation = make_operation(self.unique(), character)
            with expect_raises(LeaseLost, "a lease that was taken over cannot write"):
                ledger.write(operation, lease=old)
            expect(ledger.get(operation.id) is None, "nothing was written")
            ledger.write(operation, lease=new)
            with expect_raises(LeaseLost, "nor replace"):
                ledger.write(evolve(operation, state="done"), lease=old)
            expect_equal(ledger.get(operation.id), operation, "nothing was replaced")

    def test_write_with_a_lease_that_was_given_up(self) -> None:
        """``release``: Give the lease up: it is no longer the character's."""
        with self.opened() as ledger:
            operation = make_operation(self.unique(), self.unique())
            lease = ledger.acquire(operation.character_id, owner="a", ttl=LONG)
            ledger.release(lease)
            with expect_raises(LeaseLost, "a lease that was given up cannot write"):
                ledger.write(operation, lease=lease)
            expect(ledger.get(operation.id) is None, "nothing was written")

    def test_get_of_nothing(self) -> None:
        """``get``: or ``None``."""
        with self.opened() as ledger:
            expect(ledger.get(self.unique()) is None, "get returns None for no operation")

    def test_unfinished(self) -> None:
        """``unfinished``: every unfinished operation of one or all characters, oldest first."""
        with self.opened() as ledger:
            mine, other = self.unique(), self.unique()
            base = self.unique("op")
            states = ("started", "done", "posting", "received", "failed", "unknown", "new-state")
            operations = [
                make_operation(f"{base}-{number}", mine, minute=number, state=state, doomed=())
                for number, state in enumerate(states)
            ]
            tombstones = make_operation(f"{base}-7", mine, minute=7, state="done")
            foreign = make_operation(f"{base}-8", other, minute=8)
            # Not in the order of their ages.
            self._written(ledger, foreign, tombstones, *reversed(operations))
            expected = [
                *(each.id for each in operations if each.state not in ("done", "failed")),
                tombstones.id,
            ]
            found = [each.id for each in ledger.unfinished(mine)]
            expect_equal(found, expected, "unfinished ones, tombstones included, oldest first")
            everybody = [each.id for each in ledger.unfinished() if each.id.startswith(base)]
            expect_equal(everybody, [*expected, foreign.id], "of all characters without an id")
            expect_equal(ledger.unfinished(self.unique()), (), "of nobody: none")
            expect(tombstones in ledger.unfinished(mine), "they come whole")

    def test_list_is_newest_first(self) -> None:
        """``list``: one page of a character's operations, newest first by id."""
        with self.opened() as ledger:
            character, base = self.unique(), self.unique("op")
            operations = [make_operation(f"{base}-{each}", character) for each in range(7)]
            self._written(ledger, *operations, make_operation(self.unique(), self.unique()))
            expected = operations[::-1]
            expect_equal(list(ledger.list(character).operations), expected, "newest first by id")
            for limit in (1, 3, 7, 8):
                found: list[Operation] = []
                cursor = None
                for _ in range(-(-7 // limit)):
                    page = ledger.list(character, limit=limit, cursor=cursor)
                    expect(len(page.operations) <= limit, "a page holds at most limit")
                    found += page.operations
                    cursor = page.next_cursor
                expect_equal(found, expected, f"pages of {limit}: no gap, no double")
                expect(cursor is None, "next_cursor is None on the last page")
            empty = ledger.list(self.unique())
            expect_equal((empty.operations, empty.next_cursor), ((), None), "of nobody: none")

    def test_bad_pages_are_refused(self) -> None:
        """``list``: a limit of 1 to 1,000, and a cursor of its own."""
        with self.opened() as ledger:
            for limit in (0, -1, 1_001):
                with expect_raises(InvalidArgument, f"a limit of {limit} is refused"):
                    ledger.list(self.unique(), limit=limit)
            for cursor in ("", "garbage", "e30", "WzEsMl0", "ж"):
                with expect_raises(InvalidArgument, f"a foreign cursor is refused ({cursor})"):
                    ledger.list(self.unique(), cursor=cursor)
