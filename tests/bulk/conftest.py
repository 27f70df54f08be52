from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from charimg.testing import Simulator, serve

from .runs import Bulk
from .stage import SHOTS, Stage

HANGS = 1800.0
"""Seconds after which a test with its set-up and tear-down hangs."""


@contextmanager
def no_hang(config: pytest.Config, seconds: float) -> Iterator[None]:
    """End the process with what every thread is at, rather than wait for ever."""
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        # What is captured would be lost.
        stderr = os.dup(2)
    faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.close(stderr)


@pytest.fixture(autouse=True)
def _no_hang(pytestconfig: pytest.Config) -> Iterator[None]:
    with no_hang(pytestconfig, HANGS):
        yield


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A simulator over HTTP whose 360° set has few shots, and an empty directory."""
    with serve(Simulator()) as server:
        server.simulator.switches.change({"shots": SHOTS, "width": 48})
        yield Stage(root=tmp_path / "data", server=server)


@pytest.fixture
def bulk(stage: Stage, tmp_path: Path) -> Iterator[Bulk]:
    """Runs on two threads, with a manifest."""
    with ThreadPoolExecutor(2) as executor:
        yield Bulk(stage, executor, tmp_path / "run.jsonl")
