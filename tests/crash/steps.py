"""Every step at which the world outside the process changes or is asked, as one numbered stream.

`stepping` puts a `Steps` before and after everything that reaches the outside: each HTTP exchange
(in httpcore, below every client), each call of the disk store that makes, moves, flushes or removes
a file, each SQLite statement. Sync code only; with one worker the order is always the same.

Ports and functions need no steps of their own: between two steps nothing outside changes, so a
process that is killed there leaves the same behind.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpcore
import pytest

from ..servers.unflushed import QuickConnection

__all__ = ["Stop", "Steps", "kill_points", "stepping"]

Stop: TypeAlias = Callable[[str, str], None]
"""What happens at the chosen step; told the step's name, and ``before`` or ``after``."""

CHANGES = ("mkdir", "rename", "fsync", "unlink", "rmdir")
READS = ("stat", "listdir")


class Steps:
    """Counts the moments before and after every step, and stops at the chosen one.

    Attributes:
        trail: Every moment that has passed: ``before COMMIT``, ``after POST /api/…``, …
    """

    def __init__(self, at: int | None = None, stop: Stop | None = None) -> None:
        self.at = at
        self.stop = stop
        self.trail: list[str] = []

    def moment(self, when: str, what: str) -> None:
        self.trail.append(f"{when} {what}")
        if len(self.trail) == self.at and self.stop is not None:
            self.stop(what, when)

    def run(self, what: str, call: Callable[[], Any]) -> Any:
        self.moment("before", what)
        result = call()
        self.moment("after", what)
        return result


def _verb(statement: str) -> str:
    words = statement.split()
    return " ".join(words[:3]) if words[0] == "PRAGMA" else words[0]


def _connection(steps: Steps) -> type[sqlite3.Connection]:
    class SteppedConnection(QuickConnection):
        is_writing = False

        def execute(self, sql: str, *args: Any) -> Any:
            if sql == "BEGIN IMMEDIATE":
                self.is_writing = True
            name = _verb(sql)
            if name == "COMMIT":
                name = "COMMIT" if self.is_writing else "COMMIT of a read"
                self.is_writing = False
            return steps.run(
                f"sql {name}", lambda: super(SteppedConnection, self).execute(sql, *args)
            )

        def executemany(self, sql: str, *args: Any) -> Any:
            return steps.run(
                f"sql {_verb(sql)}", lambda: super(SteppedConnection, self).executemany(sql, *args)
            )

    return SteppedConnection


@contextmanager
def stepping(steps: Steps, root: Path) -> Iterator[None]:
    """Put the steps around everything that this process does outside of itself.

    Args:
        steps: Told of everything.
        root: Only files below it are looked at.
    """

    def is_ours(path: Any) -> bool:
        return isinstance(path, int) or str(path).startswith(str(root))

    def patch_os(patch: pytest.MonkeyPatch, name: str) -> None:
        real = getattr(os, name)

        def call(path: Any, *args: Any, **options: Any) -> Any:
            if not is_ours(path):
                return real(path, *args, **options)
            return steps.run(name, lambda: real(path, *args, **options))

        patch.setattr(os, name, call)

    with pytest.MonkeyPatch.context() as patch:
        for name in (*CHANGES, *READS):
            patch_os(patch, name)
        real_open = Path.open

        def path_open(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            if not is_ours(self):
                return real_open(self, mode, *args, **options)
            what = "open to write" if mode[0] in "xw" else "open to read"
            return steps.run(what, lambda: real_open(self, mode, *args, **options))

        patch.setattr(Path, "open", path_open)
        real_request = httpcore.ConnectionPool.handle_request

        def handle_request(self: Any, request: Any) -> Any:
            name = request.url.target.decode().partition("?")[0].rpartition("/")[2]
            # A file's name tells the same as that it is one.
            name = "file" if "." in name else name
            what = f"http {request.method.decode()} {name}"
            return steps.run(what, lambda: real_request(self, request))

        patch.setattr(httpcore.ConnectionPool, "handle_request", handle_request)
        real_connect = sqlite3.connect
        factory = _connection(steps)

        def connect(*args: Any, **options: Any) -> Any:
            made: list[Any] = []

            def call() -> Any:
                made.append(real_connect(*args, factory=factory, **options))
                return made[0]

            try:
                return steps.run("sql connect", call)
            except BaseException:
                # Cut off before anybody had it: then only Python can let go of it.
                for each in made:
                    each.close()
                raise

        patch.setattr(sqlite3, "connect", connect)
        yield


_EFFECTS = ("http", "mkdir", "rename", "unlink", "rmdir", "open to write", "sql COMMIT")
"""After these the outside is another than before (``sql COMMIT of a read`` is no effect)."""


def kill_points(trail: list[str]) -> list[int]:
    """Return the moments, from 1, to be killed at: all that leave something different behind.

    That is the first one, the one after every effect, and the one before every flush, when the
    file's content has arrived. At the others a killed process leaves what it left one before.
    """
    points = [1]
    for number, moment in enumerate(trail, start=1):
        when, _, what = moment.partition(" ")
        effect = what.startswith(_EFFECTS) and what != "sql COMMIT of a read"
        if (when == "after" and effect) or moment in ("before fsync", "after sql connect"):
            points.append(number)
    return points
