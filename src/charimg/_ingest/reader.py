"""Reads forward through the container of an image, and refuses it with the right error."""

from __future__ import annotations

import os
import re
import zlib
from typing import IO, NoReturn

from ..errors import ErrorCode, ImageRejected
from .parts import Part, Role
from .values import ImageType

__all__ = ["Reader"]

_BLOCK = 64 * 1024
_MAX_PARTS = 100_000
"""Most chunks or segments in one file; 64 MiB in chunks of 4 KiB are 16,384."""


class Reader:
    """Reads forward through a file and refuses it with the right error.

    Attributes:
        size: Of the file, in bytes.
        left: Bytes that follow.
        found: Width and height, once the walk knows them.
    """

    def __init__(self, file: IO[bytes], size: int, kind: ImageType, max_pixels: int) -> None:
        self._file = file
        self._kind = kind
        self._max_pixels = max_pixels
        self._parts = 0
        self._frames = 0
        self.size = size
        self.left = size
        self.found: tuple[int, int] | None = None

    @property
    def at(self) -> int:
        """Where in the file it stands."""
        return self.size - self.left

    def take(self, count: int) -> bytes:
        """Return the next bytes, which must be there."""
        self._use(count)
        return self._file.read(count)

    def peek(self, count: int) -> bytes:
        """Return the next bytes, or those that are left, without moving on."""
        data = self._file.read(min(count, self.left))
        self._file.seek(-len(data), os.SEEK_CUR)
        return data

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

    def seek_to(self, pattern: re.Pattern[bytes]) -> tuple[int, bool]:
        """Pass over what does not fit a pattern of two bytes, the first of them 0xFF.

        Returns:
            The second byte of what fits, which comes next; and whether all before it was 0xFF.
        """
        near = self.peek(2)
        if pattern.match(near) is not None:
            return near[1], True
        kept, fill = b"", True
        while True:
            block = kept + self.take(min(max(self.left, 1), _BLOCK))
            found = pattern.search(block)
            end = len(block) if found is None else found.start()
            fill = fill and not block[:end].strip(b"\xff")
            if found is not None:
                self._file.seek(end - len(block), os.SEEK_CUR)
                self.left += len(block) - end
                return found[0][1], fill
            kept = b"\xff" if block.endswith(b"\xff") else b""

    def rest(self, name: str, group: str = "") -> Part:
        """Pass over all that is left: it follows the image, and is none of it."""
        part = Part(self.at, self.left, Role.JUNK, name, group=group)
        self.skip(self.left)
        return part

    def part(self) -> None:
        """Count a chunk or segment: millions of tiny ones would only burn time."""
        self._parts += 1
        if self._parts > _MAX_PARTS:
            self.malformed(f"it has more than {_MAX_PARTS} parts")

    def frame(self, width: int, height: int, count: int = 1) -> None:
        """Count frames of an animation: each costs a canvas, however small it is itself."""
        self._frames += count
        if self._frames * width * height > self._max_pixels:
            raise self._too_many(
                f"{width} × {height} pixels in {self._frames} frames or more, together"
            )

    def dimensions(self, width: int, height: int) -> tuple[int, int]:
        """Check, note and return the dimensions that a header announces."""
        if width == 0 or height == 0:
            self.malformed("its width or height is zero")
        if width * height > self._max_pixels:
            raise self._too_many(f"{width} × {height} pixels,")
        self.found = (width, height)
        return self.found

    def malformed(self, why: str) -> NoReturn:
        """Refuse the file."""
        raise ImageRejected(
            f"The file begins like {self._kind.a_name}, but {why}.", code=ErrorCode.NOT_AN_IMAGE
        )

    def truncated(self) -> NoReturn:
        """Refuse the file because it ends too early."""
        raise ImageRejected(
            f"The {self._kind.name} is truncated: it ends before the image does.",
            code=ErrorCode.TRUNCATED,
        )

    def _too_many(self, what: str) -> ImageRejected:
        return ImageRejected(
            f"The {self._kind.name} has {what} more than the {self._max_pixels} that are allowed. "
            "Raise DownloadLimits.max_pixels if that is wanted.",
            code=ErrorCode.TOO_MANY_PIXELS,
        )

    def _use(self, count: int) -> None:
        if count > self.left:
            self.truncated()
        self.left -= count
