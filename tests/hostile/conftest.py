"""Nothing here waits for the disk."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _nothing_waits_for_the_disk(quick: None) -> None: ...
