# Generated from src/charimg/web/_async/streams.py by tools/unasync.py. Do not edit.
"""What an operation tells, as an event stream: one of this process, or one that another runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from attrs import evolve

from ..._concurrency import sleep
from ..._plain import logger
from ..._sync.service import CharacterImageService
from ..._sync.sets import is_unfinished
from ...errors import CharimgError
from ...journal import Operation, OperationState
from .._ending import LOOK, server_ends
from .._runs import Run, Runs
from ..sse import ENDS, HEARTBEAT, Told, encode, number_after
from ..wire import operation_json

__all__ = ["follow_ledger", "follow_run", "is_running"]

_log = logger("charimg.web")

_POLL = 1.0
"""Seconds between two looks into the ledger."""
_ADOPT = 5.0
"""Seconds without any news after which the operation may be nobody's: its process has ended."""


def follow_run(runs: Runs, run: Run, after: int, heartbeat: float) -> Iterator[bytes]:
    """Yield a run's events after number ``after``, with heartbeats, until it has ended.

    When the server ends, the stream breaks off: its client asks the next one for the rest.
    """
    seen = 0
    quiet_since = time.monotonic()
    while not runs.ends():
        # Asked first: what is told until then, the end itself, is among the events.
        ended = run.ended
        while seen < len(run.events):
            event = run.events[seen]
            seen += 1
            # Whoever asks again after the end has to hear it, or would never stop.
            if event.number > after or event.name in ENDS:
                after = max(after + 1, event.number)
                yield encode(evolve(event, number=after), run.operation_id or "")
        if ended:
            return
        if run.wait(seen, min(heartbeat, LOOK)):
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= heartbeat:
            quiet_since = time.monotonic()
            yield HEARTBEAT


def follow_ledger(
    service: CharacterImageService,
    operation: Operation,
    after: int,
    heartbeat: float,
    stale_after: float,
    *,
    take_up: bool = True,
) -> Iterator[bytes]:
    """Yield what the ledger says of an operation each time that it changes, until it has ended.

    The numbers are those of the moments at which it was written, and more than ``after``.

    One whose process has ended is taken up by whoever watches it: `recover` leaves it alone as long
    as somebody holds the character's lease, and never posts a generation again. Whom another
    site's page sent only looks on (``take_up``).
    """
    shown: dict[str, Any] | None = None
    quiet_since = looked_at = time.monotonic()
    while not server_ends():
        running = is_running(operation, stale_after)
        body = operation_json(operation, running=running)
        if body != shown:
            shown = body
            after = number_after(after, operation.updated_at)
            quiet_since = looked_at = time.monotonic()
            data = {"operation": body}
            yield encode(Told(name="operation", data=data, number=after), operation.id)
        if not running:
            yield encode(evolve(_end(operation, body), number=after + 1), operation.id)
            return
        if time.monotonic() - quiet_since >= heartbeat:
            quiet_since = time.monotonic()
            yield HEARTBEAT
        sleep(min(_POLL, heartbeat))
        if take_up and time.monotonic() - looked_at >= _ADOPT:
            _take_up(service, operation)
            looked_at = time.monotonic()
        operation = service.ledger.get(operation.id) or operation


def _take_up(service: CharacterImageService, operation: Operation) -> None:
    try:
        service.recover(operation.character_id)
    except CharimgError as error:
        # The next look may have more luck; who watches is told what the ledger says.
        _log.warning("web.not_taken_up", extra={"operation_id": operation.id}, exc_info=error)


def is_running(operation: Operation, stale_after: float) -> bool:
    """Return whether somebody seems to work on an operation: unfinished, and written lately."""
    # What a job that stands still had drawn is in; nobody waits for the rest.
    if operation.finished or operation.state == OperationState.UNKNOWN or is_unfinished(operation):
        return False
    return time.time() - operation.updated_at.timestamp() < stale_after


def _end(operation: Operation, body: dict[str, Any]) -> Told:
    if operation.state == OperationState.DONE:
        return Told(name="done", data={"success": True, "operation": body})
    if operation.state == OperationState.FAILED:
        reason, code = operation.error or "The operation failed.", "OPERATION_FAILED"
    else:
        reason = "Nobody seems to work on this operation; recover() finishes what can be finished."
        code = "INTERRUPTED"
    failure = {"success": False, "error": reason, "code": code, "operationId": operation.id}
    if code == "INTERRUPTED":
        failure["recoverable"] = True
    return Told(name="error", data={**failure, "operation": body})
