"""A disk that is not waited for, where no plug is pulled."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

import pytest

__all__ = ["quick"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for the disk: no plug is pulled here."""

    class Connection(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> Any:
            off = sql.startswith("PRAGMA synchronous")
            return super().execute("PRAGMA synchronous = OFF" if off else sql, *args)

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **k: connect(*a, **{"factory": Connection, **k})
    )
    monkeypatch.setattr(os, "fsync", lambda _: None)
