"""What reaches the simulator, what it answers, and what it counted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import define, field, frozen

__all__ = ["Counters", "SimulatedRequest", "SimulatedResponse", "json_response"]


@define(kw_only=True)
class Counters:
    """What arrived, by what it costs.

    Attributes:
        initial_image_posts: POSTs for an initial image, refused ones included.
        reference_deletes: DELETEs of a reference image.
        set360_posts: POSTs for a 360° set.
        scene_posts: POSTs for a scene image.
        on_demand_posts: POSTs for images on demand.
        smart_posts: POSTs for a smart image.
        core_set_posts: POSTs for a core set.
        files: Downloads of files.
        requests: All requests.
    """

    initial_image_posts: int = 0
    reference_deletes: int = 0
    set360_posts: int = 0
    scene_posts: int = 0
    on_demand_posts: int = 0
    smart_posts: int = 0
    core_set_posts: int = 0
    files: int = 0
    requests: int = 0


@frozen(kw_only=True)
class SimulatedRequest:
    """One request as it arrived.

    Attributes:
        method: Upper case.
        host: The authority of the URL.
        path: Without the query.
        query: First value of each parameter.
        request_id: ``X-Request-Id``, if it was sent.
        body: The raw body.
    """

    method: str
    host: str
    path: str
    query: Mapping[str, str] = field(factory=dict, hash=False)
    request_id: str | None = None
    body: bytes = b""

    @classmethod
    def parse(
        cls, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedRequest:
        """Take a request apart."""
        parts = urlsplit(url)
        given = {name.lower(): value for name, value in headers.items()}
        return cls(
            method=method.upper(),
            host=parts.netloc or given.get("host", ""),
            path=parts.path,
            query={name: values[0] for name, values in parse_qs(parts.query).items()},
            request_id=given.get("x-request-id"),
            body=body,
        )

    @property
    def json(self) -> Any:
        """The body as JSON; ``None`` when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@frozen(kw_only=True)
class SimulatedResponse:
    """One answer.

    Attributes:
        status: HTTP status.
        headers: Lower-case names.
        body: The whole body.
        broken: ``refused`` (no connection), ``lost`` (the connection breaks before the answer) or
            ``cut`` (it breaks in the middle of the body).
        seconds: How long it takes.
        is_file: Whether it is the download of a file.
        is_generation: Whether it answers a POST that draws.
    """

    status: int
    headers: Mapping[str, str] = field(factory=dict, hash=False)
    body: bytes = field(default=b"", repr=False)
    broken: str | None = None
    seconds: float = 0.0
    is_file: bool = False
    is_generation: bool = False


def json_response(status: int, document: Any, **headers: str) -> SimulatedResponse:
    """Return an answer in JSON."""
    return SimulatedResponse(
        status=status,
        headers={
            "content-type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        body=json.dumps(document).encode(),
    )
