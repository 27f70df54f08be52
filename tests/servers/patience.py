"""A disk that is not waited for, where no plug is pulled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .unflushed import unflushed

__all__ = ["quick"]


@pytest.fixture
def quick() -> Iterator[None]:
    """Nothing waits for the disk: no plug is pulled here."""
    with unflushed():
        yield
