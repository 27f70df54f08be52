"""What is left out of a file so that it is an image and nothing else: how, and in which words."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field

from .parts import Part, Role
from .rewrite import Edit
from .sniff import WEBP
from .values import ImageType
from .webp import mended

__all__ = ["Cleaning"]


@define
class Cleaning:
    """Collects the parts of one file that are left out.

    Attributes:
        left_out: The parts, each with what it holds; nothing where it is no part of the image.
    """

    left_out: list[tuple[Part, str]] = field(factory=list)
    _waiting: list[Part] = field(factory=list)
    _signed: bool = False

    def take(self, part: Part, foreign: str | None) -> None:
        """Take the next part.

        Args:
            part: In the order of the file.
            foreign: What it holds that is foreign, if anything.
        """
        if part.role is Role.JUNK or foreign is not None:
            self.left_out.append((part, foreign or ""))
        elif part.group:
            self._waiting.append(part)
        self._signed = self._signed or part.role is Role.CREDENTIALS

    def finish(self) -> None:
        """Leave out, too, what goes along with other parts."""
        gone = {part.group for part, _ in self.left_out}
        self.left_out += [(part, "") for part in self._waiting if part.group in gone]

    def edits(self, kind: ImageType, head: bytes) -> tuple[Edit, ...]:
        """Return the changes to the file.

        Args:
            kind: Its type.
            head: Its first 32 bytes.
        """
        edits = [_edit(part) for part, _ in self.left_out]
        if edits and kind == WEBP:
            kept = {part.name for part, _ in self.left_out if part.essence}
            edits += mended(head, edits, {part.name for part, _ in self.left_out} - kept)
        return tuple(edits)

    def words(self) -> tuple[str, ...]:
        """Return what is left out, for people, such as ``trailer (2,340 bytes)``."""
        sums: dict[str, list[int]] = {}
        for part, foreign in self.left_out:
            what = f"{part.name} with {foreign}" if foreign else part.name
            sums.setdefault(what, []).append(part.length)
        told = [_told(what, lengths) for what, lengths in sums.items()]
        if told and self._signed:
            told.append("the content credentials stay, and no longer match the file")
        return tuple(told)


def _told(what: str, lengths: Sequence[int]) -> str:
    size = f"{sum(lengths):,} byte{'' if sum(lengths) == 1 else 's'}"
    return f"{what} ({size})" if len(lengths) == 1 else f"{what} ({size} in {len(lengths)} parts)"


def _edit(part: Part) -> Edit:
    essence = part.essence[: part.length] if part.filler else part.essence
    fill = part.length - len(essence) if part.filler else 0
    return Edit(part.offset, part.length, essence, fill, part.filler)
