"""The process that decodes: it is handed images, and answers each with a verdict and a thumbnail.

It holds nothing worth stealing and may do little: its memory and CPU time are limited anew for each
image, it writes no file, and it ends by itself when nothing comes or the other side is gone.
"""

from __future__ import annotations

import os
import queue
import socket
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from .drawing import decode
from .handover import FilePipe, Request, SocketPipe, requests
from .protocol import ANSWER, MOST_TEXT, READY, Answer

resource: Any
try:
    import resource
except ImportError:  # Windows: there only the time limit of the other side holds
    resource = None

__all__ = ["main", "serve"]

_IDLE_SECONDS = 30.0
_ROOM = 192 * 1024 * 1024
_PER_PIXEL = 24
"""Bytes: Pillow's 4, as many in a decoder's own canvas and in a copy, and 8 to 12 for the
coefficients of a progressive JPEG or the planes of an AVIF."""


def main() -> None:
    """Serve until the input ends."""
    number = sys.stdin.fileno()
    pipe: FilePipe | SocketPipe
    if stat.S_ISSOCK(os.fstat(number).st_mode):
        pipe = SocketPipe(socket.socket(fileno=os.dup(number)))
    else:
        # Unbuffered: a buffer that another thread still waits for would not let this one leave.
        pipe = FilePipe(os.fdopen(number, "rb", buffering=0, closefd=False))
    with closing(pipe):
        serve(pipe, sys.stdout.buffer, _IDLE_SECONDS)


def serve(
    pipe: FilePipe | SocketPipe,
    answers: IO[bytes],
    idle: float,
    leave: Callable[[int], object] = os._exit,
) -> None:
    """Answer requests until they end, or until none comes for so many seconds.

    Args:
        pipe: Where they come from.
        answers: Where the answers go.
        idle: Seconds.
        leave: Called by another thread when the requests end, which they do when the other side
            is no more: nobody waits for what is being decoded then.
    """
    from PIL import Image, PngImagePlugin

    Image.preinit()
    # The other side has its own limit, which comes with each image.
    Image.MAX_IMAGE_PIXELS = None
    # A workflow or a profile of more than Pillow's 1 MiB makes no bomb of an image.
    PngImagePlugin.MAX_TEXT_CHUNK = MOST_TEXT
    asked: queue.SimpleQueue[Request | None] = queue.SimpleQueue()

    def listen() -> None:
        try:
            for request in requests(pipe):
                asked.put(request)
        finally:
            leave(0)
            asked.put(None)

    threading.Thread(target=listen, daemon=True).start()
    base = _restrict()
    _tell(answers, READY)
    while True:
        try:
            request = asked.get(timeout=idle)
        except queue.Empty:
            return
        if request is None:
            return
        _tell(answers, _packed(_answered(request, base)))


def _answered(request: Request, base: int) -> Answer:
    task = request.task

    def limit(pixels: int) -> None:
        _limit(base, task.size * 3 + pixels * _PER_PIXEL, task.seconds)

    # Before the number of pixels is known, which a header alone tells.
    limit(0)
    with request.file as file:
        return decode(file, task, limit)


def _packed(answer: Answer) -> bytes:
    return ANSWER.pack(answer.verdict, len(answer.thumbnail)) + answer.thumbnail


def _tell(answers: IO[bytes], data: bytes) -> None:
    answers.write(data)
    answers.flush()


def _restrict() -> int:
    """Give up what decoding never needs; return the bytes of address space that are in use."""
    if resource is None:
        return 0
    for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(kind, (0, 0))
    try:
        pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    except OSError:
        # Without that count only a generous base can be taken, as on macOS.
        return 1024 * 1024 * 1024
    return pages * int(resource.getpagesize())


def _limit(base: int, more: int, seconds: int) -> None:
    """Limit what the next image may take; the limits of the one before end."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime)
        _soften(resource.RLIMIT_AS, base + _ROOM + more)
        _soften(resource.RLIMIT_CPU, spent + 1 + seconds)


def _soften(kind: int, wanted: int) -> None:
    hard = resource.getrlimit(kind)[1]
    try:
        resource.setrlimit(
            kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )
    except (ValueError, OSError):
        # macOS refuses some limits on the address space; the other limits hold.
        return
