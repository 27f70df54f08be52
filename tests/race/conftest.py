"""Fixtures: worlds to copy, and an eye on temporary files."""

from __future__ import annotations

from pathlib import Path

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
