"""What of somebody else's words may stand in a message or a log: no user info, no query string."""

from __future__ import annotations

import re

__all__ = ["masked"]

_GAP = "[…]"
# JSON may write a slash with a backslash, also in a text that is quoted once more.
_BEGIN = r"(\b[a-z][a-z0-9+.-]{0,20}:(?:\\*/){2})"
# To the last @ before the path; to the last one at all where what stands there is no port.
_USER = re.compile(
    _BEGIN + r"""(?:[^\s/\\?\#"'<>]*@|[^\s/\\@"'<>]*:(?!\d{0,5}[/\\?\#])[^\s"'<>]*@)""",
    re.IGNORECASE,
)
_NAMELESS = re.compile(r"""[^\s/\\@:"'<>(),;=]{1,200}:[^\s/\\@"'<>]{1,500}@(?=[\w\[])""")
_AFTER = re.compile(_BEGIN + r"""([^\s"'<>?\#]*)([?\#])[^\s"'<>]+""", re.IGNORECASE)
_PATH_QUERY = re.compile(r"""(?<=[^\s"'<>])\?[^\s"'<>?=&]{0,200}[=&][^\s"'<>]*""")
_SIGNED = re.compile(r"""(X-Amz-[\w-]+)=[^\s"'<>]+""", re.IGNORECASE)


def masked(text: str) -> str:
    """Return a text without the user info, queries and fragments of the URLs that it quotes."""
    if "@" in text:
        text = _NAMELESS.sub(f"{_GAP}@", _USER.sub(rf"\1{_GAP}@", text))
    text = _AFTER.sub(rf"\1\2\3{_GAP}", text)
    text = _PATH_QUERY.sub(f"?{_GAP}", text)
    return _SIGNED.sub(rf"\1={_GAP}", text)
