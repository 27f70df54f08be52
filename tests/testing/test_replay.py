"""Every recorded exchange with the real server, replayed against the simulator.

Same status, same shape: the same keys with the same JSON types all the way down, ``null`` only
where ``null`` was recorded, an empty list only where an empty one was. Values may differ. What the
server held at the time is not part of a recording, so it is prepared from what the recording
answers.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from charimg.testing import Simulator
from charimg.testing.simulator import SimulatedResponse

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "contract" / "character-library"
RECORDED_BASE = "http://127.0.0.1:9703"
BASE = "http://library.test"
UNKNOWN = "0123456789abcdef01234567"
JOB_SECONDS = 1000.0
OUT_OF_SCOPE = {
    "generate-image (on demand)": "charimg does not draw on demand",
    "after on-demand": "shows an image drawn on demand",
}
ABANDONED = "repeat at once while the first still runs"

recordings = sorted(FOLDER.glob("*.json"))


class Replay:
    """One recording on its way through a simulator."""

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        self.exchanges = exchanges
        self.now = 0.0
        self.simulator = Simulator(base_url=BASE, clock=lambda: self.now)
        self.simulator.switches.job_seconds = JOB_SECONDS
        self.known: dict[str, str] = {RECORDED_BASE: BASE}
        self.begun: dict[str, float] = {}
        self.characters: list[str] = []

    def run(self) -> int:
        """Replay everything; return how many exchanges were compared."""
        compared = 0
        for index, exchange in enumerate(self.exchanges):
            if exchange["note"] in OUT_OF_SCOPE:
                continue
            response = exchange["response"]
            if "status" not in response:
                self.give_up(index, exchange)
                continue
            self.meet(exchange)
            self.prepare(index, exchange)
            answer = self.send(exchange)
            self.compare(exchange, answer)
            self.after(exchange, answer)
            compared += 1
        return compared

    def meet(self, exchange: dict[str, Any]) -> None:
        """Create every character that the recording assumes."""
        for found in re.findall(r"/characters/([0-9a-f]{24})", exchange["request"]["path"]):
            if found != UNKNOWN and found not in self.known:
                self.known[found] = self.simulator.add_character(name="Lena")

    def translate(self, text: str) -> str:
        for recorded in sorted(self.known, key=len, reverse=True):
            text = text.replace(recorded, self.known[recorded])
        return text

    def db_id(self, exchange: dict[str, Any]) -> str | None:
        found = re.search(r"/characters/([0-9a-f]{24})", exchange["request"]["path"])
        return None if found is None or found[1] == UNKNOWN else self.known[found[1]]

    def give_up(self, index: int, exchange: dict[str, Any]) -> None:
        """The client gave up; the server finishes later, often before the next exchange."""
        self.meet(exchange)
        self.simulator.switches.generation_seconds = 6
        assert self.send(exchange).seconds > exchange["response"]["elapsed_s"]
        self.simulator.switches.generation_seconds = 0
        if not self.exchanges[index + 1]["note"].startswith(ABANDONED):
            self.now += 6

    def prepare(self, index: int, exchange: dict[str, Any]) -> None:
        """Bring the simulator to where the server was."""
        switches, request = self.simulator.switches, exchange["request"]
        answer, status = exchange["response"].get("json"), exchange["response"]["status"]
        path, db_id = request["path"], self.db_id(exchange)
        if not isinstance(answer, dict):
            return
        if path.endswith("/status"):
            self.move_clock(answer)
        if answer.get("docs") and not self.characters:
            self.characters.append(self.simulator.add_character(name="Probe"))
        if db_id is None:
            return
        if path.endswith("/generate-360-set") and status == 202:
            self.ensure_reference(db_id)
            polls = [
                each["response"]["json"]
                for each in self.exchanges[index:]
                if answer["jobId"] in each["request"]["path"]
            ]
            self.begun[answer["jobId"]] = self.now
            switches.fail_jobs = any(poll.get("status") == "failed" for poll in polls)
            last = [poll for poll in polls if poll.get("status") == "completed"]
            switches.failing_shots = len(last[0]["results"]["failedImages"]) if last else 0
        elif path.endswith("/generate-initial-image") and status == 500:
            upload = answer["error"].startswith("Failed to upload")
            upstream = answer["error"] == "Image generation failed" and isinstance(
                request["json"]["prompt"], str
            )
            switches.upload_errors = int(upload)
            switches.generation_errors = int(upstream)
            switches.generation_error = answer.get("details", "")
        elif path.endswith("/generate-scene-image") and request.get("json"):
            given = request["json"]
            if status == 200 or "invalid" in str(answer.get("error")):
                self.ensure_reference(db_id)
            if status == 500 and given.get("sceneContext") and given.get("sceneType"):
                invalid = "invalid" in answer["error"]
                switches.upload_errors = int(answer["error"].startswith("Failed to upload"))
                switches.generation_errors = int(not invalid and not switches.upload_errors)
                switches.generation_error = answer["error"]
        elif request["method"] == "GET" and answer.get("mediaId"):
            self.ensure_reference(db_id)
        elif "/images" in path and status == 200:
            if "masterReference" in answer["images"]:
                self.ensure_reference(db_id)
            self.ensure_scenes(db_id, len(answer["images"]["sceneImages"]))

    def move_clock(self, answer: dict[str, Any]) -> None:
        begun = self.begun.get(answer.get("jobId", ""))
        if begun is None:
            return
        progress = answer["progress"]
        share = {"pending": 0.0, "completed": 1.1, "failed": 1.1}.get(
            answer["status"], (progress["current"] + 0.6) / progress["total"]
        )
        self.now = max(self.now, begun + share * JOB_SECONDS)

    def ensure_reference(self, db_id: str) -> None:
        if self.simulator.reference_of(db_id) is None:
            self.simulator.set_reference(db_id)

    def ensure_scenes(self, db_id: str, count: int) -> None:
        url = f"{BASE}/api/v1/characters/{db_id}"
        shown = json.loads(self.simulator.handle("GET", f"{url}/images", {}, b"").body)
        body = json.dumps({"sceneContext": "x", "sceneType": "dialogue"}).encode()
        for _ in range(count - len(shown["images"]["sceneImages"])):
            self.simulator.handle("POST", f"{url}/generate-scene-image", {}, body)

    def send(self, exchange: dict[str, Any]) -> SimulatedResponse:
        request = exchange["request"]
        path = self.translate(request["path"])
        body = b""
        if "json" in request:
            body = self.translate(json.dumps(request["json"])).encode()
        elif request.get("raw_body") is not None:
            body = request["raw_body"].encode()
        url = path if path.startswith("http") else f"{BASE}{path}"
        return self.simulator.handle(request["method"], url, request.get("headers", {}), body)

    def compare(self, exchange: dict[str, Any], answer: SimulatedResponse) -> None:
        where = (
            f"{exchange['note']!r}: {exchange['request']['method']} {exchange['request']['path']}"
        )
        recorded = exchange["response"]
        assert answer.status == recorded["status"], f"{where}: {answer.body[:200]!r}"
        assert answer.broken is None
        if isinstance(recorded.get("json"), (dict, list)):
            assert_shape(recorded["json"], json.loads(answer.body), where)
        given = recorded.get("headers", {})
        if "content-type" in given:
            kind = given["content-type"].partition(";")[0]
            assert answer.headers["content-type"].partition(";")[0] == kind, where
        assert ("location" in given) == ("location" in answer.headers), where

    def after(self, exchange: dict[str, Any], answer: SimulatedResponse) -> None:
        """Learn which simulated id and URL stands for which recorded one."""
        recorded = exchange["response"].get("json")
        if isinstance(recorded, dict):
            self.learn(recorded, json.loads(answer.body))

    def learn(self, recorded: Any, simulated: Any) -> None:
        if isinstance(recorded, dict):
            for name in recorded:
                self.learn(recorded[name], simulated[name])
                value = recorded[name]
                if (
                    name.lower().endswith(("id", "url"))
                    and isinstance(value, str)
                    and len(value) > 8
                ):
                    self.known.setdefault(value, simulated[name])
                    file, other = value.rpartition("/")[2], simulated[name].rpartition("/")[2]
                    if "." in file:
                        self.known.setdefault(file, other)
        elif isinstance(recorded, list):
            for one, other in zip(recorded, simulated, strict=False):
                self.learn(one, other)


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "number", float: "number", str: "string", type(None): "null"}.get(
        type(value), type(value).__name__
    )


LATER = {"tags"}
"""What only the later recordings have."""


def assert_shape(recorded: Any, simulated: Any, where: str) -> None:
    assert kind_of(recorded) == kind_of(simulated), f"{where}: {recorded!r} / {simulated!r}"
    if isinstance(recorded, dict):
        assert set(recorded) - LATER == set(simulated) - LATER, where
        for name in set(recorded) & set(simulated):
            assert_shape(recorded[name], simulated[name], f"{where} .{name}")
    elif isinstance(recorded, list):
        assert bool(recorded) == bool(simulated), where
        for each in simulated:
            assert_shape(recorded[0], each, f"{where}[]")


@pytest.mark.parametrize("path", recordings, ids=lambda path: path.stem)
def test_the_simulator_answers_as_the_server_did(path: Path) -> None:
    exchanges = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
    replay = Replay(exchanges)
    skipped = [
        each
        for each in exchanges
        if each["note"] in OUT_OF_SCOPE or "status" not in each["response"]
    ]
    assert replay.run() == len(exchanges) - len(skipped)


def test_nothing_but_drawing_on_demand_is_left_out() -> None:
    left_out = {
        each["request"]["path"].rpartition("/")[2]
        for path in recordings
        for each in json.loads(path.read_text(encoding="utf-8"))["exchanges"]
        if each["note"] in OUT_OF_SCOPE
    }
    assert left_out == {"generate-image", "images"}


RECORDED = {"a": [{"b": 1}], "c": None, "d": [], "e": "x", "f": True}


@pytest.mark.parametrize(
    "answered",
    [
        {"c": None, "d": [], "e": "x", "f": True},
        {**RECORDED, "more": 1},
        {**RECORDED, "a": []},
        {**RECORDED, "a": [{"b": 1}, {"b": "1"}]},
        {**RECORDED, "c": 0},
        {**RECORDED, "d": [1]},
        {**RECORDED, "e": None},
        {**RECORDED, "f": 1},
    ],
)
def test_another_shape_is_seen(answered: Any) -> None:
    assert_shape(RECORDED, {**RECORDED, "a": [{"b": 2.5}, {"b": 3}], "e": ""}, "here")
    with pytest.raises(AssertionError, match="here"):
        assert_shape(RECORDED, answered, "here")


def recording_of(status: int, answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "note": "unknown id",
            "request": {
                "method": "GET",
                "path": f"/api/v1/characters/{UNKNOWN}/reference-image",
                "body": None,
            },
            "response": {
                "status": status,
                "headers": {"content-type": "application/json"},
                "json": answer,
            },
        }
    ]


def test_a_departure_from_a_recording_is_seen() -> None:
    answer = {"success": False, "updated": False, "error": "Not Found"}
    assert Replay(recording_of(500, answer)).run() == 1
    for wrong in (recording_of(404, answer), recording_of(500, {**answer, "details": "x"})):
        with pytest.raises(AssertionError, match="unknown id"):
            Replay(wrong).run()
