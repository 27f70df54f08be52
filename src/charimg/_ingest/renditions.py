"""A smaller rendition of an image says what the image says: that a model has drawn it."""

from __future__ import annotations

import io
from typing import IO

from ..errors import ImageRejected
from ..models import Provenance
from ..policies import FORMATS, KEEP
from .inspect import ANY_SIZE, inspect
from .label import says_so
from .rewrite import rewrite
from .xmp import Label

__all__ = ["label_bytes", "label_of", "provenance_of"]


def label_bytes(data: bytes, label: Label) -> bytes:
    """Return an image of one's own drawing with a label; as it is where it can take none."""
    file, out = io.BytesIO(data), io.BytesIO()
    try:
        found = inspect(file, max_pixels=ANY_SIZE, formats=FORMATS, foreign=KEEP, label=label)
    except ImageRejected:
        return data
    rewrite(file, found.edits, out.write)
    return out.getvalue()


def label_of(file: IO[bytes], tool: str) -> Label | None:
    """Return the label for a rendition of an image, or ``None`` if that says nothing of a model.

    Args:
        file: The image, seekable; read from its beginning and left there.
        tool: Who draws the rendition.
    """
    return Label(tool) if says_so(provenance_of(file)) else None


def provenance_of(file: IO[bytes]) -> Provenance | None:
    """Return what a file says of where it comes from; nothing of what is no image.

    Args:
        file: Seekable; read from its beginning and left there.
    """
    try:
        return inspect(file, max_pixels=ANY_SIZE, formats=FORMATS, foreign=KEEP).provenance
    except ImageRejected:
        return None
