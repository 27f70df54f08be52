"""What looking through the stores finds, tells and reports."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

__all__ = [
    "Finding",
    "FindingKind",
    "FindingOutcome",
    "VerificationCallback",
    "VerificationProgressed",
    "VerificationReport",
]


class FindingKind(StrEnum):
    """What is not as it should be. Open."""

    LOST = "lost"
    """A record's file is gone."""
    ALTERED = "altered"
    """A record's file has other bytes than the record says, by SHA-256."""
    UNREADABLE = "unreadable"
    """The store could not read a record's file."""
    NO_THUMBNAIL = "no-thumbnail"
    """The file is well, but its thumbnail is gone."""
    UNKNOWN_FILE = "unknown-file"
    """A file under a key of charimg's that no record names."""
    FOREIGN_FILE = "foreign-file"
    """A file that charimg did not make. Nothing is wrong with it."""
    OPEN_OPERATION = "open-operation"
    """An operation that is running, or was left: `recover` finishes it."""


class FindingOutcome(StrEnum):
    """What was done about it. Open."""

    TOLD = "told"
    """Nothing."""
    REPAIRED = "repaired"
    """The file, or its thumbnail, is there again; it was read back and has its hash."""
    REMOVED = "removed"
    """The file is gone: the ledger proves that it was charimg's own and not meant to be there."""
    FAILED = "failed"
    """It was tried; the message says what stood in the way."""


@frozen(kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        kind: A `FindingKind`.
        outcome: A `FindingOutcome`.
        message: What it is and what to do next, in plain text.
        character_id: The host's id of the character, where it is known.
        key: charimg's key of the image, or what the store calls the file.
        image_id: The id of the record.
        operation_id: The operation, where one is the matter.
    """

    kind: str
    outcome: str
    message: str
    character_id: str | None = None
    key: str | None = None
    image_id: str | None = None
    operation_id: str | None = None

    @property
    def resolved(self) -> bool:
        """Whether nothing is left to be done."""
        return self.kind == FindingKind.FOREIGN_FILE or self.outcome in (
            FindingOutcome.REPAIRED,
            FindingOutcome.REMOVED,
        )


@frozen(kw_only=True)
class VerificationProgressed:
    """One more image, file or operation was looked at.

    Attributes:
        done: How many images were looked at so far.
        total: How many records there were at the beginning.
        files: How many files the store has listed so far.
        finding: What was found, if something was.
    """

    done: int
    total: int
    files: int = 0
    finding: Finding | None = None


class VerificationCallback(Protocol):
    """Told of everything that is looked at. An exception in it is logged, not raised."""

    def __call__(self, event: VerificationProgressed, /) -> None:
        """Receive one event; return quickly."""


@frozen(kw_only=True)
class VerificationReport:
    """What one run of `verify` found.

    Attributes:
        images: How many records were looked at.
        bytes: How many bytes of their files were read.
        files: How many files the store listed; ``None`` where it was not asked, because it cannot
            or only one character was looked at.
        found: How many findings there were of each `FindingKind`.
        repaired: How many of them were repaired.
        removed: How many files were removed.
        unresolved: How many are left, open operations included; foreign files are not counted.
        findings: The first 1,000 of them. The callback is told of all.
    """

    images: int
    bytes: int = 0
    files: int | None = None
    found: Mapping[str, int] = field(factory=dict, hash=False)
    repaired: int = 0
    removed: int = 0
    unresolved: int = 0
    findings: tuple[Finding, ...] = ()
