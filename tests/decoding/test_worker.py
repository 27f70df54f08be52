"""Processes for decoding: shared, limited, and gone when they should be."""

from __future__ import annotations

import gc
import io
import logging
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

import anyio
import pytest

from charimg import _decoding as decoding
from charimg import errors
from charimg._decoding import AsyncDecoder, Decoder, child, worker
from charimg._decoding.worker import Unavailable, Workers
from charimg._ingest.inspect import inspect
from charimg._ingest.sniff import JPEG, PNG
from charimg._ingest.values import Inspection

from ..ingest.samples import MANY, drawn, jpeg, png

pytest.importorskip("PIL")

ALL = ("png", "jpeg", "webp", "gif", "avif")
GREET = "sys.stdout.buffer.write(b'R'); sys.stdout.flush(); "


def head(data: bytes, name: bytes = b"PNG", width: int = 7, height: int = 5) -> bytes:
    return child.HEADER.pack(name.ljust(5), width, height, len(data), 20)


def ask(workers: Workers, data: bytes = png(7, 5), seconds: float = 300) -> bytes:
    return workers.ask(head(data), io.BytesIO(data), seconds)


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
    process: Any = used._process
    process.stdin.close()  # its input has ended, so it leaves; nobody has noticed yet
    process.wait()
    process.stdin = io.BytesIO()
    monkeypatch.setattr(worker._Worker, "alive", True)
    assert ask(workers) == b"+"
    assert used not in workers._idle


def test_one_that_an_image_kills_is_not_tried_again(workers: Workers, program: Any) -> None:
    program(GREET + "sys.stdin.buffer.read(1); os.kill(os.getpid(), 11)")
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

    def late(self: Any, *args: Any) -> bytes:
        answer = real(self, *args)
        self.spent = True
        return answer

    monkeypatch.setattr(worker._Worker, "ask", late)
    assert ask(workers) == b"+"
    assert workers._idle == []


def test_an_interrupt_ends_the_process(workers: Workers) -> None:
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    ask(workers)
    (pid,) = pids(workers)
    with pytest.raises(KeyboardInterrupt):
        workers.ask(head(b"x"), Interrupted(), 300)
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
    program(
        GREET + "sys.stdin.buffer.read(1); "
        "sys.stdout.buffer.write(b'+' if 'CHARIMG_KEY' not in os.environ else b'-')"
    )
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


LEAVING = """
import io, os, sys
from charimg._decoding import Decoder, _WORKERS
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
    pid = int(done.stdout)
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            assert select.select([handle], [], [], 300)[0], "it has ended"
        finally:
            os.close(handle)
    assert gone(pid) or zombie(pid)


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
        "child._decode = lambda *a: b'+' if bytearray(2**30) else b'-'; child.main()"
    )
    # It has 192 MiB and a little more for this image.
    assert ask(workers) == b""


def test_cpu_time_is_really_limited(workers: Workers, program: Any) -> None:
    program(
        "sys.path[:] = __import__('json').loads(sys.argv[1]); "
        "from charimg._decoding import child\n"
        "def spin(*args):\n    while True: pass\n"
        "child._decode = spin; child.main()"
    )
    data = png(7, 5)
    request = child.HEADER.pack(b"PNG  ", 7, 5, len(data), 1)
    assert workers.ask(request, io.BytesIO(data), 300) == b""


# The check


def refusal(data: bytes, inspection: Inspection | None = None) -> errors.ImageRejected:
    file = io.BytesIO(data)
    with pytest.raises(errors.ImageRejected) as caught:
        Decoder(required=True).check(file, inspection or inspect(file, max_pixels=MANY))
    assert file.tell() == 0
    assert caught.value.code == errors.ErrorCode.NOT_AN_IMAGE
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_whole_images_pass(kind: str) -> None:
    file = io.BytesIO(drawn(kind))
    file.seek(9)
    Decoder(required=True).check(file, inspect(file, max_pixels=MANY, formats=ALL))
    assert file.tell() == 0
    assert not file.closed


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_code_waits_in_a_thread(backend: str) -> None:
    async def check(data: bytes) -> None:
        file = io.BytesIO(data)
        await AsyncDecoder(required=True).check(file, inspect(file, max_pixels=MANY))

    anyio.run(check, png(7, 5), backend=backend)
    with pytest.raises(errors.ImageRejected):
        anyio.run(check, jpeg(), backend=backend)


def test_data_that_mean_nothing_are_refused() -> None:
    assert "cannot be decoded" in str(refusal(jpeg()))


def test_only_the_type_of_the_bytes_is_tried() -> None:
    refusal(png(7, 5), Inspection(type=JPEG, width=7, height=5))


def test_the_decoded_size_must_be_the_one_of_the_header() -> None:
    error = refusal(png(7, 5), Inspection(type=PNG, width=7, height=6))
    assert "size" in str(error)


@pytest.mark.parametrize(
    ("answer", "why"), [(b"m", "memory"), (b"", "took too long"), (b"?", "cannot be decoded")]
)
def test_each_answer_has_its_reason(
    answer: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding._WORKERS, "ask", lambda *args: answer)
    assert why in str(refusal(png(7, 5)))


def test_where_none_can_be_started_the_host_says_what_that_means(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decoding, "_WORKERS", Workers())
    monkeypatch.setattr(sys, "executable", "/usr/bin/nuke")
    file = io.BytesIO(png(7, 5))
    found = inspect(file, max_pixels=MANY)
    with caplog.at_level(logging.WARNING, "charimg"):
        Decoder(required=False).check(file, found)
    assert [each.message for each in caplog.records] == ["download.not_decoded"]
    with pytest.raises(errors.ConfigurationError, match="nuke"):
        Decoder(required=True).check(file, found)


def test_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(Decoder.chosen(None), Decoder)
    assert isinstance(AsyncDecoder.chosen(True), AsyncDecoder)
    assert Decoder.chosen(False) is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Decoder.chosen(None) is None
    assert Decoder.chosen(False) is None
    with pytest.raises(errors.ConfigurationError, match=r"charimg\[images\]"):
        Decoder.chosen(True)
