"""From an answer or a broken exchange to a `CharacterLibraryError`."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from .._masks import masked
from .._plain import plain
from ..errors import CharacterLibraryError, ErrorCode, JobError
from .requests import CallKind, LibraryAnswer, LibraryRequest
from .retry import parse_retry_after

__all__ = ["failure", "redacted", "refusal", "server_text", "undecodable"]

_GATEWAY = frozenset({502, 503, 504, *range(520, 531)})
"""What proxies answer in the server's place; the request may have reached it nevertheless."""

_BY_STATUS: dict[int, ErrorCode] = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.UNAUTHORIZED,
    407: ErrorCode.UNAUTHORIZED,
    405: ErrorCode.BAD_REQUEST,
    408: ErrorCode.TIMEOUT,
    429: ErrorCode.RATE_LIMITED,
}

_BY_TEXT: tuple[tuple[str, ErrorCode], ...] = (
    ("already has a master reference", ErrorCode.ALREADY_HAS_REFERENCE),
    ("must have a master reference", ErrorCode.NO_REFERENCE),
    ("no reference image available", ErrorCode.NO_REFERENCE),
    ("prompt is required", ErrorCode.PROMPT_REQUIRED),
    ("cannot cancel job", ErrorCode.JOB_NOT_CANCELLABLE),
)
"""Stable fragments of the 400 texts on the contract page."""

_BY_TEXT_500: tuple[tuple[str, ErrorCode], ...] = (
    # The model first: its text may quote a prompt, and so hold any other fragment.
    ("image generation failed", ErrorCode.UPSTREAM_MODEL),
    # A scene's failure has the model's words alone.
    ("fal.ai", ErrorCode.UPSTREAM_MODEL),
    ("no images returned", ErrorCode.UPSTREAM_MODEL),
    ("fetch failed", ErrorCode.UPSTREAM_MODEL),
    ("failed to download image", ErrorCode.UPSTREAM_MODEL),
    ("failed to upload", ErrorCode.UPSTREAM_STORAGE),
    ("dino", ErrorCode.UPSTREAM_FEATURES),
)

_NOT_FOUND_TEXTS = frozenset({"not found", "the requested resource was not found"})
_NOT_FOUND_ERRORS = frozenset(
    {"failed to fetch character", "failed to update character", "failed to delete character"}
)
"""What the character routes say for an unknown id: they swallow the reason (recordings)."""

_HINTS: dict[str, str] = {
    ErrorCode.ALREADY_HAS_REFERENCE: "Delete the reference image first.",
    ErrorCode.NO_REFERENCE: (
        "It needs a master reference. One whose features the server could not read does not count: "
        "look at get_reference_image before you pay for another."
    ),
    ErrorCode.NOT_FOUND: "Check the id; a character is addressed by its 24-hex library_db_id.",
    ErrorCode.UNAUTHORIZED: "Check the headers that the client was given.",
    ErrorCode.RATE_LIMITED: "Try again later.",
    ErrorCode.UNAVAILABLE: "Try again later.",
    ErrorCode.TIMEOUT: "Try again later, or allow more time.",
    ErrorCode.UPSTREAM_MODEL: "By that the image model refused or failed.",
    ErrorCode.UPSTREAM_STORAGE: "By that the image was drawn, and could not be stored there.",
    ErrorCode.UPSTREAM_FEATURES: (
        "The image was drawn and may be kept there; recover() looks for it."
    ),
    ErrorCode.INVALID_RESPONSE: "Check that the base URL is that of the Character Library.",
    ErrorCode.JOB_NOT_CANCELLABLE: "The job has already ended.",
}

_NO_KEY = (
    "No key was sent: give the client the header that the server wants (headers=…; the command "
    "takes --header and CHARIMG_HEADERS)."
)
_NO_JOB = "The server does not know this job, or no longer."
_AGAIN = "Try again later."
_UNKNOWN = "It may have taken effect: look at the remote state before repeating it."
_PAID = "It may have been paid for; asking again may pay again."
_REFUSED = (
    ErrorCode.UPSTREAM_MODEL,
    ErrorCode.UPSTREAM_STORAGE,
    ErrorCode.UPSTREAM_FEATURES,
    ErrorCode.SERVER_ERROR,
)
"""The server answered, and yet it may have been paid for."""
_MODEL_STATUS = re.compile(r"fal\.ai api error: (\d{3})", re.IGNORECASE)
_SHOWN = 200
_KEPT = 2000
_READ = 20_000
_RUN = 16
"""Characters in a row that the server's words and a prompt share only if it is quoted."""
_GAP = "[…]"


