"""The container of a PNG (PNG specification, third edition): every checksum is checked."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from .exif import ENOUGH, PREFIX, upright_only
from .parts import Part, Role
from .reader import Reader

__all__ = ["chunk", "walk_png"]

_COLOURS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bit depths by colour type: the PNG specification, table 12."""

_PIXELS = {b"IDAT", b"fdAT"}
_LONGEST = {
    b"PLTE": 768,
    b"tRNS": 256,
    b"acTL": 8,
    b"fcTL": 26,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"sBIT": 4,
    b"bKGD": 6,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
    b"pHYs": 9,
}
"""What decoding needs, and how long it is at most: one that is longer hides something."""
_LOOKED_AT = {b"eXIf", b"caBX", *_LONGEST}
_METADATA = {b"tEXt", b"zTXt", b"iTXt", b"tIME", b"hIST", b"sPLT"}


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk with its length and checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def walk_png(reader: Reader) -> Iterator[Part]:
    """Walk chunk by chunk to the end."""
    reader.skip(8)
    if reader.take(8) != b"\x00\x00\x00\x0dIHDR":
        reader.malformed("it does not begin with its header")
    header = reader.take(13)
    if zlib.crc32(b"IHDR" + header) != int.from_bytes(reader.take(4)):
        reader.malformed("the checksum of its header is wrong")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", header
    )
    if depth not in _COLOURS.get(colour, ()) or compression or filtering or interlace > 1:
        reader.malformed("its header is not valid")
    reader.dimensions(width, height)
    yield Part(0, reader.at, Role.STRUCTURE, "header")
    seen: set[bytes] = set()
    length, name = 0, b""
    while name != b"IEND":
        reader.part()
        start = reader.at
        length, name = struct.unpack(">I4s", reader.take(8))
        if length > 0x7FFFFFFF or not name.isalpha() or name == b"IHDR":
            reader.malformed("one of its chunks is not valid")
        if name == b"fcTL":
            reader.frame(width, height)
        head = reader.peek(min(length, ENOUGH)) if name in _LOOKED_AT else b""
        if reader.crc(length, zlib.crc32(name)) != int.from_bytes(reader.take(4)):
            reader.malformed("a checksum is wrong")
        seen.add(name)
        yield _part(start, length, name, head)
    if length or b"IDAT" not in seen or (colour == 3 and b"PLTE" not in seen):
        reader.malformed("it ends without an image")
    if reader.left:
        yield reader.rest("trailer")


def _part(start: int, length: int, name: bytes, head: bytes) -> Part:
    size = length + 12
    if name in _PIXELS:
        return Part(start, size, Role.PIXELS, "pixels")
    if name == b"eXIf":
        upright = upright_only(head.removeprefix(PREFIX))
        essence = chunk(name, upright) if upright else b""
        return Part(start, size, Role.ORIENTATION, "EXIF", essence)
    if name == b"caBX" and head[4:8] == b"jumb":
        return Part(start, size, Role.CREDENTIALS, "content credentials")
    if name == b"iCCP" or length <= _LONGEST.get(name, -1):
        return Part(start, size, Role.COLOUR, f"{name.decode()} chunk")
    if name == b"IEND":
        return Part(start, size, Role.STRUCTURE, "end")
    words = f"{name.decode()} chunk" if name in _METADATA | _LOOKED_AT else "unknown chunk"
    essence = chunk(name, head[: _LONGEST[name]]) if name in _LONGEST else b""
    return Part(start, size, Role.METADATA, words, essence)
