"""The simulated Character Library: routes requests, applies faults, counts."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from attrs import evolve

from . import (
    characters,
    control,
    core_set,
    gallery,
    generation,
    on_demand,
    quality,
    references,
    sets,
)
from .exchange import Counters, SimulatedRequest, SimulatedResponse, json_response
from .state import State, now_text
from .switches import Switches

if TYPE_CHECKING:
    from ..._http.mock import SimulatorTransport

__all__ = ["Simulator"]

_HTML = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_ONE = re.compile(r"/api/v1/characters/([^/]+)(?:/([a-z0-9-]+))?")
_JOB = re.compile(r"/api/v1/jobs/([^/]+)/status")
_GENERATIONS = {
    "generate-initial-image": generation.initial_image,
    "generate-360-set": sets.portfolio_set,
    "generate-scene-image": generation.scene_image,
    "generate-image": on_demand.image,
    "generate-smart-image": on_demand.smart_image,
}
_DRAWING = (*_GENERATIONS, "generate-core-set")
_COUNTED = {
    ("POST", "generate-initial-image"): "initial_image_posts",
    ("POST", "generate-360-set"): "set360_posts",
    ("POST", "generate-scene-image"): "scene_posts",
    ("POST", "generate-image"): "on_demand_posts",
    ("POST", "generate-smart-image"): "smart_posts",
    ("POST", "generate-core-set"): "core_set_posts",
    ("DELETE", "reference-image"): "reference_deletes",
}


class Simulator:
    """A Character Library in this process.

    It behaves as the real server was recorded: its statuses, envelopes and oddities, jobs, dead
    result URLs, misnamed files, a 500 for an unknown id, the cancellation that does not cancel. It
    draws real images, different per prompt and shot. `transport` makes it answer an httpx client;
    `charimg.testing.serve` puts it behind a real HTTP server.

    Args:
        switches: Failures to turn on; also reachable as ``simulator.switches`` at any time.
        base_url: Where it pretends to be; image URLs begin with it.
        clock: Seconds; jobs and slow generations run by it.
        seed: Makes the ids differ from those of another simulator.

    Attributes:
        switches: The failures.
        counters: What arrived.
        requests: Every request that arrived, oldest first.
        most_files_at_once: How many downloads ran at the same time at most.
        most_generations_at_once: How many POSTs of generations were answered at the same time at
            most.
    """

    def __init__(
        self,
        *,
        switches: Switches | None = None,
        base_url: str = "http://library.test",
        clock: Callable[[], float] = time.monotonic,
        seed: int = 0,
    ) -> None:
        self.switches: Switches = Switches() if switches is None else switches
        self.base_url: str = base_url.rstrip("/")
        self.counters: Counters = Counters()
        self.requests: list[SimulatedRequest] = []
        self.most_files_at_once: int = 0
        self.most_generations_at_once: int = 0
        self._files_at_once = 0
        self._generations_at_once = 0
        self._clock = clock
        self._seed = seed
        self._state = State(seed)
        self._started = time.monotonic()
        self._lock = threading.RLock()

    # For tests

    def add_character(self, name: str, **fields: Any) -> str:
        """Create a character and return its ObjectId (``library_db_id``).

        Args:
            name: The name. The ``characterId`` is made unique unless one is given.
            **fields: Further fields of the character, as the API takes them.
        """
        with self._lock:
            unique = f"character-{len(self._state.characters) + 1}-{self._seed}"
            given = {"name": name, "characterId": unique, **fields}
            return characters.make_character(self._state, given).id

    def set_reference(self, db_id: str, prompt: str = "drawn elsewhere") -> str:
        """Give a character a master reference that nobody asked for; return its media id."""
        with self._lock:
            character = self._state.characters[db_id]
            media = generation.draw_reference(self._state, self.switches, character, prompt)
            character.reference = self._state.keep(media).id
            return media.id

    def draw_scene(self, db_id: str, context: str, scene_type: str, mood: str = "") -> str:
        """Draw a scene that nobody here asked for; return its media id."""
        with self._lock:
            character = self._state.characters[db_id]
            media = generation.draw_scene(
                self._state, self.switches, character, context, scene_type, mood or None
            )
            character.gallery.append(self._state.keep(media).id)
            return media.id

    def reference_of(self, db_id: str) -> str | None:
        """Return the media id of a character's master reference."""
        with self._lock:
            return self._state.characters[db_id].reference

    def posts(self, endpoint: str) -> list[Any]:
        """Return the JSON bodies of the POSTs to ``…/{endpoint}``, oldest first."""
        with self._lock:
            return [
                request.json
                for request in self.requests
                if request.method == "POST" and request.path.endswith(f"/{endpoint}")
            ]

    def reset(self) -> None:
        """Forget everything but the switches."""
        with self._lock:
            self._state = State(self._seed)
            self.counters = Counters()
            self.requests.clear()

    def transport(self) -> SimulatorTransport:
        """Return an httpx transport, for sync and async clients, that reaches this simulator."""
        from ..._http.mock import SimulatorTransport

        return SimulatorTransport(self)

    # Serving

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        """Answer one request, whatever its path, headers and body."""
        request = SimulatedRequest.parse(method, url, headers, body)
        with self._lock:
            if request.path.startswith("/_simulator/"):
                return control.respond(self, request)
            if self.switches.down:
                return SimulatedResponse(status=503, broken="refused")
            return self._answer(request)

    @contextmanager
    def delivering(self, response: SimulatedResponse) -> Iterator[None]:
        """Count a download or a generation as running for as long as the context lasts."""
        file, generation = int(response.is_file), int(response.is_generation)
        with self._lock:
            self._files_at_once += file
            self._generations_at_once += generation
            self.most_files_at_once = max(self.most_files_at_once, self._files_at_once)
            self.most_generations_at_once = max(
                self.most_generations_at_once, self._generations_at_once
            )
        try:
            yield
        finally:
            with self._lock:
                self._files_at_once -= file
                self._generations_at_once -= generation

    def _answer(self, request: SimulatedRequest) -> SimulatedResponse:
        self.requests.append(request)
        self.counters.requests += 1
        endpoint = request.path.rpartition("/")[2]
        counter = _COUNTED.get((request.method, endpoint))
        if counter is not None:
            setattr(self.counters, counter, getattr(self.counters, counter) + 1)
        fault = self._fault_before()
        if fault is not None:
            return fault
        self._state.catch_up(self._clock())
        sets.advance(self._state, self.switches, self._clock())
        switches = self.switches
        response = self._route(request)
        if response.is_file:
            self.counters.files += 1
            return response
        generated = request.method == "POST" and endpoint in _DRAWING
        if generated and response.status < 300 and self.switches.take("lost_answers"):
            return evolve(response, broken="lost")
        seconds = response.seconds + self.switches.api_seconds
        ahead = switches.clock_offset + switches.date_offset
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), True)
        answer = evolve(
            response,
            seconds=seconds,
            is_generation=generated,
            headers={"date": date, **response.headers},
        )
        return self._fault_after(answer)

    def _fault_before(self) -> SimulatedResponse | None:
        if self.switches.take("broken_connections"):
            return SimulatedResponse(status=500, broken="lost")
        if self.switches.take("gateway_errors"):
            return SimulatedResponse(status=502, headers={"content-type": "text/html"}, body=_HTML)
        if self.switches.take("rate_limited"):
            seconds = f"{self.switches.retry_after:g}"
            return json_response(429, {"error": "Too many requests"}, retry_after=seconds)
        return None

    def _fault_after(self, response: SimulatedResponse) -> SimulatedResponse:
        if response.status >= 300:
            return response
        if self.switches.take("truncated_answers"):
            return evolve(response, body=response.body[: len(response.body) // 2])
        if self.switches.take("wrong_types"):
            return evolve(response, body=_changed(response.body, lambda _: 7))
        if self.switches.take("missing_fields"):
            return evolve(response, body=_changed(response.body, None))
        return response

    def _route(self, request: SimulatedRequest) -> SimulatedResponse:
        path, state, switches = request.path, self._state, self.switches
        base = "" if switches.relative_urls else self.base_url
        own = self.base_url.partition("://")[2].partition("/")[0]
        if request.host not in ("", own):
            # Somebody else's host: the dead URLs of job results end here.
            return SimulatedResponse(status=404, body=b"Not Found")
        if path != "/" and path.endswith("/"):
            location = path.rstrip("/")
            return SimulatedResponse(
                status=308, headers={"location": location}, body=location.encode()
            )
        if request.method == "OPTIONS":
            return SimulatedResponse(status=204)
        for prefix in ("/media/", "/api/media/file/"):
            if path.startswith(prefix):
                return gallery.file(state, switches, request, path.removeprefix(prefix))
        if path == "/api/health":
            return self._health(request)
        if path in ("/api/v1/characters", "/api/characters"):
            return characters.respond(state, base, request, "")
        if path == "/api/media":
            return gallery.media_list(state, switches, base, request)
        if path.startswith("/api/media/"):
            return gallery.media(state, switches, base, request, path.removeprefix("/api/media/"))
        if path == "/api/v1/jobs":
            return sets.list_jobs(state, switches, request, self._clock())
        if path == "/api/v1/reference-shots":
            return references.reference_shots(request)
        job = _JOB.fullmatch(path)
        if job is not None:
            return sets.job_status(state, switches, base, request, job[1], self._clock())
        one = _ONE.fullmatch(path)
        if one is not None:
            return self._character(request, base, one[1], one[2] or "")
        return _no_route(path)

    def _character(
        self, request: SimulatedRequest, base: str, db_id: str, endpoint: str
    ) -> SimulatedResponse:
        state, switches = self._state, self.switches
        if endpoint == "":
            return characters.respond(state, base, request, db_id)
        generate = _GENERATIONS.get(endpoint)
        if generate is not None:
            return generate(state, switches, base, request, db_id, self._clock())
        match endpoint:
            case "generate-core-set":
                return core_set.core_set(state, switches, request, db_id, self._clock())
            case "reference-image":
                return generation.reference_image(state, switches, base, request, db_id)
            case "images":
                return gallery.gallery(state, switches, base, request, db_id)
            case "quality-metrics":
                return quality.metrics(state, request, db_id)
            case "validate-consistency":
                return quality.consistency(state, request, db_id)
            case "find-reference-for-scene":
                return references.for_scene(state, base, request, db_id)
        return _no_route(request.path)

    def _health(self, request: SimulatedRequest) -> SimulatedResponse:
        if request.method not in ("GET", "HEAD"):
            return SimulatedResponse(status=405)
        response = json_response(
            200,
            {
                "status": "ok",
                "service": "Character Library",
                "version": "2.0.0",
                "timestamp": now_text(self.switches.clock_offset),
                "uptime": time.monotonic() - self._started,
                "environment": "simulator",
            },
        )
        return evolve(response, body=b"") if request.method == "HEAD" else response


def _no_route(path: str) -> SimulatedResponse:
    if path.startswith("/api"):
        return json_response(404, {"message": f'Route not found "{path}"'})
    return SimulatedResponse(
        status=404,
        headers={"content-type": "text/html; charset=utf-8"},
        body=b"<!DOCTYPE html><html><body>404</body></html>",
    )


def _changed(body: bytes, change: Callable[[Any], Any] | None) -> bytes:
    """Return a JSON body with every id and URL changed, or (``None``) left out."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(each) for each in value]
        if not isinstance(value, dict):
            return value
        result = {}
        for name, each in value.items():
            if isinstance(each, str) and name.lower().endswith(("id", "url")):
                if change is not None:
                    result[name] = change(each)
            else:
                result[name] = walk(each)
        return result

    return json.dumps(walk(json.loads(body))).encode() if body else body
