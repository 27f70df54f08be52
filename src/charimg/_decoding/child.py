"""The process that decodes: it reads images from its input and answers each with one byte.

It holds nothing worth stealing and may do little: its memory and CPU time are limited anew for each
image, it writes no file, and it ends by itself when nothing comes or the other side is gone.
"""

from __future__ import annotations

import io
import os
import select
import struct
import sys
from pathlib import Path
from typing import IO, Any

resource: Any
try:
    import resource
except ImportError:  # Windows: there only the time limit of the other side holds
    resource = None

__all__ = ["BROKEN", "FINE", "HEADER", "MEMORY", "READY", "SIZE", "main", "serve"]

HEADER = struct.Struct(">5sIIQI")
"""What comes before an image: Pillow's name of its format, width, height, bytes, CPU seconds."""

READY, FINE, BROKEN, SIZE, MEMORY = b"R", b"+", b"-", b"s", b"m"

_IDLE_SECONDS = 30.0
_ROOM = 192 * 1024 * 1024
_PER_PIXEL = 24
"""Bytes: Pillow's 4, as many in a decoder's own canvas and in a copy, and 8 to 12 for the
coefficients of a progressive JPEG or the planes of an AVIF."""


def main() -> None:
    """Serve until the input ends."""
    serve(sys.stdin.buffer, sys.stdout.buffer, _IDLE_SECONDS)


def serve(requests: IO[bytes], answers: IO[bytes], idle: float) -> None:
    """Answer requests until they end, or until none comes for so many seconds."""
    from PIL import Image

    Image.preinit()
    # The other side has checked the pixels against its own limit.
    Image.MAX_IMAGE_PIXELS = None
    base = _restrict()
    _answer(answers, READY)
    while _waiting(requests, idle) and len(head := requests.read(HEADER.size)) == HEADER.size:
        name, width, height, size, seconds = HEADER.unpack(head)
        data = requests.read(size)
        if len(data) < size:
            return
        _limit(base, size * 3 + width * height * _PER_PIXEL, seconds)
        _answer(answers, _decode(data, name.rstrip().decode(), (width, height)))


def _decode(data: bytes, name: str, size: tuple[int, int]) -> bytes:
    from PIL import Image

    try:
        # verify() leaves the image unusable, so it is opened twice.
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            if image.size != size:
                return SIZE
            image.verify()
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                image.load()
    except MemoryError:
        return MEMORY
    except Exception:  # noqa: BLE001
        # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and more.
        return BROKEN
    return FINE


def _answer(answers: IO[bytes], byte: bytes) -> None:
    answers.write(byte)
    answers.flush()


def _waiting(requests: IO[bytes], idle: float) -> bool:
    """Wait for the next request; only POSIX can wait for a pipe with a limit."""
    return os.name != "posix" or bool(select.select([requests], [], [], idle)[0])


def _restrict() -> int:
    """Give up what decoding never needs; return the bytes of address space that are in use."""
    if resource is None:
        return 0
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    except OSError:
        # Without that count only a generous base can be taken, as on macOS.
        return 1024 * 1024 * 1024
    return pages * int(resource.getpagesize())


def _limit(base: int, more: int, seconds: int) -> None:
    """Limit what the next image may take; the limits of the one before end."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime)
        _soften(resource.RLIMIT_AS, base + _ROOM + more)
        _soften(resource.RLIMIT_CPU, spent + 1 + seconds)


def _soften(kind: int, wanted: int) -> None:
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(
            kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    except (ValueError, OSError):
        # macOS refuses some limits on the address space; the other limits hold.
        return
