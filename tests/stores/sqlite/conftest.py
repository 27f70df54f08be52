"""Fixtures of the SQLite stores' tests: a file, values with every field set, other processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from charimg.journal import Operation
from charimg.models import CharacterImage
from charimg.stores.sqlite import SqliteDatabase

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "charimg.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[SqliteDatabase]:
    with SqliteDatabase(path, busy_timeout=600) as database:
        yield database


class Clock:
    """A wall clock that stands until it is moved."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_image() -> Callable[..., CharacterImage]:
    def make(key: str, **changes: Any) -> CharacterImage:
        fields = {"character_id": "mira", "kind": "reference", "status": "succeeded", **changes}
        return CharacterImage(key=key, **fields)

    return make


@pytest.fixture
def make_operation() -> Callable[..., Operation]:
    def make(operation_id: str, **changes: Any) -> Operation:
        fields = {"kind": "reference", "character_id": "mira", **changes}
        return Operation(id=operation_id, **fields)

    return make


@pytest.fixture
def start(path: Path) -> Iterator[Program]:
    """Start a Python program with the database's path in ``path``; end what is still running."""
    started: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}

    def start(program: str, *arguments: str) -> subprocess.Popen[str]:
        head = (
            "import os, sys\nfrom charimg.stores.sqlite import *\n"
            "path, *arguments = sys.argv[1:]\nsay = lambda *what: print(*what, flush=True)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", head + program, str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
