"""What the description of an AVIF says: its size, and where its pixels, EXIF and XMP lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from attrs import Factory, define

from .reader import Reader

__all__ = ["Box", "Description", "Extent", "boxes", "describe", "items"]

_CODED = frozenset({b"av01", b"grid", b"iovl", b"iden", b"tmap", b"sato"})
"""Types of items that are pixels, or put pixels together."""
_IN_FILE, _IN_DESCRIPTION = 0, 1


class Box(NamedTuple):
    """A box; all places count from the beginning of the file."""

    name: bytes
    start: int
    content: int
    end: int


class Extent(NamedTuple):
    """A range of bytes that an item claims.

    Attributes:
        start: Its first byte.
        end: The byte behind it.
        name: What it is in words; nothing for pixels.
        item: Its item.
        first: Whether that begins here.
    """

    start: int
    end: int
    name: str
    item: int
    first: bool


@define
class Description:
    """What the box ``meta`` says.

    Attributes:
        box: The box itself.
        inner: The boxes in it.
        size: Width and height of its largest item.
        extents: What its items claim.
        last: The end of the last byte that anything relies on.
    """

    box: Box
    inner: list[Box] = Factory(list)
    size: tuple[int, int] = (0, 0)
    extents: list[Extent] = Factory(list)
    last: int = 0


def boxes(reader: Reader, data: bytes, offset: int, start: int = 0) -> Iterator[Box]:
    """Yield the boxes within a box.

    Args:
        reader: Counts them, and refuses what is none.
        data: The content of the outer box.
        offset: Where in the file it lies.
        start: Where in ``data`` they begin.
    """
    while start < len(data):
        reader.part()
        size = int.from_bytes(data[start : start + 4])
        if not 8 <= size <= len(data) - start:
            reader.malformed("one of its boxes is not valid")
        name = data[start + 4 : start + 8]
        yield Box(name, offset + start, offset + start + 8, offset + start + size)
        start += size


def describe(reader: Reader, box: Box, data: bytes) -> Description:
    """Read a description and note the dimensions of its largest item.

    Args:
        reader: Refuses what makes no sense.
        box: The box ``meta``.
        data: Its content.
    """
    found = Description(box)
    found.inner = list(boxes(reader, data, box.content, 4))
    by_name = {inner.name: inner for inner in reversed(found.inner)}

    def content(name: bytes) -> bytes:
        inner = by_name.get(name)
        return b"" if inner is None else data[inner.content - box.content : inner.end - box.content]

    sizes = list(_sizes(reader, content(b"iprp")))
    if content(b"hdlr")[8:12] != b"pict" or not sizes:
        reader.malformed("it describes no still image")
    found.size = reader.dimensions(*max(sizes, key=lambda size: size[0] * size[1]))
    try:
        found.extents += items(reader, content(b"iinf"), content(b"iloc"), by_name.get(b"idat"))
    except (struct.error, IndexError):
        reader.malformed("its description is not valid")
    if not any(not extent.name for extent in found.extents):
        reader.malformed("it describes no still image")
    found.last = max(box.end, *(extent.end for extent in found.extents))
    return found


def items(reader: Reader, listed: bytes, places: bytes, idat: Box | None) -> Iterator[Extent]:
    """Yield what items that are pixels or metadata claim.

    Args:
        reader: Refuses what makes no sense.
        listed: The content of ``iinf``.
        places: The content of ``iloc``.
        idat: The box in which items of the description lie.

    Raises:
        struct.error: They end too early.
        IndexError: The same.
    """
    types = dict(_types(reader, listed))
    begun: set[int] = set()
    for item, start, end in _located(reader, places, idat):
        if item in types:
            yield Extent(start, end, types[item], item, item not in begun)
            begun.add(item)


def _sizes(reader: Reader, properties: bytes) -> Iterator[tuple[int, int]]:
    for listed in boxes(reader, properties, 0):
        if listed.name != b"ipco":
            continue
        inside = properties[listed.content : listed.end]
        for each in boxes(reader, inside, 0):
            if each.name == b"ispe":
                if each.end - each.content != 12:
                    reader.malformed("its dimensions are not valid")
                yield reader.dimensions(*struct.unpack_from(">II", inside, each.content + 4))


def _types(reader: Reader, data: bytes) -> Iterator[tuple[int, str]]:
    """Yield each item that is pixels or metadata, and what it is in words."""
    if not data:
        return
    for entry in boxes(reader, data, 0, 6 if data[0] == 0 else 8):
        body = data[entry.content : entry.end]
        wide = body[0] == 3
        (item,) = struct.unpack_from(">I" if wide else ">H", body, 4)
        at = 10 if wide else 8
        kind, rest = body[at : at + 4], body[at + 4 :]
        if kind in _CODED:
            yield item, ""
        elif kind == b"Exif":
            yield item, "EXIF"
        elif kind == b"mime" and b"\0application/rdf+xml\0" in rest:
            yield item, "XMP"


def _located(reader: Reader, data: bytes, idat: Box | None) -> Iterator[tuple[int, int, int]]:
    """Yield item, start and end of each extent."""
    if not data:
        return
    version = data[0]
    offset_size, length_size = data[4] >> 4, data[4] & 15
    base_size, index_size = data[5] >> 4, data[5] & 15 if version else 0
    origins = {_IN_FILE: 0}
    if idat is not None:
        origins[_IN_DESCRIPTION] = idat.content
    at = 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise IndexError
        return int.from_bytes(data[at - size : at])

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else _IN_FILE
        number(2)
        base = number(base_size) + origins.get(method, 0)
        for _ in range(number(2)):
            reader.part()
            number(index_size)
            start = base + number(offset_size)
            length = number(length_size)
            if method in origins:
                # No length means up to the end.
                yield item, start, start + length if length else reader.size
