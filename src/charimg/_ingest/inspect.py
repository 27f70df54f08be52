"""The built-in inspector: walks an image's container without decoding it and without Pillow.

It reads the dimensions from the header, sees to it that the file is one whole image, and tells what
in it is something else. It streams, and never holds more than a block in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from typing import IO

from ..errors import ErrorCode, ImageRejected
from ..policies import CLEAN, KEEP, REFUSE, USUAL
from .avif import walk_avif
from .clean import Cleaning
from .foreign import Search
from .gif import walk_gif
from .jpeg import walk_jpeg
from .label import Labelling, NotLabelled, with_label
from .parts import Part, Role
from .png import walk_png
from .provenance import Evidence
from .reader import Reader
from .rewrite import Edit
from .sniff import AVIF, GIF, HEAD, JPEG, PNG, WEBP, sniff
from .values import ImageType, Inspection
from .webp import walk_webp
from .xmp import Label

__all__ = ["ANY_SIZE", "coded_pixels", "inspect"]

_BLOCK = 256 * 1024
ANY_SIZE = 2**62
"""More pixels than any image has."""
_WALKS: dict[ImageType, Callable[[Reader], Iterator[Part]]] = {
    PNG: walk_png,
    JPEG: walk_jpeg,
    WEBP: walk_webp,
    GIF: walk_gif,
    AVIF: walk_avif,
}
_SEARCHED = {
    CLEAN: frozenset({Role.METADATA, Role.ORIENTATION}),
    # Whoever refuses may also refuse for what could not be left out.
    REFUSE: frozenset(Role) - {Role.PIXELS, Role.JUNK},
    KEEP: frozenset[Role](),
}


def inspect(
    file: IO[bytes],
    *,
    max_pixels: int,
    formats: Collection[str] = USUAL,
    foreign: str = CLEAN,
    label: Label | None = None,
    sign: bool = False,
) -> Inspection:
    """Check a file; return its type and dimensions, and what makes it an image and nothing else.

    Args:
        file: Seekable; read from its beginning and left there.
        max_pixels: Cap on width × height, for an animation times its frames.
        formats: The types that are accepted, in lower case.
        foreign: ``clean`` finds what is no image, ``refuse`` refuses it, ``keep`` looks for none.
        label: What is written into the file of where it comes from.
        sign: Whether the file is signed afterwards, so that credentials it has need not match.

    Raises:
        ImageRejected: ``NOT_AN_IMAGE`` (another type, malformed, or more than an image where that
            is refused), ``TRUNCATED`` (it ends too early), ``TOO_MANY_PIXELS``.
    """
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(HEAD)
        kind = sniff(head)
        if kind is None or kind.name.lower() not in formats:
            raise _unwanted(kind, formats)
        file.seek(0)
        search = Search(file)
        reader = Reader(file, size, kind, max_pixels)
        searched, cleaning = _SEARCHED[foreign], Cleaning()
        evidence, labelling = Evidence(file, kind), Labelling(kind, label, sign)
        for part in _WALKS[kind](reader):
            cleaning.take(part, search.within(part) if part.role in searched else None)
            evidence.take(part)
            labelling.take(part)
        cleaning.finish()
        words = cleaning.words()
        if words and foreign == REFUSE:
            reader.malformed(
                f"there is more in it than an image: {', '.join(words)}. "
                'DownloadLimits(foreign="clean") lets it in without that'
            )
        if foreign == KEEP:
            cleaning, words = Cleaning(), ()
        evidence.leave_out(cleaning.around)
        width, height = reader.found or (0, 0)
        provenance, unlabelled = evidence.provenance(), None
        edits: list[Edit] = []
        try:
            edits = labelling.edits(evidence, cleaning, head, (width, height))
        except NotLabelled as reason:
            unlabelled = str(reason)
        if edits and label is not None:
            provenance = with_label(provenance, label)
        return Inspection(
            type=kind,
            width=width,
            height=height,
            edits=cleaning.edits(kind, head, edits),
            cleaned=words,
            provenance=provenance,
            unlabelled=unlabelled,
        )
    finally:
        file.seek(0)


def coded_pixels(file: IO[bytes]) -> tuple[ImageType, tuple[int, int] | None, str]:
    """Return type, size and hash of the coded pixels of a file that `inspect` has passed.

    Args:
        file: Seekable; read from its beginning and left there.

    Raises:
        ImageRejected: It is no whole image any more.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    kind = sniff(file.read(HEAD))
    if kind is None:
        raise _unwanted(kind, USUAL)
    file.seek(0)
    reader, digest = Reader(file, size, kind, ANY_SIZE), hashlib.sha256()
    for part in _WALKS[kind](reader):
        if part.role is not Role.PIXELS:
            continue
        place, left = file.tell(), part.length
        file.seek(part.offset)
        while left:
            block = file.read(min(left, _BLOCK))
            left -= len(block)
            digest.update(block)
        file.seek(place)
    file.seek(0)
    return kind, reader.found, digest.hexdigest()


def _unwanted(kind: ImageType | None, formats: Collection[str]) -> ImageRejected:
    names = ", ".join(sorted(formats)).upper()
    text = f"The file is none of {names}."
    if kind is not None:
        text = (
            f"The file is {kind.a_name}, and what is accepted is {names}. Add "
            f'"{kind.name.lower()}" to DownloadLimits.formats if that is wanted.'
        )
    return ImageRejected(text, code=ErrorCode.NOT_AN_IMAGE)
