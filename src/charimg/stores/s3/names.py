"""What objects are called."""

from __future__ import annotations

import re

from ...errors import InvalidArgument

__all__ = ["SIDECAR", "Names", "check_prefix", "key_of"]

# Encoded names hold an underscore only before two upper-case digits, so these are never one.
SIDECAR = "_media.json"
THUMBNAIL = "_thumbnail.webp"
_VERSION = "_v-"
_DIGITS = 32
_OURS = re.compile(rf"_media\.json|_v-[0-9a-f]{{{_DIGITS}}}/[^/]+")

# A service takes 1,024 bytes for the whole path.
_LONGEST = 400
_PLAIN = re.compile(rb"[A-Za-z0-9.-]")
_PREFIX = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*")
_LONGEST_PREFIX = 150


def check_prefix(prefix: str) -> str:
    """Return the prefix without slashes around it.

    Raises:
        InvalidArgument: It holds anything but letters, digits, ``.``, ``_``, ``-`` and ``/``.
    """
    plain = prefix.strip("/")
    if plain and not (_PREFIX.fullmatch(plain) and len(plain) <= _LONGEST_PREFIX):
        raise InvalidArgument(
            f"{ascii(prefix)[:80]} cannot be a prefix: use at most {_LONGEST_PREFIX} letters, "
            "digits, dots, hyphens and underscores, and slashes between them."
        )
    return plain


def encode(value: object, what: str) -> str:
    """Return a name as one part of an object's path; different names stay different.

    Letters, digits, hyphens and inner dots stay; any other byte is ``_`` and two hex digits. No
    service, proxy or signature then sees a character that it might treat in its own way.

    Raises:
        InvalidArgument: It is empty, too long, or no text.
    """
    try:
        data = value.encode() if isinstance(value, str) else b""
    except UnicodeEncodeError:
        data = b""
    text = "".join(
        chr(byte)
        if _PLAIN.match(bytes([byte])) and (byte != ord(".") or at > 0)
        else f"_{byte:02X}"
        for at, byte in enumerate(data)
    )
    if 0 < len(text) <= _LONGEST:
        return text
    raise InvalidArgument(
        f"{ascii(value)[:80]} cannot be a {what} of the S3 store: use 1 to {_LONGEST} letters, "
        "digits, dots or hyphens; any other byte counts for three."
    )


class Names:
    """The objects of one key.

    Args:
        prefix: As from `check_prefix`.
        key: Any text.

    Raises:
        InvalidArgument: The key cannot be one.
    """

    def __init__(self, prefix: str, key: str) -> None:
        name = encode(key, "key")
        self.key = key
        self.home: str = f"{prefix}/{name}" if prefix else name
        self.sidecar: str = f"{self.home}/{SIDECAR}"

    def file(self, sha256: str | None, filename: str) -> str:
        """Return where the bytes are.

        Raises:
            InvalidArgument: The hash or the file name cannot be one of this store's.
        """
        return f"{self._version(sha256)}/{encode(filename, 'file name')}"

    def thumbnail(self, sha256: str | None) -> str:
        """Return where the thumbnail is.

        Raises:
            InvalidArgument: The hash cannot be one.
        """
        return f"{self._version(sha256)}/{THUMBNAIL}"

    def ours(self, path: str) -> bool:
        """Tell whether an object below `home` is one of this key, not of a store further down."""
        return _OURS.fullmatch(path.removeprefix(f"{self.home}/")) is not None

    def _version(self, sha256: str | None) -> str:
        if sha256 is None or not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise InvalidArgument(
                f"Media {self.key!r} has no SHA-256 in lower-case hex digits, so it is none of the "
                "S3 store."
            )
        return f"{self.home}/{_VERSION}{sha256[:_DIGITS]}"


_BYTE = re.compile(rb"_([0-9A-F]{2})")


def key_of(prefix: str, path: str) -> str | None:
    """Return the key that an object below the prefix belongs to; ``None`` if it is no store's."""
    home, _, rest = path.removeprefix(f"{prefix}/" if prefix else "").partition("/")
    if not _OURS.fullmatch(rest):
        return None
    data = _BYTE.sub(lambda found: bytes.fromhex(found[1].decode()), home.encode())
    key = data.decode(errors="replace")
    return key if encode(key, "key") == home else None
