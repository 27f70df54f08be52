"""Processes for decoding: shared, limited, and gone when they should be."""

from __future__ import annotations

import gc
import io
import os
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from charimg._decoding import worker
from charimg._decoding.protocol import ANSWER, Answer, Task
from charimg._decoding.worker import Unavailable, Workers

from ..ingest.samples import png

pytest.importorskip("PIL")

ALL = ("png", "jpeg", "webp", "gif", "avif")
GREET = "sys.stdout.buffer.write(b'R'); sys.stdout.flush(); "
TAKE = "sys.stdin.buffer.raw.read(1); "
"""Wait for a request. The first bytes of a pipe or socket tell."""


def task(data: bytes, **changes: Any) -> Task:
    given = {"name": "PNG", "width": 7, "height": 5, "max_pixels": 35, "seconds": 20, **changes}
    return Task(size=len(data), **given)


def ask(workers: Workers, data: bytes = png(7, 5), seconds: float = 300, **changes: Any) -> bytes:
    return workers.ask(task(data, **changes), io.BytesIO(data), seconds).verdict


def told(verdict: bytes, thumbnail: bytes = b"", size: int | None = None) -> str:
    """Return a statement that answers."""
    size = len(thumbnail) if size is None else size
    data = ANSWER.pack(verdict, size) + thumbnail
    return f"sys.stdout.buffer.write({data!r}); sys.stdout.flush(); "


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers()
    yield made
    made.close()


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put another program in the place of the one that decodes."""

    def replace(text: str) -> None:
        monkeypatch.setattr(worker, "_PROGRAM", "import os, sys, time; " + text)

    return replace


def gone(pid: int) -> bool:
    """Whether a child of this process is no more, not even as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def pids(workers: Workers) -> list[int]:
    return [each._process.pid for each in workers._idle]


# Processes


def test_a_process_is_used_again(workers: Workers) -> None:
    assert ask(workers) == b"+"
    first = pids(workers)
    assert len(first) == 1
    assert ask(workers) == b"+"
    assert ask(workers, b"no image") == b"-"
    assert pids(workers) == first


def test_close_ends_them_and_is_no_end(workers: Workers) -> None:
    ask(workers)
    (pid,) = pids(workers)
    workers.close()
    workers.close()
    assert gone(pid)
    assert ask(workers) == b"+"


def test_forgotten_processes_end(workers: Workers) -> None:
    other = Workers()
    ask(other)
    (pid,) = pids(other)
    del other
    gc.collect()
    assert gone(pid)


def test_many_threads_share_few_processes(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(workers), range(40)))
    assert answers == [b"+"] * 40
    assert 1 <= len(pids(workers)) <= min(4, os.cpu_count() or 1)


def test_one_that_left_is_replaced(workers: Workers) -> None:
    ask(workers)
    (pid,) = pids(workers)
    os.kill(pid, signal.SIGKILL)
    workers._idle[0]._process.wait()
    assert ask(workers) == b"+"
    assert pids(workers) != [pid]


