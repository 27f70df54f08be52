"""The suite itself: what a test leaves open has its name, and children heed Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import asyncio, gc, signal, socket, sqlite3, subprocess, sys
import pytest

# It collects when it is told to.
gc.disable()
kept = []

def test_a_socket():
    kept.append(socket.socket())

def test_a_loop():
    kept.append(asyncio.new_event_loop())

def test_a_database():
    kept.append(sqlite3.connect(""))

def test_a_process():
    kept.append(subprocess.Popen([sys.executable, "-c", ""]))

def test_a_cycle():
    cycle = [socket.socket()]
    cycle.append(cycle)

def test_what_is_closed():
    socket.socket().close()
    sqlite3.connect("").close()
    asyncio.run(asyncio.sleep(0))

def test_another():
    while kept:
        kept.pop()
    gc.collect()

def test_another_cycle():
    cycle = [socket.socket()]
    cycle.append(cycle)

def test_a_child_heeds_ctrl_c():
    code = "import signal; print(signal.getsignal(signal.SIGINT).__name__)"
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told == "default_int_handler\\n"
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run a suite with what all tests share, from a shell that ignores Ctrl-C."""
    directory = tmp_path_factory.mktemp("suite")
    (directory / "test_it.py").write_text(SUITE)
    command = [
        *(sys.executable, "-m", "pytest", "-n", "1", "-q", "-rA", "-W", "error"),
        *("-p", "tests.conftest", "-p", "no:randomly", "-p", "no:cacheprovider", str(directory)),
    ]
    ended = subprocess.run(
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.stdout


@pytest.mark.parametrize(
    "test", ["a_socket", "a_loop", "a_database", "a_process", "a_cycle", "another_cycle"]
)
def test_what_a_test_leaves_open_is_told_with_its_name(told: str, test: str) -> None:
    assert f"Left open by test_it.py::test_{test}: Exception ignored in" in told


def test_what_is_closed_is_not_told(told: str) -> None:
    assert "Left open by test_it.py::test_what_is_closed" not in told
    assert "1 failed, 8 passed, 1 error in" in told


def test_children_heed_ctrl_c_where_the_shell_ignores_it(told: str) -> None:
    assert "PASSED test_it.py::test_a_child_heeds_ctrl_c\n" in told
