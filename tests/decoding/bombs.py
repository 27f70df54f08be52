"""Images that are small as files and large when they are decoded; all of them are valid."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

from PIL import Image

from ..ingest.samples import chunk, ihdr, png

__all__ = ["colour", "exif", "scans"]


def colour(width: int = 16_000, height: int = 2_480) -> bytes:
    """Return a WebP of one colour: some 1.6 kB, and 120 MB of pixels."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 40)).save(out, "WEBP", lossless=True)
    return out.getvalue()


def exif(size: int = 24 * 1024 * 1024, tags: int = 40) -> bytes:
    """Return a PNG whose EXIF has so many entries, and all of them are the same bytes.

    One that is turned, so that whoever turns it back has to write the others anew.
    """
    entries = [struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)]
    at = 8 + 2 + (tags + 1) * 12 + 4
    entries += [struct.pack("<HHII", 0xC000 + each, 7, size, at) for each in range(tags)]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    tiff = b"II*\0" + struct.pack("<I", 8) + directory + bytes(size)
    return b"\x89PNG\r\n\x1a\n" + ihdr() + chunk(b"eXIf", tiff) + png()[8 + 25 :]


def scans(width: int = 6_300, height: int = 6_300, count: int = 450) -> bytes:
    """Return a grey progressive JPEG that says of so many parts of its blocks that they are zero.

    Its means come first, so it has one scan more.
    """
    blocks = -(-width // 8) * -(-height // 8)
    parts = [
        b"\xff\xd8",
        _segment(0xDB, b"\0" + bytes([16] * 64)),
        _segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\0"),
        # A bit for "no change", and four for each of the runs of blocks that end at once.
        _segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0"),
        _segment(0xC4, b"\x10" + bytes([0, 0, 0, 15] + [0] * 12) + bytes(range(0, 0xF0, 0x10))),
        _scan(0, 0),
        _bits("0" * blocks),
    ]
    zeros = _bits("".join(_runs(blocks)))
    # Each frequency from the 8th bit on, then each bit below that was left out.
    kinds = [(part, 7) for part in range(1, 64)]
    kinds += [(part, (low + 1) << 4 | low) for low in range(6, -1, -1) for part in range(1, 64)]
    for part, precision in kinds[:count]:
        parts += [_scan(part, precision), zeros]
    return b"".join(parts) + b"\xff\xd9"


def _segment(code: int, data: bytes) -> bytes:
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def _scan(part: int, precision: int) -> bytes:
    return _segment(0xDA, bytes([1, 1, 0, part, part, precision]))


def _runs(blocks: int) -> Iterator[str]:
    while blocks:
        size = min(14, blocks.bit_length() - 1)
        run = min(blocks, (2 << size) - 1)
        yield f"{size:04b}" + (f"{run - (1 << size):0{size}b}" if size else "")
        blocks -= run


def _bits(text: str) -> bytes:
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8).replace(b"\xff", b"\xff\0")
