"""A new record as it is written, and what is returned of it without reading it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter, contains
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

import attrs

from ..models import CharacterImage, ImageKind, ImageStatus
from ._documents import load_image

__all__ = ["as_new", "as_read", "without_urls"]

_PLAIN = (int, float, bool, NoneType)
_TEXTS = (str, ImageKind, ImageStatus)
"""What stands in a field of type ``str`` and equals the text that it is written as."""


def as_new(image: CharacterImage) -> CharacterImage:
    """Return a record as it is added: with its key for an id, and without what is derived."""
    return without_urls(image if image.id == image.key else attrs.evolve(image, id=image.key))


def without_urls(image: CharacterImage) -> CharacterImage:
    """Return a record without the URLs of its media, which are derived when it is read."""
    media = image.media
    if media is None or (media.url is None and media.thumbnail_url is None):
        return image
    return image.with_media(attrs.evolve(media, url=None, thumbnail_url=None))


def as_read(image: CharacterImage, written: str, found: Any) -> CharacterImage:
    """Return what stands under the id of a record, which is read only where that is not the record.

    Args:
        image: The record, see `as_new`.
        written: Its text.
        found: The text that stands there.
    """
    if found == written and _equals_when_read(CharacterImage)(image):
        return image
    return load_image(image.id, found)


@cache
def _equals_when_read(cls: Any) -> Callable[[Any], bool]:
    """Return what tells whether a value of a class is read from its JSON as an equal one.

    So it is if every field holds just what its type says, and times have no more than milliseconds.
    """
    fields, hints = attrs.fields(cls), get_type_hints(cls)
    allowed: list[frozenset[type]] = []
    inner: list[tuple[int, Callable[[Any], bool]]] = []
    for index, field in enumerate(fields):
        hint = hints[field.name]
        types: set[type] = set()
        for kind in get_args(hint) if isinstance(hint, UnionType) else (hint,):
            if kind is str:
                types.update(_TEXTS)
            elif kind in _PLAIN:
                types.add(kind)
            elif kind == tuple[str, ...]:
                types.add(tuple)
                inner.append((index, _all_texts))
            else:
                types.add(kind)
                inner.append((index, _is_whole if kind is datetime else _equals_when_read(kind)))
        allowed.append(frozenset(types))
    values_of = attrgetter(*(field.name for field in fields))

    def equals(value: Any) -> bool:
        values = values_of(value)
        return all(map(contains, allowed, map(type, values))) and all(
            values[index] is None or same(values[index]) for index, same in inner
        )

    return equals


def _is_whole(moment: datetime) -> bool:
    return moment.tzinfo is UTC and not moment.microsecond % 1000


def _all_texts(values: tuple[Any, ...]) -> bool:
    return all(type(value) is str for value in values)
