"""Server-sent events (WHATWG HTML, section 9.2): their text, their ids, and what each one tells."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

from attrs import frozen

from ..events import (
    ImageFailed,
    ImageStored,
    JobProgressed,
    OperationStarted,
    ProgressEvent,
    ReferenceRetried,
    WarningRaised,
)
from .exchange import WebRequest
from .failures import BadRequest
from .wire import image_json

__all__ = [
    "ENDS",
    "HEARTBEAT",
    "STREAM_HEADERS",
    "Told",
    "encode",
    "last_event",
    "number_after",
    "told",
]

HEARTBEAT = b": still here\n\n"
ENDS = ("done", "error")
"""The names of what comes last."""
STREAM_HEADERS = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    # nginx would hold the events back until its buffer is full.
    ("X-Accel-Buffering", "no"),
)


@frozen(kw_only=True)
class Told:
    """One event: its name, its JSON, and its number."""

    name: str
    data: dict[str, Any]
    number: int = 0


def number_after(last: int, when: datetime | None = None) -> int:
    """Return an event's number: the microsecond in which it happened, and more than the last one's.

    All that tell of an operation, on whichever worker and after whichever restart, so number alike;
    whoever goes from one to the other misses nothing.

    Args:
        last: The number of the event before, or 0.
        when: When it happened; by default now.
    """
    seconds = time.time() if when is None else when.timestamp()
    return max(last + 1, int(seconds * 1_000_000))


def told(event: ProgressEvent) -> Told | None:
    """Return what a client is told of an event of the service.

    Its end is told with the route's own answer, so that of the service is left out.
    """
    if isinstance(event, OperationStarted):
        return Told(name="started", data={"operationId": event.operation_id, "kind": event.kind})
    if isinstance(event, JobProgressed):
        data: dict[str, Any] = {
            "operationId": event.operation_id,
            "jobId": event.job_id,
            "status": event.status,
            "current": event.current,
            "total": event.total,
            "task": event.task,
        }
        return Told(name="progress", data=data)
    if isinstance(event, (ImageStored, ImageFailed)):
        data = {
            "operationId": event.operation_id,
            "image": image_json(event.image),
            "done": event.done,
            "total": event.total,
        }
        return Told(name="image" if isinstance(event, ImageStored) else "failure", data=data)
    if isinstance(event, ReferenceRetried):
        return Told(name="reference-retried", data={"operationId": event.operation_id})
    if isinstance(event, WarningRaised):
        data = {
            "operationId": event.operation_id,
            "code": str(event.code),
            "message": event.message,
        }
        return Told(name="warning", data=data)
    return None


def encode(event: Told, operation_id: str) -> bytes:
    """Return an event as it is sent. Its JSON is one line of ASCII."""
    data = json.dumps(event.data, separators=(",", ":"))
    return f"id: {operation_id}.{event.number}\nevent: {event.name}\ndata: {data}\n\n".encode(
        "ascii"
    )


def last_event(request: WebRequest) -> tuple[str, int] | None:
    """Return the operation and the number in ``Last-Event-ID``, or ``None`` when there is none.

    Raises:
        BadRequest: It is not one of ours. Who sends it goes on with something, and must not be
            given a new, paid generation.
    """
    given = request.headers.get("last-event-id", "")
    if not given:
        return None
    operation_id, _, number = given.rpartition(".")
    if not operation_id or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise BadRequest(
            400, "BAD_EVENT_ID", "Last-Event-ID must be the id of an event of one of our streams."
        )
    return operation_id, int(number)
