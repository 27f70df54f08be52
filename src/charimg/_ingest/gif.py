"""The container of a GIF (GIF89a specification), accepted only where a host asks for it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .parts import Part, Role
from .reader import Reader

__all__ = ["walk_gif"]

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_COMMENT, _CONTROL, _APPLICATION = 0xFE, 0xF9, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_NEAR = 4 * 1024
"""Bytes that are looked at in one go."""


def walk_gif(reader: Reader) -> Iterator[Part]:
    """Walk block by block to the trailer."""
    reader.skip(6)
    width, height, packed, _, _ = struct.unpack("<HHBBB", reader.take(7))
    reader.skip(_colours(packed))
    yield Part(0, reader.at, Role.STRUCTURE, "header")
    begun = reader.at
    while (code := reader.take(1)[0]) != _TRAILER:
        reader.part()
        start = reader.at - 1
        if code == _EXTENSION:
            yield _extension(reader, start)
        elif code == _IMAGE:
            left, top, wide, high, packed = struct.unpack("<HHHHB", reader.take(9))
            if not wide or not high:
                reader.malformed("one of its frames is not valid")
            # Decoders let a frame widen the canvas; the first one tells how large the image is.
            width, height = max(width, left + wide), max(height, top + high)
            if reader.found is None:
                reader.dimensions(width, height)
            reader.frame(width, height)
            reader.skip(_colours(packed))
            if not 2 <= reader.take(1)[0] <= 8:
                reader.malformed("one of its frames is not valid")
            _skip_blocks(reader)
            yield Part(start, reader.at - start, Role.PIXELS, "pixels")
        elif code == 0 and start > begun:
            # Some encoders end a block twice, and decoders pass over it. Whatever else is no block
            # may be a program.
            _skip_zeros(reader)
            yield Part(start, reader.at - start, Role.JUNK, "zeros between blocks")
        else:
            reader.malformed("it holds a block that cannot stand there")
    if reader.found is None:
        reader.malformed("it ends without an image")
    yield Part(reader.at - 1, 1, Role.STRUCTURE, "end")
    if reader.left:
        yield reader.rest("trailer")


def _skip_zeros(reader: Reader) -> None:
    while near := reader.peek(_NEAR):
        more = near.lstrip(b"\0")
        reader.skip(len(near) - len(more))
        if more:
            return


def _extension(reader: Reader, start: int) -> Part:
    label = reader.take(1)[0]
    head = reader.peek(24)
    _skip_blocks(reader)
    role, name, essence = Role.METADATA, "extension", b""
    if label == _CONTROL:
        # How the next frame is shown: it must not go, whatever follows it.
        essence = b"\x21\xf9" + head[:5] + b"\0" if head[0] == 4 else b""
    elif label == _COMMENT:
        name = "comment"
    elif label == _APPLICATION and head[0] == 11:
        which = head[1:12]
        if which in _LOOPS and head[12:14] == b"\x03\x01":
            essence = b"\x21\xff" + head[:16] + b"\0"
        elif which == b"XMP DataXMP":
            name = "XMP"
        elif which == b"ICCRGBG1012":
            name, role = "ICC profile", Role.COLOUR
        elif which[:8] == b"C2PA_GIF" and head[17:21] == b"jumb":
            name, role = "content credentials", Role.CREDENTIALS
    size = reader.at - start
    if essence and len(essence) == size:
        return Part(start, size, Role.STRUCTURE, "extension")
    return Part(start, size, role, name, essence)


def _skip_blocks(reader: Reader) -> None:
    """Pass over blocks up to the empty one, many at a time: each may hold a single byte."""
    while True:
        near, at = reader.peek(_NEAR), 0
        while at < len(near) and near[at]:
            at += near[at] + 1
        if at < len(near) or not near:
            reader.skip(at + 1)
            return
        reader.skip(at)


def _colours(packed: int) -> int:
    """Return the bytes of the colour table that the flags announce."""
    return 3 << (packed & 7) + 1 if packed & 0x80 else 0
