"""The other side of the processes that decode: starts them, hands images over, kills them in time.

They are shared by the whole of this process: a start costs about 0.1 s, the check of an image by a
process that runs already only the decoding.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import IO, cast

from .child import READY

__all__ = ["Unavailable", "Workers"]

_MOST = 4
_START_SECONDS = 60.0
"""A start takes 0.1 s; a machine in trouble takes longer."""

_BLOCK = 256 * 1024
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from charimg._decoding.child import main; main()"
)
_KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH", "SYSTEMROOT")
"""What the environment of the child keeps: where libraries are, and no secret."""


class Unavailable(Exception):
    """No process for decoding can be started here."""


class _Worker:
    """One process, used for one image at a time.

    Attributes:
        used: Whether it has decoded before.
        spent: Whether it was killed because it took too long.
    """

    def __init__(self) -> None:
        self.used = False
        self.spent = False
        self._process = _start()
        self.end = weakref.finalize(self, _end, self._process, os.getpid())
        with self._killed_after(_START_SECONDS):
            greeting = self._answer()
        if greeting != READY:
            self.end()
            raise Unavailable("The process for decoding did not start.")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def left(self) -> bool:
        """Whether it ended of itself, which it does when nothing comes for a while."""
        return self._process.wait() == 0

    def ask(self, head: bytes, file: IO[bytes], seconds: float) -> bytes:
        """Return the answer to an image; nothing if the process ended, or had to be ended."""
        with self._killed_after(seconds):
            # One that does not take the image whole may still say why.
            with suppress(OSError):
                self._write(head)
                while block := file.read(_BLOCK):
                    self._write(block)
            return self._answer()

    def _write(self, data: bytes) -> None:
        stdin = cast("IO[bytes]", self._process.stdin)
        view = memoryview(data)
        while view:
            view = view[stdin.write(view) :]

    def _answer(self) -> bytes:
        return cast("IO[bytes]", self._process.stdout).read(1)

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        def kill() -> None:
            self.spent = True
            self._process.kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()


class Workers:
    """At most a few processes for decoding, started when they are needed; for any thread."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._idle: list[_Worker] = []
        self._places = threading.BoundedSemaphore(min(_MOST, os.cpu_count() or 1))

    def ask(self, head: bytes, file: IO[bytes], seconds: float) -> bytes:
        """Hand an image over and return the answer.

        Args:
            head: What comes before the image.
            file: At its beginning; left anywhere.
            seconds: After which the process is killed.

        Returns:
            One byte; nothing if the process died of the image or was killed.

        Raises:
            Unavailable: No process can be started here.
        """
        if self._owner != os.getpid():
            # After a fork the processes, and any lock that was held, belong to the parent.
            self.__init__()  # type: ignore[misc]
        with self._places:
            while True:
                worker = self._take()
                try:
                    answer = worker.ask(head, file, seconds)
                except BaseException:
                    worker.end()
                    raise
                if answer and not worker.spent:
                    worker.used = True
                    self._idle.append(worker)
                    return answer
                # It may have left in the moment in which it was taken.
                again = worker.used and not worker.spent and worker.left
                worker.end()
                if not again:
                    return answer
                file.seek(0)

    def close(self) -> None:
        """End the processes that wait; idempotent, and `ask` starts new ones."""
        with suppress(IndexError):
            while True:
                self._idle.pop().end()

    def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.end()
        return _Worker()


def _start() -> subprocess.Popen[bytes]:
    # A program that holds Python inside, such as a frozen one or Maya, would start itself again.
    name = PurePath(sys.executable or "").name.lower()
    if getattr(sys, "frozen", False) or not name.startswith(("python", "pypy")):
        raise Unavailable(f"{name or 'This program'} is no Python interpreter to start.")
    try:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and our own program
            [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path)],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            # A Ctrl-C is for us to handle, not for the image that is being decoded.
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable("No process for decoding can be started.") from error


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """Kill a process and wait for its end; in a fork, only let go of it."""
    for pipe in (process.stdin, process.stdout):
        cast("IO[bytes]", pipe).close()
    if os.getpid() == owner:
        process.kill()
        process.wait()
    else:
        process.returncode = 0
