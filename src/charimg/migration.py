"""What copying from one set of stores to another reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

__all__ = ["MigratedImage", "MigrationCallback", "MigrationOutcome", "MigrationReport"]


class MigrationOutcome(StrEnum):
    """What became of one image."""

    COPIED = "copied"
    """Record and file are there now; the file was read back and has its hash."""
    PRESENT = "present"
    """An earlier run had copied it; the file was read back and has its hash."""
    SKIPPED = "skipped"
    """A failed image, for a repository that keeps no record without a file. The ledger has it."""
    FAILED = "failed"
    """It could not be copied; the source is as it was."""


@frozen(kw_only=True)
class MigratedImage:
    """One image that was looked at.

    Attributes:
        character_id: The host's id of the character.
        key: charimg's key of the image.
        outcome: A `MigrationOutcome`.
        bytes: Size of the file.
        message: Why it failed or was skipped.
        done: How many images of the character were looked at so far.
        total: How many records the character has.
    """

    character_id: str
    key: str
    outcome: MigrationOutcome
    bytes: int = 0
    message: str = ""
    done: int
    total: int


class MigrationCallback(Protocol):
    """Told of every image. An exception in it ends the migration, which can be resumed."""

    def __call__(self, image: MigratedImage, /) -> None:
        """Receive one image; return quickly."""


@frozen(kw_only=True)
class MigrationReport:
    """What one run of a migration did.

    Attributes:
        characters: How many characters had something to copy.
        outcomes: How many images ended how.
        bytes: Size of the files that were copied or found present.
        operations: How many operations of the ledger were copied.
        extra: How many records only the target has: deleted in the source since an earlier run, or
            added in the target. Of the characters asked for, or of all.
        failures: The images that could not be copied.
    """

    characters: int
    outcomes: Mapping[str, int] = field(factory=dict, hash=False)
    bytes: int = 0
    operations: int = 0
    extra: int = 0
    failures: tuple[MigratedImage, ...] = ()

    @classmethod
    def of(
        cls, images: list[MigratedImage], *, characters: int, operations: int, extra: int
    ) -> MigrationReport:
        """Sum up."""
        counted = Counter(str(image.outcome) for image in images)
        return cls(
            characters=characters,
            outcomes={str(each): counted[each] for each in MigrationOutcome},
            bytes=sum(image.bytes for image in images),
            operations=operations,
            extra=extra,
            failures=tuple(each for each in images if each.outcome == MigrationOutcome.FAILED),
        )
