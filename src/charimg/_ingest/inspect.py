"""The built-in inspector: walks an image's container without decoding it and without Pillow.

It reads the dimensions from the header and sees to it that the file is one whole image and nothing
else: PNG with every checksum, JPEG marker by marker, WebP chunk by chunk. It streams, and never
holds more than a block in memory.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from typing import IO, NoReturn

from ..errors import ErrorCode, ImageRejected
from .sniff import HEAD, JPEG, PNG, WEBP, sniff
from .values import ImageType, Inspection

__all__ = ["inspect"]

_BLOCK = 64 * 1024
_MAX_PARTS = 100_000
"""Most chunks or segments in one file; 25 MiB in chunks of 4 KiB are 6,400."""

_PNG_COLOURS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
"""Bit depths by colour type: the PNG specification, table 12."""

_JPEG_FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive: the ones that browsers show."""
_JPEG_REFUSED = frozenset([*range(0xC0), 0xC3, *range(0xC5, 0xCC), *range(0xCD, 0xD9), 0xDE, 0xDF])
"""Reserved codes, lossless, arithmetic and hierarchical frames, restarts, a second beginning."""
_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends entropy-coded data: neither a stuffed byte, nor a restart, nor a fill byte."""


def inspect(file: IO[bytes], *, max_pixels: int) -> Inspection:
    """Check a file and return its type and dimensions.

    Args:
        file: Seekable; read from its beginning and left there.
        max_pixels: Cap on width × height.

    Raises:
        ImageRejected: ``NOT_AN_IMAGE`` (another type, malformed, or something follows the image),
            ``TRUNCATED`` (it ends too early), ``TOO_MANY_PIXELS``.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        kind = sniff(file.read(HEAD))
        if kind is None:
            raise ImageRejected(
                "The file is neither PNG, JPEG nor WebP.", code=ErrorCode.NOT_AN_IMAGE
            )
        file.seek(0)
        reader = _Reader(file, size, kind, max_pixels)
        width, height = _WALKS[kind](reader)
        return Inspection(type=kind, width=width, height=height)
    finally:
        file.seek(0)


class _Reader:
    """Reads forward through a file and refuses it with the right error."""

    def __init__(self, file: IO[bytes], size: int, kind: ImageType, max_pixels: int) -> None:
        self._file = file
        self._kind = kind
        self._max_pixels = max_pixels
        self._parts = 0
        self.left = size

    def take(self, count: int) -> bytes:
        """Return the next bytes, which must be there."""
        self._use(count)
        return self._file.read(count)

    def skip(self, count: int) -> None:
        self._use(count)
        self._file.seek(count, os.SEEK_CUR)

    def crc(self, count: int, start: int) -> int:
        """Return the CRC-32 of the next bytes, going on from that of earlier ones."""
        while count:
            block = self.take(min(count, _BLOCK))
            count -= len(block)
            start = zlib.crc32(block, start)
        return start

    def part(self) -> None:
        """Count a chunk or segment: millions of tiny ones would only burn time."""
        self._parts += 1
        if self._parts > _MAX_PARTS:
            self.malformed(f"it has more than {_MAX_PARTS} parts")

    def find_marker(self) -> int:
        """Skip entropy-coded data and return the code of the marker after it."""
        kept = b""
        while True:
            block = kept + self.take(min(max(self.left, 1), _BLOCK))
            found = _JPEG_MARKER.search(block)
            if found is not None:
                beyond = len(block) - found.end()
                self._file.seek(-beyond, os.SEEK_CUR)
                self.left += beyond
                return block[found.end() - 1]
            kept = b"\xff" if block.endswith(b"\xff") else b""

    def only_zeros_left(self) -> bool:
        while self.left:
            if self.take(min(self.left, _BLOCK)).strip(b"\0"):
                return False
        return True

    def dimensions(self, width: int, height: int) -> tuple[int, int]:
        if width == 0 or height == 0:
            self.malformed("its width or height is zero")
        if width * height > self._max_pixels:
            raise ImageRejected(
                f"The {self._kind.name} has {width} × {height} pixels, more than the "
                f"{self._max_pixels} that are allowed. Raise DownloadLimits.max_pixels if that is "
                "wanted.",
                code=ErrorCode.TOO_MANY_PIXELS,
            )
        return width, height

    def malformed(self, why: str) -> NoReturn:
        raise ImageRejected(
            f"The file begins like a {self._kind.name}, but {why}.", code=ErrorCode.NOT_AN_IMAGE
        )

    def _use(self, count: int) -> None:
        if count > self.left:
            raise ImageRejected(
                f"The {self._kind.name} is truncated: it ends before the image does.",
                code=ErrorCode.TRUNCATED,
            )
        self.left -= count


def _walk_png(reader: _Reader) -> tuple[int, int]:
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


def _walk_jpeg(reader: _Reader) -> tuple[int, int]:
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


def _jpeg_marker(reader: _Reader) -> int:
    if reader.take(1) != b"\xff":
        reader.malformed("bytes stand between its segments")
    code = 0xFF
    while code == 0xFF:
        code = reader.take(1)[0]
    return code


def _jpeg_frame(reader: _Reader, length: int) -> tuple[int, int]:
    if length < 6:
        reader.malformed("its header is not valid")
    precision, height, width, components = struct.unpack(">BHHB", reader.take(6))
    if precision not in (8, 12) or components not in (1, 3, 4) or length != 6 + 3 * components:
        reader.malformed("its header is not valid")
    reader.skip(3 * components)
    return reader.dimensions(width, height)


def _walk_webp(reader: _Reader) -> tuple[int, int]:
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


def _webp_canvas(reader: _Reader) -> tuple[int, int]:
    data = reader.take(10)
    return reader.dimensions(
        int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    )


def _webp_bitmap(reader: _Reader, name: bytes, length: int) -> tuple[int, int]:
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


_WALKS = {PNG: _walk_png, JPEG: _walk_jpeg, WEBP: _walk_webp}
