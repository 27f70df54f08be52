"""Fixtures: worlds to copy, and an eye on temporary files."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from .worlds import Temporary, Worlds


@pytest.fixture
def worlds(tmp_path: Path) -> Worlds:
    return Worlds(tmp_path)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Temporary:
    where = tmp_path / "temporary"
    where.mkdir()
    return Temporary(where, monkeypatch)


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