def test_one_that_leaves_while_it_is_asked_is_replaced(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(workers)
    (used,) = workers._idle
    used._pipe.close()  # its input has ended, so it leaves; nobody has noticed yet
    used._process.wait()
    monkeypatch.setattr(worker._Worker, "alive", True)
    assert ask(workers) == b"+"
    assert used not in workers._idle


def test_one_that_an_image_kills_is_not_tried_again(workers: Workers, program: Any) -> None:
    program(GREET + TAKE + "os.kill(os.getpid(), 11)")
    assert ask(workers) == b""
    assert workers._idle == []


def test_one_that_takes_too_long_is_killed(workers: Workers, program: Any) -> None:
    program(GREET + "time.sleep(600)")
    assert ask(workers, seconds=0.05) == b""
    assert workers._idle == []


def test_one_that_takes_nothing_is_killed(workers: Workers, program: Any) -> None:
    program(GREET + "time.sleep(600)")
    assert ask(workers, bytes(1_000_000), seconds=0.05) == b""
    assert workers._idle == []


def test_one_whose_time_ran_out_with_its_answer_is_not_used_again(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = worker._Worker.ask

    def late(self: Any, *args: Any) -> Answer:
        answer = real(self, *args)
        self.spent = True
        return answer

    monkeypatch.setattr(worker._Worker, "ask", late)
    assert ask(workers) == b"+"
    assert workers._idle == []


def test_an_interrupt_ends_the_process(workers: Workers) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise KeyboardInterrupt

    ask(workers)
    (pid,) = pids(workers)
    with pytest.raises(KeyboardInterrupt):
        workers.ask(task(b"x"), Interrupted(), 300)
    assert gone(pid)
    assert ask(workers) == b"+"


@pytest.mark.parametrize("text", ["", "print('hello')", "time.sleep(600)"])
def test_one_that_does_not_greet_is_none(
    text: str, workers: Workers, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(text)
    monkeypatch.setattr(worker, "_START_SECONDS", 5.0 if "sleep" not in text else 0.05)
    with pytest.raises(Unavailable, match="did not start"):
        ask(workers)


@pytest.mark.parametrize("name", ["", "/opt/maya/bin/maya.bin", "/usr/bin/uwsgi"])
def test_a_program_that_holds_python_is_not_started_again(
    name: str, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", name)
    with pytest.raises(Unavailable, match="no Python interpreter"):
        ask(workers)


def test_a_frozen_program_is_not_started_again(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(Unavailable):
        ask(workers)


def test_a_system_that_starts_none_is_told(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Unavailable, match="started"):
        ask(workers)


def test_no_secret_of_the_environment_is_there(
    workers: Workers, program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_KEY", "secret")
    program(GREET + TAKE + "'CHARIMG_KEY' in os.environ and os._exit(1); " + told(b"+"))
    assert ask(workers) == b"+"


def test_a_fork_has_processes_of_its_own(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(workers)
    kept = list(workers._idle)
    (pid,) = pids(workers)
    me = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: me + 1)
    assert ask(workers) == b"+"
    assert pids(workers) != [pid]
    kept[0].end()
    assert kept[0]._process.returncode == 0, "let go of"
    monkeypatch.undo()
    assert not gone(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "answer",
    [
        told(b"+", bytes(16**2 * 4), size=16**2 * 4 + 1),
        told(b"+", b"cut off", size=8),
        "sys.stdout.buffer.write(b'+'); ",
    ],
)
def test_one_that_answers_as_none_of_ours_would_is_killed(
    answer: str, workers: Workers, program: Any
) -> None:
    program(GREET + TAKE + answer + "sys.stdout.close(); os.close(1); time.sleep(600)")
    assert ask(workers, side=16) == b""
    assert workers._idle == []


LEAVING = """
import io, os, sys
from charimg._decoding import Decoder
from charimg._decoding.worker import _WORKERS
from charimg._ingest.sniff import PNG
from charimg._ingest.values import Inspection
data = bytes.fromhex(sys.argv[1])
if __name__ == "__main__":
    Decoder(required=True).check(io.BytesIO(data), Inspection(type=PNG, width=7, height=5))
    print(_WORKERS._idle[0]._process.pid, flush=True)
    if sys.argv[2] == "kill":
        os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("how", ["leave", "kill"])
def test_none_outlives_its_parent(how: str, tmp_path: Any) -> None:
    script = tmp_path / "leaving.py"
    script.write_text(textwrap.dedent(LEAVING))
    done = subprocess.run(
        [sys.executable, "-W", "error", script, png(7, 5).hex(), how],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stderr == ""
    wait_for_end(int(done.stdout))


def wait_for_end(pid: int) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            assert select.select([handle], [], [], 60)[0], "it has ended"
        finally:
            os.close(handle)
    assert gone(pid) or zombie(pid)


BUSY = """
import io, os, sys, threading
from charimg._decoding import worker
from charimg._decoding.protocol import Task
worker._PROGRAM = sys.argv[1]
if __name__ == "__main__":
    workers = worker.Workers()
    first = worker._Worker()
    workers._idle.append(first)
    task = Task(name="PNG", width=9, height=9, max_pixels=81, size=1, seconds=60)
    threading.Thread(target=workers.ask, args=(task, io.BytesIO(b"x"), 300), daemon=True).start()
    sys.stdin.read(1)  # it says when it is busy
    print(first._process.pid, flush=True)
    os.kill(os.getpid(), 9)
"""
SPINS = {
    "in Python": "while True: pass",
    "in C": "import hashlib; hashlib.pbkdf2_hmac('sha256', b'x', b'y', 2**31 - 1)",
}


@pytest.mark.parametrize("spin", SPINS.values(), ids=SPINS)
def test_a_busy_one_does_not_outlive_its_parent_either(spin: str, tmp_path: Path) -> None:
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    started = tmp_path / "started"
    os.mkfifo(started)
    program = f"""
import json, sys; sys.path[:] = json.loads(sys.argv[1])
from charimg._decoding import child
def spin(*args):
    with open({str(started)!r}, "w") as told:
        pass
    {spin}
child.decode = spin
child._restrict = lambda: 0
child._limit = lambda *args: None
child.main()
"""
    parent = subprocess.Popen(
        [sys.executable, script, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    started.read_bytes()
    said, _ = parent.communicate(b"x", timeout=300)
    wait_for_end(int(said))


def zombie(pid: int) -> bool:
    """Whether only the entry is left, where nobody collects orphans (a container)."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
    except OSError:
        return True


# Limits, with the real decoder


def test_memory_is_really_limited(workers: Workers, program: Any) -> None:
    program(
        "sys.path[:] = __import__('json').loads(sys.argv[1]); "
        "from charimg._decoding import child; "
        "child.decode = lambda file, task, limit: bytearray(2**30) and None; child.main()"
    )
    # It has 192 MiB and a little more for this image.
    assert ask(workers) == b""


def test_cpu_time_is_really_limited(workers: Workers, program: Any) -> None:
    program(
        "sys.path[:] = __import__('json').loads(sys.argv[1]); "
        "from charimg._decoding import child\n"
        "def spin(*args):\n    while True: pass\n"
        "child.decode = spin; child.main()"
    )
    data = png(7, 5)
    assert workers.ask(task(data, seconds=1), io.BytesIO(data), 300) == Answer()
