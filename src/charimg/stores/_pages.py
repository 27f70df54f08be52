"""Keyset pages: the opaque cursor and the checked limit that every backend shares."""

from __future__ import annotations

import base64
import binascii
import json

from ..errors import InvalidArgument

__all__ = ["MAX_LIMIT", "check_limit", "decode_cursor", "encode_cursor"]

MAX_LIMIT = 1_000


def check_limit(limit: int) -> int:
    """Return the limit, or refuse one that would have to be cut silently.

    Raises:
        InvalidArgument: It is not a whole number from 1 to 1,000.
    """
    if type(limit) is not int or not 1 <= limit <= MAX_LIMIT:
        raise InvalidArgument(f"limit must be a whole number from 1 to {MAX_LIMIT}, not {limit!r}.")
    return limit


def encode_cursor(*parts: str | int) -> str:
    """Return the cursor that stands for the last row of a page."""
    text = json.dumps(parts, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *types: type) -> tuple[str | int, ...]:
    """Return the parts of a cursor.

    Raises:
        InvalidArgument: It is none of ours, or one of another listing.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, ValueError, AttributeError, TypeError) as error:
        raise _foreign() from error
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types):
        raise _foreign()
    return tuple(parts)


def _foreign() -> InvalidArgument:
    return InvalidArgument(
        "The cursor is none of this listing's. Pass next_cursor of the page before unchanged, or "
        "none for the first page."
    )
