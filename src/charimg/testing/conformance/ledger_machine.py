"""Any sequence of calls of a ledger, against the latest leases and a list of operations."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ...errors import GenerationInProgress, LeaseLost
from ...journal import Lease, Operation
from .base import expect, expect_equal, expect_raises
from .ledger import LONG, SHORT, LedgerHooks, make_operation

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["ledger_machine"]


def ledger_machine(hooks: LedgerHooks) -> type[RuleBasedStateMachine]:
    """Return the state machine of one ledger's suite."""
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

    second = st.booleans()
    which = st.integers(0, 6)
    states = st.sampled_from(("started", "received", "done", "failed"))
    values = st.lists(st.tuples(st.integers(0, 3), states), min_size=1, max_size=4)

    class LedgerMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.stack = ExitStack()
            self.ledger: Any
            self.reopen: Callable[[], Any]
            self.ledger, self.reopen = self.stack.enter_context(hooks.opened_twice())
            self.prefix = hooks.unique("m")
            self.leases: list[Lease] = []
            # The token of the latest lease that was not given up, and whether it still runs.
            self.latest: dict[str, int] = {}
            self.running: dict[str, bool] = {}
            self.written: dict[str, Operation] = {}

        def teardown(self) -> None:
            self.stack.close()

        def character(self, second: bool) -> str:
            return f"{self.prefix}-{second:d}"

        def lease(self, number: int) -> Lease:
            return self.leases[-1 - number % len(self.leases)]

        def holds(self, lease: Lease) -> bool:
            return self.latest.get(lease.character_id) == lease.token

        def some(self) -> bool:
            return bool(self.leases)

        @rule(second=second, short=st.booleans())
        def acquire(self, second: bool, short: bool) -> None:
            character = self.character(second)
            if self.running.get(character):
                with expect_raises(GenerationInProgress, "a held lease is not given twice"):
                    self.ledger.acquire(character, owner="b", ttl=LONG)
                return
            lease = self.ledger.acquire(character, owner="a", ttl=SHORT if short else LONG)
            tokens = [each.token for each in self.leases if each.character_id == character]
            expect(all(token < lease.token for token in tokens), "a token is higher than any")
            self.leases.append(lease)
            self.latest[character] = lease.token
            self.running[character] = not short
            if short:
                hooks.advance(SHORT * 2)

        @precondition(some)
        @rule(number=which)
        def renew(self, number: int) -> None:
            lease = self.lease(number)
            if not self.holds(lease):
                with expect_raises(LeaseLost, "a lease that is not the latest cannot be renewed"):
                    self.ledger.renew(lease, ttl=LONG)
                return
            expect_equal(self.ledger.renew(lease, ttl=LONG).token, lease.token, "the token stays")
            self.running[lease.character_id] = True

        @precondition(some)
        @rule(number=which)
        def release(self, number: int) -> None:
            lease = self.lease(number)
            self.ledger.release(lease)
            if self.holds(lease):
                del self.latest[lease.character_id]
                self.running[lease.character_id] = False

        @precondition(some)
        @rule(number=which, values=values)
        def write(self, number: int, values: Any) -> None:
            lease = self.lease(number)
            for operation, state in values:
                self.write_one(lease, operation, state)
            self.compare(lease.character_id, 3)

        def write_one(self, lease: Lease, operation: int, state: str) -> None:
            operation_id = f"{lease.character_id}-{operation}"
            value = make_operation(operation_id, lease.character_id, minute=operation)
            value = evolve(value, state=state, doomed=())
            if self.holds(lease):
                self.ledger.write(value, lease=lease)
                self.written[operation_id] = value
            else:
                with expect_raises(LeaseLost, "a lease that is not the latest cannot write"):
                    self.ledger.write(value, lease=lease)
            expect_equal(
                self.ledger.get(operation_id),
                self.written.get(operation_id),
                "get tells the latest",
            )

        @rule(second=second, limit=st.integers(1, 3))
        def list(self, second: bool, limit: int) -> None:
            self.compare(self.character(second), limit)

        def compare(self, character: str, limit: int) -> None:
            mine = [each for each in self.written.values() if each.character_id == character]
            mine = sorted(mine, key=lambda each: each.id)
            expect_equal(
                self.ledger.unfinished(character),
                tuple(each for each in mine if not each.finished),
                "unfinished gives those that are not over, oldest first",
            )
            listed: list[Operation] = []
            cursor = None
            while True:
                page = self.ledger.list(character, limit=limit, cursor=cursor)
                listed += page.operations
                cursor = page.next_cursor
                if cursor is None:
                    break
                expect_equal(len(page.operations), limit, "a page that another follows is full")
            expect_equal(listed, mine[::-1], "list gives all, newest first, whole")

        @rule()
        def restart(self) -> None:
            self.ledger = self.reopen()

    return LedgerMachine
