"""The type of an image from its first bytes: declared types and file names lie (contract page)."""

from __future__ import annotations

from .values import ImageType

__all__ = ["AVIF", "AVIF_BRANDS", "GIF", "HEAD", "JPEG", "PNG", "WEBP", "brands", "sniff"]

HEAD = 64
"""How many bytes `sniff` needs."""

PNG = ImageType("image/png", "png", "PNG")
JPEG = ImageType("image/jpeg", "jpg", "JPEG")
WEBP = ImageType("image/webp", "webp", "WEBP")
GIF = ImageType("image/gif", "gif", "GIF")
AVIF = ImageType("image/avif", "avif", "AVIF")

AVIF_BRANDS = frozenset({b"avif", b"avis"})
"""Of stills, and of sequences."""
_MAJOR = (*AVIF_BRANDS, b"mif1", b"msf1")


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
    if head[4:8] == b"ftyp" and AVIF_BRANDS & brands(head):
        return AVIF
    return None


def brands(head: bytes) -> set[bytes]:
    """Return the brands that the first box of a file names, the major one too, as far as it goes.

    Only where the major one is that of AVIF, or of images of any coding.
    """
    if head[8:12] not in _MAJOR:
        return set()
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[8:12], *(head[at : at + 4] for at in range(16, end - 3, 4))}
