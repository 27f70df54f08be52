"""Typed events: what hooks and progress callbacks receive. All frozen, none carries a prompt."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
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
    "RecoveryFinished",
    "RecoveryStarted",
    "ReferenceRetried",
    "ServiceEvent",
    "Stage",
    "StageFinished",
    "WarningRaised",
]


@frozen(kw_only=True)
class OperationStarted:
    """An operation was written down and is about to work.

    Attributes:
        operation_id: The operation in the ledger.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
    """

    operation_id: str
    kind: str
    character_id: str


@frozen(kw_only=True)
class OperationFinished:
    """An operation ended well.

    Attributes:
        operation_id: The operation in the ledger.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
        duration_ms: How long it took, in milliseconds.
        stored: How many images were stored.
        failed: How many images could not be brought in.
        removed: How many earlier images were removed.
    """

    operation_id: str
    kind: str
    character_id: str
    duration_ms: float
    stored: int = 0
    failed: int = 0
    removed: int = 0


@frozen(kw_only=True)
class OperationFailed:
    """An operation raised.

    Attributes:
        operation_id: The operation in the ledger.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
        duration_ms: How long it took, in milliseconds.
        code: The error's code, or its class name where it has none.
        error: The error's message; only the class name of an exception that is not charimg's own.
    """

    operation_id: str
    kind: str
    character_id: str
    duration_ms: float
    code: str
    error: str


@frozen(kw_only=True)
class JobProgressed:
    """The remote 360° job moved, or was polled.

    Attributes:
        operation_id: The operation in the ledger.
        character_id: The host's id of the character.
        job_id: The job's id on the Character Library.
        status: The server's word for where it stands.
        current: How many images it has made.
        total: How many it is to make.
        task: The server's own text, when there is one.
    """

    operation_id: str
    character_id: str
    job_id: str
    status: str
    current: int
    total: int
    task: str | None = None


@frozen(kw_only=True)
class ImageStored:
    """One image is stored and recorded.

    Attributes:
        operation_id: The operation in the ledger.
        image: The record that was written.
        done: How many images of the operation are settled, this one included.
        total: How many images the operation has.
    """

    operation_id: str
    image: CharacterImage
    done: int
    total: int


@frozen(kw_only=True)
class ImageFailed:
    """One image could not be brought in and is recorded as failed.

    Attributes:
        operation_id: The operation in the ledger.
        image: The record that was written.
        done: How many images of the operation are settled, this one included.
        total: How many images the operation has.
        code: Why, for machines.
    """

    operation_id: str
    image: CharacterImage
    done: int
    total: int
    code: str | None = None


@frozen(kw_only=True)
class ReferenceRetried:
    """The server still had a master reference: one DELETE, one more POST.

    Attributes:
        operation_id: The operation in the ledger.
        character_id: The host's id of the character.
    """

    operation_id: str
    character_id: str


@frozen(kw_only=True)
class WarningRaised:
    """Something went wrong without stopping the operation.

    Attributes:
        operation_id: The operation in the ledger.
        character_id: The host's id of the character.
        code: What it was, for machines.
        message: What it was, in plain text.
    """

    operation_id: str
    character_id: str
    code: str
    message: str


class Stage(StrEnum):
    """What an operation spends its time on."""

    GENERATION = "generation"
    """The Character Library draws: from the request to its answer, or to the end of its job."""
    DOWNLOAD = "download"
    """One image is fetched and checked, repeats included."""
    STORE = "store"
    """The media store takes one file in."""
    RECORD = "record"
    """The repository takes one record in."""


@frozen(kw_only=True)
class StageFinished:
    """One stage of an operation, or of a recovery, came to its end, good or bad.

    Downloads overlap, so this is told once the operation itself gets to it.

    Attributes:
        operation_id: The operation in the ledger.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
        stage: Its `Stage`.
        began_at: When it began.
        duration_ms: How long it took, in milliseconds.
        key: The key of the image that it was about; ``None`` for a generation.
        bytes: The size of the file that was downloaded or stored.
        code: Why it failed: the error's code, or its class name where it has none. ``None`` if it
            ended well.
    """

    operation_id: str
    kind: str
    character_id: str
    stage: str
    began_at: datetime
    duration_ms: float
    key: str | None = None
    bytes: int | None = None
    code: str | None = None


@frozen(kw_only=True)
class RecoveryStarted:
    """An unfinished operation is taken up again.

    Attributes:
        operation_id: The operation in the ledger.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
    """

    operation_id: str
    kind: str
    character_id: str


@frozen(kw_only=True)
class RecoveryFinished:
    """An unfinished operation was taken up again, and this is what became of it.

    Attributes:
        operation_id: The operation in the ledger.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
        duration_ms: How long it took, in milliseconds.
        outcome: As in `Recovered`; ``error`` if it raised.
        code: Why it could not be finished: the error's code, or its class name where it has none.
    """

    operation_id: str
    kind: str
    character_id: str
    duration_ms: float
    outcome: str
    code: str | None = None


OperationEvent: TypeAlias = OperationStarted | OperationFinished | OperationFailed
"""What a hook receives."""

ProgressEvent: TypeAlias = (
    OperationEvent | JobProgressed | ImageStored | ImageFailed | ReferenceRetried | WarningRaised
)
"""What a progress callback receives."""

ServiceEvent: TypeAlias = ProgressEvent | StageFinished | RecoveryStarted | RecoveryFinished
"""What a hook receives that asks for every event."""
