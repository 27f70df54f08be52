"""Stands in for what is not there yet, so that it can be tried without being made."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from .._assembly.settings import StoreSettings
from .._surely import surely
from ..errors import StorageError

__all__ = ["Scratch", "scratch"]

_LOCAL = ("sqlite", "file")
_PREFIX = ".charimg-probe-"


@frozen(kw_only=True)
class Scratch:
    """Where stores are tried.

    Attributes:
        settings: The places; what is not there yet has one in a directory beside it, and an empty
            directory one inside it.
        refused: Roles whose place cannot be made, with the reason.
        stand_ins: The directories that stand in, by what they stand for.
    """

    settings: StoreSettings
    refused: dict[str, StorageError]
    stand_ins: dict[Path, Path]

    def told(self, text: str) -> str:
        """Return a message as if the true place had been tried."""
        for true, stand_in in self.stand_ins.items():
            text = text.replace(str(stand_in), str(true))
        return text


@contextmanager
def scratch(settings: StoreSettings) -> Iterator[Scratch]:
    """Make a directory beside whatever is not there yet; it goes afterwards.

    Directories above that are missing are made, and removed again unless somebody used them
    meanwhile.
    """
    made: list[Path] = []
    stand_ins: dict[Path, Path] = {}
    refused: dict[str, StorageError] = {}
    places: dict[str, Any] = {}
    try:
        for role, place in settings.by_role.items():
            if place.backend not in _LOCAL:
                continue
            path = place.path.absolute()
            if path in stand_ins or _is_empty(path):
                parent, name = path, ""
            elif not os.path.lexists(path):
                parent, name = path.parent, path.name
            else:
                continue
            try:
                if parent not in stand_ins:
                    _make(parent, made)
                    stand_ins[parent] = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            except OSError as error:
                refused[role] = StorageError(
                    f"{place} cannot be made: {error.strerror}. Give another path, or let this "
                    "process write there."
                )
            else:
                places[role] = evolve(place, path=stand_ins[parent] / name)
        moved = evolve(settings, **places)
        yield Scratch(settings=moved, refused=refused, stand_ins=stand_ins)
    finally:
        surely(lambda: _clear(stand_ins.values(), made))


def _clear(stand_ins: Iterable[Path], made: Sequence[Path]) -> None:
    for directory in stand_ins:
        shutil.rmtree(directory, ignore_errors=True)
    for directory in reversed(made):
        with suppress(OSError):
            directory.rmdir()


def _is_empty(path: Path) -> bool:
    try:
        return not os.listdir(path)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return False


def _make(path: Path, made: list[Path]) -> None:
    """Make a directory and those above it; note each that was not there."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    except FileNotFoundError:
        _make(path.parent, made)
        path.mkdir()
    made.append(path)
