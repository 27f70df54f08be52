"""What the process does with an image: look at every pixel once, and draw a thumbnail of it."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from .colours import flattened, in_srgb
from .protocol import (
    BROKEN,
    FINE,
    FRAMES,
    MEMORY,
    MOST_FRAMES,
    MOST_SCANS,
    PIXELS,
    SCANS,
    SIZE,
    TEXTS,
    Answer,
    Task,
)
from .turning import turned

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

__all__ = ["decode"]

_QUALITY = 80
_METHOD = 0
"""The fastest: a better compression of a small file is not worth the time of a large one."""

_GAP = 1.0
"""An image is first reduced by a whole number, to no less than the thumbnail's size."""

_SCAN = b"\xff\xda\x00"
_BLOCK = 1024 * 1024


def decode(file: IO[bytes], task: Task, limit: Callable[[int], None]) -> Answer:
    """Decode an image, and draw its thumbnail if one is wanted.

    Args:
        file: The image.
        task: What is to be done.
        limit: Called with the number of pixels before any is decoded.
    """
    try:
        if task.name == "JPEG" and _scans(file) > MOST_SCANS:
            return Answer(SCANS)
        return _checked(file, task, limit) if task.is_check else _drawn(file, task, limit)
    except MemoryError:
        return Answer(MEMORY)
    except Exception as error:  # noqa: BLE001
        # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and more.
        return Answer(TEXTS if "MAX_TEXT_" in str(error) else BROKEN)


def _scans(file: IO[bytes]) -> int:
    """Count the scans of a JPEG; a picture inside its metadata may add its few."""
    found, tail = 0, b""
    file.seek(0)
    while block := file.read(_BLOCK):
        found += (tail + block).count(_SCAN)
        tail = block[1 - len(_SCAN) :]
    return found


def _checked(file: IO[bytes], task: Task, limit: Callable[[int], None]) -> Answer:
    limit(task.width * task.height)
    # verify() leaves the image unusable, so it is opened twice.
    with _opened(file, task) as image:
        if image.size != (task.width, task.height):
            return Answer(SIZE)
        image.verify()
    thumbnail = b""
    with _opened(file, task) as image:
        # Another picture behind a JPEG is none of its frames.
        frames = 1 if task.name == "JPEG" else getattr(image, "n_frames", 1)
        if frames > MOST_FRAMES:
            return Answer(FRAMES)
        for number in range(frames):
            image.seek(number)
            rawmode = _rawmode(image)
            image.load()
            if number == 0 and task.side:
                thumbnail = _attempt(image, task.side, rawmode)
    return Answer(FINE, thumbnail)


def _drawn(file: IO[bytes], task: Task, limit: Callable[[int], None]) -> Answer:
    with _opened(file, task) as image:
        if image.width * image.height > task.max_pixels:
            return Answer(PIXELS)
        limit(image.width * image.height)
        fitted = _fitted(image, task.side)
        # A JPEG is decoded at the smallest of its scales that is no smaller than the thumbnail.
        drafted = image.draft(None, fitted)
        rawmode = _rawmode(image)
        image.load()
        box = None if drafted is None else drafted[1]
        return Answer(FINE, _thumbnail(image, fitted, rawmode, box))


def _opened(file: IO[bytes], task: Task) -> Image:
    from PIL import Image

    file.seek(0)
    return Image.open(file, formats=[task.name])


def _rawmode(image: Any) -> str:
    """Return how the pixels lie in a PNG, which says how its transparent colour is to be read."""
    args = image.tile[0].args if image.tile else ""
    return args if isinstance(args, str) else ""


def _attempt(image: Image, side: int, rawmode: str) -> bytes:
    """Return a thumbnail, or nothing: an image that decodes is fine without one."""
    try:
        return _thumbnail(image, _fitted(image, side), rawmode)
    except Exception:  # noqa: BLE001 - as above
        return b""


def _fitted(image: Image, side: int) -> tuple[int, int]:
    """Return the size of a thumbnail whose sides are at most so long; never an enlarged one."""
    scale = min(1.0, side / max(image.size))
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _thumbnail(
    image: Image, size: tuple[int, int], rawmode: str, box: tuple[float, ...] | None = None
) -> bytes:
    """Return a WebP: upright, sRGB, 8 bits, transparent where the image is, without metadata.

    Args:
        image: Decoded; it stays as it is.
        size: In pixels, as the image lies.
        rawmode: How Pillow read the pixels.
        box: The part of what was decoded that is the picture; by default all of it.
    """
    from PIL.Image import Resampling

    small = flattened(image, rawmode).resize(
        size,
        Resampling.BICUBIC,
        box=box,  # type: ignore[arg-type]  # four numbers
        reducing_gap=_GAP,
    )
    small = in_srgb(small, image.info.get("icc_profile"))
    small = turned(small, image.info.get("exif"))
    # What is left there would be written into the file.
    small.info.clear()
    out = io.BytesIO()
    small.save(out, "WEBP", quality=_QUALITY, method=_METHOD)
    return out.getvalue()
