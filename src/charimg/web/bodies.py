"""What a request's body and query may hold. A wrong type is an error that names the field."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

from ..models import ReferencePolicy, SceneType
from .exchange import WebRequest
from .failures import BadRequest

__all__ = [
    "check_body",
    "choice",
    "image_ids",
    "integer",
    "optional_text",
    "read_body",
    "refuse_misspelt",
    "texts",
]

_MOST_IDS = 500


def read_body(
    read: Callable[[int], bytes], headers: Mapping[str, str], limit: int, *, ends: bool = False
) -> bytes:
    """Read a WSGI request's body, at most one byte more than the limit.

    Args:
        read: Reads at most so many bytes.
        headers: Of the request, by lower-case name.
        limit: Bytes that a body may have.
        ends: Whether the server tells where a body without a length ends.

    Raises:
        BadRequest: The body breaks off, or its length is no number (400) or not known (411). To
            take it for an empty one would draw something else than what was wanted.
    """
    if headers.get("content-type", "").lower().startswith("multipart/"):
        # Refused by its type; the host's framework may have read it already.
        return b""
    length = headers.get("content-length", "")
    if not length and not ends:
        if "transfer-encoding" in headers:
            raise BadRequest(411, "LENGTH_REQUIRED", "Send the body with its Content-Length.")
        return b""
    if length and not (length.isascii() and length.isdigit() and len(length) < 19):
        raise BadRequest(400, "BAD_LENGTH", "Content-Length must be a number.")
    body = b""
    while len(body) <= limit and (chunk := read(limit + 1 - len(body))):
        body += chunk
    if length and len(body) < min(int(length), limit + 1):
        raise BadRequest(400, "CUT_OFF", "The body ends before its Content-Length.")
    return body


def check_body(request: WebRequest, limit: int) -> dict[str, Any]:
    """Return the JSON object of a request's body; an empty body is an empty object.

    Raises:
        BadRequest: It is too large (413), not JSON by its type (415), not JSON (400), or no object
            (422).
    """
    if len(request.body) > limit:
        raise BadRequest(413, "TOO_LARGE", f"The body may have at most {limit:,} bytes.")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("", "application/json") or (kind == "" and request.body):
        raise BadRequest(415, "NOT_JSON", "Send JSON, with Content-Type: application/json.")
    if not request.body.strip():
        return {}
    try:
        body = json.loads(request.body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(400, "BAD_JSON", "The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise BadRequest(422, "INVALID_ARGUMENT", "The body must be a JSON object.")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def refuse_misspelt(body: Mapping[str, Any], names: Collection[str]) -> None:
    """Refuse a field that is nearly one of ours: what it asks for would else not be heeded.

    Others are left alone: a front end may send more than we take.

    Raises:
        BadRequest: There is one.
    """
    for given in body:
        if given in names:
            continue
        meant = get_close_matches(given, names, 1, 0.75)
        if meant:
            message = f"There is no field {given!a:.80}. Is {meant[0]} meant?"
            raise BadRequest(422, "INVALID_ARGUMENT", message)


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a text, or ``None`` when it is absent or null."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "a string", value)
    return value


def texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts; absent or null is an empty one."""
    value = body.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(name, "a list of strings", value)
    return tuple(value)


def image_ids(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of a bulk request, each once, in order.

    Raises:
        BadRequest: There are none, or too many for one request.
    """
    ids = tuple(dict.fromkeys(texts(body, "ids")))
    if not 1 <= len(ids) <= _MOST_IDS:
        raise BadRequest(
            422, "INVALID_ARGUMENT", f"ids must name 1 to {_MOST_IDS} images, not {len(ids)}."
        )
    return ids


def choice(
    body: Mapping[str, Any], name: str, known: type[ReferencePolicy | SceneType], default: str
) -> str:
    """Return one of the values of an enum."""
    value = optional_text(body, name)
    if value is None:
        return default
    if value not in list(known):
        raise BadRequest(422, "INVALID_ARGUMENT", f"{name} must be one of: {', '.join(known)}.")
    return value


def integer(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return a number of the query, from 1 to ``most``."""
    given = query.get(name)
    if given is None:
        return default
    # int() would also take signs, spaces, underscores and digits of other scripts.
    if not (given.isascii() and given.isdigit()) or len(given) > 9 or not 1 <= int(given) <= most:
        raise BadRequest(422, "INVALID_ARGUMENT", f"{name} must be a number from 1 to {most:,}.")
    return int(given)


def _wrong(name: str, wanted: str, value: object) -> BadRequest:
    found = "null" if value is None else type(value).__name__
    return BadRequest(422, "INVALID_ARGUMENT", f"{name} must be {wanted}, not {found}.")
