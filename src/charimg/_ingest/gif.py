"""The container of a GIF (GIF89a specification), accepted only where a host asks for it."""

from __future__ import annotations

import struct

from .reader import Reader

__all__ = ["walk_gif"]

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def walk_gif(reader: Reader) -> tuple[int, int]:
    """Walk block by block to the trailer, which must be the end; return the canvas."""
    reader.skip(6)
    width, height, packed, _, _ = struct.unpack("<HHBBB", reader.take(7))
    dimensions = reader.dimensions(width, height)
    reader.skip(_colours(packed))
    drawn = False
    while (code := reader.take(1)[0]) != _TRAILER:
        reader.part()
        if code == _EXTENSION:
            reader.skip(1)
        elif code == _IMAGE:
            reader.frame(width, height)
            left, top, wide, high, packed = struct.unpack("<HHHHB", reader.take(9))
            if not wide or not high or left + wide > width or top + high > height:
                reader.malformed("one of its frames does not lie within its canvas")
            reader.skip(_colours(packed))
            if not 2 <= reader.take(1)[0] <= 8:
                reader.malformed("one of its frames is not valid")
            drawn = True
        else:
            reader.malformed("it holds a block that cannot stand there")
        while length := reader.take(1)[0]:
            reader.skip(length)
    if not drawn:
        reader.malformed("it ends without an image")
    if reader.left:
        reader.malformed("something follows the image")
    return dimensions


def _colours(packed: int) -> int:
    """Return the bytes of the colour table that the flags announce."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0
