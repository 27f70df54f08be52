"""Every exception that charimg raises, with one root.

::

    CharimgError
    ├── ConfigurationError            a setting is missing or makes no sense
    ├── PreconditionError             refused before anything was sent or deleted
    │   ├── InvalidArgument           a bad id, option or value (also a ValueError)
    │   │   └── InvalidPrompt         the prompt or scene context is empty or blank
    │   ├── CharacterNotFound         the directory has no such character
    │   ├── CharacterNotLinked        no valid 24-hex library_db_id
    │   ├── GenerationInProgress      another operation holds the character's lease
    │   ├── ImageNotFound             no such image (deleting twice ends here)
    │   └── ImageMismatch             another character's image, or of a wrong kind or status
    ├── CharacterLibraryError         the remote server failed or answered nonsense
    │   └── JobError                  a 360° job failed, was cancelled or is stranded
    ├── IngestionError                an image could not be brought in
    │   ├── DownloadError             the bytes did not arrive
    │   └── ImageRejected             the bytes arrived and are not an image that we accept
    └── StorageError                  a media store, repository, directory or ledger failed
        ├── MediaNotFound             no media under that key
        ├── MediaAltered              the stored bytes are not those that were saved
        ├── StorageConflict           the key is taken by something else
        ├── LeaseLost                 the lease expired or was taken over: stop writing
        └── SchemaError               the stored schema is newer than this charimg

A message says what failed, for which id, and what to do next. Prompts, query strings, keys and user
info never stand in one. Every error pickles.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ._plain import plain

__all__ = [
    "CharacterLibraryError",
    "CharacterNotFound",
    "CharacterNotLinked",
    "CharimgError",
    "ConfigurationError",
    "DownloadError",
    "ErrorCode",
    "GenerationInProgress",
    "ImageMismatch",
    "ImageNotFound",
    "ImageRejected",
    "IngestionError",
    "InvalidArgument",
    "InvalidPrompt",
    "JobError",
    "LeaseLost",
    "MediaAltered",
    "MediaNotFound",
    "PreconditionError",
    "SchemaError",
    "StorageConflict",
    "StorageError",
]


class ErrorCode(StrEnum):
    """Machine-readable reasons. The set is open: compare with ``==`` and expect new ones."""

    # The Character Library
    ALREADY_HAS_REFERENCE = "ALREADY_HAS_REFERENCE"
    NO_REFERENCE = "NO_REFERENCE"
    NOT_FOUND = "NOT_FOUND"
    PROMPT_REQUIRED = "PROMPT_REQUIRED"
    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHORIZED = "UNAUTHORIZED"
    RATE_LIMITED = "RATE_LIMITED"
    UPSTREAM_MODEL = "UPSTREAM_MODEL"
    UPSTREAM_STORAGE = "UPSTREAM_STORAGE"
    UPSTREAM_FEATURES = "UPSTREAM_FEATURES"
    SERVER_ERROR = "SERVER_ERROR"
    UNAVAILABLE = "UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    INVALID_RESPONSE = "INVALID_RESPONSE"
    JOB_FAILED = "JOB_FAILED"
    JOB_CANCELLED = "JOB_CANCELLED"
    JOB_STRANDED = "JOB_STRANDED"
    JOB_NOT_CANCELLABLE = "JOB_NOT_CANCELLABLE"
    TOO_MANY_IMAGES = "TOO_MANY_IMAGES"
    NOT_LINKED = "NOT_LINKED"
    NOT_MASTER = "NOT_MASTER"
    SUPERSEDED = "SUPERSEDED"
    RECOVERED = "RECOVERED"
    NO_MEDIA = "NO_MEDIA"
    UNFINISHED = "UNFINISHED"
    CREATED_BY_REFUSED = "CREATED_BY_REFUSED"
    # Ingestion
    NOT_DRAWN = "NOT_DRAWN"
    NO_SOURCE = "NO_SOURCE"
    UNPROVEN = "UNPROVEN"
    NOT_MARKED = "NOT_MARKED"
    URL_REFUSED = "URL_REFUSED"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    TOO_MANY_REDIRECTS = "TOO_MANY_REDIRECTS"
    BAD_STATUS = "BAD_STATUS"
    CONNECTION = "CONNECTION"
    TRUNCATED = "TRUNCATED"
    TOO_LARGE = "TOO_LARGE"
    NOT_AN_IMAGE = "NOT_AN_IMAGE"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"


def _rebuild(cls: type[CharimgError], args: tuple[object, ...], state: dict[str, Any]) -> Any:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class CharimgError(Exception):
    """Root of every error that charimg raises. Its text is one line that steers no terminal.

    Args:
        *args: The message.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(plain(each) if isinstance(each, str) else each for each in args))

    def __reduce__(self) -> tuple[Any, ...]:
        # BaseException would call __init__ with args alone and lose keyword-only attributes.
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


