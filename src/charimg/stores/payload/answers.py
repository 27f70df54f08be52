"""What Payload's answers mean: documents, lost files, refusals and what to do about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..._http.cms import CmsAnswer
from ..._masks import masked
from ...errors import MediaNotFound, StorageError

__all__ = [
    "LOST",
    "NO_KEY",
    "nonsense",
    "Document",
    "check_file",
    "created_in",
    "documents_in",
    "missing",
    "object_of",
    "older",
    "origin",
    "refused",
    "refused_fields",
]

Document = Mapping[str, Any]

NO_KEY = (
    "No API key or token was given. Give the client an api_key or a token; settings by URL take it "
    "from PAYLOAD_API_KEY."
)
LOST = (404, 500)
"""What Payload answers for a file that is not there, though its document is."""


def missing(key: str) -> MediaNotFound:
    """Return the error of a key without media."""
    return MediaNotFound(
        f"There is no media under the key {key!r} in Payload. It was deleted, or never stored."
    )


def check_file(answer: CmsAnswer, key: str) -> None:
    """Check what Payload said when a file was opened.

    Raises:
        MediaNotFound: It is gone.
        StorageError: It cannot be read.
    """
    if answer.status in LOST:
        raise missing(key)
    if answer.status != 200:
        raise refused(answer, f"read the file of media {key!r}")


def origin(url: str) -> tuple[str, str]:
    """Return scheme and host of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def older(created: Any, identity: Any) -> dict[str, Any]:
    """Return the filter for what comes after a document in a listing."""
    return {
        "or": [
            {"createdAt": {"less_than": created}},
            {"and": [{"createdAt": {"equals": created}}, {"id": {"less_than": identity}}]},
        ]
    }


def object_of(answer: CmsAnswer, what: str) -> Document:
    """Return the JSON object of a good answer.

    Raises:
        StorageError: It is none.
    """
    if answer.status >= 400:
        raise refused(answer, what)
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise nonsense(what) from error
    if answer.status >= 300 or not isinstance(found, dict):
        raise nonsense(what)
    return found


def documents_in(page: Document, what: str) -> list[Document]:
    """Return the documents of a page."""
    documents = page.get("docs")
    if not isinstance(documents, list) or not all(isinstance(each, dict) for each in documents):
        raise nonsense(what)
    return documents


def created_in(answer: CmsAnswer, what: str) -> Document:
    """Return the document that was made or changed."""
    document = object_of(answer, what).get("doc")
    if not isinstance(document, dict):
        raise nonsense(what)
    return document


def nonsense(what: str) -> StorageError:
    """Return the error for an answer that is not what Payload answers."""
    return StorageError(
        f"Could not {what}: the answer is not Payload's. Check the URL and the path of its API."
    )


_ADVICE = {
    401: "Check the API key or token.",
    403: "Check the API key or token, and the access rules of the collection.",
    404: "Check the slug of the collection and the path of the API.",
    413: "The file is larger than Payload takes; raise its upload limit.",
    429: "Payload asks to slow down; try again later.",
    500: "Often a value that it cannot read, such as an id of something that is gone; see its log.",
}


def refused(answer: CmsAnswer, what: str) -> StorageError:
    """Return the error for an answer that is a refusal."""
    advice = _ADVICE.get(answer.status, "Try again later, and see its log.")
    if answer.keyless and answer.status in (401, 403):
        advice = NO_KEY
    paths = refused_fields(answer)
    if answer.status == 400:
        advice = "It refused the document as a whole; see its log."
        if paths:
            advice = f"It refused the fields {', '.join(paths)}. Do the options name them right?"
    return StorageError(f"Could not {what}: Payload answered {answer.status}. {advice}")


def refused_fields(answer: CmsAnswer) -> list[str]:
    """Return the fields that a validation error names; its words may quote values."""
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            path = value.get("path")
            if isinstance(path, str) and path not in found and path.isprintable():
                found.append(masked(path)[:100])
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    try:
        look(json.loads(answer.body))
    except (ValueError, RecursionError):
        return []
    return found[:10]
