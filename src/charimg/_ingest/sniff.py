"""The type of an image from its first bytes: declared types and file names lie (contract page)."""

from __future__ import annotations

from .values import ImageType

__all__ = ["AVIF", "GIF", "HEAD", "JPEG", "PNG", "WEBP", "sniff"]

HEAD = 12
"""How many bytes `sniff` needs."""

PNG = ImageType("image/png", "png", "PNG")
JPEG = ImageType("image/jpeg", "jpg", "JPEG")
WEBP = ImageType("image/webp", "webp", "WEBP")
GIF = ImageType("image/gif", "gif", "GIF")
AVIF = ImageType("image/avif", "avif", "AVIF")


def sniff(head: bytes) -> ImageType | None:
    """Return the type that the first `HEAD` bytes of a file show, or ``None`` for any other."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head[4:12] == b"ftypavif":
        return AVIF
    return None
