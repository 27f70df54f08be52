"""The few file operations that the disk store is made of, each durable when it returns."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ...errors import StorageError
from .._advice import advice
from .._directories import PRIVATE

__all__ = [
    "CHUNK",
    "file_size",
    "mode_of",
    "move",
    "move_over",
    "names_in",
    "read_whole",
    "readable_errors",
    "refuse_link",
    "remove_directory",
    "write_in",
]

CHUNK = 256 * 1024


@contextmanager
def readable_errors(doing: str, key: str, path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError` that names the key and the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise StorageError(
            f"Cannot {doing} media {key!r} at {path}: {reason}. {advice(error)}"
        ) from error


def write_in(path: Path, chunks: Iterable[bytes], mode: int) -> None:
    """Write a new file, and flush it to the disk."""
    with path.open("xb") as target:
        path.chmod(mode)
        for chunk in chunks:
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())


def file_size(path: Path) -> int | None:
    """Return the size in bytes, or ``None`` when there is no such file; a link is none."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def read_whole(path: Path) -> bytes | None:
    """Return what a small file holds, or ``None`` when there is no such file; a link is none."""
    try:
        return None if path.is_symlink() else path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def refuse_link(path: Path) -> None:
    """Raise `OSError` for a symbolic link: it would lead out of the store's directory."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link, which the store does not follow")


def mode_of(path: Path) -> int:
    """Return who may enter a directory; its owner alone when it is not there yet."""
    try:
        return path.stat().st_mode & 0o777 | PRIVATE
    except FileNotFoundError:
        return PRIVATE


def names_in(path: Path) -> list[str]:
    """Return the names in a directory; none when it is not there."""
    try:
        return os.listdir(path)  # noqa: PTH208 - names alone are wanted
    except (FileNotFoundError, NotADirectoryError):
        return []


def move(source: Path, target: Path) -> bool:
    """Rename; return whether the source was there."""
    try:
        source.rename(target)
    except FileNotFoundError:
        return False
    return True


def move_over(source: Path, target: Path) -> bool:
    """Rename, over whatever file is there; return whether the source was there."""
    try:
        source.replace(target)
    except FileNotFoundError:
        return False
    return True


def remove_directory(path: Path) -> None:
    """Remove a directory of files, of a link the link alone.

    Someone else may be removing it at the same time.
    """
    if path.is_symlink():
        path.unlink(missing_ok=True)
        return
    for name in names_in(path):
        (path / name).unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        path.rmdir()
