"""The parts of an image file, as the walk through its container finds them."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

__all__ = ["Part", "Role"]


class Role(Enum):
    """What a part is there for; it decides who looks at it and whether it stays."""

    STRUCTURE = auto()
    """Headers and tables: without them nothing is decoded. Stays."""
    PIXELS = auto()
    """Coded pixels. Stays, and nobody searches it."""
    COLOUR = auto()
    """What tells which colours the pixels mean. Stays."""
    ORIENTATION = auto()
    """EXIF. Searched; of one that holds something foreign the orientation stays."""
    CREDENTIALS = auto()
    """Content credentials (C2PA). Stays."""
    METADATA = auto()
    """All else that images carry. Searched, and left out where it holds something foreign."""
    JUNK = auto()
    """No part of the image. Left out."""


class Part(NamedTuple):
    """A range of the file. The parts follow one another and cover it.

    Attributes:
        offset: Of its first byte.
        length: In bytes.
        role: What it is there for.
        name: In words, for people; one of few, whatever the file says.
        essence: What stays in its place where it is left out.
        group: Parts of one group go together: XMP over several segments, an index and what it
            lists.
        filler: Where offsets elsewhere rely on the place of what follows, the byte that fills it up
            to its old length; else nothing.
    """

    offset: int
    length: int
    role: Role
    name: str
    essence: bytes = b""
    group: str = ""
    filler: bytes = b""
