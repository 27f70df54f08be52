"""How an I/O call fails, instead of the process being killed."""

from __future__ import annotations

import errno
import os
import sqlite3

import httpcore

from .steps import Stop

__all__ = ["KINDS", "fault", "fault_points"]

KINDS = {
    "EIO": (errno.EIO, sqlite3.SQLITE_IOERR, "disk I/O error"),
    "ENOSPC": (errno.ENOSPC, sqlite3.SQLITE_FULL, "database or disk is full"),
    "EACCES": (errno.EACCES, sqlite3.SQLITE_CANTOPEN, "unable to open database file"),
}
"""The error number of a file, and what SQLite makes of it."""


def fault(kind: str | None) -> Stop | None:
    """Return what raises the error that a failing call would raise.

    Before an HTTP exchange the connection is reset; after it, the answer never comes, though the
    server did what it was asked.
    """
    if kind is None:
        return None
    number, code, words = KINDS[kind]

    def stop(what: str, when: str) -> None:
        if what.startswith("http"):
            if when == "before":
                raise httpcore.WriteError("connection reset by peer")
            raise httpcore.ReadTimeout("the answer never came")
        if what.startswith("sql"):
            error = sqlite3.OperationalError(words)
            error.sqlite_errorcode = code
            raise error
        raise OSError(number, os.strerror(number))

    return stop


def fault_points(trail: list[str]) -> list[int]:
    """Return the moments, from 1, at which a call can fail.

    Any call may fail before it has done anything. An exchange and a commit may also fail when they
    have: the answer, or the news, is lost.
    """
    return [
        number
        for number, moment in enumerate(trail, start=1)
        if moment.startswith(("before", "after http")) or moment == "after sql COMMIT"
    ]
