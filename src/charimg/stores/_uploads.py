"""What every store does with an upload: read and prove its bytes, keep its thumbnail."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from .. import __version__
from .._decoding import draw_thumbnail
from .._ingest.renditions import label_bytes, label_of
from .._spool import Spool
from ..errors import InvalidArgument, StorageError
from ..models import Media, Upload

__all__ = [
    "THUMBNAIL_TYPE",
    "check_side",
    "chunks_of",
    "has_thumbnail",
    "stored",
    "thumbnail_of",
    "whole_of",
]

THUMBNAIL_TYPE = "image/webp"

_CHUNK = 256 * 1024
# In no name that a store takes for a path, so what follows it cannot be a part of the key.
_WITH_THUMBNAIL = "~t"


def chunks_of(upload: Upload, length: int = _CHUNK) -> Iterator[bytes]:
    """Give the file's bytes, and fail at the end if they are not those that were announced.

    They are hashed for that, unless they come from a sealed `Spool`: that holds what it has hashed
    while it was written.

    Raises:
        StorageError: The file does not hold what ``upload.size`` and ``upload.sha256`` say.
    """
    file = upload.file
    proven = file.sha256 if isinstance(file, Spool) and file.sealed else None
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while size <= upload.size and (chunk := file.read(length)):
        if proven is None:
            digest.update(chunk)
        size += len(chunk)
        yield chunk
    sha256 = proven or digest.hexdigest()
    if (size, sha256) != (upload.size, upload.sha256):
        raise StorageError(
            f"Media {upload.key!r} was announced with {upload.size} bytes and SHA-256 "
            f"{upload.sha256[:12]}…, but the file gave {size} bytes and {sha256[:12]}…. "
            "Nothing was stored; send it again from the source."
        )


def whole_of(upload: Upload) -> bytes:
    """Return the file's bytes, read at once: nothing is copied that a buffer holds already.

    Raises:
        StorageError: As `chunks_of`.
    """
    return b"".join(chunks_of(upload, upload.size + 1))


def check_side(thumbnail_px: int) -> int:
    """Return the longest side of thumbnails, in pixels; 0 for none.

    Raises:
        InvalidArgument: It is negative.
    """
    if thumbnail_px < 0:
        raise InvalidArgument(f"thumbnail_px must be 0 or more, not {thumbnail_px}.")
    return thumbnail_px


def thumbnail_of(upload: Upload, longest_side: int) -> bytes:
    """Return the thumbnail to keep, a WebP; nothing if none is wanted, or none can be drawn.

    It is the one that came along, drawn when the image was checked. Of an upload that nobody has
    drawn one of, the process that checks images draws it now; this one never decodes. It says what
    its image says of where it comes from.
    """
    if longest_side <= 0:
        return b""
    if upload.thumbnail is None:
        drawn = draw_thumbnail(upload.file, longest_side)
        label = label_of(upload.file, f"charimg {__version__}") if drawn else None
        return drawn if label is None else label_bytes(drawn, label)
    return upload.thumbnail


def stored(upload: Upload, *, thumbnail: bool) -> Media:
    """Return the media of an upload that is stored.

    Its id tells whether there is a thumbnail: `Media` has no other field for it, and ``locate`` may
    not look.
    """
    return Media(
        id=f"{upload.key}{_WITH_THUMBNAIL}" if thumbnail else upload.key,
        key=upload.key,
        filename=upload.filename,
        mime_type=upload.mime_type,
        size=upload.size,
        width=upload.width,
        height=upload.height,
        sha256=upload.sha256,
        alt=upload.alt,
    )


def has_thumbnail(media: Media) -> bool:
    """Tell whether there was a thumbnail when the media was saved."""
    return media.id == f"{media.key}{_WITH_THUMBNAIL}"
