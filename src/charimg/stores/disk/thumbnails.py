"""Smaller renditions, when Pillow is there. A thumbnail that cannot be drawn is never an error."""

from __future__ import annotations

import io
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from ... import __version__
from ..._ingest.renditions import label_bytes, label_of
from ..._plain import logger

__all__ = ["draw_thumbnail"]

_log = logger("charimg.stores.disk")

# They are decoded in the host's own process.
_MAX_PIXELS = 40_000_000
_QUALITY = 80
# A JPEG is decoded at the smallest of its scales that is no smaller than the thumbnail.
_REDUCING_GAP = 1.0
# The fastest: a better compression of a small file is not worth the time of a large one.
_METHOD = 0


def draw_thumbnail(path: Path | IO[bytes], longest_side: int) -> bytes | None:
    """Return a WebP whose sides are at most so many pixels, never enlarged.

    Returns:
        The bytes, or ``None``: no Pillow, not an image, or one with too many pixels to decode.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        return None
    try:
        with Image.open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                return None
            image.thumbnail((longest_side, longest_side), reducing_gap=_REDUCING_GAP)
            upright = ImageOps.exif_transpose(image)
            drawn = io.BytesIO()
            mode = "RGBA" if upright.has_transparency_data else "RGB"
            upright.convert(mode).save(drawn, "WEBP", quality=_QUALITY, method=_METHOD)
    except Exception as error:  # noqa: BLE001 - Pillow's plugins raise whatever they like
        _log.info("thumbnail.skipped", extra={"reason": type(error).__name__})
        return None
    return _labelled(path, drawn.getvalue())


def _labelled(path: Path | IO[bytes], drawn: bytes) -> bytes:
    """Return a thumbnail that says what the image says."""
    with path.open("rb") if isinstance(path, Path) else nullcontext(path) as file:
        label = label_of(file, f"charimg {__version__}")
    return drawn if label is None else label_bytes(drawn, label)
