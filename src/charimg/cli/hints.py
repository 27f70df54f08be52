"""What to do next after an error, in terms of the command."""

from __future__ import annotations

from collections.abc import Iterator
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

__all__ = ["instead", "next_step"]

# The first class that fits decides.
_BY_CLASS: tuple[tuple[type[BaseException], str], ...] = (
    (
        CharacterNotFound,
        "`charimg characters list` shows the known ones, where they can be listed.",
    ),
    (
        CharacterNotLinked,
        "`charimg characters link CHARACTER`, with --create or --find, makes the link.",
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
            f"`charimg retry CHARACTER {error.image_id}` downloads it again; nothing is drawn or "
            "paid for anew."
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
