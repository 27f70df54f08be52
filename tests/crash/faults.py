"""How an I/O call fails, instead of the process being killed."""

from __future__ import annotations

import errno
import os
import sqlite3

import httpcore

from .steps import Stop

__all__ = ["fault", "fault_points", "kinds_of"]

KINDS = {
    "EIO": (errno.EIO, sqlite3.SQLITE_IOERR, "disk I/O error"),
    "ENOSPC": (errno.ENOSPC, sqlite3.SQLITE_FULL, "database or disk is full"),
    "EACCES": (errno.EACCES, sqlite3.SQLITE_CANTOPEN, "unable to open database file"),
}
"""The error number of a file, and what SQLite makes of it."""


RESET = "connection reset"
TIMED_OUT = "time-out after it was done"


def kinds_of(moment: str) -> tuple[str, ...]:
    """Return the ways in which a call can fail at a moment.

    Before an HTTP exchange the connection is reset; after it, the answer never comes, though the
    server did what it was asked.
    """
    when, _, what = moment.partition(" ")
    if what.startswith("http"):
        return (RESET,) if when == "before" else (TIMED_OUT,)
    return tuple(KINDS)


def fault(kind: str | None) -> Stop | None:
    """Return what raises the error that a failing call would raise."""
    if kind is None:
        return None

    def stop(what: str, when: str) -> None:
        if kind == RESET:
            raise httpcore.WriteError("connection reset by peer")
        if kind == TIMED_OUT:
            raise httpcore.ReadTimeout("the answer never came")
        number, code, words = KINDS[kind]
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
