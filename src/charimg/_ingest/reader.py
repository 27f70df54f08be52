"""Reads forward through the container of an image, and refuses it with the right error."""

from __future__ import annotations

import os
import re
import zlib
from typing import IO, NoReturn

from ..errors import ErrorCode, ImageRejected
from .values import ImageType

__all__ = ["Reader"]

_BLOCK = 64 * 1024
_MAX_PARTS = 100_000
"""Most chunks or segments in one file; 25 MiB in chunks of 4 KiB are 6,400."""

_JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What ends entropy-coded data: neither a stuffed byte, nor a restart, nor a fill byte."""


class Reader:
    """Reads forward through a file and refuses it with the right error."""

    def __init__(self, file: IO[bytes], size: int, kind: ImageType, max_pixels: int) -> None:
        self._file = file
        self._kind = kind
        self._max_pixels = max_pixels
        self._parts = 0
        self._frames = 0
        self.left = size

    def take(self, count: int) -> bytes:
        """Return the next bytes, which must be there."""
        self._use(count)
        return self._file.read(count)

    def skip(self, count: int) -> None:
        """Pass over the next bytes, which must be there."""
        self._use(count)
        self._file.seek(count, os.SEEK_CUR)

    def crc(self, count: int, start: int) -> int:
        """Return the CRC-32 of the next bytes, going on from that of earlier ones."""
        while count:
            block = self.take(min(count, _BLOCK))
            count -= len(block)
            start = zlib.crc32(block, start)
        return start

    def part(self) -> None:
        """Count a chunk or segment: millions of tiny ones would only burn time."""
        self._parts += 1
        if self._parts > _MAX_PARTS:
            self.malformed(f"it has more than {_MAX_PARTS} parts")

    def frame(self, width: int, height: int) -> None:
        """Count a frame of an animation: each costs a canvas, however small it is itself."""
        self._frames += 1
        if self._frames * width * height > self._max_pixels:
            raise ImageRejected(
                f"The {self._kind.name} has {width} × {height} pixels in {self._frames} frames or "
                f"more, together more than the {self._max_pixels} that are allowed.",
                code=ErrorCode.TOO_MANY_PIXELS,
            )

    def find_marker(self) -> int:
        """Skip entropy-coded data and return the code of the marker after it."""
        kept = b""
        while True:
            block = kept + self.take(min(max(self.left, 1), _BLOCK))
            found = _JPEG_MARKER.search(block)
            if found is not None:
                beyond = len(block) - found.end()
                self._file.seek(-beyond, os.SEEK_CUR)
                self.left += beyond
                return block[found.end() - 1]
            kept = b"\xff" if block.endswith(b"\xff") else b""

    def only_zeros_left(self) -> bool:
        """Return whether what is left of the file says nothing."""
        while self.left:
            if self.take(min(self.left, _BLOCK)).strip(b"\0"):
                return False
        return True

    def dimensions(self, width: int, height: int) -> tuple[int, int]:
        """Check and return the dimensions that a header announces."""
        if width == 0 or height == 0:
            self.malformed("its width or height is zero")
        if width * height > self._max_pixels:
            raise ImageRejected(
                f"The {self._kind.name} has {width} × {height} pixels, more than the "
                f"{self._max_pixels} that are allowed. Raise DownloadLimits.max_pixels if that is "
                "wanted.",
                code=ErrorCode.TOO_MANY_PIXELS,
            )
        return width, height

    def malformed(self, why: str) -> NoReturn:
        """Refuse the file."""
        raise ImageRejected(
            f"The file begins like a {self._kind.name}, but {why}.", code=ErrorCode.NOT_AN_IMAGE
        )

    def truncated(self) -> NoReturn:
        """Refuse the file because it ends too early."""
        raise ImageRejected(
            f"The {self._kind.name} is truncated: it ends before the image does.",
            code=ErrorCode.TRUNCATED,
        )

    def _use(self, count: int) -> None:
        if count > self.left:
            self.truncated()
        self.left -= count
