"""What the tracks of an AVIF that moves say: its size, and where its frames lie."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import accumulate

from attrs import Factory, define

from .avif_items import Box, Extent, boxes, items
from .reader import Reader

__all__ = ["TABLES", "Movie", "read_movie"]

_OUTER = (b"trak", b"mdia", b"minf", b"stbl", b"edts")
TABLES = frozenset(
    {
        *(b"moov", b"meta", b"mvhd", b"tkhd", b"tref", b"elst", b"mdhd", b"vmhd", b"nmhd", b"dinf"),
        *(b"stsd", b"stts", b"stsc", b"stsz", b"stco", b"co64", b"stss", b"ctts", b"sdtp", b"cslg"),
        *(b"sgpd", b"sbgp", *_OUTER),
    }
)
"""What playing needs; of boxes that hold others their head alone."""
_PICTURES, _ALPHA = (b"pict", b"vide"), b"auxv"
_DEEPEST = 8
"""Boxes within each other; the tables of a track lie in the fourth."""


@define
class Movie:
    """What the box ``moov`` says.

    Attributes:
        box: The box itself.
        inner: The boxes in it; of those that hold others the head, before them.
        size: Width and height of its pictures.
        extents: What its tracks and their items claim.
        last: The end of the last byte that anything relies on.
    """

    box: Box
    inner: list[Box] = Factory(list)
    size: tuple[int, int] = (0, 0)
    extents: list[Extent] = Factory(list)
    last: int = 0


def read_movie(reader: Reader, box: Box, data: bytes) -> Movie:
    """Read the tracks, and count their frames.

    Args:
        reader: Refuses what makes no sense.
        box: The box ``moov``.
        data: Its content.
    """
    found = Movie(box)
    for outer in boxes(reader, data, box.content):
        if outer.name == b"trak":
            leaves = list(_opened(reader, outer, data, box.content))
            found.inner += leaves
            try:
                _track(reader, found, leaves, data)
            except (struct.error, IndexError):
                reader.malformed("one of its tracks is not valid")
        else:
            found.inner.append(outer)
    if not any(not extent.name for extent in found.extents):
        reader.malformed("its tracks hold no image")
    found.last = max(box.end, *(extent.end for extent in found.extents))
    return found


def _opened(reader: Reader, box: Box, data: bytes, offset: int, depth: int = 1) -> Iterator[Box]:
    """Yield the boxes within others; of those that hold some the head comes first."""
    if depth > _DEEPEST:
        reader.malformed("its boxes lie too deep in each other")
    more = 4 if box.name == b"meta" else 0
    if not more and box.name not in _OUTER:
        yield box
        return
    begun = min(box.content + more, box.end)
    yield box._replace(end=begun)
    for inner in boxes(reader, data[begun - offset : box.end - offset], begun):
        yield from _opened(reader, inner, data, offset, depth + 1)


def _track(reader: Reader, found: Movie, leaves: list[Box], data: bytes) -> None:
    """Note what one track claims."""
    offset = found.box.content
    by_name = {leaf.name: leaf for leaf in reversed(leaves)}

    def content(name: bytes) -> bytes:
        leaf = by_name.get(name)
        return b"" if leaf is None else data[leaf.content - offset : leaf.end - offset]

    # Numbers of its own, so that nobody takes its items for those of the image.
    first = (len(found.inner) + 1) << 32
    for extent in items(reader, content(b"iinf"), content(b"iloc"), by_name.get(b"idat")):
        found.extents.append(extent._replace(item=extent.item + first))
    handler = content(b"hdlr")[8:12]
    if handler not in (*_PICTURES, _ALPHA):
        return
    if handler in _PICTURES:
        width, height = (side >> 16 for side in struct.unpack(">II", content(b"tkhd")[-8:]))
        size = reader.dimensions(width, height)
        found.size = found.size if any(found.size) else size
        reader.frame(*size, count=struct.unpack_from(">I", content(b"stsz"), 8)[0])
    places = (content(b"stco"), ">I") if b"stco" in by_name else (content(b"co64"), ">Q")
    for start, end in _chunks(*places, content(b"stsc"), content(b"stsz")):
        reader.part()
        found.extents.append(Extent(start, end, "", 0, False))


def _chunks(places: bytes, form: str, runs: bytes, sizes: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each chunk of samples lies."""
    (entries,) = struct.unpack_from(">I", runs, 4)
    changes = dict(struct.unpack_from(">II", runs, 8 + 12 * n) for n in range(entries))
    size, samples = struct.unpack_from(">II", sizes, 4)
    sums = [] if size else [0, *accumulate(struct.unpack_from(f">{samples}I", sizes, 12))]
    each = at = 0
    (chunks,) = struct.unpack_from(">I", places, 4)
    for number in range(chunks):
        (start,) = struct.unpack_from(form, places, 8 + number * struct.calcsize(form))
        each = changes.get(number + 1, each)
        end = min(at + each, samples)
        yield start, start + (size * (end - at) if size else sums[end] - sums[at])
        at = end
