"""What went wrong at the server, in words that hold no credentials and no signed query.

obstore's own messages quote the server's answer, and a refused signature is answered with the
access key and the signed text. So nothing of them goes on but what is picked out here.
"""

from __future__ import annotations

import re

from ...errors import StorageError

__all__ = [
    "broke_off",
    "bucket_is_missing",
    "conflicting",
    "failure",
    "reason",
    "unconditional",
]

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_KIND = re.compile(r"\bkind: (Connect|Timeout|Request|Decode|Interrupted)\b")
# Where the chain of credentials ends, when nothing before it had any.
_LAST_RESORT = re.compile(r"169\.254\.|/latest/(?:api/token|meta-data)")

_KEYS = "Check the credentials, and that they may read, write, list and delete there."
_BUSY = "Try again later."
_HINTS = {
    "NoSuchBucket": "Create the bucket, or correct its name and the endpoint.",
    "403": _KEYS,
    "401": _KEYS,
    "RequestTimeTooSkewed": "Set this machine's clock.",
    "301": "Name the bucket's own region or endpoint.",
    "AuthorizationHeaderMalformed": "Name the bucket's own region.",
    "Connect": "Check the endpoint, and that the server runs and can be reached.",
    "Timeout": "Try again, or raise the timeout.",
    "Request": _BUSY,
    "Decode": _BUSY,
    "Interrupted": _BUSY,
    "429": _BUSY,
    "500": _BUSY,
    "502": _BUSY,
    "503": _BUSY,
    "504": _BUSY,
}
_WORDS = {
    "Connect": "the server could not be reached",
    "Timeout": "the server did not answer in time",
    "Request": "the connection broke off",
    "Decode": "the connection broke off",
    "Interrupted": "the connection broke off",
}

_BROKEN = {"Request", "Decode", "Interrupted"}


def _marks(error: Exception) -> list[str]:
    """Return the error's code, status and kind, as far as it has them; the telling ones first."""
    text = str(error)
    found = (pattern.search(text) for pattern in (_CODE, _STATUS, _KIND))
    return [match[1] for match in found if match]


def unconditional(error: Exception) -> bool:
    """Tell whether the server said that it knows no conditional writes."""
    return "501" in _marks(error) or "NotImplemented" in _marks(error)


def conflicting(error: Exception) -> bool:
    """Tell whether a write was refused for another one at the same time, not for its condition."""
    return "409" in _marks(error)


def broke_off(error: Exception) -> bool:
    """Tell whether it was the connection that failed, with no answer."""
    return not _BROKEN.isdisjoint(_marks(error))


def bucket_is_missing(error: Exception) -> bool:
    """Tell whether it is not the object that is missing, but the whole bucket."""
    return "NoSuchBucket" in _marks(error)


def reason(error: Exception) -> tuple[str, str]:
    """Return what happened and what to do."""
    if _LAST_RESORT.search(str(error)):
        return (
            "there are no credentials",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
        )
    marks = _marks(error)
    hint = next((_HINTS[mark] for mark in marks if mark in _HINTS), None)
    words = [_WORDS.get(mark, mark) for mark in marks] or [type(error).__name__]
    return " ".join(words), hint or "Check the endpoint, the bucket, the region and its settings."


def failure(doing: str, key: str, bucket: str, error: Exception) -> StorageError:
    """Return the error to raise, its cause set to one that is safe to show."""
    what, hint = reason(error)
    result = StorageError(f"Cannot {doing} media {key!r} in bucket {bucket!r}: {what}. {hint}")
    result.__cause__ = OSError(f"{type(error).__name__}: {what}")
    return result
