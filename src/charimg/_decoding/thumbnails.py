"""Thumbnails of files that nobody may have checked, drawn by the process that decodes."""

from __future__ import annotations

import importlib.util
import io
from typing import IO

from .._ingest.inspect import inspect
from .._ingest.sniff import HEAD, sniff
from .._plain import logger
from ..errors import ImageRejected
from ..policies import REFUSE, DownloadLimits
from .protocol import FINE, MOST_SIDE, Task, reason
from .worker import Unavailable, ask

__all__ = ["draw_thumbnail", "genuine", "has_pillow"]

_log = logger("charimg.thumbnails")

# A store may be given files that no download limit has checked.
_MAX_PIXELS = DownloadLimits().max_pixels


def draw_thumbnail(file: IO[bytes], longest_side: int) -> bytes:
    """Draw a thumbnail of a file that nobody may have checked, in the other process.

    Args:
        file: Seekable; read from its beginning and left there.
        longest_side: In pixels, more than 0.

    Returns:
        A WebP: upright, sRGB, the first frame, never enlarged. Nothing without Pillow, where no
        process can be started, and of what is no image or has too many pixels to decode.
    """
    if not has_pillow():
        return b""
    size = file.seek(0, 2)
    file.seek(0)
    kind = sniff(file.read(HEAD))
    if kind is None:
        return _skipped("it is no image")
    task = Task(
        name=kind.name,
        max_pixels=_MAX_PIXELS,
        size=size,
        side=min(longest_side, MOST_SIDE),
    )
    try:
        answer = ask(task, file)
    except Unavailable as error:
        return _skipped(str(error))
    finally:
        file.seek(0)
    if answer.verdict != FINE:
        return _skipped(reason(answer).partition(".")[0])
    return genuine(answer.thumbnail, longest_side)


def has_pillow() -> bool:
    """Tell whether Pillow is installed, without loading it."""
    return importlib.util.find_spec("PIL") is not None


def genuine(thumbnail: bytes, longest_side: int) -> bytes:
    """Return a thumbnail if it is one: an image may have taken over the process that drew it."""
    try:
        found = inspect(
            io.BytesIO(thumbnail), max_pixels=longest_side**2, formats=["webp"], foreign=REFUSE
        )
    except ImageRejected:
        return _skipped("it could not be drawn")
    if max(found.width, found.height) > longest_side:
        return _skipped("it was drawn too large")
    return thumbnail


def _skipped(reason: str) -> bytes:
    _log.info("thumbnail.skipped", extra={"reason": reason})
    return b""
