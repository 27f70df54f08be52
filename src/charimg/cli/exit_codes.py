"""The one table of exit codes, and which error leads to which."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

from ..errors import (
    CharacterLibraryError,
    CharimgError,
    ConfigurationError,
    GenerationInProgress,
    IngestionError,
    InvalidArgument,
    PreconditionError,
    StorageError,
)

__all__ = ["MEANINGS", "ExitCode", "error_code", "exit_code_of"]


class ExitCode(IntEnum):
    """How the command ended."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    PRECONDITION = 3
    LIBRARY = 4
    INGESTION = 5
    STORAGE = 6
    PARTIAL = 7
    UNRESOLVED = 8
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.UNEXPECTED: "unexpected error, or the demo's result is wrong",
    ExitCode.USAGE: "bad option, value or configuration",
    ExitCode.PRECONDITION: "refused: not found, not linked, another character's image, ...",
    ExitCode.LIBRARY: "the Character Library failed or is out of reach",
    ExitCode.INGESTION: "an image was drawn but could not be brought in",
    ExitCode.STORAGE: "a store failed",
    ExitCode.PARTIAL: "done in part: some images failed",
    ExitCode.UNRESOLVED: "in progress, or not resolved yet",
    ExitCode.INTERRUPTED: "interrupted with Ctrl-C",
}

# The first class that fits decides, so subclasses stand before their parents.
_CODES: tuple[tuple[type[CharimgError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.USAGE),
    (InvalidArgument, ExitCode.USAGE),
    (GenerationInProgress, ExitCode.UNRESOLVED),
    (PreconditionError, ExitCode.PRECONDITION),
    (CharacterLibraryError, ExitCode.LIBRARY),
    (IngestionError, ExitCode.INGESTION),
    (StorageError, ExitCode.STORAGE),
)


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code that an error leads to."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.UNEXPECTED


def error_code(error: BaseException) -> str:
    """Return the error's ``code``; one without gets its class name as ``CLASS_NAME``."""
    code: Any = getattr(error, "code", None)
    if isinstance(error, CharimgError) and isinstance(code, str):
        return str(code)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()
