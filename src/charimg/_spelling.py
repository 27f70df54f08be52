"""Recognises the JSON text of an image as `to_json` writes it, without reading it.

A text that is recognised is what reading it and writing it again would give, character for
character. Of any other nothing is said: it may be as good, and has to be read to know.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from itertools import count
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import attrs
from attrs import frozen

from ._json import from_json, json_name
from .models import CharacterImage, Media

__all__ = ["Written", "recognised"]

_PLAIN = r"[ !#-\[\]-~]*+"
# What can stand for itself is never escaped, and what has a short escape has no long one.
_ESCAPE = r'\\(?:["\\bfnrt]|u(?!00(?:[2-6]|7[0-9a-e]|0[89acd]))[0-9a-f]{4})'
_TEXT = f'"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*+"'
_TYPES = {
    str: _TEXT,
    int: "(?:0|-?[1-9][0-9]{0,17})",
    bool: "(?:true|false)",
    NoneType: "null",
    tuple[str, ...]: rf"\[(?:{_TEXT}(?:,{_TEXT})*+)?\]",
}
# These are looked at again: many texts stand for one number, and some for no moment.
_NUMBER = r"(?P<number{}>-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"
_MOMENT = r'"(?P<moment{}>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9:]{{8}}\.[0-9]{{3}}Z)"'


@frozen(kw_only=True)
class Written:
    """The parts of an image's text.

    Attributes:
        before: What stands before ``"size"`` of the media; the whole text where there are none.
        between: What stands between that name and the media's URLs, which are ``null``.
        after: What follows those.
        media: The media.
        source_url: Where the image was served.
    """

    before: str
    between: str = ""
    after: str = ""
    media: Media | None = None
    source_url: str | None = None


def recognised(text: Any) -> Written | None:
    """Return the parts of an image's text, or ``None`` where it is written in another way."""
    pattern, numbers, moments = _image()
    found = pattern.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    if not all(repr(float(each)) == each for each in found.group(*numbers) if each):
        return None
    try:
        for each in found.group(*moments):
            if each:
                datetime.fromisoformat(each)
    except ValueError:
        return None
    source, media = found["source"], found["media"]
    source_url = None if source is None else json.loads(source)
    if media is None:
        return Written(before=text, source_url=source_url)
    return Written(
        before=text[: found.start("size")],
        between=text[found.end("size") : found.start("urls")],
        after=text[found.end("urls") :],
        media=from_json(Media, json.loads(media), what="media"),
        source_url=source_url,
    )


@cache
def _image() -> tuple[re.Pattern[str], tuple[str, ...], tuple[str, ...]]:
    """Return the pattern of an image, and its groups of numbers and of moments."""
    whole = _object(CharacterImage, count())
    media = _object(Media, count())
    urls = f'"url":(?:{_TEXT}|null),"thumbnailUrl":(?:{_TEXT}|null)'
    marked = media.replace('"size"', '(?P<size>"size")').replace(
        urls, '(?P<urls>"url":null,"thumbnailUrl":null)'
    )
    whole = whole.replace(media, f"(?P<media>{marked})")
    source = f'"sourceUrl":(?:{_TEXT}|null)'
    pattern = re.compile(whole.replace(source, f'"sourceUrl":(?:(?P<source>{_TEXT})|null)'))
    numbers, moments = (
        tuple(name for name in pattern.groupindex if name.startswith(kind))
        for kind in ("number", "moment")
    )
    return pattern, numbers, moments


def _object(cls: Any, numbers: count[int]) -> str:
    hints = get_type_hints(cls)
    fields = [
        f'"{json_name(field.name)}":{_value(hints[field.name], numbers)}'
        for field in attrs.fields(cls)
    ]
    return rf"\{{{','.join(fields)}\}}"


def _value(hint: Any, numbers: count[int]) -> str:
    if isinstance(hint, UnionType):
        return f"(?:{'|'.join(_value(each, numbers) for each in get_args(hint))})"
    if hint is float:
        return _NUMBER.format(next(numbers))
    if hint is datetime:
        return _MOMENT.format(next(numbers))
    known = _TYPES.get(hint)
    return _object(hint, numbers) if known is None else known
