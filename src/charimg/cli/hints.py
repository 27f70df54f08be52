"""What to do next after an error, in terms of the command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import (
    CharacterLibraryError,
    CharacterNotFound,
    CharacterNotLinked,
    ErrorCode,
    GenerationInProgress,
    ImageNotFound,
    IngestionError,
    StorageError,
)

__all__ = ["as_commands", "instead", "next_step"]

# The first class that fits decides.
_BY_CLASS: tuple[tuple[type[BaseException], str], ...] = (
    (
        CharacterNotFound,
        "`charimg characters list` shows the known ones, where they can be listed.",
    ),
    (
        CharacterNotLinked,
        "`charimg characters link --create CHARACTER`, or --find in its place, makes the link.",
    ),
    (ImageNotFound, "`charimg list CHARACTER` shows the images that are here."),
    (GenerationInProgress, "wait until it has ended; `charimg recover` finishes what crashed."),
)
_BY_CODE = {
    ErrorCode.UNAVAILABLE: "`charimg doctor` checks the connection.",
    ErrorCode.TIMEOUT: "`charimg doctor` checks the connection.",
    ErrorCode.NO_REFERENCE: "if `charimg list CHARACTER` shows no reference, `charimg generate "
    "reference CHARACTER` draws one.",
}

# What the SDK advises, as commands: the first that fits decides.
_COMMANDS = (
    ("recover() (`charimg recover`)", "`charimg recover`"),
    ("recover()", "`charimg recover`"),
    ("candidates()", "`charimg settle OPERATION`"),
    ("settle() with no image", "`charimg settle --nothing OPERATION`"),
    ("settle()", "`charimg settle --image MEDIA OPERATION`"),
    ("retry_ingestion()", "`charimg retry CHARACTER IMAGE`"),
    ("restore_reference() makes", "restoring it on the page of `charimg serve` makes"),
)

# And its settings, as those of the command.
_SETTINGS = (
    ("DownloadLimits.formats", "CHARIMG_FORMATS"),
    ("DownloadLimits.max_bytes", "CHARIMG_MAX_BYTES"),
    ("DownloadLimits.max_pixels", "CHARIMG_MAX_PIXELS"),
    ('DownloadLimits(foreign="clean")', "`--foreign clean`"),
    ('provenance="sign"', "`--provenance sign`"),
)


def as_commands(text: str, known: Mapping[str, str]) -> str:
    """Return a message of the SDK with commands in the place of methods.

    Args:
        text: The message.
        known: What stands for ``CHARACTER``, ``OPERATION`` and ``IMAGE`` in commands.
    """
    for method, command in (*_COMMANDS, *_SETTINGS):
        text = text.replace(method, command)
    return re.sub("`charimg [^`]*`", lambda found: _filled(found[0], known), text)


_PLACE = re.compile(r"\b(CHARACTER|OPERATION|IMAGE)\b")


def _filled(command: str, known: Mapping[str, str]) -> str:
    """Return a command with ids in the places of names; its options stand before those."""
    ids = [each for each in _PLACE.findall(command) if each in known]
    if any(known[each].startswith("-") for each in ids):
        # What begins like an option is none behind this.
        command = _PLACE.sub(r"-- \1", command, count=1)
    return _PLACE.sub(
        lambda name: shlex.quote(known[name[0]]) if name[0] in known else name[0], command
    )


_FINDS_OUT = "`charimg recover` finds out what became of it; nothing is paid for anew."
_INSTEAD = "_charimg_next_step"


@contextmanager
def instead(step: str) -> Iterator[None]:
    """Name the next step after an unknown outcome of what `recover` knows nothing of."""
    try:
        yield
    except CharacterLibraryError as error:
        setattr(error, _INSTEAD, step)
        raise


def next_step(error: BaseException) -> str | None:
    """Return what the user can do about an error, where the command has an answer."""
    for kind, step in _BY_CLASS:
        if isinstance(error, kind):
            return step
    if isinstance(error, IngestionError) and error.image_id is not None:
        again = (
            "`charimg retry CHARACTER IMAGE` downloads it again; nothing is drawn or paid for anew."
        )
        if error.code in (ErrorCode.ADDRESS_REFUSED, ErrorCode.URL_REFUSED):
            return f"if the host is your own, put its origin into CHARIMG_ALLOWED_ORIGINS; {again}"
        return again
    if isinstance(error, StorageError) and error.recoverable:
        return (
            "it was drawn and paid for. Mend the store, then `charimg recover` brings it in; do "
            "not generate it again before."
        )
    if isinstance(error, CharacterLibraryError):
        if error.may_arrive:
            return getattr(error, _INSTEAD, _FINDS_OUT)
        return next((step for code, step in _BY_CODE.items() if error.code == code), None)
    return None