def failure(
    request: LibraryRequest,
    code: str,
    problem: str,
    *,
    request_id: str,
    status: int | None = None,
    retryable: bool = False,
    may_have_happened: bool = False,
    server_message: str | None = None,
    field: str | None = None,
    retry_after: float | None = None,
) -> CharacterLibraryError:
    """Return the error for a request that failed.

    Args:
        request: What was asked.
        code: Why it failed.
        problem: The same in words; never with a prompt or a URL.
        request_id: The request's id.
        status: The HTTP status, if an answer came.
        retryable: Whether the same call may succeed later.
        may_have_happened: Whether the server may have acted without our seeing its answer. Counts
            only for requests that change something.
        server_message: The server's own words.
        field: The path of the offending field.
        retry_after: Seconds that the server asks to wait.
    """
    unknown = may_have_happened and not request.idempotent
    if unknown and request.kind == CallKind.GENERATION:
        retryable = False
    label = str(code) if status is None else f"{code}, HTTP {status}"
    sentences = [f"{request.action} failed ({label}): {problem}"]
    hint = _hint(request, code, unknown=unknown, retryable=retryable)
    if hint:
        sentences.append(hint)
    if unknown and code in _REFUSED:
        sentences.append(_PAID)
    message = f"{' '.join(sentences)} Request {request_id}."
    details: dict[str, Any] = {
        "code": code,
        "status_code": status,
        "request_id": request_id,
        "retryable": retryable,
        "server_message": server_message,
        "field": field,
        "outcome_unknown": unknown,
        "retry_after": retry_after,
    }
    of_job = (ErrorCode.NOT_FOUND, ErrorCode.JOB_NOT_CANCELLABLE)
    if request.job_id is not None and code in of_job:
        return JobError(message, job_id=request.job_id, **details)
    return CharacterLibraryError(message, **details)


def _hint(request: LibraryRequest, code: str, *, unknown: bool, retryable: bool) -> str | None:
    """Return what an error means, and what can be done about it."""
    if unknown and code not in _REFUSED:
        return _UNKNOWN
    if code == ErrorCode.UNAUTHORIZED and request.keyless:
        return _NO_KEY
    if code == ErrorCode.NOT_FOUND and request.job_id is not None:
        return _NO_JOB
    if code == ErrorCode.INVALID_RESPONSE and retryable:
        return _AGAIN
    return _HINTS.get(code)


def server_text(document: object) -> str | None:
    """Return the server's own words: ``error`` and ``details``, else ``message``, bounded.

    What its URLs hold of credentials is left out.
    """
    text = _said(document)
    return text if text is None else masked(text[:_READ])[:_KEPT] or None


def _said(document: object) -> str | None:
    if not isinstance(document, dict):
        return None
    texts = [document.get("error"), document.get("details")]
    found = [each.strip() for each in texts if isinstance(each, str) and each.strip()]
    if not found:
        nested = document.get("errors")  # Payload's own envelope
        first = nested[0] if isinstance(nested, list) and nested else None
        candidates = [
            document.get("message"),
            first.get("message") if isinstance(first, dict) else None,
        ]
        found = [each.strip() for each in candidates if isinstance(each, str) and each.strip()][:1]
    return ": ".join(found).encode("utf-8", "replace").decode() or None


def refusal(
    request: LibraryRequest, answer: LibraryAnswer, document: object, *, request_id: str
) -> CharacterLibraryError:
    """Return the error for an answer that says no: a status of 300 up, or ``success: false``.

    Args:
        request: What was asked.
        answer: What came.
        document: Its decoded JSON, or ``None`` when it is none.
        request_id: The request's id.
    """
    status = answer.status
    said = server_text(document)
    # A gateway answers in HTML; the server itself always in JSON (or an empty 405).
    definite = isinstance(document, dict) and status not in _GATEWAY
    code = _code(request, status, document, said)
    return failure(
        request,
        code,
        _problem(request, answer, document),
        request_id=request_id,
        status=status,
        retryable=_retryable(request, status, code, said),
        may_have_happened=(status >= 500 and not definite) or _may_have_drawn(request, code, said),
        server_message=said,
        field="$" if code == ErrorCode.INVALID_RESPONSE else None,
        retry_after=parse_retry_after(answer.headers.get("retry-after"), now=datetime.now(UTC)),
    )


def undecodable(
    request: LibraryRequest,
    problem: str,
    *,
    request_id: str,
    status: int,
    field: str = "$",
    retryable: bool = False,
) -> CharacterLibraryError:
    """Return the error for an answer that says yes, but cannot be read."""
    return failure(
        request,
        ErrorCode.INVALID_RESPONSE,
        problem,
        request_id=request_id,
        status=status,
        retryable=retryable,
        may_have_happened=True,
        field=field,
    )


