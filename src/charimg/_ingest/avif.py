"""The container of an AVIF (ISO/IEC 14496-12, 23008-12): still images and sequences.

Its items and tracks tell what is image: where the coded pixels lie, and where EXIF and XMP do. So a
file is whole once all of them are there, and bytes that none of them claims are searched like
metadata. Nothing before the last of them may move: what is left out there is filled up.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator

from attrs import Factory, define

from .avif_items import Box, Description, Extent, describe
from .avif_movie import TABLES, Movie, read_movie
from .parts import Part, Role
from .reader import Reader
from .sniff import HEAD, brands

__all__ = ["walk_avif"]

_MAX_META = 1024 * 1024
"""Most bytes of a box that describes items or tracks; encoders write a few hundred."""

_DATA = (b"mdat", b"free", b"skip", b"wide")
_DESCRIBING = frozenset({b"pitm", b"iloc", b"iinf", b"iprp", b"iref", b"dinf", b"grpl"})
_MOVING = _DESCRIBING | TABLES
_STILL, _SEQUENCE = b"avif", b"avis"
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_NAMED = 24
"""Bytes of the box that says what the description is for; then a name follows that nobody reads."""

_ESSENCES = {
    "XMP": (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", b" "),
    # Nothing, as an AVIF is turned by its properties. But decoders want to see how it begins.
    "EXIF": (b"\0\0\0\0MM\0*\0\0\0\x08" + bytes(6), b"\0"),
}
"""What stays of an item's metadata, and what fills it up."""


@define
class _Outermost:
    """What the walk over the outermost boxes finds.

    Attributes:
        brands: What the file says it is.
        boxes: All of them.
        credentials: Where those with content credentials begin.
        described: What the first description says.
        movie: What the tracks of a sequence say.
        trailer: Where begins what follows the image.
    """

    brands: set[bytes]
    boxes: list[Box] = Factory(list)
    credentials: set[int] = Factory(set)
    described: Description | None = None
    movie: Movie | None = None
    trailer: int | None = None

    @property
    def moves(self) -> bool:
        """Whether it is a sequence."""
        return _SEQUENCE in self.brands

    @property
    def told(self) -> list[Description | Movie]:
        """What there is of the two."""
        return [each for each in (self.described, self.movie) if each is not None]

    @property
    def extents(self) -> list[Extent]:
        """What is claimed, in the order of the file."""
        return sorted(extent for each in self.told for extent in each.extents)

    @property
    def last(self) -> int:
        """The end of the last byte that anything relies on."""
        return max((each.last for each in self.told), default=0)

    def whole(self, at: int) -> bool:
        """Whether all that the image needs lies before a place."""
        # A sequence need not have a still one, too.
        still = self.described is not None or (self.moves and _STILL not in self.brands)
        return still and (self.movie is not None or not self.moves) and self.last <= at


def walk_avif(reader: Reader) -> Iterator[Part]:
    """Walk box by box to the end."""
    head = reader.peek(HEAD)
    found = _outermost(reader, brands(head))
    if not found.whole(reader.at):
        reader.truncated()
    described, movie = found.described, found.movie
    if movie is not None:
        # Decoders show the tracks, unless the brand that comes first is that of stills.
        shown = movie if described is None or head[8:12] != _STILL else described
        reader.dimensions(*shown.size)
    claims, last = _claims(found.extents), found.last
    for box in found.boxes:
        length = box.end - box.start
        if box.start == 0:
            yield Part(box.start, length, Role.STRUCTURE, "header")
        elif described is not None and box == described.box:
            yield Part(box.start, box.content + 4 - box.start, Role.STRUCTURE, "header")
            for inner in described.inner:
                yield from _described(inner, claims, _DESCRIBING)
        elif movie is not None and box == movie.box:
            yield Part(box.start, box.content - box.start, Role.STRUCTURE, "header")
            for inner in movie.inner:
                yield from _described(inner, claims, _MOVING)
        elif box.start in found.credentials:
            yield Part(box.start, length, Role.CREDENTIALS, "content credentials")
        else:
            known = box.name in (*_DATA, b"uuid")
            role = Role.METADATA if known else Role.JUNK
            yield from _claimed(box, claims, last, role)
    if found.trailer is not None:
        yield Part(found.trailer, reader.size - found.trailer, Role.JUNK, "trailer")


