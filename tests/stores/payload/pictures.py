"""Small real images that carry any bytes."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Callable

from charimg.models import Upload

WIDTH, HEIGHT = 12, 8


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(seed: bytes = b"") -> bytes:
    """Return a PNG whose private chunk holds the seed."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\x80\x40\x20" * WIDTH) * HEIGHT
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            _chunk(b"IHDR", header),
            _chunk(b"chAr", seed),
            _chunk(b"IDAT", zlib.compress(rows)),
            _chunk(b"IEND", b""),
        ]
    )


def upload(
    key: str,
    content: bytes | None = None,
    *,
    source: Callable[[bytes], io.BytesIO] = io.BytesIO,
    filename: str | None = None,
    mime_type: str = "image/png",
) -> Upload:
    """Return an upload of a real image."""
    content = png(key.encode()) if content is None else content
    return Upload(
        key=key,
        file=source(content),
        filename=filename or f"reference-{key}.png",
        mime_type=mime_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        width=WIDTH,
        height=HEIGHT,
        alt="Reference image of “Мира”",
    )
