"""A request and its answer, as every framework's adapter hands them over. No framework, no I/O."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from attrs import field, frozen

__all__ = [
    "EVENT_STREAM",
    "PATH",
    "WebRequest",
    "WebResponse",
    "below",
    "bytes_response",
    "json_response",
]

EVENT_STREAM = "text/event-stream"
PATH = "/~!$&'()*+,;=:@"
"""What stands in a path as it is, besides letters, digits and ``-._``."""

_JSON = ("Content-Type", "application/json")
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_ALWAYS = (
    # Answers are one user's own, and change; a browser takes them for what they say they are.
    ("Cache-Control", "no-store"),
    _NOSNIFF,
)


@frozen(kw_only=True)
class WebRequest:
    """What an adapter tells of a request.

    Attributes:
        method: The HTTP method, upper case.
        path: What follows `base`, percent-decoded, e.g. ``/v1/characters/mara/images``.
        query: The parameters of the query, each with its last value.
        headers: By lower-case name.
        body: The whole body. An adapter has it read by the workspace, which does so when the
            request is admitted; it stops at ``max_body``, and hands over at most one byte more.
        base: Where the host mounted us: ``""`` or ``/studio``, any ``root_path`` or
            ``SCRIPT_NAME`` included.
        scheme: ``http`` or ``https``, as browsers see it: behind a proxy, as the host's server or
            framework makes it out from what the proxy forwards.
        root: What a proxy has put before every path of the host's: ``""`` or ``/team``. `base`
            begins with it.
        native: The framework's own request; ``authorize`` gets it.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict)
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    base: str = ""
    scheme: str = "http"
    root: str = ""
    native: Any = None

    def wants_events(self) -> bool:
        """Return whether the client asks for an event stream."""
        kinds = self.headers.get("accept", "").split(",")
        return any(kind.split(";")[0].strip().lower() == EVENT_STREAM for kind in kinds)


def below(root: str, url: str) -> str:
    """Return a URL that the host has set; a path that lacks the prefix of a proxy gets it.

    Args:
        root: See `WebRequest`.
        url: Such as ``/login`` or ``https://login.example``.
    """
    prefix = quote(root, safe=PATH)
    is_path = url.startswith("/") and not url.startswith(("//", "/\\"))
    has_it = url.startswith(prefix) and url[len(prefix) : len(prefix) + 1] in ("", "/", "?", "#")
    return prefix + url if is_path and not has_it else url


@frozen(kw_only=True)
class WebResponse:
    """What an adapter sends.

    Attributes:
        status: The HTTP status.
        headers: Every header but the length.
        body: The body, unless there is a `stream`.
        stream: Chunks that are sent as they come: an async iterator from the async workspace, a
            plain one from the sync workspace.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    stream: AsyncIterator[bytes] | Iterator[bytes] | None = None


def json_response(status: int, body: Any, *headers: tuple[str, str]) -> WebResponse:
    """Return an answer in JSON."""
    return WebResponse(
        status=status,
        headers=(_JSON, *_ALWAYS, *headers),
        # A lone surrogate half of a prompt is escaped, so every text survives.
        body=json.dumps(body, separators=(",", ":")).encode("ascii"),
    )


def bytes_response(status: int, body: bytes, tag: str | None) -> WebResponse:
    """Return an answer that is JSON already, or that nothing has changed (304).

    Args:
        status: The HTTP status.
        body: The JSON.
        tag: A strong ETag. With one, a browser may keep the answer, and asks each time, with the
            permission of whoever asks then.
    """
    if tag is None:
        return WebResponse(status=status, headers=(_JSON, *_ALWAYS), body=body)
    told = (("ETag", tag), ("Cache-Control", "private, no-cache"), _NOSNIFF)
    headers = told if status == 304 else (_JSON, *told)
    return WebResponse(status=status, headers=headers, body=body)
