"""Directories that outlive a power cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["make_directory", "sync_directory"]

# Windows has no way to flush a directory; its renames are journaled.
_CAN_SYNC_DIRECTORIES = hasattr(os, "O_DIRECTORY")


def sync_directory(path: Path) -> None:
    """Flush a directory, so that names made or moved in it outlive a power cut."""
    if not _CAN_SYNC_DIRECTORIES:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot, and do it on their own.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory and those above it, unless they are there."""
    try:
        path.mkdir()
    except FileExistsError:
        return
    except FileNotFoundError:
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
    sync_directory(path.parent)
