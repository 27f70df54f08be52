"""Copies a file with changes: how an image is cleaned, and how a label gets into it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import IO

from attrs import evolve, frozen

__all__ = ["Edit", "rewrite"]

_BLOCK = 256 * 1024


@frozen
class Edit:
    """One change.

    Attributes:
        offset: Where.
        length: How many bytes go; none for an insertion.
        data: What comes instead.
        fill: How many bytes follow that, ``filler`` each.
        filler: One byte.
    """

    offset: int
    length: int
    data: bytes = b""
    fill: int = 0
    filler: bytes = b"\0"

    @property
    def only_cuts(self) -> bool:
        """Whether nothing comes instead."""
        return not self.data and not self.fill

    @property
    def grows(self) -> int:
        """By how many bytes the file grows; less than 0 where it shrinks."""
        return len(self.data) + self.fill - self.length

    def split(self, place: int) -> tuple[Edit, Edit]:
        """Return the same change as two: what comes instead comes before the place."""
        before = place - self.offset
        return evolve(self, length=before), Edit(place, self.length - before)


def rewrite(file: IO[bytes], edits: Iterable[Edit], write: Callable[[bytes], object]) -> None:
    """Copy a file with changes, a block at a time.

    Args:
        file: Seekable; left anywhere.
        edits: In any order, none within another. What is inserted where another one begins comes
            before that.
        write: Takes the next bytes.
    """
    at = 0
    file.seek(0)
    for edit in sorted(edits, key=lambda edit: (edit.offset, edit.length)):
        _copy(file, edit.offset - at, write)
        at = file.seek(edit.offset + edit.length)
        write(edit.data)
        for begun in range(0, edit.fill, _BLOCK):
            write(edit.filler * min(_BLOCK, edit.fill - begun))
    _copy(file, None, write)


def _copy(file: IO[bytes], count: int | None, write: Callable[[bytes], object]) -> None:
    """Copy so many bytes, or all that are left."""
    while block := file.read(_BLOCK if count is None else min(_BLOCK, count)):
        if count is not None:
            count -= len(block)
        write(block)
