"""The suite itself: what a test leaves open is told with its name, and Ctrl-C reaches children."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = """
import asyncio, gc, socket, subprocess, sys, threading
import pytest

kept = []

def test_a_socket():
    kept.append(socket.socket())

def test_a_loop():
    kept.append(asyncio.new_event_loop())

def test_a_thread():
    kept.append(threading.Event())
    threading.Thread(target=kept[-1].wait).start()

def test_a_process():
    kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))

def test_what_nobody_refers_to():
    cycle = [socket.socket()]
    cycle.append(cycle)

@pytest.fixture(scope="module")
def shared():
    with socket.socket() as made:
        yield made

def test_what_is_shared(shared):
    assert shared.fileno() > 0

def test_what_is_closed():
    socket.socket().close()
    asyncio.run(asyncio.sleep(0))

def test_another():
    kept[0] = None

def test_a_child_heeds_ctrl_c():
    code = "import signal; print(signal.getsignal(signal.SIGINT).__name__)"
    told = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert told == "default_int_handler\\n"

@pytest.fixture(scope="module", autouse=True)
def _end():
    yield
    _, loop, thread, process = kept
    loop.close()
    thread.set()
    process.communicate(b"")
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
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "999"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return ended.stdout


@pytest.mark.parametrize(
    ("test", "left"),
    [
        ("test_a_socket", "<socket.socket fd="),
        ("test_a_loop", "<_UnixSelectorEventLoop running=False closed=False"),
        ("test_a_thread", "<Thread(Thread-"),
        ("test_a_process", "<Popen: returncode: None"),
    ],
)
def test_what_a_test_leaves_open_is_told_of_it(told: str, test: str, left: str) -> None:
    assert f"ERROR test_it.py::{test} - Failed: The test leaves open: {left}" in told


def test_what_nobody_refers_to_is_found_in_the_test_that_made_it(told: str) -> None:
    assert "ERROR test_it.py::test_what_nobody_refers_to - pytest.PytestUnraisable" in told
    assert "Left open by test_it.py::test_what_nobody_refers_to: Exception ignored in" in told


def test_what_is_found_in_another_test_has_the_name_of_its_own(told: str) -> None:
    assert "Left open by test_it.py::test_a_socket: Exception ignored in" in told


@pytest.mark.parametrize("test", ["test_what_is_shared", "test_what_is_closed"])
def test_what_is_in_good_order_is_not_told(told: str, test: str) -> None:
    assert f"PASSED test_it.py::{test}\n" in told
    assert f"ERROR test_it.py::{test}" not in told


def test_children_heed_ctrl_c_where_the_shell_ignores_it(told: str) -> None:
    assert "PASSED test_it.py::test_a_child_heeds_ctrl_c\n" in told
