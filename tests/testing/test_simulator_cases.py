"""The project's own cases, from what is known of the server; each is told three ways.

A step may move the clock (``clock``, in seconds) and set ``switches``; then it asks, and the answer
must have the status and fit the pattern, see `matching`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from charimg.testing import Simulator

from .asking import WAYS, Ask, asking
from .matching import filled, match

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))
KEYS = {"note", "clock", "switches", "ask", "json", "raw", "status", "body", "text", "headers"}


def test_there_are_cases() -> None:
    assert {path.stem for path in CASES} == {
        "characters",
        "core_set",
        "files",
        "gallery",
        "initial_image",
        "jobs",
        "lost_images",
        "on_demand",
        "portfolio",
        "quality",
        "reference_image",
        "routing",
        "scene_image",
        "smart_image",
        "upstream_failures",
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_simulator_answers_as_it_should(path: Path, way: str) -> None:
    now = 0.0
    simulator = Simulator(clock=lambda: now)
    with asking(simulator, way) as ask:
        known = {
            "base": simulator.base_url,
            "unknown": "0123456789abcdef01234567",
            "nobody": "550e8400-e29b-41d4-a716-446655440000",
        }
        for step in json.loads(path.read_text(encoding="utf-8")):
            assert set(step) <= KEYS, step["note"]
            now = step.get("clock", now)
            simulator.switches.change(step.get("switches", {}))
            check(step, put(ask, step, known), known)


def put(ask: Ask, step: dict[str, Any], known: dict[str, str]) -> httpx.Response:
    method, _, path = filled(step["ask"], known).partition(" ")
    if "json" in step:
        return ask(method, path, json=filled(step["json"], known))
    return ask(method, path, content=step["raw"].encode() if "raw" in step else None)


def check(step: dict[str, Any], answer: httpx.Response, known: dict[str, str]) -> None:
    where = step["note"]
    assert answer.status_code == step["status"], f"{where}: {answer.text[:300]}"
    if "body" in step:
        assert answer.headers["content-type"] == "application/json", where
        match(step["body"], answer.json(), known, where)
    elif "text" in step:
        assert answer.text == step["text"], where
    for name, value in step.get("headers", {}).items():
        assert answer.headers.get(name) == filled(value, known), f"{where}: {name}"
