"""Every recorded exchange with the real server, replayed against the simulator.

Same status, same shape: the same keys with the same JSON types all the way down, ``null`` only
where ``null`` was recorded, an empty list only where an empty one was. Values may differ. What the
server held at the time is not part of a recording, so it is prepared from what the recording
answers. The second part was recorded over another database, which leaves out what is ``null``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from charimg.testing import Simulator
from charimg.testing.simulator import SimulatedResponse

CONTRACT = Path(__file__).resolve().parents[3] / "shared" / "contract"
FIRST, SECOND = CONTRACT / "character-library", CONTRACT / "character-library-2"
RECORDED_BASE = "http://127.0.0.1:9703"
BASE = "http://library.test"
UNKNOWN = "0123456789abcdef01234567"
JOB_SECONDS = 1000.0
ON_DEMAND = ("generate-image", "generate-smart-image", "generate-core-set")
ABANDONED = "repeat at once while the first still runs"

recordings = [*sorted(FIRST.glob("*.json")), *sorted(SECOND.glob("*.json"))]


class Replay:
    """One recording on its way through a simulator."""

    def __init__(self, exchanges: list[dict[str, Any]], *, nulls: bool = True) -> None:
        self.exchanges = exchanges
        self.nulls = nulls
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
                self.known[found] = self.simulator.add_character(name=self.name_of(found))

    def name_of(self, db_id: str) -> str:
        """Return the name that some answer tells."""
        for exchange in self.exchanges:
            answer = exchange["response"].get("json")
            if db_id in exchange["request"]["path"] and isinstance(answer, dict):
                data = answer.get("data")
                told = {**answer, **(data if isinstance(data, dict) else {})}
                if told.get("characterName"):
                    return str(told["characterName"])
        return "Lena"

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
            switches.strand_jobs |= "after the restart" in exchange["note"]
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
            errors = [poll["error"] for poll in polls if poll.get("status") == "failed"]
            switches.lost_shots = sum(error.count("Image File") for error in errors)
            switches.fail_jobs = bool(errors) and not switches.lost_shots
            last = [poll for poll in polls if poll.get("status") == "completed"]
            switches.failing_shots = len(last[0]["results"]["failedImages"]) if last else 0
        elif path.endswith("/generate-initial-image") and status == 500:
            upload = answer["error"].startswith("Failed to upload")
            upstream = answer["error"] == "Image generation failed" and isinstance(
                request["json"]["prompt"], str
            )
            switches.upload_errors = int(upload)
            switches.processing_errors = int(answer["error"].startswith("Failed to process"))
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
        elif request["method"] == "POST" and endpoint_of(exchange) in ON_DEMAND:
            self.ensure_drawing(db_id, status, answer, exchange["note"])
        elif answer.get("metrics", {}).get("visualMetrics", {}).get("coreReferenceCount"):
            self.ensure_set(db_id)
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

    def ensure_drawing(self, db_id: str, status: int, answer: dict[str, Any], note: str) -> None:
        """Bring it about that drawing on demand goes as it went, and is scored as it was."""
        switches, tries = self.simulator.switches, self.tries(answer)
        if status == 200 or tries:
            self.ensure_reference(db_id)
        told = [str(each.get("error", each.get("reason", ""))) for each in tries]
        refused = [text for text in told if "Fal.ai" in text]
        switches.generation_errors = len(refused)
        switches.generation_error = (
            refused[0].removeprefix("Generation failed: ") if refused else ""
        )
        switches.processing_errors = len(tries) if "feature service fails" in note else 0
        scored = [each for each in tries if "qualityScore" in each] or [{}]
        switches.quality_score = scored[0].get("qualityScore", 88.5)
        switches.consistency_score = scored[0].get("consistencyScore", 93.2)
        switches.job_seconds = 0

    @staticmethod
    def tries(answer: dict[str, Any]) -> list[dict[str, Any]]:
        data, details = answer.get("data"), answer.get("details")
        found = {
            **(data if isinstance(data, dict) else {}),
            **(details if isinstance(details, dict) else {}),
        }
        tries: list[dict[str, Any]] = found.get("attempts", found.get("results", []))
        return tries if isinstance(tries, list) else []

    def ensure_set(self, db_id: str) -> None:
        self.ensure_reference(db_id)
        self.simulator.switches.job_seconds = 0
        url = f"{BASE}/api/v1/characters/{db_id}/generate-360-set"
        self.simulator.handle("POST", url, {}, b"{}")

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
            assert_shape(recorded["json"], json.loads(answer.body), where, nulls=self.nulls)
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


def endpoint_of(exchange: dict[str, Any]) -> str:
    path: str = exchange["request"]["path"].partition("?")[0]
    return path.rpartition("/")[2]


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return {int: "number", float: "number", str: "string", type(None): "null"}.get(
        type(value), type(value).__name__
    )


LATER = {
    *("tags", "dinoFeatures", "referenceWeight", "description", "usageNotes", "fileNamePattern"),
    *("promptTemplate", "gaze", "thirds", "headroom", "whenToUse", "sceneTypes", "priority"),
    *("compositionNotes", "isActive"),
}
"""What only the later recordings have."""


def assert_shape(recorded: Any, simulated: Any, where: str, *, nulls: bool = True) -> None:
    """Compare; without ``nulls`` what is ``null`` may have been left out of the recording."""
    assert kind_of(recorded) == kind_of(simulated), f"{where}: {recorded!r} / {simulated!r}"
    if isinstance(recorded, dict):
        more = set(simulated) - set(recorded)
        if nulls:
            more -= LATER
        else:
            more = {name for name in more if simulated[name] is not None}
        assert not more, f"{where}: {more}"
        assert set(recorded) - (LATER if nulls else set()) <= set(simulated), where
        for name in set(recorded) & set(simulated):
            assert_shape(recorded[name], simulated[name], f"{where} .{name}", nulls=nulls)
    elif isinstance(recorded, list):
        assert bool(recorded) == bool(simulated), where
        for each in simulated:
            if not any(fits(one, each, nulls=nulls) for one in recorded):
                assert_shape(recorded[0], each, f"{where}[]", nulls=nulls)
        for one in recorded:
            assert any(fits(one, each, nulls=nulls) for each in simulated), f"{where}: {one!r}"


def fits(recorded: Any, simulated: Any, *, nulls: bool) -> bool:
    try:
        assert_shape(recorded, simulated, "", nulls=nulls)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("path", recordings, ids=lambda path: path.stem)
def test_the_simulator_answers_as_the_server_did(path: Path) -> None:
    exchanges = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
    replay = Replay(exchanges, nulls=path.parent == FIRST)
    answered = [each for each in exchanges if "status" in each["response"]]
    assert replay.run() == len(answered)


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
