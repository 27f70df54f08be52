"""What SQLite's errors mean and what to do about them, as errors of charimg."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import InvalidArgument, StorageError

__all__ = ["is_busy", "translated"]

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_ADVICE = {
    sqlite3.SQLITE_NOTADB: "Is it the right path? Move the file away, or give another path.",
    sqlite3.SQLITE_CORRUPT: "The file is damaged; restore it from a backup.",
    sqlite3.SQLITE_IOERR: "The disk is full or fails: look at its free space and into the system's "
    "log, then try again.",
    sqlite3.SQLITE_FULL: "Free some disk space and try again.",
    sqlite3.SQLITE_READONLY: "Give this process the right to write the file and its directory.",
    sqlite3.SQLITE_CANTOPEN: "Give this process the right to make files in the directory, or "
    "choose another path.",
}
_LOCKED = (
    "Another process or thread kept writing for longer than busy_timeout. Try again; if this "
    "repeats, raise busy_timeout, or look for a program that holds a transaction open."
)


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code; 0 for errors of the Python module itself."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_busy(error: sqlite3.Error) -> bool:
    """Tell whether somebody else holds the lock."""
    return _code(error) in _BUSY


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of ``sqlite3`` into ours.

    Raises:
        StorageError: SQLite failed.
        InvalidArgument: A text is not valid Unicode.
    """
    try:
        yield
    except sqlite3.Error as error:
        advice = _LOCKED if is_busy(error) else _ADVICE.get(_code(error), "")
        raise StorageError(f"SQLite database {path}: {error}. {advice}".rstrip()) from error
    except UnicodeEncodeError as error:
        # Not `from error`: it quotes the whole text, which may be anything.
        reason = error.reason
        raise InvalidArgument(f"A text for {path} is not valid Unicode: {reason}.") from None
