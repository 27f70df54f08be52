"""``/_simulator/…``: look into a running simulator, and turn its switches."""

from __future__ import annotations

import json
from typing import Protocol

import attrs

from ..._json import to_json
from ...errors import InvalidArgument
from .exchange import Counters, SimulatedRequest, SimulatedResponse, json_response
from .switches import Switches

__all__ = ["respond"]


class _Simulator(Protocol):
    switches: Switches
    counters: Counters
    requests: list[SimulatedRequest]

    def reset(self) -> None: ...


def respond(simulator: _Simulator, request: SimulatedRequest) -> SimulatedResponse:
    """Answer a control request: counters, requests, switches, reset."""
    what = request.path.removeprefix("/_simulator/")
    match (request.method, what):
        case ("GET", "counters"):
            return json_response(200, to_json(simulator.counters))
        case ("GET", "requests"):
            shown = [
                {
                    "method": each.method,
                    "path": each.path,
                    "query": dict(each.query),
                    "requestId": each.request_id,
                    "json": each.json,
                }
                for each in simulator.requests
            ]
            return json_response(200, {"requests": shown})
        case ("GET", "switches"):
            return json_response(200, attrs.asdict(simulator.switches))
        case ("PATCH", "switches"):
            return _switch(simulator, request)
        case ("POST", "reset"):
            simulator.reset()
            return json_response(200, {"reset": True})
        case _:
            return json_response(
                404,
                {
                    "error": "There are GET counters, GET requests, GET switches, PATCH switches "
                    "and POST reset below /_simulator."
                },
            )


def _switch(simulator: _Simulator, request: SimulatedRequest) -> SimulatedResponse:
    try:
        changes = json.loads(request.body)
    except ValueError:
        changes = None
    if not isinstance(changes, dict):
        return json_response(400, {"error": "Send a JSON object of switches and their values."})
    try:
        simulator.switches.change(changes)
    except InvalidArgument as error:
        return json_response(400, {"error": str(error)})
    return json_response(200, attrs.asdict(simulator.switches))
