"""``make slow`` makes a test fail that hopes for a quick machine, and none that waits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .tools import ROOT

SAMPLE = """\
import threading
import time


def start(run):
    for _ in range(40):
        threading.Thread(target=run).start()


def test_hopes():
    begun = []
    start(lambda: begun.append(1))
    time.sleep(0.3)
    assert len(begun) == 40


def test_waits():
    begun = threading.Semaphore(0)
    start(begun.release)
    assert all(begun.acquire(timeout=60) for _ in range(40))
"""


@pytest.mark.heavy
def test_who_hopes_fails_and_who_waits_passes(tmp_path: Path) -> None:
    sample = tmp_path / "test_sample.py"
    sample.write_text(SAMPLE, "utf-8")
    options = ["-q", "-p", "tests.delays", "-p", "no:cacheprovider", "-p", "no:randomly", "-rf"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(sample)],
        cwd=ROOT,
        env={**os.environ, "CHARIMG_DELAY": "1"},
        capture_output=True,
        text=True,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "test_sample.py::test_hopes" in done.stdout
