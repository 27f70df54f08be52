"""Short ways to make requests and exchanges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from charimg._library import requests
from charimg._library.answers import Exchange
from charimg._library.requests import LibraryAnswer, LibraryRequest

DB_ID = "6b0429803e876656e37b4ca4"
MEDIA_ID = "6b04295e2f7c1f65ae99c352"
JOB_ID = "b82794b6-1a56-4c24-a4d4-fc03af07e985"
BASE = "https://library.test/prefix"
GET = requests.get_reference(DB_ID)
POST = requests.initial_image(DB_ID, "portrait of Lena")


def exchange(
    document: Any = None,
    *,
    status: int = 200,
    request: LibraryRequest = GET,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Exchange:
    """Return an exchange that answers with a JSON document, or with a body."""
    raw = json.dumps(document).encode() if body is None else body
    answer = LibraryAnswer(status=status, headers=dict(headers or {}), body=raw)
    return Exchange.of(request, answer, "request-1", BASE)
