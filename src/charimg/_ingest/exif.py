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
_SHORT = 3


def upright_only(tiff: bytes) -> bytes:
    """Return EXIF that holds the orientation of another one and nothing else.

    Args:
        tiff: From the TIFF header on; as much of it as is there.

    Returns:
        Nothing where the image is shown as it is stored.
    """
    orientation = _orientation(tiff)
    if not 2 <= orientation <= 8:
        return b""
    entry = struct.pack(">HHIHH", _ORIENTATION, _SHORT, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + bytes(4)


def _orientation(tiff: bytes) -> int:
    order = _ORDERS.get(tiff[:4])
    if order is None:
        return 0
    try:
        (start,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, place)
            if (tag, kind) == (_ORIENTATION, _SHORT):
                return int(value)
    except struct.error:
        # It points beyond its end: nobody finds an orientation there.
        return 0
    return 0