def _code(request: LibraryRequest, status: int, document: object, said: str | None) -> ErrorCode:
    if status in _GATEWAY:
        return ErrorCode.UNAVAILABLE
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if not isinstance(document, dict) or 300 <= status < 400:
        return ErrorCode.INVALID_RESPONSE
    if status == 404 and (said or "").casefold().startswith("route not found"):
        # Nothing is said about the thing asked for: something else answers at this URL.
        return ErrorCode.INVALID_RESPONSE
    if status == 404 or _means_not_found(document):
        return ErrorCode.NOT_FOUND
    text = (said or "").casefold()
    refused = 400 <= status < 500
    for fragment, code in (
        *(_BY_TEXT if status < 500 else ()),
        # Only what draws can fail to.
        *(_BY_TEXT_500 if not refused and request.kind == CallKind.GENERATION else ()),
    ):
        if fragment in text:
            return code
    return ErrorCode.BAD_REQUEST if refused else ErrorCode.SERVER_ERROR


def _means_not_found(document: dict[str, Any]) -> bool:
    texts = [document.get("error"), document.get("details")]
    plain = [each.strip().rstrip(".").casefold() for each in texts if isinstance(each, str)]
    return any(each in _NOT_FOUND_TEXTS for each in plain) or any(
        each in _NOT_FOUND_ERRORS for each in plain[:1]
    )


def _may_have_drawn(request: LibraryRequest, code: ErrorCode, said: str | None) -> bool:
    """Tell whether the model may have drawn what the server does not hand out.

    It has not where it answered with a status of its own: that is what the server quotes then. An
    error of the server's own may come after the drawing as well as before.
    """
    refused = code == ErrorCode.UPSTREAM_MODEL and _MODEL_STATUS.search(said or "") is not None
    return request.kind == CallKind.GENERATION and code in _REFUSED and not refused


def _retryable(request: LibraryRequest, status: int, code: ErrorCode, said: str | None) -> bool:
    if code == ErrorCode.UPSTREAM_MODEL:
        told = _MODEL_STATUS.search(said or "")
        return told is not None and (told[1] == "429" or told[1] >= "500")
    if code == ErrorCode.SERVER_ERROR:
        # The server answers 500 to malformed input too, so only a read is worth repeating.
        return request.idempotent and status >= 500
    if code == ErrorCode.INVALID_RESPONSE:
        return status >= 500
    return code in (
        ErrorCode.UNAVAILABLE,
        ErrorCode.TIMEOUT,
        ErrorCode.RATE_LIMITED,
        ErrorCode.UPSTREAM_STORAGE,
    )


def _problem(request: LibraryRequest, answer: LibraryAnswer, document: object) -> str:
    said = _said(document)
    if said is not None:
        return f'the server said "{redacted(said, *request.private)}".'
    if 300 <= answer.status < 400:
        return "the server redirects elsewhere, which is never followed."
    if document is None:
        return f"the answer is {describe_body(answer)}."
    return "the server gave no reason."


def describe_body(answer: LibraryAnswer) -> str:
    """Return what kind of body an answer has, in words."""
    if not answer.body.strip():
        return "empty"
    kind = answer.headers.get("content-type", "")
    if "html" in kind.lower() or answer.body.lstrip().startswith(b"<"):
        return "HTML instead of JSON"
    return "not valid JSON"


def redacted(text: str, *private: str) -> str:
    """Return somebody else's words for a message: without our prompts and keys, in one line, short.

    URLs lose their user info and query, too.

    Args:
        text: The words. They may quote a prompt, whole or in part, also as JSON writes it.
        private: The prompts and keys. One of up to 3 characters is left alone: it would only shred
            the text.
    """
    text = text[:_READ]
    spellings = {
        spelling
        for secret in private
        for spelling in (
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
        )
        if len(spelling) > 3
    }
    # The longest first: a shorter one may be a part of it.
    for spelling in sorted(spellings, key=len, reverse=True):
        text = text.replace(spelling, _GAP)
    # Masked last: a prompt may hold a URL, too.
    line = plain(" ".join(masked(_without_quotes(text, spellings)).split()))
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _without_quotes(text: str, secrets: set[str]) -> str:
    """Return the text without every run of ``_RUN`` characters and more that a secret holds."""
    runs = {secret[at : at + _RUN] for secret in secrets for at in range(len(secret) - _RUN + 1)}
    quoted = [False] * len(text)
    for at in range(len(text) - _RUN + 1):
        if text[at : at + _RUN] in runs:
            quoted[at : at + _RUN] = [True] * _RUN
    kept = []
    for is_quoted, group in groupby(zip(quoted, text, strict=True), key=lambda pair: pair[0]):
        kept.append(_GAP if is_quoted else "".join(char for _, char in group))
    return "".join(kept)
