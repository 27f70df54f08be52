"""A disk that is not waited for, where no plug is pulled.

What a killed process has written is in the kernel's hands either way; only a power cut would tell.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["QuickConnection", "quick", "unflushed"]


class QuickConnection(sqlite3.Connection):
    """A connection that hands over to the kernel what it writes, and does not ask for more."""

    def execute(self, sql: str, *args: Any) -> Any:
        off = sql.startswith("PRAGMA synchronous")
        return super().execute("PRAGMA synchronous = OFF" if off else sql, *args)


@contextmanager
def unflushed() -> Iterator[None]:
    """Let nothing in this process wait for the disk."""
    connect = sqlite3.connect
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sqlite3, "connect", lambda *a, **k: connect(*a, **{"factory": QuickConnection, **k})
        )
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture
def quick() -> Iterator[None]:
    """Nothing waits for the disk."""
    with unflushed():
        yield
