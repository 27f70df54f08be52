"""The one thing in EXIF that changes what is seen: the orientation (TIFF 6.0, tag 274)."""

from __future__ import annotations

import struct

__all__ = ["ENOUGH", "PREFIX", "upright_only"]

ENOUGH = 64 * 1024
"""Most bytes of EXIF that are looked at: its first directory stands at the beginning."""
PREFIX = b"Exif\0\0"
"""What JPEG has before the TIFF header, and some writers put into other containers, too."""

_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION = 274
_SHORT, _LONG = 3, 4


def upright_only(tiff: bytes) -> bytes:
    """Return EXIF that holds the orientation of another one and nothing else.

    Args:
        tiff: From the TIFF header on; as much of it as is there.

    Returns:
        Nothing where the image is shown as it is stored.
    """
    kind, orientation = _orientation(tiff)
    if not 2 <= orientation <= 8:
        return b""
    # Of the kind that it was of: not everybody heeds each.
    value = struct.pack(">HH", orientation, 0) if kind == _SHORT else struct.pack(">I", orientation)
    entry = struct.pack(">HHI", _ORIENTATION, kind, 1) + value
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def _orientation(tiff: bytes) -> tuple[int, int]:
    """Return the kind of the entry, and what it says; 0 where there is none."""
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return 0, 0
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, place)
            if tag == _ORIENTATION and kind == _SHORT:
                return kind, int(value)
            if tag == _ORIENTATION and kind == _LONG:
                return kind, int(struct.unpack_from(order + "I", tiff, place + 8)[0])
    except struct.error:
        # It points beyond its end: nobody finds an orientation there.
        return 0, 0
    return 0, 0
