"""Values as JSON texts in a column, and times as integers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from .._json import from_json, to_json
from ..capabilities import StoredPage
from ..errors import InvalidArgument, StorageError
from ..models import CharacterImage, ImagePage

__all__ = ["dump", "from_ms", "load", "load_image", "load_page", "parse", "to_ms"]

T = TypeVar("T")

# ASCII, so that any string comes back as it was: half a surrogate pair is no UTF-8.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def dump(value: Any, *, what: str) -> str:
    """Return the value as JSON.

    Raises:
        InvalidArgument: It holds something that JSON cannot.
    """
    try:
        return _ENCODER.encode(to_json(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"Cannot write {what}: it holds a value that is no JSON. Give only strings, numbers, "
            "true, false, None, lists and mappings of these."
        ) from error


def parse(text: Any, *, what: str) -> Any:
    """Return the JSON values of a column.

    Raises:
        StorageError: It is no JSON.
    """
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise StorageError(
            f"Cannot read {what}: it is no JSON. It was damaged or written by something else."
        ) from error


def load(cls: type[T], text: Any, *, what: str) -> T:
    """Return the value that `dump` wrote.

    Raises:
        StorageError: It was damaged; the message says where.
    """
    return from_json(cls, parse(text, what=what), what=what)


@lru_cache(maxsize=256)
def load_image(image_id: str, text: Any) -> CharacterImage:
    """Return a record as `load` does, of a text that was read lately the same value once more.

    The newest pages are asked for again and again, and nobody can change a value.
    """
    return load(CharacterImage, text, what=f"the record {image_id!r}")


def load_page(stored: StoredPage) -> ImagePage:
    """Return the records of a page that was read."""
    return ImagePage(
        images=tuple(load_image(*each) for each in stored.records or ()),
        next_cursor=stored.next_cursor,
        total=stored.total,
    )


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since 1970, cut as the JSON form cuts them."""
    return (moment.astimezone(UTC) - _EPOCH) // _MS


def from_ms(milliseconds: int) -> datetime:
    """Return the moment, in UTC."""
    return _EPOCH + milliseconds * _MS
