"""Which way up an image is: the one entry of its EXIF that a thumbnail needs.

Pillow's ``exif_transpose`` reads and writes all of it, and 40 entries that share one place became
a gigabyte.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["orientation", "turned"]

_ORIENTATION = 0x0112
_SHORT = 3
_ENTRY = 12


def turned(image: Image, exif: object) -> Image:
    """Return the image as it is to be seen."""
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation(exif) if isinstance(exif, bytes) else 1)
    return image if method is None else image.transpose(method)


def orientation(exif: bytes) -> int:
    """Return the orientation of the first directory; 1, as it lies, if there is none."""
    tiff = memoryview(exif)[6 if exif.startswith(b"Exif\0\0") else 0 :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(tiff[:4]))
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for number in range(count):
            tag, kind, values, value = struct.unpack_from(
                f"{order}HHIH", tiff, at + 2 + number * _ENTRY
            )
            if tag == _ORIENTATION:
                return int(value) if (kind, values) == (_SHORT, 1) else 1
    except struct.error:
        # It ends too early.
        return 1
    return 1
