"""The values of ingestion: what a file is, and a file that was brought in."""

from __future__ import annotations

from typing import IO

from attrs import field, frozen

__all__ = ["Download", "ImageType", "Inspection"]


@frozen
class ImageType:
    """A kind of image file.

    Attributes:
        mime_type: Such as ``image/png``.
        extension: Without a dot, such as ``png``.
        name: For messages and for Pillow, such as ``PNG``.
    """

    mime_type: str
    extension: str
    name: str


@frozen(kw_only=True)
class Inspection:
    """What the bytes of an image file say.

    Attributes:
        type: The type from the first bytes.
        width: Pixels, more than 0.
        height: Pixels, more than 0.
    """

    type: ImageType
    width: int
    height: int


@frozen(kw_only=True)
class Download:
    """A file that arrived whole and was checked.

    Attributes:
        file: The bytes, at position 0. Without a name in the file system, so that a crash leaves
            nothing behind. The caller closes it.
        size: Bytes in ``file``.
        sha256: Lower-case hex digest of ``file``.
        mime_type: From the bytes, whatever the server said.
        extension: From the bytes, without a dot.
        width: Pixels.
        height: Pixels.
        download_ms: Milliseconds of the attempt that succeeded, from connecting to the last byte.
        inspection_ms: Milliseconds that the check of the bytes took.
        attempts: How many attempts were made in all.
        thumbnail: As in `Upload`.
    """

    file: IO[bytes] = field(eq=False, repr=False)
    size: int
    sha256: str
    mime_type: str
    extension: str
    width: int
    height: int
    download_ms: float
    inspection_ms: float
    attempts: int = 1
    thumbnail: bytes | None = field(default=None, repr=False)

    def close(self) -> None:
        """Close the file, which removes it. Idempotent."""
        self.file.close()
