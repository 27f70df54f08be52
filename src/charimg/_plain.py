"""Text that cannot steer a terminal or forge a line: what errors, the log and the command write.

A server's words, a character's name and a file's name may hold escape sequences, which a terminal
obeys, in the C1 range (U+0080 to U+009F) too, or the end of a line.
"""

from __future__ import annotations

import logging

__all__ = ["logger", "plain"]


def plain(text: str, *, keep: str = "") -> str:
    """Return the text with a space in the place of each character that cannot be seen.

    Args:
        text: Anybody's.
        keep: Characters that stay, such as the end of a line.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else " " for char in text)


_LINES = {"exc_text": "\n\t", "stack_info": "\n\t"}
"""What may have several lines."""


class _Plain(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in vars(record).copy().items():
            if isinstance(value, str):
                setattr(record, name, plain(value, keep=_LINES.get(name, "")))
        if record.exc_info:
            # Every formatter of the standard library takes it from here.
            told = logging.Formatter().formatException(record.exc_info)
            record.exc_text = plain(told, keep=_LINES["exc_text"])
        return True


def logger(name: str) -> logging.Logger:
    """Return a logger of charimg's, through which nothing goes that is not plain text."""
    result = logging.getLogger(name)
    if not any(isinstance(each, _Plain) for each in result.filters):
        result.addFilter(_Plain())
    return result
