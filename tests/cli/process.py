"""The installed command as a process of its own: with pipes, and on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import urllib.request
from pathlib import Path
from typing import Any

from attrs import frozen

COMMAND = str(Path(sys.executable).with_name("charimg"))
"""The installed command; most tests run it in this process, some as what a user runs."""

SECONDS = 300
"""After which what has not come never will."""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def environment(**changes: str) -> dict[str, str]:
    """What a child process gets; the tests' own variables are left out by `_plain_environment`."""
    return {**os.environ, "TERM": "xterm-256color", **changes}


def fetch(url: str) -> Any:
    """Ask a server on this machine for JSON, without any proxy."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=SECONDS) as answer:
        return json.load(answer)


@frozen
class Finished:
    """How a child process ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; anything more or less is an error."""
        return json.loads(self.out)


_started: list[subprocess.Popen[str]] = []


def start(*args: str | Path, **variables: str) -> subprocess.Popen[str]:
    """Start the installed command with pipes; it ends with the test at the latest."""
    process = subprocess.Popen(
        [COMMAND, *map(str, args)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**variables),
    )
    _started.append(process)
    return process


def end_all() -> None:
    """End what a test has started and not finished, because it failed."""
    while _started:
        with _started.pop() as process:
            process.kill()


def hear(process: subprocess.Popen[str], text: str) -> str:
    """Read stderr to the end of the line that holds a text; return what was read."""
    assert process.stderr is not None
    heard = ""
    while text not in heard:
        line = process.stderr.readline()
        assert line, heard
        heard += line
    return heard


def finish(process: subprocess.Popen[str]) -> Finished:
    out, err = process.communicate(timeout=SECONDS)
    return Finished(process.returncode, out, err)


def on_terminal(
    *args: str | Path, columns: int = 80, keys: str = "", **variables: str
) -> tuple[int, str]:
    """Run the installed command on a terminal; return its exit code and all that was written."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(
        [COMMAND, *map(str, args)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(**variables),
    )
    os.close(theirs)
    os.write(ours, keys.encode())
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:
        # How a terminal says on Linux that nobody writes to it any more.
        pass
    finally:
        os.close(ours)
    return process.wait(SECONDS), written.decode().replace("\r\n", "\n")


def without_escapes(text: str) -> str:
    return _ESCAPES.sub("", text)