class ConfigurationError(CharimgError):
    """A setting is missing, malformed or contradicts another."""


class PreconditionError(CharimgError):
    """The operation was refused before anything was sent or deleted."""


class InvalidArgument(PreconditionError, ValueError):
    """An argument is malformed: an id, a limit, a cursor, a scene type."""


class InvalidPrompt(InvalidArgument):
    """The prompt (or the scene context) is empty or blank."""


class CharacterNotFound(PreconditionError):
    """The character directory knows no such character."""


class CharacterNotLinked(PreconditionError):
    """The character has no valid ``library_db_id``, so the Character Library cannot draw it."""


class GenerationInProgress(PreconditionError):
    """Another operation holds this character: it runs, or was broken off. This one was not begun.

    Attributes:
        holder: Who holds the lease, as the ledger names it.
        expires_in: Seconds until the lease ends on its own, when known.
    """

    def __init__(
        self, message: str, *, holder: str | None = None, expires_in: float | None = None
    ) -> None:
        super().__init__(message)
        self.holder = holder
        self.expires_in = expires_in


class ImageNotFound(PreconditionError):
    """No image with that id."""


class ImageMismatch(PreconditionError):
    """The image exists, but is another character's, or of a kind or status that does not fit."""


class CharacterLibraryError(CharimgError):
    """The Character Library refused, failed, was out of reach or answered nonsense.

    Attributes:
        code: One of `ErrorCode`, or a newer string.
        status_code: The HTTP status, or ``None`` when no answer came.
        request_id: The ``X-Request-Id`` that was sent with the request.
        retryable: Whether the same call may succeed later without any change. Never of a generation
            that may have been paid for, even if something failed only later: see
            ``outcome_unknown``.
        server_message: The server's own words, or ``None``.
        field: For ``INVALID_RESPONSE``, the path of the offending field, e.g. ``$.data.imageId``.
        outcome_unknown: The request may have taken effect on the server although no usable answer
            came (time-out, broken connection, unreadable body). Of a generation: what it asked for
            may be drawn, or still come; call ``recover`` before you generate anew.
        retry_after: Seconds that the server asked to wait before another try, when it did.
        recoverable: Whether what was asked for is written down, so that ``recover`` brings in what
            was drawn.
    """

    recoverable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status_code: int | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        server_message: str | None = None,
        field: str | None = None,
        outcome_unknown: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status_code = status_code
        self.request_id = request_id
        self.retryable = retryable
        self.server_message = server_message
        self.field = field
        self.outcome_unknown = outcome_unknown
        self.retry_after = retry_after

    @property
    def may_arrive(self) -> bool:
        """Whether what was asked for may be on the server, or come there still.

        That is what ``outcome_unknown`` means, but for a server that has answered that it, its
        model or its bucket failed: what was drawn before, if anything, is lost.
        """
        lost = (ErrorCode.UPSTREAM_MODEL, ErrorCode.UPSTREAM_STORAGE, ErrorCode.SERVER_ERROR)
        return self.recoverable or (self.outcome_unknown and self.code not in lost)


class JobError(CharacterLibraryError):
    """A 360° job failed, was cancelled, or no longer moves.

    Attributes:
        job_id: The job's id on the Character Library.
    """

    def __init__(self, message: str, *, job_id: str, **details: Any) -> None:
        super().__init__(message, **details)
        self.job_id = job_id


class IngestionError(CharimgError):
    """An image that the Character Library made could not be brought in.

    The image stays paid for. When a ``failed`` record of it was written, ``image_id`` names that
    record, and ``retry_ingestion`` repeats the download without a new generation.

    Attributes:
        code: One of `ErrorCode`, or a newer string.
        status_code: The HTTP status of the download, when there was one.
        image_id: The id of the ``failed`` record; its key where the repository keeps none without
            media. ``None`` when nothing was written down.
        retryable: Whether the same download may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status_code: int | None = None,
        image_id: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status_code = status_code
        self.image_id = image_id
        self.retryable = retryable


class DownloadError(IngestionError):
    """The bytes did not arrive whole."""


class ImageRejected(IngestionError):
    """The bytes arrived, but are not an image that charimg accepts."""


class StorageError(CharimgError):
    """A media store, metadata repository, directory or ledger failed.

    Attributes:
        recoverable: Whether an image was drawn, and paid for, that could not be brought in. It is
            written down: mend the store, then call ``recover``, before you generate anew.
    """

    recoverable: bool = False


class MediaNotFound(StorageError):
    """The media store has nothing under that key."""


class MediaAltered(StorageError):
    """The bytes under that key are not those that were saved."""


class StorageConflict(StorageError):
    """The key or id is already taken by something else."""


class LeaseLost(StorageError):
    """The lease on the character expired or was taken over; the caller must stop writing."""


class SchemaError(StorageError):
    """The stored schema was written by a newer charimg; upgrade before using it."""
