"""What each exception of the service is as an HTTP answer."""

from __future__ import annotations

import math
import secrets
from typing import Any

from .._plain import logger
from ..errors import (
    CharacterLibraryError,
    CharacterNotFound,
    CharacterNotLinked,
    CharimgError,
    ErrorCode,
    GenerationInProgress,
    ImageMismatch,
    ImageNotFound,
    IngestionError,
    InvalidArgument,
    InvalidPrompt,
    LeaseLost,
    StorageError,
)
from .access import AccessDenied
from .exchange import WebResponse, json_response

__all__ = ["BadRequest", "failure_body", "failure_response", "failure_status"]

_log = logger("charimg.web")


class BadRequest(Exception):
    """The request itself is not as the route wants it.

    Args:
        status: 400, 403, 404, 405, 413, 415 or 422.
        code: For machines.
        message: For people.
        headers: For example ``Allow``.
    """

    def __init__(self, status: int, code: str, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


_STATUS: tuple[tuple[type[CharimgError], int, str], ...] = (
    (CharacterNotFound, 404, "CHARACTER_NOT_FOUND"),
    (CharacterNotLinked, 400, ErrorCode.NOT_LINKED),
    (InvalidPrompt, 400, ErrorCode.PROMPT_REQUIRED),
    (InvalidArgument, 422, "INVALID_ARGUMENT"),
    (GenerationInProgress, 409, "IN_PROGRESS"),
    (ImageNotFound, 404, "IMAGE_NOT_FOUND"),
    (ImageMismatch, 409, "IMAGE_MISMATCH"),
    (LeaseLost, 409, "LEASE_LOST"),
    (StorageError, 503, "STORAGE"),
)
"""The first that fits: subclasses stand before their bases."""

_OF_LIBRARY: dict[str, int] = {
    ErrorCode.NO_REFERENCE: 409,
    ErrorCode.ALREADY_HAS_REFERENCE: 409,
    ErrorCode.TIMEOUT: 504,
}
"""What a client can act upon; every other failure of the Character Library is a 502."""

_OF_SERVER = {
    "STORAGE": "A store of this server failed.",
    "INTERNAL": "Something went wrong on this server.",
}
"""What a client is told in place of the exception's own text."""
_REFERENCE = "_charimg_reference"


def failure_status(error: BaseException) -> tuple[int, str]:
    """Return status and code of an exception."""
    if isinstance(error, BadRequest):
        return error.status, error.code
    if not isinstance(error, Exception):
        # The server ends. The ledger has what was going on.
        return 503, "INTERRUPTED"
    if isinstance(error, AccessDenied):
        return error.status, "SIGN_IN" if error.status == 401 else "FORBIDDEN"
    if isinstance(error, CharacterLibraryError):
        return _OF_LIBRARY.get(error.code, 502), str(error.code)
    if isinstance(error, IngestionError):
        return 502, str(error.code)
    for cls, status, code in _STATUS:
        if isinstance(error, cls):
            return status, str(code)
    return 500, "INTERNAL"


def failure_body(error: BaseException, operation_id: str | None = None) -> dict[str, Any]:
    """Return the JSON object that tells of an exception.

    What a store says, and what nobody foresaw, is for whoever runs the server: its text may hold
    paths and addresses. It is logged, and the client gets the reference under which it is found.

    Args:
        error: What was raised.
        operation_id: The operation that it ended, when there was one.
    """
    status, code = failure_status(error)
    reference = _logged(error) if code in _OF_SERVER else None
    if code == "INTERRUPTED":
        message = "The server ended in the middle of it. What was drawn is brought in by recover()."
    elif reference is not None:
        message = f"{_OF_SERVER[code]} Its log tells more, under the reference {reference}."
    elif isinstance(error, GenerationInProgress) and error.expires_in is not None:
        # When its lease ends is not when the operation does.
        message = (
            "Another operation on this character is running, or was broken off. Try again when it "
            "has ended."
        )
    else:
        message = " ".join([str(error), *getattr(error, "__notes__", ())])
    body: dict[str, Any] = {"success": False, "error": message, "code": code, "status": status}
    if reference is not None:
        body["reference"] = reference
    if operation_id is not None:
        body["operationId"] = operation_id
    if isinstance(error, IngestionError) and error.image_id is not None:
        body["imageId"] = error.image_id
    if isinstance(error, CharacterLibraryError):
        body["outcomeUnknown"] = error.may_arrive
        body["requestId"] = error.request_id
    if isinstance(error, (StorageError, CharacterLibraryError)) or code == "INTERRUPTED":
        body["recoverable"] = getattr(error, "recoverable", True)
    seconds = _retry_after(error)
    if seconds is not None:
        body["retryAfter"] = seconds
    return body


def failure_response(error: BaseException, operation_id: str | None = None) -> WebResponse:
    """Return the answer to a request that ended in an exception."""
    body = failure_body(error, operation_id)
    headers: tuple[tuple[str, str], ...] = ()
    if isinstance(error, (BadRequest, AccessDenied)):
        headers = error.headers
    if "retryAfter" in body:
        headers = (*headers, ("Retry-After", str(body["retryAfter"])))
    return json_response(body["status"], body, *headers)


def _logged(error: BaseException) -> str:
    """Log an exception, once, and return its reference."""
    known: str | None = getattr(error, _REFERENCE, None)
    if known is None:
        known = secrets.token_hex(6)
        setattr(error, _REFERENCE, known)
        _log.error("web.failed", extra={"reference": known}, exc_info=error)
    return known


def _retry_after(error: BaseException) -> int | None:
    seconds: float | None = None
    if isinstance(error, GenerationInProgress):
        # It ends when its holder is done, mostly long before the lease does.
        seconds = 5
    elif isinstance(error, CharacterLibraryError):
        seconds = error.retry_after
    return None if seconds is None else max(1, math.ceil(seconds))
