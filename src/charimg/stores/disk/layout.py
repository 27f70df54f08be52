"""Where everything lies, and which names are safe. Pure."""

from __future__ import annotations

import hashlib
import re
import secrets
from pathlib import Path

from ...errors import InvalidArgument
from ...models import Media

__all__ = ["SIDECAR", "THUMBNAIL", "Layout", "check_name"]

# Names from outside begin with a letter or digit, so these two can never be meant by one.
SIDECAR = "_media.json"
THUMBNAIL = "_thumbnail.webp"
_INCOMING = ".incoming"

# No separator, no leading dot (hence no ".."), and no trailing dot, which Windows drops.
_SAFE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?")
# Not in a safe name, so what follows it cannot be a part of the key.
_MARK = "~"


def check_name(value: object, what: str) -> str:
    """Return a key or file name that is safe as one part of a path.

    Raises:
        InvalidArgument: It could lead elsewhere, or is no name on some file system.
    """
    if isinstance(value, str) and _SAFE.fullmatch(value):
        return value
    raise InvalidArgument(
        f"{ascii(value)[:80]} cannot be a {what} of the disk store: use 1 to 128 letters, digits, "
        "dots, hyphens or underscores, a letter or digit first, and no dot last."
    )


class Layout:
    """The paths and URLs below one directory.

    Attributes:
        root: The store's directory, absolute.
        base_url: What the directory is served under.
        incoming: Where saves are prepared and removals finished.
    """

    def __init__(self, root: Path, base_url: str | None) -> None:
        self.root = root
        self.incoming: Path = root / _INCOMING
        self.base_url: str = (root.as_uri() if base_url is None else base_url).rstrip("/")

    def home(self, key: str) -> Path:
        """Return the media's directory.

        Raises:
            InvalidArgument: The key is not safe.
        """
        return self.root / self._place(key)

    def _place(self, key: str) -> str:
        name = check_name(key, "key")
        return f"{hashlib.sha256(name.encode()).hexdigest()[:2]}/{name}"

    def is_home(self, folder: str, name: str) -> bool:
        """Tell whether a name in a folder below `root` is the directory of a key."""
        try:
            return self._place(name) == f"{folder}/{name}"
        except InvalidArgument:
            return False

    def fresh(self, key: str) -> Path:
        """Return a new, unused path below ``.incoming``."""
        return self.incoming / f"{key}{_MARK}{secrets.token_hex(8)}"

    def left_by(self, key: str, name: str) -> bool:
        """Tell whether a name below ``.incoming`` belongs to the key."""
        return name.startswith(f"{key}{_MARK}")

    def url(self, media: Media, name: str) -> str:
        """Return the URL of one of the media's files.

        Raises:
            InvalidArgument: The media's key is not safe.
        """
        # Nothing in a safe name needs to be quoted.
        return f"{self.base_url}/{self._place(media.key)}/{name}"
