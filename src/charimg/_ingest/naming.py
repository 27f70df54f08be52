"""Names that charimg gives: operation ids, keys, file names, alternative texts.

A server names files as it likes, and names lie (contract page), so no byte of a file name comes
from one.
"""

from __future__ import annotations

import re
import secrets
import time

__all__ = ["TRIAL", "alt_text", "filename", "item_key", "new_operation_id", "operation_of"]

TRIAL = "-trial"
"""What follows the key of a file that is stored for a moment, to see what a store makes of it."""

_ALT_MAX = 200
_PHRASES = {
    "reference": ("Reference image", "of"),
    "portfolioItem": ("Portfolio image", "of"),
    "scene": ("Scene", "with"),
}


def new_operation_id() -> str:
    """Return a new id: 32 hex digits, sortable by time.

    The first 12 are the milliseconds since 1970, the next 5 the nanoseconds within, so that two
    operations of the same millisecond keep their order; the other 15 are random.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    return f"{milliseconds:012x}{nanoseconds:05x}{secrets.randbits(60):015x}"


def item_key(operation_id: str, index: int) -> str:
    """Return the key of an operation's image, counted from 0: record and media share it."""
    return f"{operation_id}-{index:03d}"


def operation_of(key: str) -> str:
    """Return the id of the operation that drew the image with this key."""
    return key.rpartition("-")[0]


def filename(kind: str, key: str, extension: str) -> str:
    """Return a safe file name such as ``portfolio-item-<key>.jpg``.

    Args:
        kind: An `ImageKind`, or a newer string.
        key: The image's key.
        extension: Without a dot, as the bytes say.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind)
    return f"{_safe(words) or 'image'}-{_safe(key)}.{_safe(extension)}"


def alt_text(character_name: str, kind: str, shot_name: str | None = None) -> str:
    """Return an alternative text such as ``Portfolio image of Mira: 50mm LEFT MCU``.

    Args:
        character_name: May be empty, when the host no longer knows the character.
        kind: An `ImageKind`, or a newer string.
        shot_name: The name of a portfolio image's shot.
    """
    noun, joint = _PHRASES.get(kind, ("Image", "of"))
    name, shot = _plain(character_name), _plain(shot_name or "")
    text = f"{noun} {joint} {name}" if name else noun
    return (f"{text}: {shot}" if shot else text)[:_ALT_MAX]


def _safe(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _plain(text: str) -> str:
    """Return the text on one line, without control characters."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())
