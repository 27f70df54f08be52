"""The values of ingestion: what a file is, and a file that was brought in."""

from __future__ import annotations

from typing import IO

from attrs import field, frozen

from ..models import Provenance
from .rewrite import Edit

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

    @property
    def a_name(self) -> str:
        """The name with its article."""
        return f"{'an' if self.name[0] in 'AEIOU' else 'a'} {self.name}"


@frozen(kw_only=True)
class Inspection:
    """What the bytes of an image file say.

    Attributes:
        type: The type from the first bytes.
        width: Pixels, more than 0.
        height: Pixels, more than 0.
        edits: What changes so that nothing but the image is left.
        cleaned: What they leave out, in words.
        provenance: What the file says of where it comes from, with those changes.
        unlabelled: Why they write no label, though one was wanted.
    """

    type: ImageType
    width: int
    height: int
    edits: tuple[Edit, ...] = ()
    cleaned: tuple[str, ...] = ()
    provenance: Provenance | None = None
    unlabelled: str | None = None


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
        source_sha256: Lower-case hex digest of what the server sent.
        cleaned: What of that was left out, because it was no part of the image, in words.
        provenance: What ``file`` says of where it comes from.
        unmarked: Why it was not labelled or signed, though that was wanted.
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
    source_sha256: str | None = None
    cleaned: tuple[str, ...] = ()
    provenance: Provenance | None = None
    unmarked: str | None = None
    thumbnail: bytes | None = field(default=None, repr=False)

    def close(self) -> None:
        """Close the file, which removes it. Idempotent."""
        self.file.close()
