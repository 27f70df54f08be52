"""The thorough check, and thumbnails: Pillow decodes in another process, within limits.

The host's own process never decodes a file that came from elsewhere.
"""

from __future__ import annotations

import importlib.util
import io
from typing import IO, Self

from .._ingest.inspect import inspect
from .._ingest.sniff import HEAD, sniff
from .._ingest.values import Inspection
from .._plain import logger
from ..errors import ConfigurationError, ErrorCode, ImageRejected
from ..policies import DownloadLimits
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
    Task,
)
from .worker import Unavailable, Workers

__all__ = ["AsyncDecoder", "Decoder", "draw_thumbnail"]

_log = logger("charimg.download")
_drawing_log = logger("charimg.thumbnails")

_CPU_SECONDS = 20
_WALL_SECONDS = 60.0
"""40 megapixels take 1 to 2 s; a busy machine needs longer without using more CPU time."""

_MOST_SIDE = 16_383
"""Pixels that a WebP can have."""

_WORKERS = Workers()
_UNDECODED = "Downloader(decode=False) takes it in undecoded."
_REASONS = {
    BROKEN: "it cannot be decoded.",
    SIZE: "its decoded size is not the one of its header.",
    PIXELS: "it has too many pixels.",
    MEMORY: f"decoding it takes too much memory. {_UNDECODED}",
    SCANS: f"it has more than {MOST_SCANS} scans. {_UNDECODED}",
    FRAMES: f"it has more than {MOST_FRAMES} frames. {_UNDECODED}",
    b"": f"decoding it crashed or took too long. {_UNDECODED}",
}

# A store may be given files that no download limit has checked.
_MAX_PIXELS = DownloadLimits().max_pixels


class Decoder:
    """Decodes images in another process.

    Args:
        required: Whether it is an error that no such process can be started here.
    """

    def __init__(self, *, required: bool) -> None:
        self._required = required

    @classmethod
    def chosen(cls, decode: bool | None) -> Self | None:
        """Return a decoder, or ``None``: not wanted, or not insisted on and no Pillow there.

        Raises:
            ConfigurationError: It is insisted on, and Pillow is not installed.
        """
        there = _has_pillow()
        if decode and not there:
            raise ConfigurationError(
                "decode=True needs Pillow. Install it with: pip install 'charimg[images]'"
            )
        wanted = there if decode is None else decode
        return cls(required=decode is True) if wanted else None

    def check(
        self, file: IO[bytes], inspection: Inspection, *, thumbnail_px: int = 0
    ) -> bytes | None:
        """Verify and decode an image that the built-in inspector has passed, all of its frames.

        Only the decoder of the type that the bytes show is tried.

        Args:
            file: Seekable; read from its beginning and left there.
            inspection: What the built-in inspector found; Pillow must see the same dimensions.
            thumbnail_px: The longest side of a thumbnail, which is drawn on the way; 0 for none.

        Returns:
            The thumbnail, a WebP; empty if it could not be drawn; ``None`` if nobody tried.

        Raises:
            ImageRejected: ``NOT_AN_IMAGE``.
            ConfigurationError: It is required, and no process can be started here.
        """
        name = inspection.type.name
        task = Task(
            name=name,
            width=inspection.width,
            height=inspection.height,
            max_pixels=inspection.width * inspection.height,
            size=file.seek(0, 2),
            side=min(thumbnail_px, _MOST_SIDE),
            seconds=_CPU_SECONDS,
        )
        try:
            answer = _WORKERS.ask(task, file, _WALL_SECONDS)
        except Unavailable as error:
            self._unavailable(error)
            return None
        finally:
            file.seek(0)
        if answer.verdict != FINE:
            why = _REASONS.get(answer.verdict, _REASONS[BROKEN])
            raise ImageRejected(
                f"The file begins like a {name}, but {why}", code=ErrorCode.NOT_AN_IMAGE
            )
        return _seen(answer.thumbnail, thumbnail_px) if thumbnail_px else None

    def _unavailable(self, error: Unavailable) -> None:
        if self._required:
            raise ConfigurationError(
                f"decode=True needs a process of its own for Pillow. {error}"
            ) from error
        _log.warning("download.not_decoded", extra={"reason": str(error)})


class AsyncDecoder(Decoder):
    """The async twin of `Decoder`: a thread waits for the other process."""

    async def check(  # type: ignore[override]
        self, file: IO[bytes], inspection: Inspection, *, thumbnail_px: int = 0
    ) -> bytes | None:
        """See `Decoder.check`. A cancellation arrives when the image is done."""
        import anyio

        check = super().check
        return await anyio.to_thread.run_sync(
            lambda: check(file, inspection, thumbnail_px=thumbnail_px)
        )


def draw_thumbnail(file: IO[bytes], longest_side: int) -> bytes:
    """Draw a thumbnail of a file that nobody may have checked, in the other process.

    Args:
        file: Seekable; read from its beginning and left there.
        longest_side: In pixels, more than 0.

    Returns:
        A WebP: upright, sRGB, the first frame, never enlarged. Nothing without Pillow, where no
        process can be started, and of what is no image or has too many pixels to decode.
    """
    if not _has_pillow():
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
        side=min(longest_side, _MOST_SIDE),
        seconds=_CPU_SECONDS,
    )
    try:
        answer = _WORKERS.ask(task, file, _WALL_SECONDS)
    except Unavailable as error:
        return _skipped(str(error))
    finally:
        file.seek(0)
    if answer.verdict != FINE:
        return _skipped(_REASONS.get(answer.verdict, _REASONS[BROKEN]).partition(".")[0])
    return _seen(answer.thumbnail, longest_side)


def _has_pillow() -> bool:
    return importlib.util.find_spec("PIL") is not None


def _seen(thumbnail: bytes, longest_side: int) -> bytes:
    """Return a thumbnail if it is one: an image may have taken over the process that drew it."""
    try:
        found = inspect(io.BytesIO(thumbnail), max_pixels=longest_side**2, formats=["webp"])
    except ImageRejected:
        return _skipped("it could not be drawn")
    if max(found.width, found.height) > longest_side:
        return _skipped("it was drawn too large")
    return thumbnail


def _skipped(reason: str) -> bytes:
    _drawing_log.info("thumbnail.skipped", extra={"reason": reason})
    return b""
