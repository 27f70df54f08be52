"""Typed events: what hooks and progress callbacks receive. All frozen, none carries a prompt."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from .models import CharacterImage

__all__ = [
    "ImageFailed",
    "ImageStored",
    "JobProgressed",
    "OperationEvent",
    "OperationFailed",
    "OperationFinished",
    "OperationStarted",
    "ProgressEvent",
    "ReferenceRetried",
    "WarningRaised",
]


@frozen(kw_only=True)
class OperationStarted:
    """An operation was written down and is about to work."""

    operation_id: str
    kind: str
    character_id: str


@frozen(kw_only=True)
class OperationFinished:
    """An operation ended well. `stored`, `failed` and `removed` count images."""

    operation_id: str
    kind: str
    character_id: str
    duration_ms: float
    stored: int = 0
    failed: int = 0
    removed: int = 0


@frozen(kw_only=True)
class OperationFailed:
    """An operation raised. `code` is the error's code, or its class name where it has none."""

    operation_id: str
    kind: str
    character_id: str
    duration_ms: float
    code: str
    error: str


@frozen(kw_only=True)
class JobProgressed:
    """The remote 360° job moved (or was polled). `task` is the server's own text."""

    operation_id: str
    character_id: str
    job_id: str
    status: str
    current: int
    total: int
    task: str | None = None


@frozen(kw_only=True)
class ImageStored:
    """One image is stored and recorded; `done` of `total` images of the operation are settled."""

    operation_id: str
    image: CharacterImage
    done: int
    total: int


@frozen(kw_only=True)
class ImageFailed:
    """One image could not be brought in and is recorded as failed."""

    operation_id: str
    image: CharacterImage
    done: int
    total: int


@frozen(kw_only=True)
class ReferenceRetried:
    """The server still had a master reference: one DELETE, one more POST."""

    operation_id: str
    character_id: str


@frozen(kw_only=True)
class WarningRaised:
    """Something went wrong without stopping the operation."""

    operation_id: str
    character_id: str
    code: str
    message: str


OperationEvent: TypeAlias = OperationStarted | OperationFinished | OperationFailed
"""What a hook receives."""

ProgressEvent: TypeAlias = (
    OperationEvent | JobProgressed | ImageStored | ImageFailed | ReferenceRetried | WarningRaised
)
"""What a progress callback receives."""
