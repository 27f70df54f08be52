"""The other side of the processes that decode: starts them, hands images over, kills them in time.

They are shared by the whole of this process: a start costs about 0.1 s, the check of an image by a
process that runs already only the decoding.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from typing import IO, cast

from .handover import HANDS, FilePipe, SocketPipe, hand_over
from .protocol import ANSWER, READY, Answer, Task

__all__ = ["Unavailable", "Workers", "ask"]

_MOST = 4
_START_SECONDS = 60.0
"""A start takes 0.1 s; a machine in trouble takes longer."""

_WALL_SECONDS = 60.0
"""A busy machine needs longer without using more CPU time."""

_PER_THUMBNAIL_PIXEL = 4
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
        self._process, self._pipe = _start()
        self.end = weakref.finalize(self, _end, self._process, self._pipe, os.getpid())
        with self._killed_after(_START_SECONDS):
            greeting = self._read(len(READY))
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

    def ask(self, task: Task, file: IO[bytes], seconds: float) -> Answer:
        """Return the answer to an image; an empty one if the process ended, or had to be ended."""
        with self._killed_after(seconds):
            hand_over(self._pipe, task, file)
            head = self._read(ANSWER.size)
            if len(head) < ANSWER.size:
                return Answer()
            verdict, size = ANSWER.unpack(head)
            if size > task.side**2 * _PER_THUMBNAIL_PIXEL:
                # No thumbnail of ours is so large, so the process is no longer ours.
                self.spent = True
                return Answer()
            thumbnail = self._read(size)
        return Answer(verdict, thumbnail) if len(thumbnail) == size else Answer()

    def _read(self, size: int) -> bytes:
        """Return so many bytes, or fewer when the process ends."""
        stdout = cast("IO[bytes]", self._process.stdout)
        data = b""
        while len(data) < size and (more := stdout.read(size - len(data))):
            data += more
        return data

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

    def ask(self, task: Task, file: IO[bytes], seconds: float) -> Answer:
        """Hand an image over and return the answer.

        Args:
            task: What is to be done with it.
            file: The image; left anywhere.
            seconds: After which the process is killed.

        Returns:
            The answer; an empty one if the process died of the image or was killed.

        Raises:
            Unavailable: No process can be started here.
            OSError: The file cannot be read.
        """
        if self._owner != os.getpid():
            # After a fork the processes, and any lock that was held, belong to the parent.
            self.__init__()  # type: ignore[misc]
        with self._places:
            while True:
                worker = self._take()
                try:
                    answer = worker.ask(task, file, seconds)
                except BaseException:
                    worker.end()
                    raise
                if answer.verdict and not worker.spent:
                    worker.used = True
                    self._idle.append(worker)
                    return answer
                # It may have left in the moment in which it was taken.
                again = worker.used and not worker.spent and worker.left
                worker.end()
                if not again:
                    return answer

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


_WORKERS = Workers()


def ask(task: Task, file: IO[bytes]) -> Answer:
    """Ask one of the processes that all of this process shares; see `Workers.ask`."""
    return _WORKERS.ask(task, file, _WALL_SECONDS)


def _start() -> tuple[subprocess.Popen[bytes], FilePipe | SocketPipe]:
    # A program that holds Python inside, such as a frozen one or Maya, would start itself again.
    name = PurePath(sys.executable or "").name.lower()
    if getattr(sys, "frozen", False) or not name.startswith(("python", "pypy")):
        raise Unavailable(f"{name or 'This program'} is no Python interpreter to start.")
    if not HANDS:
        process = _run(subprocess.PIPE)
        return process, FilePipe(cast("IO[bytes]", process.stdin))
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return _run(theirs.fileno()), SocketPipe(ours)
        except BaseException:
            ours.close()
            raise


def _run(stdin: int) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    try:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and our own program
            [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path)],
            bufsize=0,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Its second thread only listens, and shall not reserve memory that images may need.
            env={**environment, "MALLOC_ARENA_MAX": "1"},
            # A Ctrl-C is for us to handle, not for the image that is being decoded.
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable("No process for decoding can be started.") from error


def _end(process: subprocess.Popen[bytes], pipe: FilePipe | SocketPipe, owner: int) -> None:
    """Kill a process and wait for its end; in a fork, only let go of it."""
    pipe.close()
    cast("IO[bytes]", process.stdout).close()
    if os.getpid() == owner:
        process.kill()
        process.wait()
    else:
        process.returncode = 0
