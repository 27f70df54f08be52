"""The built-in inspector: walks an image's container without decoding it and without Pillow.

It reads the dimensions from the header and sees to it that the file is one whole image and nothing
else: PNG with every checksum, JPEG marker by marker, WebP chunk by chunk, GIF and AVIF block by
block. It streams, and never holds more than a block in memory.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Collection
from typing import IO

from ..errors import ErrorCode, ImageRejected
from .avif import walk_avif
from .foreign import find_foreign
from .gif import walk_gif
from .reader import Reader
from .sniff import AVIF, GIF, HEAD, JPEG, PNG, WEBP, sniff
from .values import Inspection

__all__ = ["inspect"]

_PNG_COLOURS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bit depths by colour type: the PNG specification, table 12."""

_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive: the ones that browsers show."""
_JPEG_REFUSED = frozenset([*range(0xC0), 0xC3, *range(0xC5, 0xCC), *range(0xCD, 0xD9), 0xDE, 0xDF])
"""Reserved codes, lossless, arithmetic and hierarchical frames, restarts, a second beginning."""


_USUAL = ("png", "jpeg", "webp")


def inspect(file: IO[bytes], *, max_pixels: int, formats: Collection[str] = _USUAL) -> Inspection:
    """Check a file and return its type and dimensions.

    Args:
        file: Seekable; read from its beginning and left there.
        max_pixels: Cap on width × height, for an animation times its frames.
        formats: The types that are accepted, in lower case.

    Raises:
        ImageRejected: ``NOT_AN_IMAGE`` (another type, malformed, something follows the image or
            hides in it), ``TRUNCATED`` (it ends too early), ``TOO_MANY_PIXELS``.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        kind = sniff(file.read(HEAD))
        if kind is None or kind.name.lower() not in formats:
            raise ImageRejected(
                f"The file is none of {', '.join(sorted(formats)).upper()}.",
                code=ErrorCode.NOT_AN_IMAGE,
            )
        file.seek(0)
        reader = Reader(file, size, kind, max_pixels)
        width, height = _WALKS[kind](reader)
        file.seek(0)
        if (foreign := find_foreign(file, size)) is not None:
            reader.malformed(f"it is {foreign}, too")
        return Inspection(type=kind, width=width, height=height)
    finally:
        file.seek(0)


def _walk_png(reader: Reader) -> tuple[int, int]:
    reader.skip(8)
    if reader.take(8) != b"\x00\x00\x00\x0dIHDR":
        reader.malformed("it does not begin with its header")
    header = reader.take(13)
    if zlib.crc32(b"IHDR" + header) != int.from_bytes(reader.take(4)):
        reader.malformed("the checksum of its header is wrong")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(
        ">IIBBBBB", header
    )
    if depth not in _PNG_COLOURS.get(colour, ()) or compression or filtering or interlace > 1:
        reader.malformed("its header is not valid")
    dimensions = reader.dimensions(width, height)
    seen: set[bytes] = set()
    while True:
        reader.part()
        length, name = struct.unpack(">I4s", reader.take(8))
        if length > 0x7FFFFFFF or not name.isalpha() or name == b"IHDR":
            reader.malformed("one of its chunks is not valid")
        if name == b"fcTL":
            reader.frame(width, height)
        if reader.crc(length, zlib.crc32(name)) != int.from_bytes(reader.take(4)):
            reader.malformed("a checksum is wrong")
        if name == b"IEND":
            break
        seen.add(name)
    if length or b"IDAT" not in seen or (colour == 3 and b"PLTE" not in seen):
        reader.malformed("it ends without an image")
    if reader.left:
        reader.malformed("something follows the image")
    return dimensions


