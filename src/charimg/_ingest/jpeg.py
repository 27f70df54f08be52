"""The container of a JPEG (ITU-T T.81, annex B), marker by marker."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .exif import PREFIX, upright_only
from .parts import Part, Role
from .reader import Reader

__all__ = ["segment", "walk_jpeg"]

_FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive: the ones that browsers show."""
_UNSHOWN = {
    **dict.fromkeys((0xC3,), "lossless"),
    **dict.fromkeys((0xC9, 0xCA), "arithmetic"),
    **dict.fromkeys((0xCB,), "lossless arithmetic"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF), "hierarchical"),
}
_REFUSED = frozenset([*range(2, 0xC0), 0xC8, 0xD8])
"""Reserved codes, a second beginning."""
_ALONE = (0x01, *range(0xD0, 0xD8))
"""Markers without a segment. Between segments they say nothing."""
_TABLES = (0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD)

_MARKER = re.compile(rb"\xff[^\x00\xff]")
"""What ends bytes between segments: neither a stuffed byte nor a fill byte."""
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends entropy-coded data: no restart either."""

_XMP = (b"http://ns.adobe.com/xap/1.0/\0", b"http://ns.adobe.com/xmp/extension/\0")
_PICTURES = "later pictures"
_APP0, _EXIF, _JUMBF, _ADOBE, _COMMENT = 0xE0, 0xE1, 0xEB, 0xEE, 0xFE


def segment(code: int, data: bytes) -> bytes:
    """Return a segment with its marker and length."""
    return bytes([0xFF, code]) + struct.pack(">H", len(data) + 2) + data


def walk_jpeg(reader: Reader) -> Iterator[Part]:
    """Walk segment by segment to the end of the image."""
    reader.skip(2)
    yield Part(0, 2, Role.STRUCTURE, "beginning")
    scanned = indexed = False
    while True:
        reader.part()
        start = reader.at
        code, fill = reader.seek_to(_MARKER)
        if not fill:
            yield Part(start, reader.at - start, Role.JUNK, "bytes between segments")
            start = reader.at
        reader.skip(2)
        if code == 0xD9:
            break
        if code in _ALONE:
            yield Part(start, reader.at - start, Role.JUNK, "bytes between segments")
            continue
        part = _segment(reader, start, code)
        indexed = indexed or part.group == _PICTURES
        yield part
        if code == 0xDA:
            scanned = True
            start = reader.at
            reader.seek_to(_AFTER_SCAN)
            yield Part(start, reader.at - start, Role.PIXELS, "pixels")
    if reader.found is None or not scanned:
        reader.malformed("it ends without an image")
    yield Part(start, reader.at - start, Role.STRUCTURE, "end")
    if reader.left:
        yield reader.rest(_PICTURES if indexed else "trailer", _PICTURES)


def _segment(reader: Reader, start: int, code: int) -> Part:
    """Pass over a segment behind its marker, and tell what it is."""
    if code in _UNSHOWN:
        reader.malformed(
            f"with {_UNSHOWN[code]} coding, which browsers do not show and no option lets in; "
            "have it made as a baseline or progressive one"
        )
    if code in _REFUSED:
        reader.malformed("it holds a marker that cannot stand there")
    length = int.from_bytes(reader.take(2)) - 2
    if length < 0:
        reader.malformed("one of its segments is not valid")
    if code in _FRAMES:
        if reader.found is not None:
            reader.malformed("it holds more than one image")
        _frame(reader, length)
        role, name = Role.STRUCTURE, "header"
    elif code in _TABLES:
        if code == 0xDA and reader.found is None:
            reader.malformed("its data come before its header")
        reader.skip(length)
        role, name = Role.STRUCTURE, "tables"
    else:
        # All that tells what it is, and an orientation, which stands at the beginning of EXIF.
        head = reader.peek(length if code == _EXIF else 64)[:length]
        reader.skip(length)
        return _application(start, reader.at - start, code, head)
    return Part(start, reader.at - start, role, name)


def _frame(reader: Reader, length: int) -> None:
    if length < 6:
        reader.malformed("its header is not valid")
    precision, height, width, components = struct.unpack(">BHHB", reader.take(6))
    if precision not in (8, 12) or components not in (1, 3, 4) or length != 6 + 3 * components:
        reader.malformed("its header is not valid")
    reader.skip(3 * components)
    reader.dimensions(width, height)


def _application(start: int, size: int, code: int, head: bytes) -> Part:
    """Tell what a segment is that is there for applications, by its beginning."""
    name = f"APP{code - _APP0} segment" if code <= 0xEF else "unknown segment"
    role, essence, group = Role.METADATA, b"", ""
    if code == _COMMENT:
        name = "comment"
    elif code == _APP0 and head.startswith(b"JFIF\0"):
        name = "JFIF"
        # The shape of a pixel; no thumbnail, and no room for words.
        essence = segment(code, b"JFIF\0\1\1" + head[7:12].ljust(5, b"\0") + bytes(2))
    elif code == _ADOBE and head.startswith(b"Adobe"):
        name = "Adobe segment"
        # Which colours the components are.
        essence = segment(code, b"Adobe\0\x64" + bytes(4) + head[11:12].ljust(1, b"\0"))
    elif code == _EXIF and head.startswith(PREFIX):
        name, role = "EXIF", Role.ORIENTATION
        upright = upright_only(head.removeprefix(PREFIX))
        essence = segment(code, PREFIX + upright) if upright else b""
    elif code == _EXIF and head.startswith(_XMP):
        name = group = "XMP"
    elif code == 0xE2 and head.startswith(b"ICC_PROFILE\0"):
        name, role = "ICC profile", Role.COLOUR
    elif code == 0xE2 and head.startswith(b"MPF\0"):
        name, group = "index of pictures", _PICTURES
    elif code == _JUMBF and head.startswith(b"JP") and head[12:16] == b"jumb":
        name, role = "content credentials", Role.CREDENTIALS
    elif code == 0xED and head.startswith(b"Photoshop 3.0\0"):
        name = group = "Photoshop data"
    return Part(start, size, role, name, essence, group)