def _outermost(reader: Reader, named: set[bytes]) -> _Outermost:
    found = _Outermost(named)
    while reader.left:
        reader.part()
        start = reader.at
        whole = found.whole(start)
        head = reader.peek(32)
        size, name = struct.unpack(">I4s", head[:8].ljust(8))
        header = 8
        if size == 1:
            size, header = int.from_bytes(head[8:16]), 16
        elif size == 0 and name == b"mdat":
            size = reader.left
        if whole and (name not in (*_DATA, b"uuid") or (size > reader.left and name != b"mdat")):
            found.trailer = start
            reader.skip(reader.left)
            break
        if len(head) >= header > size:
            reader.malformed("one of its boxes has no plain size")
        reader.skip(header)
        box = Box(name, start, start + header, start + size)
        found.boxes.append(box)
        if name == b"uuid" and head[header : header + 16] == _C2PA:
            found.credentials.add(start)
        if name == b"meta" and found.described is None:
            found.described = describe(reader, box, _content(reader, box))
        elif name == b"moov" and found.movie is None and found.moves:
            found.movie = read_movie(reader, box, _content(reader, box))
        else:
            reader.skip(size - header)
    return found


def _content(reader: Reader, box: Box) -> bytes:
    if box.end - box.content > _MAX_META:
        reader.malformed("its description is too long")
    return reader.take(box.end - box.content)


def _described(box: Box, claims: list[Extent], needed: Collection[bytes]) -> Iterator[Part]:
    """Tell the parts of a box within a description, in which nothing may move."""
    if box.name in needed or (box.name == b"hdlr" and _inside(claims, box)):
        yield Part(box.start, box.end - box.start, Role.STRUCTURE, "header")
    elif box.name == b"hdlr":
        named = min(box.content + _NAMED, box.end)
        yield Part(box.start, named - box.start, Role.STRUCTURE, "header")
        yield Part(named, box.end - named, Role.METADATA, "name", filler=b"\0")
    else:
        yield from _claimed(box, claims, box.end, Role.METADATA)


def _blankable(box: Box, role: Role, last: int) -> Part:
    """Return a box of which padding stays, or nothing behind the last byte that is needed."""
    name = "unused box" if box.name in _DATA else "unknown box"
    size, header = box.end - box.start, box.content - box.start
    if box.start >= last:
        return Part(box.start, size, role, name)
    essence = struct.pack(">I4s", size if header == 8 else 1, b"free")
    if header == 16:
        essence += struct.pack(">Q", size)
    return Part(box.start, size, role, name, essence, filler=b"\0")


def _claims(extents: list[Extent]) -> list[Extent]:
    """Return what is claimed, without overlaps and in order.

    Pixels go before metadata: what lies in both is not searched, and nobody writes to it.
    """
    pixels: list[Extent] = []
    for extent in extents:
        if extent.name:
            continue
        if pixels and extent.start <= pixels[-1].end:
            end = max(pixels[-1].end, extent.end)
            pixels[-1] = pixels[-1]._replace(end=end)
        else:
            pixels.append(extent)
    claims = list(pixels)
    free = 0
    for extent in extents:
        # What lies within others, or across, is no item's own: it is searched as any other bytes.
        before = bisect_right(pixels, extent.start, key=lambda each: each.start) - 1
        clear = before < 0 or pixels[before].end <= extent.start
        clear = clear and (before + 1 == len(pixels) or extent.end <= pixels[before + 1].start)
        if extent.name and clear and free <= extent.start:
            claims.append(extent)
            free = extent.end
    return sorted(claims)


def _inside(claims: list[Extent], box: Box) -> list[Extent]:
    """Return the claims that reach into a box."""
    first = bisect_right(claims, box.start, key=lambda each: each.end)
    end = bisect_left(claims, box.end, key=lambda each: each.start)
    return claims[first:end]


def _claimed(box: Box, claims: list[Extent], last: int, role: Role) -> Iterator[Part]:
    """Tell the parts of a box: what items claim, and what lies between; or the box itself."""
    inside = _inside(claims, box)
    if not inside:
        yield _blankable(box, role, last)
        return
    yield Part(box.start, box.content - box.start, Role.STRUCTURE, "header")
    at = box.content
    for extent in inside:
        start, end = max(extent.start, at), min(extent.end, box.end)
        if end <= at:
            # It claims the head of the box alone, which stays in any case.
            continue
        if start > at:
            yield _unclaimed(at, start)
        if extent.name:
            essence, filler = _ESSENCES[extent.name]
            fits = len(essence) <= end - start or extent.name == "EXIF"
            if not extent.first or start != extent.start or not fits:
                essence = b""
            group = f"item {extent.item}"
            yield Part(start, end - start, Role.METADATA, extent.name, essence, group, filler)
        else:
            yield Part(start, end - start, Role.PIXELS, "pixels")
        at = end
    if at < box.end:
        yield _unclaimed(at, box.end)


def _unclaimed(start: int, end: int) -> Part:
    return Part(start, end - start, Role.METADATA, "bytes of no item", filler=b"\0")
