"""Programs that people would use instead: they live in an environment of their own.

What they do stands in ``others``; each runs in a process, and says itself how long it took.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .measure import Missing, demand

__all__ = ["OTHERS", "Peer", "asking", "program"]

OTHERS = Path(__file__).with_name("others")


def program(name: str) -> str:
    """Return the path of a program of the peers' environment, ``python`` for example.

    Raises:
        Missing: It is not there.
    """
    beside = Path(sys.prefix) / "peers" / "bin" / name
    found = str(beside) if beside.exists() else None
    if found is None and name != "python":
        found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} of the peers is not there; make peers installs it")
    return found


class Peer:
    """A process that does what it is told, a line of JSON each time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, what: Mapping[str, Any]) -> Any:
        """Tell it, and return what it says."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("the peer has no pipes")
        stdin.write(json.dumps(what) + "\n")
        stdin.flush()
        line = stdout.readline()
        demand(bool(line), "the peer has ended")
        return json.loads(line)


@contextmanager
def asking(script: str, first: Mapping[str, Any]) -> Iterator[Peer]:
    """Start a script of ``others`` and tell it the first thing.

    Raises:
        Missing: The peers are not installed.
    """
    with subprocess.Popen(
        [program("python"), str(OTHERS / script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            peer = Peer(process)
            peer.ask(first)
            yield peer
        finally:
            process.terminate()
