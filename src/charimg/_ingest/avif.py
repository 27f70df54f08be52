"""The container of an AVIF (ISO/IEC 14496-12, 23008-12), accepted only where a host asks for it.

Still images only: a sequence needs a ``moov`` box, and that is no part of a still image. Box sizes
must be plain numbers, as the common encoders write them: with "up to the end of the file" nobody
could tell a whole file from a cut one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .reader import Reader

__all__ = ["walk_avif"]

_MAX_META = 1024 * 1024
"""Most bytes of the box that describes the items; encoders write a few hundred."""


def walk_avif(reader: Reader) -> tuple[int, int]:
    """Walk box by box to the end; return the dimensions of the largest item."""
    dimensions: tuple[int, int] | None = None
    data = False
    while reader.left:
        reader.part()
        size, name = struct.unpack(">I4s", reader.take(8))
        length = size - 8
        if length < 0:
            reader.malformed("one of its boxes has no plain size")
        if name == b"meta" and dimensions is None:
            if length > _MAX_META:
                reader.malformed("its description is too long")
            dimensions = _largest(reader, reader.take(length))
        elif name in (b"ftyp", b"mdat", b"free"):
            data = data or name == b"mdat"
            reader.skip(length)
        else:
            reader.malformed("it holds a box that cannot stand there")
    if dimensions is None or not data:
        reader.truncated()
    return dimensions


def _largest(reader: Reader, meta: bytes) -> tuple[int, int]:
    sizes = []
    handler = None
    for name, body in _boxes(reader, meta[4:]):
        if name == b"hdlr":
            handler = body[8:12]
        elif name == b"iprp":
            for _, properties in _boxes(reader, body, only=b"ipco"):
                for _, extent in _boxes(reader, properties, only=b"ispe"):
                    if len(extent) != 12:
                        reader.malformed("its dimensions are not valid")
                    sizes.append(reader.dimensions(*struct.unpack(">II", extent[4:])))
    if handler != b"pict" or not sizes:
        reader.malformed("it describes no still image")
    return max(sizes, key=lambda size: size[0] * size[1])


def _boxes(
    reader: Reader, data: bytes, *, only: bytes | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each box."""
    while data:
        reader.part()
        size = int.from_bytes(data[:4])
        if not 8 <= size <= len(data):
            reader.malformed("one of its boxes is not valid")
        name = data[4:8]
        if only in (None, name):
            yield name, data[8:size]
        data = data[size:]
