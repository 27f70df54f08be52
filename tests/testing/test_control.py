"""``/_simulator``: looking into a simulator and turning its switches, from another process."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from charimg.testing import Simulator, Switches

from .asking import WAYS, Ask, asking


@pytest.fixture
def simulator() -> Simulator:
    return Simulator()


@pytest.fixture(params=WAYS)
def ask(simulator: Simulator, request: pytest.FixtureRequest) -> Iterator[Ask]:
    with asking(simulator, request.param) as ask:
        yield ask


def test_counters_count_what_costs(simulator: Simulator, ask: Ask) -> None:
    path = f"/api/v1/characters/{simulator.add_character('Lena')}"
    ask("POST", f"{path}/generate-initial-image", json={})
    url = ask("POST", f"{path}/generate-initial-image", json={"prompt": "x"}).json()["data"]
    ask("GET", url["publicUrl"])
    ask("POST", f"{path}/generate-scene-image", json={})
    for name in ("360-set", "image", "smart-image", "core-set"):
        ask("POST", f"{path}/generate-{name}", json={})
    ask("GET", f"{path}/generate-360-set")
    for _ in range(3):
        ask("DELETE", f"{path}/reference-image")
    ask("GET", f"{path}/reference-image")
    answer = ask("GET", "/_simulator/counters")
    assert answer.status_code == 200
    assert answer.json() == {
        "initialImagePosts": 2,
        "referenceDeletes": 3,
        "set360Posts": 1,
        "scenePosts": 1,
        "onDemandPosts": 1,
        "smartPosts": 1,
        "coreSetPosts": 1,
        "files": 1,
        "requests": 13,
    }


def test_requests_are_told_as_they_came(simulator: Simulator, ask: Ask) -> None:
    ask("GET", "/api/health", params={"a": "1", "b": "ж"}, headers={"X-Request-ID": "r-1"})
    ask("POST", "/api/v1/characters", json={"name": "龍"})
    ask("POST", "/api/v1/characters", content=b"{oops")
    ask("POST", "/api/v1/characters", content=b"[" * 100_000)
    nothing = {"query": {}, "requestId": None, "json": None}
    posted = {**nothing, "method": "POST", "path": "/api/v1/characters"}
    assert ask("GET", "/_simulator/requests").json() == {
        "requests": [
            {
                "method": "GET",
                "path": "/api/health",
                "query": {"a": "1", "b": "ж"},
                "requestId": "r-1",
                "json": None,
            },
            {**posted, "json": {"name": "龍"}},
            posted,
            posted,
        ]
    }


def test_switches_are_shown_and_turned(simulator: Simulator, ask: Ask) -> None:
    assert ask("GET", "/_simulator/switches").json() == attrs.asdict(Switches())
    answer = ask("PATCH", "/_simulator/switches", json={"rate_limited": 1, "shots": 3})
    assert (answer.status_code, answer.json()["shots"]) == (200, 3)
    assert ask("GET", "/api/health").status_code == 429
    assert ask("GET", "/_simulator/switches").json() == attrs.asdict(Switches(shots=3))
    assert simulator.switches.shots == 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Send a JSON object"),
        (b"[1]", "Send a JSON object"),
        (b'{"shots": 3, "sideways": true}', "no switch sideways"),
        (b'{"shots": 3, "down": 2}', "cannot have that value"),
    ],
)
def test_a_wrong_change_is_refused_whole(
    simulator: Simulator, ask: Ask, body: bytes, said: str
) -> None:
    answer = ask("PATCH", "/_simulator/switches", content=body)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert simulator.switches == Switches()


def test_reset_forgets_everything_but_the_switches(simulator: Simulator, ask: Ask) -> None:
    first = simulator.add_character("Lena")
    ask("GET", f"/api/v1/characters/{first}")
    ask("PATCH", "/_simulator/switches", json={"shots": 3})
    assert ask("POST", "/_simulator/reset").json() == {"reset": True}
    assert ask("GET", "/_simulator/requests").json() == {"requests": []}
    assert set(ask("GET", "/_simulator/counters").json().values()) == {0}
    assert ask("GET", "/_simulator/switches").json()["shots"] == 3
    assert ask("GET", f"/api/v1/characters/{first}").status_code == 500


def test_control_answers_while_the_server_is_down_and_is_not_counted(
    simulator: Simulator, ask: Ask
) -> None:
    ask("PATCH", "/_simulator/switches", json={"down": True})
    assert ask("GET", "/_simulator/counters").json()["requests"] == 0
    ask("PATCH", "/_simulator/switches", json={"down": False})
    assert ask("GET", "/api/health").status_code == 200


@pytest.mark.parametrize("asked", ["GET reset", "POST counters", "GET nonsense", "DELETE switches"])
def test_anything_else_tells_what_there_is(ask: Ask, asked: str) -> None:
    method, _, what = asked.partition(" ")
    answer = ask(method, f"/_simulator/{what}")
    assert answer.status_code == 404
    assert "PATCH switches" in answer.json()["error"]