def _walk_jpeg(reader: Reader) -> tuple[int, int]:
    reader.skip(2)
    dimensions: tuple[int, int] | None = None
    scanned = False
    code = _jpeg_marker(reader)
    while code != 0xD9:
        reader.part()
        if code in _JPEG_REFUSED:
            reader.malformed("it holds a marker that cannot stand there")
        length = int.from_bytes(reader.take(2)) - 2
        if length < 0:
            reader.malformed("one of its segments is not valid")
        if code in _JPEG_FRAMES:
            if dimensions is not None:
                reader.malformed("it holds more than one image")
            dimensions = _jpeg_frame(reader, length)
        else:
            reader.skip(length)
        if code == 0xDA:
            if dimensions is None:
                reader.malformed("its data come before its header")
            scanned = True
            code = reader.find_marker()
        else:
            code = _jpeg_marker(reader)
    if dimensions is None or not scanned:
        reader.malformed("it ends without an image")
    if not reader.only_zeros_left():
        reader.malformed("something follows the image")
    return dimensions


def _jpeg_marker(reader: Reader) -> int:
    if reader.take(1) != b"\xff":
        reader.malformed("bytes stand between its segments")
    code = 0xFF
    while code == 0xFF:
        code = reader.take(1)[0]
    return code


def _jpeg_frame(reader: Reader, length: int) -> tuple[int, int]:
    if length < 6:
        reader.malformed("its header is not valid")
    precision, height, width, components = struct.unpack(">BHHB", reader.take(6))
    if precision not in (8, 12) or components not in (1, 3, 4) or length != 6 + 3 * components:
        reader.malformed("its header is not valid")
    reader.skip(3 * components)
    return reader.dimensions(width, height)


def _walk_webp(reader: Reader) -> tuple[int, int]:
    reader.skip(4)
    announced = int.from_bytes(reader.take(4), "little")
    # Before the header is believed: what follows the container would not be part of the walk.
    if announced < reader.left:
        reader.malformed("something follows the image")
    reader.skip(4)
    canvas: tuple[int, int] | None = None
    bitmap: tuple[int, int] | None = None
    first = True
    while first or announced > 4:
        reader.part()
        name, length = struct.unpack("<4sI", reader.take(8))
        padded = length + length % 2
        announced -= 8 + padded
        if announced < 4:
            reader.malformed("one of its chunks is longer than the file")
        if name == b"VP8X":
            if not first or length != 10:
                reader.malformed("its header is not valid")
            canvas = _webp_canvas(reader)
        elif name in (b"VP8 ", b"VP8L"):
            if bitmap is not None or (canvas is None and not first):
                reader.malformed("it holds more than one image, or in the wrong place")
            bitmap = _webp_bitmap(reader, name, length)
            reader.skip(length % 2)
        else:
            reader.skip(padded)
        first = False
    if bitmap is None:
        reader.malformed("it holds no still image")
    if canvas not in (None, bitmap):
        reader.malformed("its image does not fill its canvas")
    return bitmap


def _webp_canvas(reader: Reader) -> tuple[int, int]:
    data = reader.take(10)
    return reader.dimensions(
        int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    )


def _webp_bitmap(reader: Reader, name: bytes, length: int) -> tuple[int, int]:
    """Read the header of a lossy (RFC 6386, 9.1) or lossless bitmap and skip the rest."""
    header_length = 5 if name == b"VP8L" else 10
    if length < header_length:
        reader.malformed("its image is not valid")
    head = reader.take(header_length)
    if name == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        if head[0] != 0x2F or bits >> 29:
            reader.malformed("its image is not valid")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        tag = int.from_bytes(head[:3], "little")
        if tag & 1 or head[3:6] != b"\x9d\x01\x2a" or tag >> 5 > length - 10:
            reader.malformed("its image is not valid")
        width = int.from_bytes(head[6:8], "little") & 0x3FFF
        height = int.from_bytes(head[8:10], "little") & 0x3FFF
    dimensions = reader.dimensions(width, height)
    reader.skip(length - header_length)
    return dimensions


_WALKS = {
    PNG: _walk_png,
    JPEG: _walk_jpeg,
    WEBP: _walk_webp,
    GIF: walk_gif,
    AVIF: walk_avif,
}
