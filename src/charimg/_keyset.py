"""A set of keys that may be larger than what one wants to hold in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Self

__all__ = ["KeySet"]


class KeySet:
    """Remembers keys in a file of its own, which has no name and goes with it."""

    def __init__(self) -> None:
        # An empty name is a private database; what is more than the cache holds goes to the disk.
        self._database = sqlite3.connect("")
        self._database.execute("PRAGMA cache_size = -2048")
        self._database.execute("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, keys: Iterable[str]) -> None:
        """Take keys in."""
        rows = ((key,) for key in keys)
        self._database.executemany("INSERT OR IGNORE INTO keys VALUES (?)", rows)

    def __contains__(self, key: str) -> bool:
        return bool(self._database.execute("SELECT 1 FROM keys WHERE key = ?", (key,)).fetchone())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._database.close()
