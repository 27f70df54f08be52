"""Which file a request for media means, and with which headers it is answered. No framework."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen

from ..errors import InvalidArgument, StorageConflict, StorageError
from ..stores._uploads import THUMBNAIL_TYPE, has_thumbnail
from ..stores.disk import DiskMediaStore
from ..stores.disk.files import file_size
from ..stores.disk.layout import THUMBNAIL

__all__ = ["Answer", "answer"]

_METHODS = ("GET", "HEAD")
_IMAGES = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"})
SAFE_HEADERS = (
    # A browser takes the bytes for what the header says, and nothing in them may run or load.
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; sandbox"),
)


@frozen(kw_only=True)
class Answer:
    """How a request is answered.

    Attributes:
        status: The HTTP status.
        headers: Every header, those that keep a browser safe among them.
        file: What to send as the body; ``None`` sends `text`.
        text: The body when there is no file.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    file: Path | None = None
    text: bytes = b""


def answer(store: DiskMediaStore, method: str, path: str, if_none_match: str | None) -> Answer:
    """Answer a request for one file of the store.

    Args:
        store: The files.
        method: The HTTP method.
        path: What follows the place where the store is mounted: ``/ab/KEY/NAME``.
        if_none_match: The request's header of that name.
    """
    if method not in _METHODS:
        return _text(405, "Only GET and HEAD.", ("Allow", ", ".join(_METHODS)))
    parts = path.removeprefix("/").split("/")
    if len(parts) != 3:
        return _text(404, "There is no such file.")
    shard, key, name = parts
    try:
        media = store.get(key)
    except (InvalidArgument, StorageConflict):
        media = None
    except StorageError:
        # It may well be there: a client must not take it for gone.
        return _text(503, "The file cannot be read now.")
    if media is None or not name:
        return _text(404, "There is no such file.")
    original = store.path(media)
    asked = original.with_name(name)
    is_thumbnail = has_thumbnail(media) and asked.name == THUMBNAIL
    if shard != original.parent.parent.name or not (asked == original or is_thumbnail):
        return _text(404, "There is no such file.")
    kind = THUMBNAIL_TYPE if is_thumbnail else media.mime_type
    tag = f'"{media.sha256}{"-t" if is_thumbnail else ""}"'
    headers = (
        ("ETag", tag),
        # The bytes under a key never change.
        ("Cache-Control", "private, max-age=31536000, immutable"),
        *SAFE_HEADERS,
    )
    if if_none_match is not None and _matches(if_none_match, tag):
        return Answer(status=304, headers=headers)
    shown = kind if kind in _IMAGES else "application/octet-stream"
    how = "inline" if kind in _IMAGES else "attachment"
    size = file_size(asked)
    if size is None:
        return _text(404, "There is no such file.")
    return Answer(
        status=200,
        headers=(
            ("Content-Type", shown),
            ("Content-Length", str(size)),
            ("Content-Disposition", f'{how}; filename="{name}"'),
            *headers,
        ),
        file=asked,
    )


def _matches(header: str, tag: str) -> bool:
    given = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in given or tag in given


def _text(status: int, message: str, *headers: tuple[str, str]) -> Answer:
    body = message.encode()
    return Answer(
        status=status,
        headers=(
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *headers,
            *SAFE_HEADERS,
        ),
        text=body,
    )
