"""What the two sides say to each other. They are of one version, so nothing here is kept stable."""

from __future__ import annotations

import struct
from typing import Self

from attrs import frozen

__all__ = [
    "ANSWER",
    "BROKEN",
    "FINE",
    "FRAMES",
    "MEMORY",
    "MOST_FRAMES",
    "MOST_SCANS",
    "MOST_SIDE",
    "MOST_TEXT",
    "PIXELS",
    "READY",
    "SCANS",
    "SIZE",
    "TEXTS",
    "Answer",
    "Task",
    "reason",
]

READY = b"R"
FINE, BROKEN, SIZE, PIXELS = b"+", b"-", b"s", b"p"
MEMORY, SCANS, FRAMES, TEXTS = b"m", b"n", b"f", b"t"

MOST_SCANS = 100
"""Encoders write 1 to 20. Each passes over all coefficients: 450 of 40 megapixels take 20 s."""

MOST_FRAMES = 10_000
"""Their pixels are counted, but each costs its time, however small."""

MOST_TEXT = 16 * 1024 * 1024
"""Bytes of a compressed text or profile of a PNG. Workflows and profiles have up to a few MiB."""

MOST_SIDE = 16_383
"""Pixels that a WebP can have."""

ANSWER = struct.Struct(">cI")
"""A verdict, and the length of the thumbnail that follows."""

_TASK = struct.Struct(">5s?IIQQII")


@frozen(kw_only=True)
class Task:
    """What is to be done with an image.

    Attributes:
        name: Pillow's name of its format; no other decoder is tried.
        handed: Whether a descriptor of the file comes along; else its bytes follow.
        width: Pixels, as the built-in inspector found them. 0: nobody did, and it is not to be
            checked but only drawn, which decodes no more than a thumbnail needs.
        height: The same.
        max_pixels: More are not drawn, where nobody has looked at the file.
        size: Bytes of the file.
        side: The longest side of a thumbnail in pixels; 0 for none.
        seconds: Of processor time. 40 megapixels take 1 to 2.
    """

    SIZE = _TASK.size

    name: str
    width: int = 0
    height: int = 0
    max_pixels: int = 0
    size: int
    side: int = 0
    seconds: int = 20
    handed: bool = False

    @property
    def is_check(self) -> bool:
        """Whether every pixel is to be looked at."""
        return self.width > 0

    def packed(self) -> bytes:
        """Return it as so many bytes."""
        return _TASK.pack(
            self.name.encode(),
            self.handed,
            self.width,
            self.height,
            self.max_pixels,
            self.size,
            self.side,
            self.seconds,
        )

    @classmethod
    def unpacked(cls, data: bytes) -> Self:
        """Return what `packed` gave."""
        name, handed, width, height, max_pixels, size, side, seconds = _TASK.unpack(data)
        return cls(
            name=name.rstrip(b"\0").decode(),
            handed=handed,
            width=width,
            height=height,
            max_pixels=max_pixels,
            size=size,
            side=side,
            seconds=seconds,
        )


@frozen
class Answer:
    """What became of an image.

    Attributes:
        verdict: One of the bytes above; empty if the process died of it or was killed.
        thumbnail: A WebP; empty if none was wanted, or none could be drawn.
    """

    verdict: bytes = b""
    thumbnail: bytes = b""


_UNDECODED = "Downloader(decode=False) takes it in undecoded."
_REASONS = {
    BROKEN: "it cannot be decoded.",
    SIZE: "its decoded size is not the one of its header.",
    PIXELS: "it has too many pixels.",
    MEMORY: f"decoding it takes too much memory. {_UNDECODED}",
    SCANS: f"it has more than {MOST_SCANS} scans. {_UNDECODED}",
    FRAMES: f"it has more than {MOST_FRAMES} frames. {_UNDECODED}",
    TEXTS: f"texts in it are larger than {MOST_TEXT >> 20} MiB, or a profile is. {_UNDECODED}",
    b"": f"decoding it crashed or took too long. {_UNDECODED}",
}


def reason(answer: Answer) -> str:
    """Return why an image is not fine: a sentence, and what would let it in all the same."""
    return _REASONS.get(answer.verdict, _REASONS[BROKEN])
