"""Writes into a file that a model has drawn it, as XMP, without touching a pixel."""

from __future__ import annotations

from attrs import define, evolve

from ..models import Provenance
from ..policies import LABEL
from . import jpeg, png, webp
from .avif_label import Intricate, label_avif
from .clean import Cleaning
from .parts import Part
from .provenance import XMP_JPEG, XMP_PNG, Evidence, Xmp
from .rewrite import Edit
from .sniff import AVIF, JPEG, PNG, WEBP
from .values import ImageType
from .xmp import AI, TRAINED, Label, Unreadable, labelled

__all__ = ["Labelling", "NotLabelled", "says_so", "with_label"]

_APP1 = 0xE1
_MOST_PACKET = 0xFFFF - 2 - len(XMP_JPEG)
_BEFORE = {JPEG: ("beginning", "JFIF", "EXIF"), PNG: ("header",), WEBP: (), AVIF: ()}
"""The parts before which no XMP is inserted, by the types that take a label."""
_XMP_FLAG, _ALPHA_FLAG = 0x04, 0x10


class NotLabelled(Exception):
    """A file is left as it is; the text says why."""


def says_so(provenance: Provenance | None) -> bool:
    """Tell whether a file says that a model has drawn it."""
    return provenance is not None and provenance.digital_source_type in AI


def with_label(found: Provenance | None, label: Label) -> Provenance:
    """Return what a file says once it is labelled, from what it said before."""
    found = found or Provenance()
    tool = found.tool or label.tool
    return evolve(found, digital_source_type=TRAINED, tool=tool, marked=LABEL)


@define
class Labelling:
    """Finds the place of a label in one file.

    Attributes:
        kind: Its type.
        label: What is said; nothing is written without one.
        sign: Whether the file is signed afterwards.
    """

    kind: ImageType
    label: Label | None = None
    sign: bool = False
    _place: int = 0
    _index: Part | None = None
    _trailer: Part | None = None
    _described: bool = False

    def take(self, part: Part) -> None:
        """Take the next part, in the order of the file."""
        if part.offset == self._place and part.name in _BEFORE.get(self.kind, ()):
            self._place += part.length
        elif part.name == "index of pictures":
            self._index = self._index or part
        elif part.name == "trailer":
            self._trailer = part
        elif part.name == "XMP":
            self._described = True

    def edits(
        self, evidence: Evidence, cleaning: Cleaning, head: bytes, size: tuple[int, int]
    ) -> list[Edit]:
        """Return the changes that write the label; none where the file says so itself.

        Args:
            evidence: What the file says, without what goes.
            cleaning: What goes.
            head: The first 32 bytes.
            size: Width and height.

        Raises:
            NotLabelled: The file is better left alone.
        """
        if self.label is None:
            return []
        xmp = evidence.xmp
        self._check(evidence, xmp, cleaning)
        if xmp is not None and xmp.packet is not None and xmp.packet.source_type in AI:
            return []
        try:
            packet = labelled(
                self.label,
                b"" if xmp is None else xmp.data,
                _MOST_PACKET if self.kind == JPEG else None,
            )
        except Unreadable:
            raise NotLabelled("its XMP leaves no room for a label") from None
        place, length = self._place, 0
        if xmp is not None:
            place, length = xmp.part.offset, xmp.part.length
        elif self.kind == WEBP:
            # Behind all that was announced.
            place = int.from_bytes(head[4:8], "little") + 8
        if self.kind == AVIF:
            return self._in_avif(packet, evidence, cleaning)
        return self._written(packet, place, length, head, size)

    def _check(self, evidence: Evidence, xmp: Xmp | None, cleaning: Cleaning) -> None:
        if self.kind not in _BEFORE:
            raise NotLabelled(f"no label is written into {self.kind.a_name}")
        if evidence.signed and not self.sign:
            raise NotLabelled(
                "it has content credentials, which would no longer match; "
                'provenance="sign" signs new ones with them as their source'
            )
        if self.kind == AVIF and (evidence.signed or self._described):
            # Of what is left out there the item stays.
            raise NotLabelled(
                "it is an AVIF with XMP or content credentials, which stay as they are"
            )
        if self._index is not None and cleaning.around(self._index.offset) is None:
            raise NotLabelled("it holds further pictures, whose places would move")
        if xmp is None:
            return
        if xmp.packet is None:
            raise NotLabelled("its XMP cannot be read")
        if xmp.packet.source_type and xmp.packet.source_type not in AI:
            raise NotLabelled("its XMP tells of another source itself")

    def _in_avif(self, packet: bytes, evidence: Evidence, cleaning: Cleaning) -> list[Edit]:
        try:
            if self._trailer is not None and cleaning.around(self._trailer.offset) is None:
                raise Intricate
            return label_avif(evidence.file, cleaning.grows, packet)
        except Intricate:
            raise NotLabelled("it is an AVIF of a kind that takes no label") from None

    def _written(
        self, packet: bytes, place: int, length: int, head: bytes, size: tuple[int, int]
    ) -> list[Edit]:
        if self.kind == JPEG:
            return [Edit(place, length, jpeg.segment(_APP1, XMP_JPEG + packet))]
        if self.kind == PNG:
            data = XMP_PNG + bytes(4) + packet
            return [Edit(place, length, png.chunk(b"iTXt", data))]
        edits = [Edit(place, length, webp.chunk(b"XMP ", packet))]
        if head[12:16] != b"VP8X":
            edits.append(Edit(12, 0, _extended(head, size)))
        return edits


def _extended(head: bytes, size: tuple[int, int]) -> bytes:
    """Return the header that a simple WebP lacks."""
    transparent = head[12:16] == b"VP8L" and head[24] & 0x10
    flags = _XMP_FLAG | (_ALPHA_FLAG if transparent else 0)
    canvas = b"".join((side - 1).to_bytes(3, "little") for side in size)
    return webp.chunk(b"VP8X", bytes([flags, 0, 0, 0]) + canvas)
