"""What is left out of a file so that it is an image and nothing else: how, and in which words."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, evolve, field

from .parts import Part, Role
from .rewrite import Edit
from .sniff import WEBP
from .values import ImageType
from .webp import mended

__all__ = ["Cleaning"]


@define
class Cleaning:
    """Collects what is left out of one file. However much that is, it takes little memory."""

    _edits: list[Edit] = field(factory=list)
    _sums: dict[str, tuple[int, int]] = field(factory=dict)
    _waiting: list[Part] = field(factory=list)
    _groups: set[str] = field(factory=set)
    _names: set[str] = field(factory=set)
    _kept: set[str] = field(factory=set)
    _signed: bool = False

    def take(self, part: Part, foreign: str | None) -> None:
        """Take the next part.

        Args:
            part: In the order of the file.
            foreign: What it holds that is foreign, if anything.
        """
        if part.role is Role.JUNK or foreign is not None:
            self._leave_out(part, foreign)
        elif part.group:
            self._waiting.append(part)
        self._signed = self._signed or part.role is Role.CREDENTIALS

    def finish(self) -> None:
        """Leave out, too, what goes along with other parts."""
        for part in self._waiting:
            if part.group in self._groups:
                self._leave_out(part, None)

    def edits(self, kind: ImageType, head: bytes, label: Sequence[Edit] = ()) -> tuple[Edit, ...]:
        """Return the changes to the file.

        Args:
            kind: Its type.
            head: Its first 32 bytes.
            label: Those that write a label, as XMP.
        """
        edits = [*self._edits, *label]
        for place in (edit.offset for edit in label if not edit.length):
            around = self.around(place)
            if around is not None and around.offset < place:
                # Something is cut to both sides of it.
                edits.remove(around)
                edits += around.split(place)
        if edits and kind == WEBP:
            come = {"XMP"} if label else ()
            edits += mended(head, edits, self._names - self._kept, come)
        return tuple(edits)

    @property
    def grows(self) -> int:
        """By how many bytes the file grows, without a label."""
        return sum(edit.grows for edit in self._edits)

    def around(self, place: int) -> Edit | None:
        """Return the change that a byte goes with."""
        return next(
            (edit for edit in self._edits if edit.offset <= place < edit.offset + edit.length), None
        )

    def words(self) -> tuple[str, ...]:
        """Return what is left out, for people, such as ``trailer (2,340 bytes)``."""
        told = [_told(what, size, count) for what, (size, count) in self._sums.items()]
        if told and self._signed:
            told.append("the content credentials stay, and no longer match the file")
        return tuple(told)

    def _leave_out(self, part: Part, foreign: str | None) -> None:
        what = part.name if foreign is None else f"{part.name} with {foreign}"
        size, count = self._sums.get(what, (0, 0))
        self._sums[what] = (size + part.length, count + 1)
        self._names.add(part.name)
        if part.group:
            self._groups.add(part.group)
        if part.essence:
            self._kept.add(part.name)
        edit = _edit(part)
        last = self._edits[-1] if self._edits else None
        if last is not None and last.offset + last.length == edit.offset and edit.only_cuts:
            self._edits[-1] = evolve(last, length=last.length + edit.length)
        else:
            self._edits.append(edit)


def _told(what: str, size: int, count: int) -> str:
    words = f"{size:,} byte{'' if size == 1 else 's'}"
    return f"{what} ({words})" if count == 1 else f"{what} ({words} in {count:,} parts)"


def _edit(part: Part) -> Edit:
    essence = part.essence[: part.length] if part.filler else part.essence
    fill = part.length - len(essence) if part.filler else 0
    return Edit(part.offset, part.length, essence, fill, part.filler)
