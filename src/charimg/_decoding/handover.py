"""How an image reaches the process: as a descriptor where the system hands one over, else as bytes.

A descriptor is opened anew, for reading alone: the process cannot write to the file, and has a
position of its own in it.
"""

from __future__ import annotations

import io
import os
import socket
import stat
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from attrs import evolve, field, frozen

from .protocol import Task

__all__ = ["HANDS", "FilePipe", "Request", "SocketPipe", "hand_over", "requests"]

HANDS = hasattr(socket, "send_fds")
"""Whether descriptors can be sent at all; not on Windows."""

_BLOCK = 256 * 1024


class FilePipe:
    """A pipe, which takes bytes.

    Args:
        file: Its end, unbuffered.

    Attributes:
        hands: Whether it takes descriptors.
    """

    hands = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def send(self, data: bytes, descriptor: int | None = None) -> None:  # noqa: ARG002 - of both
        """Send all of it."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        data = bytearray()
        while len(data) < size and (block := self._file.read(min(size - len(data), _BLOCK))):
            data += block
        return bytes(data)

    def taken(self) -> int:
        """Raise: no descriptor can come."""
        raise OSError("A pipe hands no descriptor over.")

    def close(self) -> None:
        """Close this end."""
        self._file.close()


class SocketPipe:
    """A local socket, which takes bytes and descriptors.

    Args:
        end: Its end.

    Attributes:
        hands: Whether it takes descriptors.
    """

    hands = True

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._came: list[int] = []

    def send(self, data: bytes, descriptor: int | None = None) -> None:
        """Send all of it, and a descriptor with its beginning."""
        if descriptor is not None:
            sent = socket.send_fds(self._end, [data], [descriptor])
            data = data[sent:]
        self._end.sendall(data)

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer at the end."""
        data = bytearray()
        while len(data) < size:
            block, came, _, _ = socket.recv_fds(self._end, min(size - len(data), _BLOCK), 1)
            self._came += came
            if not block:
                break
            data += block
        return bytes(data)

    def taken(self) -> int:
        """Return the descriptor that came with what was read last."""
        return self._came.pop()

    def close(self) -> None:
        """Close this end."""
        self._end.close()


@frozen(kw_only=True)
class Request:
    """An image that arrived.

    Attributes:
        task: What is to be done with it.
        file: Its bytes; whoever takes it closes it.
    """

    task: Task
    file: IO[bytes] = field(eq=False)


def hand_over(pipe: FilePipe | SocketPipe, task: Task, file: IO[bytes]) -> None:
    """Send an image. A process that does not take it whole may still say why, so that is no error.

    Args:
        pipe: Where the process listens.
        task: What it shall do.
        file: Its position moves if the bytes are sent.

    Raises:
        OSError: The file cannot be read.
    """
    descriptor = _descriptor(file, task.size) if pipe.hands else None
    handed = descriptor is not None
    try:
        pipe.send(evolve(task, handed=handed).packed(), descriptor)
    except OSError:
        return
    finally:
        if descriptor is not None:
            os.close(descriptor)
    if handed:
        return
    file.seek(0)
    while block := file.read(_BLOCK):
        try:
            pipe.send(block)
        except OSError:
            return


def _descriptor(file: IO[bytes], size: int) -> int | None:
    """Return a new descriptor of a file on disk that can only be read, if there is one to be had.

    A wrapper around a file may give other bytes than the file has, so only plain ones count.
    """
    if isinstance(file, SpooledTemporaryFile):
        if file.name is None:
            # In memory: to ask for a descriptor would write it to the disk.
            return None
    elif not isinstance(getattr(file, "raw", file), io.FileIO):
        return None
    try:
        file.flush()
        opened = os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        # macOS has no such directory, and some containers do not show it.
        return None
    found = os.fstat(opened)
    if stat.S_ISREG(found.st_mode) and found.st_size == size:
        return opened
    os.close(opened)
    return None


def requests(pipe: FilePipe | SocketPipe) -> Iterator[Request]:
    """Give the images that arrive, until the other side is gone."""
    while len(head := pipe.read(Task.SIZE)) == Task.SIZE:
        task = Task.unpacked(head)
        if task.handed:
            yield Request(task=task, file=os.fdopen(pipe.taken(), "rb"))
            continue
        data = pipe.read(task.size)
        if len(data) < task.size:
            return
        yield Request(task=task, file=io.BytesIO(data))
