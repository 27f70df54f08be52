"""Finds what else a whole image may be: archives, documents and scripts that hide in its metadata.

A comment, a text chunk, an unclaimed range have room. A browser that obeys the stored type never
runs what stands there, but other programs look for their own signature anywhere in a file. So those
signatures are looked for in all that is not pixels.
"""

from __future__ import annotations

import re
from typing import IO

from .parts import Part

__all__ = ["Search"]

_BLOCK = 256 * 1024
_OVERLAP = 1024
"""More than the longest of what is looked for."""
_MOST_HINTS = 10_000
"""Places in one file that are looked at closely. A description has none; who writes more of them
would like to keep us busy."""
_ZIP_END = b"PK\x05\x06\0\0\0\0"
"""How the end of its directory begins, by which readers find a ZIP."""

_TAGS = (
    *(b"img", b"body", b"video", b"audio", b"embed", b"object", b"input", b"button", b"form"),
    *(b"details", b"marquee", b"style", b"link", b"math", b"select", b"textarea", b"frameset"),
)
"""Harmless words, in a prompt for example, but with an event's handler: then they are a script."""
_ARCHIVES = (b"rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
_TEXTS = (
    b"<script",
    b"<html",
    b"<svg",
    b"<iframe",
    b"<hta:",
    b"<?php",
    b"<!doctype",
    b"%pdf-",
    b"//www.w3.org/2000/svg",
    b"__halt_compiler",
    *(b"<" + tag for tag in _TAGS),
)
"""What is looked for first, in lower case; `_MARKUP` then judges."""
_STARTS = bytes({each[0] for each in (*_TEXTS, *_ARCHIVES)})
_ALIKE = bytes.maketrans(_STARTS + _STARTS.upper(), b"<" * (2 * len(_STARTS)))
_FOLDED = bytes(range(256)).lower().translate(_ALIKE)
"""Lower case, and all first letters of what is looked for alike."""
_REST = [each.translate(_FOLDED)[1:] for each in (*_TEXTS, *_ARCHIVES)]
_HINT = re.compile(
    b"<(?=%s)" % b"".join(b"[%s]" % re.escape(bytes({each[n] for each in _REST})) for n in range(3))
    + b"(?:%s)" % b"|".join(map(re.escape, _REST))
)
"""Finds them all in one pass over folded bytes, by the one letter with which they then begin. That
takes a third of the time of a search for each; a look at the next three letters spares most places
the list.
"""
_MARKUP = re.compile(
    rb"<(?:script|html|svg|iframe|hta:[a-z]+|\?php|!doctype)[\s/>][\t\n\r\x20-\x7e]{4}"
    rb"|//www\.w3\.org/2000/svg|__halt_compiler\("
    rb"|<(?:%s)(?=[\s/>])[\t\n\r\x20-\x7e]{0,800}?[\s/\"']on[a-z]{3,24}\s{0,8}=" % b"|".join(_TAGS)
)
_PDF = re.compile(rb"%pdf-[0-9]\.[0-9]")
_COMMENT_END = re.compile(rb"\*/\s*[=;,.(\[/*][\t\n\r\x20-\x7e]{2}")
"""Where a script goes on whose beginning is a header with ``/*`` in a length or a width."""


class Search:
    """Searches parts of one file.

    Args:
        file: Seekable, at its beginning, where it is left.
    """

    def __init__(self, file: IO[bytes]) -> None:
        head = file.read(8)
        file.seek(0)
        self._file = file
        self._hints = 0
        self._commented = b"/*" in (head[4:6], head[6:8])

    def within(self, part: Part) -> str | None:
        """Return what a part holds besides an image's own data, in words, or ``None``."""
        place = self._file.tell()
        try:
            self._file.seek(part.offset)
            return self._look(part.length)
        finally:
            self._file.seek(place)

    def _look(self, left: int) -> str | None:
        rest = b""
        while left:
            block = self._file.read(min(left, _BLOCK))
            left -= len(block)
            seen = rest + block
            for hint in _HINT.finditer(seen.translate(_FOLDED)):
                self._hints += 1
                if self._hints > _MOST_HINTS:
                    return "markup or a script"
                found = _judge(seen[hint.start() : hint.start() + _OVERLAP].lower())
                if found is not None:
                    return found
            if _ZIP_END in seen:
                return "a ZIP archive"
            if self._commented and _COMMENT_END.search(seen.lower()):
                return "a script"
            rest = seen[-_OVERLAP:]
        return None


def _judge(begun: bytes) -> str | None:
    """Return what it is that begins here, in lower case."""
    if _PDF.match(begun):
        return "a PDF"
    if _MARKUP.match(begun):
        return "markup or a script"
    if begun.startswith(_ARCHIVES):
        return "an archive"
    return None
