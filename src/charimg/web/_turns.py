"""Calls that come at the same time are made in one turn of a thread."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, copy_context
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from attrs import define, field

from .._concurrency import Outcome
from ..stores._threads import in_thread

if TYPE_CHECKING:
    from anyio import Event
    from anyio.lowlevel import RunVar

__all__ = ["Turns", "turns_of"]

T = TypeVar("T")


def turns_of(store: object) -> Turns:
    """Return the turns of a store in this event loop."""
    here = _here()
    try:
        known = here.get()
    except LookupError:
        known = WeakKeyDictionary()
        here.set(known)
    return known.setdefault(store, Turns())


@cache
def _here() -> RunVar[WeakKeyDictionary[object, Turns]]:
    from anyio.lowlevel import RunVar

    return RunVar("charimg.turns")


@define(eq=False)
class _Ticket:
    """A call that waits.

    Attributes:
        call: What to call.
        woken: Set when there is an outcome, or when the next turn is this caller's to begin.
        context: The caller's.
        outcome: Once the call was made.
    """

    call: Callable[[], Any]
    woken: Event
    context: Context = field(factory=copy_context)
    outcome: Outcome[Any] | None = None

    def serve(self) -> None:
        try:
            self.outcome = Outcome(value=self.context.run(self.call))
        except Exception as error:  # noqa: BLE001 - it is handed on as a value
            self.outcome = Outcome(error=error)


def _serve(tickets: list[_Ticket]) -> None:
    for ticket in tickets:
        ticket.serve()


class Turns:
    """Takes short calls that only read: a turn of a thread costs more than what they do.

    A call that comes while no thread is at work begins at once; those that come meanwhile wait for
    its end, and go together.
    """

    def __init__(self) -> None:
        self._waiting: list[_Ticket] = []
        self._busy = False

    async def run(self, call: Callable[[], T]) -> T:
        """Make the call in a thread, and return or raise what it does."""
        import anyio

        ticket = _Ticket(call, anyio.Event())
        self._waiting.append(ticket)
        if self._busy:
            await self._wait(ticket)
        if ticket.outcome is None:
            await self._turn()
        outcome = cast("Outcome[T]", ticket.outcome)
        return outcome.unwrap()

    async def _wait(self, ticket: _Ticket) -> None:
        try:
            await ticket.woken.wait()
        except BaseException:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                if ticket.woken.is_set():
                    self._pass_on()
            raise

    async def _turn(self) -> None:
        self._busy = True
        served, self._waiting = self._waiting, []
        try:
            await in_thread(lambda: _serve(served))
        finally:
            # Of a turn that was cancelled before it began, the others are still to be served.
            self._waiting = [each for each in served[1:] if each.outcome is None] + self._waiting
            for each in served:
                if each.outcome is not None:
                    each.woken.set()
            self._pass_on()

    def _pass_on(self) -> None:
        self._busy = bool(self._waiting)
        if self._waiting:
            self._waiting[0].woken.set()
