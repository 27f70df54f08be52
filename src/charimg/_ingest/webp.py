"""The container of a WebP (RFC 9649), chunk by chunk; still images and animations."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence

from .exif import ENOUGH, PREFIX, upright_only
from .parts import Part, Role
from .reader import Reader
from .rewrite import Edit

__all__ = ["chunk", "mended", "walk_webp"]

_HEADER = 8
_BITMAPS = (b"VP8 ", b"VP8L")
_FLAGS = {"EXIF": 0x08, "XMP": 0x04}
"""What the header of an extended WebP announces, by the name of the part."""


def chunk(name: bytes, data: bytes) -> bytes:
    """Return a chunk with its length, filled up to an even one."""
    return struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2)


def mended(
    head: bytes, edits: Sequence[Edit], gone: Collection[str], come: Collection[str] = ()
) -> list[Edit]:
    """Return what changes in the headers so that they tell what the edits leave.

    Args:
        head: The first 21 bytes of the file.
        edits: What else changes.
        gone: The names of the parts of which nothing stays.
        come: The names of the parts that are added.
    """
    announced = int.from_bytes(head[4:8], "little")
    end = announced + _HEADER
    # What follows the container was not announced.
    grown = sum(
        edit.grows + max(0, edit.offset + edit.length - end)
        for edit in edits
        # What is added behind the last chunk belongs to it.
        if edit.offset < end or (edit.offset == end and not edit.length)
    )
    found = []
    if grown:
        found.append(Edit(4, 4, (announced + grown).to_bytes(4, "little")))
    flags = head[20] & ~sum(flag for name, flag in _FLAGS.items() if name in gone)
    flags |= sum(flag for name, flag in _FLAGS.items() if name in come)
    if head[12:16] == b"VP8X" and flags != head[20]:
        found.append(Edit(20, 1, bytes([flags])))
    return found


def walk_webp(reader: Reader) -> Iterator[Part]:
    """Walk chunk by chunk to the announced end."""
    reader.skip(4)
    end = int.from_bytes(reader.take(4), "little") + _HEADER
    reader.skip(4)
    yield Part(0, 12, Role.STRUCTURE, "header")
    canvas: tuple[int, int] | None = None
    drawn = animated = False
    while reader.at == 12 or reader.at < end:
        reader.part()
        start = reader.at
        name, length = struct.unpack("<4sI", reader.take(8))
        if start + 8 + length + length % 2 > end:
            reader.malformed("one of its chunks is longer than the file")
        if name == b"VP8X":
            if start != 12 or length != 10:
                reader.malformed("its header is not valid")
            canvas = _canvas(reader)
            yield Part(start, 18, Role.STRUCTURE, "header")
        elif name in _BITMAPS:
            if drawn or (canvas is None and start != 12):
                reader.malformed("it holds more than one image, or in the wrong place")
            bitmap = reader.dimensions(*_bitmap(reader, name, length))
            drawn = True
            if canvas not in (None, bitmap):
                reader.malformed("its image does not fill its canvas")
            reader.skip(start + 8 + length + length % 2 - reader.at)
            yield Part(start, reader.at - start, Role.PIXELS, "pixels")
        elif name == b"ANMF" and canvas is not None:
            animated = True
            yield from _frame(reader, start, length, canvas)
        else:
            yield _other(reader, start, name, length)
    if drawn == animated:
        reader.malformed("it holds no image, or a still one and an animation")
    if reader.left:
        yield reader.rest("trailer")


def _other(reader: Reader, start: int, name: bytes, length: int) -> Part:
    """Pass over a chunk that is no bitmap, and tell what it is."""
    head = reader.peek(min(length, ENOUGH))
    reader.skip(length + length % 2)
    size = reader.at - start
    if name == b"ALPH":
        return Part(start, size, Role.PIXELS, "pixels")
    if name == b"ANIM" and length == 6:
        return Part(start, size, Role.STRUCTURE, "header")
    if name == b"ICCP":
        return Part(start, size, Role.COLOUR, "ICC profile")
    if name == b"C2PA" and head[4:8] == b"jumb":
        return Part(start, size, Role.CREDENTIALS, "content credentials")
    if name == b"EXIF":
        upright = upright_only(head.removeprefix(PREFIX))
        essence = chunk(name, upright) if upright else b""
        return Part(start, size, Role.ORIENTATION, "EXIF", essence, "EXIF")
    if name == b"XMP ":
        return Part(start, size, Role.METADATA, "XMP", group="XMP")
    return Part(start, size, Role.METADATA, "unknown chunk")


def _frame(reader: Reader, start: int, length: int, canvas: tuple[int, int]) -> Iterator[Part]:
    """Walk through a frame of an animation."""
    reader.frame(*canvas)
    end = start + 8 + length
    if length < 16 or length % 2:
        reader.malformed("one of its frames is not valid")
    head = reader.take(16)
    left, top, wide, high = (int.from_bytes(head[at : at + 3], "little") for at in (0, 3, 6, 9))
    if 2 * left + wide + 1 > canvas[0] or 2 * top + high + 1 > canvas[1]:
        reader.malformed("one of its frames does not lie within its canvas")
    yield Part(start, 24, Role.STRUCTURE, "header")
    drawn = False
    while reader.at < end:
        reader.part()
        begun = reader.at
        name, size = struct.unpack("<4sI", reader.take(8))
        if begun + 8 + size + size % 2 > end:
            reader.malformed("one of its chunks is longer than its frame")
        if name in _BITMAPS:
            if drawn or _bitmap(reader, name, size) != (wide + 1, high + 1):
                reader.malformed("one of its frames is not valid")
            drawn = True
            reader.skip(begun + 8 + size + size % 2 - reader.at)
            yield Part(begun, reader.at - begun, Role.PIXELS, "pixels")
        elif name == b"ALPH":
            reader.skip(size + size % 2)
            yield Part(begun, reader.at - begun, Role.PIXELS, "pixels")
        else:
            # The frame keeps its length: of what is left out the header stays, and zeros.
            reader.skip(size + size % 2)
            header = struct.pack("<4sI", b"\0\0\0\0", size)
            whole = reader.at - begun
            yield Part(begun, whole, Role.METADATA, "unknown chunk", header, filler=b"\0")
    if not drawn:
        reader.malformed("one of its frames is not valid")


def _canvas(reader: Reader) -> tuple[int, int]:
    data = reader.take(10)
    return reader.dimensions(
        int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1
    )


def _bitmap(reader: Reader, name: bytes, length: int) -> tuple[int, int]:
    """Read the header of a lossy (RFC 6386, 9.1) or lossless bitmap; return its size."""
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
    return width, height
