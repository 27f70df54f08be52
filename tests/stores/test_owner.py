"""Who holds a lease, and whether that process is dead."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from charimg import _owner
from charimg._owner import new_owner, owner_is_dead


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """Another process, which says who it is and lives until it is told to end."""
    program = "from charimg._owner import *; print(new_owner(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if "COV" not in name},
    )
    with process:
        yield process
        process.kill()


def _read(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _with(owner: str, **changes: str) -> str:
    names = ("machine", "pid", "start", "random")
    parts = dict(zip(names, owner.split(":"), strict=True))
    return ":".join({**parts, **changes}.values())


def test_a_name_says_which_process_and_is_used_once() -> None:
    first, second = new_owner(), new_owner()
    assert first.split(":")[1] == str(os.getpid())
    assert first.split(":")[:3] == second.split(":")[:3]
    assert first != second


def test_a_process_is_dead_once_it_has_ended(other: subprocess.Popen[str]) -> None:
    owner = _read(other)
    assert not owner_is_dead(owner)
    assert not owner_is_dead(new_owner())
    other.kill()
    # Not waited for yet: its pid is still taken.
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert owner_is_dead(owner), "ended, though its parent has not looked"
    other.wait()
    assert owner_is_dead(owner)


def test_a_process_is_not_dead_while_one_of_its_threads_works() -> None:
    """When a process is killed, its first thread may end before another has come out of a call."""
    program = (
        "import ctypes, threading; from charimg._owner import *; print(new_owner(), flush=True); "
        "threading.Thread(target=input).start(); ctypes.CDLL(None).pthread_exit(None)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if "COV" not in name},
    ) as process:
        owner = _read(process)
        stat = Path(f"/proc/{process.pid}/stat")
        while ") Z " not in stat.read_text():
            os.sched_yield()
        assert not owner_is_dead(owner)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert owner_is_dead(owner)


def test_a_pid_that_was_given_to_a_newer_process_is_told_apart() -> None:
    assert owner_is_dead(_with(new_owner(), start="1"))


@pytest.mark.parametrize(
    "changes",
    [
        {"machine": "elsewhere/boot/pids"},
        {"pid": "²"},
        {"pid": "-1"},
        {"pid": "9" * 40},
        {"start": "-"},
        {"random": "more:parts"},
    ],
)
def test_whoever_cannot_be_asked_is_not_called_dead(changes: dict[str, str]) -> None:
    dead = _with(new_owner(), start="1")
    assert owner_is_dead(dead)
    assert not owner_is_dead(_with(dead, **changes))


@pytest.mark.parametrize("owner", ["", "worker-7", "host:7"])
def test_a_name_of_another_kind_is_not_called_dead(owner: str) -> None:
    assert not owner_is_dead(owner)


def test_a_pid_means_nothing_in_another_container(monkeypatch: pytest.MonkeyPatch) -> None:
    """One host, one boot and one host name may hold several containers, each with its own pids."""
    real = Path.stat

    class Elsewhere:
        st_ino = 1

    def stat(self: Path, *, follow_symlinks: bool = True) -> object:
        if self == Path("/proc/self/ns/pid"):
            return Elsewhere
        return real(self, follow_symlinks=follow_symlinks)

    dead = _with(new_owner(), start="1")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", stat)
        assert not owner_is_dead(dead)
    assert owner_is_dead(dead)


def test_a_process_of_somebody_else_is_not_called_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert not owner_is_dead(_with(new_owner(), start="1"))


def test_without_proc_only_the_pid_tells(
    monkeypatch: pytest.MonkeyPatch, other: subprocess.Popen[str]
) -> None:
    _read(other)

    def missing(self: Path, *args: object, **options: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    owner = new_owner()
    assert owner.split(":")[2] == "-"
    assert not owner_is_dead(owner)
    child = _with(owner, pid=str(other.pid))
    assert not owner_is_dead(child)
    other.kill()
    other.wait()
    assert owner_is_dead(child)


def test_where_asking_would_interrupt_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(pid: int, signal: int) -> None:
        raise AssertionError("On Windows this is Ctrl+C.")

    monkeypatch.setattr(os, "kill", interrupt)
    monkeypatch.setattr(_owner, "_CAN_ASK", False)
    assert not owner_is_dead(_with(new_owner(), start="1"))
