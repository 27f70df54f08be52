"""What to do next after an error, in terms of the command."""

from __future__ import annotations

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

__all__ = ["next_step"]

# The first class that fits decides.
_BY_CLASS: tuple[tuple[type[BaseException], str], ...] = (
    (CharacterNotFound, "`charimg characters list` shows the characters that are here."),
    (
        CharacterNotLinked,
        "`charimg characters link CHARACTER`, with --create or --find, makes the link.",
    ),
    (ImageNotFound, "`charimg list CHARACTER` shows the images that are here."),
    (GenerationInProgress, "wait until it is done; what crashed is finished by `charimg recover`."),
)
_BY_CODE = {
    ErrorCode.UNAVAILABLE: "`charimg doctor` checks the connection.",
    ErrorCode.TIMEOUT: "`charimg doctor` checks the connection.",
    ErrorCode.NO_REFERENCE: "`charimg generate reference CHARACTER` draws one.",
}


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
            return "`charimg recover` finds out whether it was drawn; nothing is paid for anew."
        return next((step for code, step in _BY_CODE.items() if error.code == code), None)
    return None
