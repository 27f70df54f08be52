"""The demo's own directory, made anew by each demo; nobody else's files are touched."""

from __future__ import annotations

import shutil
from pathlib import Path

from .._assembly.embedded import DATABASE, MEDIA
from ..errors import ConfigurationError

__all__ = ["SHEET", "prepare"]

MARKER = ".charimg-demo"
SHEET = "contact-sheet.png"

_MARKER_TEXT = (
    "This directory belongs to `charimg demo`, which removes its own files and makes them anew.\n"
)


def prepare(directory: Path) -> Path:
    """Make the demo's directory, and remove what a former demo left in it.

    Only the demo's own files go. A directory that holds anything and is not a former demo's is left
    alone.

    Raises:
        ConfigurationError: It is no former demo directory, and not empty; or it cannot be made.
    """
    marker = directory / MARKER
    try:
        former = marker.is_file()
        if directory.is_symlink() or (
            directory.exists()
            and not former
            and (not directory.is_dir() or any(directory.iterdir()))
        ):
            raise ConfigurationError(
                f"{str(directory)!r} is not a former demo directory, so nothing in it was touched. "
                "Give an empty or new one with --directory."
            )
        directory.mkdir(parents=True, exist_ok=True)
        if former:
            shutil.rmtree(directory / MEDIA, ignore_errors=True)
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", SHEET):
                (directory / name).unlink(missing_ok=True)
        marker.write_text(_MARKER_TEXT, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The demo directory {str(directory)!r} cannot be made ({error.strerror}). Give "
            "another --directory."
        ) from error
    return directory
