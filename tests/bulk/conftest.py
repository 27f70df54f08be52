from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from charimg.testing import Simulator, serve

from .stage import SHOTS, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A simulator over HTTP whose 360° set has few shots, and an empty directory."""
    with serve(Simulator()) as server:
        server.simulator.switches.change({"shots": SHOTS})
        yield Stage(root=tmp_path / "data", server=server)
