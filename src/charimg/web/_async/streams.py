"""What an operation tells, as an event stream: one of this process, or one that another runs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from ..._async.service import AsyncCharacterImageService
from ..._concurrency import asleep
from ..._plain import logger
from ...errors import CharimgError
from ...journal import Operation, OperationState
from .._runs import AsyncRun
from ..sse import HEARTBEAT, Told, encode
from ..wire import operation_json

__all__ = ["follow_ledger", "follow_run", "is_running"]

_log = logger("charimg.web")

_POLL = 1.0
"""Seconds between two looks into the ledger."""
_ADOPT = 5.0
"""Seconds without any news after which the operation may be nobody's: its process has ended."""


async def follow_run(run: AsyncRun, after: int, heartbeat: float) -> AsyncIterator[bytes]:
    """Yield a run's events from number ``after`` on, with heartbeats, until it has ended."""
    sent = after
    while True:
        # Asked first: what is told until then, the end itself, is among the events.
        ended = run.ended
        while sent < len(run.events):
            event = run.events[sent]
            sent += 1
            yield encode(event, f"{run.operation_id or ''}.{sent}")
        if ended:
            return
        if not await run.wait(sent, heartbeat):
            yield HEARTBEAT


async def follow_ledger(
    service: AsyncCharacterImageService,
    operation: Operation,
    heartbeat: float,
    stale_after: float,
    *,
    take_up: bool = True,
) -> AsyncIterator[bytes]:
    """Yield what the ledger says of an operation each time that it changes, until it has ended.

    One whose process has ended is taken up by whoever watches it: `recover` leaves it alone as long
    as somebody holds the character's lease, and never posts a generation again. Whom another
    site's page sent only looks on (``take_up``).
    """
    number = 0
    shown: dict[str, Any] | None = None
    quiet_since = looked_at = time.monotonic()
    while True:
        running = is_running(operation, stale_after)
        body = operation_json(operation, running=running, progress=None)
        if body != shown:
            shown = body
            number += 1
            quiet_since = looked_at = time.monotonic()
            yield encode(
                Told(name="operation", data={"operation": body}), f"{operation.id}.{number}"
            )
        if not running:
            yield encode(_end(operation, body), f"{operation.id}.{number + 1}")
            return
        if time.monotonic() - quiet_since >= heartbeat:
            quiet_since = time.monotonic()
            yield HEARTBEAT
        await asleep(min(_POLL, heartbeat))
        if take_up and time.monotonic() - looked_at >= _ADOPT:
            await _take_up(service, operation)
            looked_at = time.monotonic()
        operation = await service.ledger.get(operation.id) or operation


async def _take_up(service: AsyncCharacterImageService, operation: Operation) -> None:
    try:
        await service.recover(operation.character_id)
    except CharimgError as error:
        # The next look may have more luck; who watches is told what the ledger says.
        _log.warning("web.not_taken_up", extra={"operation_id": operation.id}, exc_info=error)


def is_running(operation: Operation, stale_after: float) -> bool:
    """Return whether somebody seems to work on an operation: unfinished, and written lately."""
    if operation.finished or operation.state == OperationState.UNKNOWN:
        return False
    return time.time() - operation.updated_at.timestamp() < stale_after


def _end(operation: Operation, body: dict[str, Any]) -> Told:
    if operation.state == OperationState.DONE:
        return Told(name="done", data={"success": True, "operation": body})
    if operation.state == OperationState.FAILED:
        reason, code = operation.error or "The operation failed.", "OPERATION_FAILED"
    else:
        reason = "Nobody works on this operation any more; recover() finishes what can be finished."
        code = "INTERRUPTED"
    failure = {"success": False, "error": reason, "code": code, "operationId": operation.id}
    return Told(name="error", data={**failure, "operation": body})
