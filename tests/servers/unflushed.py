"""A disk that is not waited for, where no plug is pulled.

What a killed process has written is in the kernel's hands either way; only a power cut would tell.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..leftovers import CONNECT, NotedConnection

__all__ = ["CONNECT", "FSYNC", "QuickConnection", "unflushed"]

FSYNC = os.fsync
"""The one that waits."""


class QuickConnection(NotedConnection):
    """A connection that hands over to the kernel what it writes, and does not ask for more."""

    def execute(self, sql: str, *args: Any) -> Any:
        off = sql.startswith("PRAGMA synchronous")
        return super().execute("PRAGMA synchronous = OFF" if off else sql, *args)


@contextmanager
def unflushed() -> Iterator[None]:
    """Let nothing in this process wait for the disk."""

    def quick(*args: Any, **options: Any) -> sqlite3.Connection:
        return CONNECT(*args, **{"factory": QuickConnection, **options})

    connect, sqlite3.connect = sqlite3.connect, quick  # type: ignore[assignment]
    os.fsync = lambda _: None
    try:
        yield
    finally:
        sqlite3.connect, os.fsync = connect, FSYNC
