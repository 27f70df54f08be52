"""What was done, in one file of JSON Lines: a second run reads there what it need not do."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

from attrs import frozen

from .._json import from_json, to_json
from ..errors import ConfigurationError, InvalidArgument, StorageError
from ..models import utcnow
from .values import BulkResult, BulkWork

__all__ = ["Manifest"]

_VERSION = 1
_NOWHERE = "of no place that is told"
_holding = Lock()
_held: set[Path] = set()
"""What runs of this process have: its locks keep only other processes away, and closing the file a
second time would end them."""


@frozen(kw_only=True)
class _Head:
    charimg_bulk: int
    work: str
    begun_at: datetime
    scope: str | None = None


class Manifest:
    """The file, open and locked for one run.

    Its first line tells the work, where it is done and when it began; every other line is the
    result of a task, and of several for one task the last counts. A line that a crash has cut off
    is dropped.

    Args:
        path: The file; made if it is missing.
        work: What is done.
        scope: Where it is done.

    Raises:
        ConfigurationError: It cannot be opened, or another run has it.
        InvalidArgument: It is that of another work, or of the same one elsewhere.
        StorageError: It is damaged, or was written by something else.
    """

    def __init__(self, path: Path, work: BulkWork, scope: str | None = None) -> None:
        self._path = path
        with ExitStack() as owned:
            self._hold(owned)
            try:
                self._file = owned.enter_context(path.open("a+b", buffering=0))
            except OSError as error:
                raise ConfigurationError(
                    f"The manifest {str(path)!r} cannot be opened: {error.strerror}."
                ) from error
            self._lock()
            self._read(work, scope)
            self._owned = owned.pop_all()

    def _hold(self, owned: ExitStack) -> None:
        place = self._path.resolve()
        with _holding:
            if place in _held:
                raise self._taken()
            _held.add(place)
        owned.callback(_held.discard, place)

    def _taken(self) -> ConfigurationError:
        return ConfigurationError(
            f"Another run works with the manifest {str(self._path)!r}; wait for its end."
        )

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:
            # Not on Windows: there the leases of the characters alone keep two runs apart.
            return
        try:
            # Of this process alone: a worker that was forked and outlives it does not hold it.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise self._taken() from error

    def _read(self, work: BulkWork, scope: str | None) -> None:
        self._file.seek(0)
        whole, newline, _ = self._file.read().rpartition(b"\n")
        self._file.truncate(len(whole) + len(newline))
        lines = whole.split(b"\n") if newline else []
        self.results: dict[str, BulkResult] = {}
        if not lines:
            self.begun_at: datetime = utcnow()
            self._write(
                _Head(charimg_bulk=_VERSION, work=work, begun_at=self.begun_at, scope=scope)
            )
            return
        head = self._parse(_Head, lines[0], 1)
        if head.charimg_bulk != _VERSION:
            raise StorageError(f"A newer charimg wrote the manifest {str(self._path)!r}.")
        if head.work != work:
            raise InvalidArgument(
                f"The manifest {str(self._path)!r} is that of {head.work}, not of {work}; give "
                "another one."
            )
        if head.scope != scope:
            raise InvalidArgument(
                f"The manifest {str(self._path)!r} is that of {work}, {head.scope or _NOWHERE}, "
                f"not {scope or _NOWHERE}; give another one."
            )
        self.begun_at = head.begun_at
        for number, line in enumerate(lines[1:], start=2):
            result = self._parse(BulkResult, line, number)
            self.results[result.key] = result

    def _parse(self, expected: type[Any], line: bytes, number: int) -> Any:
        what = f"line {number} of the manifest {str(self._path)!r}"
        try:
            data = json.loads(line)
        except ValueError as error:
            raise StorageError(f"Cannot read {what}: it is not JSON.") from error
        return from_json(expected, data, what=what)

    def add(self, result: BulkResult) -> None:
        """Write a result down; it is on the disk when this returns.

        Raises:
            StorageError: The file takes nothing.
        """
        self._write(result)
        self.results[result.key] = result

    def _write(self, value: object) -> None:
        try:
            self._file.write(json.dumps(to_json(value)).encode() + b"\n")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StorageError(
                f"The manifest {str(self._path)!r} takes nothing: {error.strerror}."
            ) from error

    def close(self) -> None:
        """Close the file, which lets another run have it."""
        self._owned.close()
