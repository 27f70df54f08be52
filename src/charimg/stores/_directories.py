"""Directories that outlive a power cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

__all__ = ["PRIVATE", "make_directory", "sync_directory"]

PRIVATE = 0o700
"""For its owner alone: what is below is, too, whatever its own mode says."""

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


def make_directory(path: Path, mode: int = PRIVATE) -> bool:
    """Make a directory and those above it, unless they are there.

    Args:
        path: The directory.
        mode: Who may enter what is made, less the umask; by default its owner alone.

    Returns:
        Whether its name was flushed, for it was not there.
    """
    try:
        path.mkdir(mode)
    except FileExistsError:
        return False
    except FileNotFoundError:
        make_directory(path.parent, mode)
        path.mkdir(mode, exist_ok=True)
    sync_directory(path.parent)
    return True
