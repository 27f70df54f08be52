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

import pytest


@pytest.mark.parametrize("number", range(40))
def test_hopes(number):
    begun = []
    threading.Thread(target=begun.append, args=(1,)).start()
    time.sleep(0.005)
    assert begun


@pytest.mark.parametrize("number", range(40))
def test_waits(number):
    begun = threading.Event()
    threading.Thread(target=begun.set).start()
    assert begun.wait(60)
"""


@pytest.mark.heavy
def test_who_hopes_fails_and_who_waits_passes(tmp_path: Path) -> None:
    sample = tmp_path / "test_sample.py"
    sample.write_text(SAMPLE, "utf-8")
    options = ["-q", "-p", "tests.delays", "-p", "no:cacheprovider", "-p", "no:randomly", "-rf"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--rootdir={tmp_path}", str(sample)],
        cwd=ROOT,
        env={**os.environ, "CHARIMG_DELAY": "0.1"},
        capture_output=True,
        text=True,
    )
    assert "test_hopes[" in done.stdout, done.stdout + done.stderr
    assert "test_waits[" not in done.stdout, done.stdout
