"""Whatever is asked of it in any order, the simulator keeps its own facts.

Random histories of drawings that succeed, fail, overlap and strand. After each step the server is
looked at as a client looks; in the end everything that was paid for must be a media document.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from itertools import chain
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from charimg.testing import Simulator
from charimg.testing.simulator import sets, state

from ..figures import Figure
from ..histories import follow

EXAMPLES = 500 if os.environ.get("CHARIMG_SOAK") else 15
TALLY: Counter[str] = Counter()
NAMES = ("Lena Marlow", "Lena-Marlow", "龍")
TYPES = ("action", "dialogue")
few = st.integers(0, 2)
who = st.integers(0, len(NAMES) - 1)


class Histories(RuleBasedStateMachine):
    """A simulated server, and what it must have drawn."""

    @initialize(shots=st.integers(1, 4), job_seconds=st.sampled_from([0, 60]))
    def begin(self, shots: int, job_seconds: int) -> None:
        TALLY["histories"] += 1
        self.now = 0.0
        self.simulator = Simulator(clock=lambda: self.now)
        self.switches = self.simulator.switches
        self.switches.shots, self.switches.job_seconds = shots, job_seconds
        self.ids = [self.simulator.add_character(name) for name in NAMES]
        self.drawn = len(NAMES)
        for db_id in self.ids:
            self.simulator.set_reference(db_id)
        self.seen: dict[str, tuple[str, str]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}

    # Asking

    def ask(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        body = b"" if document is None else json.dumps(document).encode()
        url = path if path.startswith("http") else f"{self.simulator.base_url}{path}"
        answer = self.simulator.handle(method, url, {}, body)
        is_json = answer.headers.get("content-type") == "application/json"
        return answer.status, json.loads(answer.body) if is_json else answer.body

    def post(self, character: int, what: str, document: Any) -> tuple[int, Any]:
        path = f"/api/v1/characters/{self.ids[character]}/{what}"
        found = self.ask("POST", path, document)
        self.switches.change({"generation_errors": 0, "processing_errors": 0, "upload_errors": 0})
        self.switches.change({"failing_shots": 0, "lost_shots": 0})
        return found

    def documents(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/api/media?limit=5000")[1]["docs"]
        return found

    # Rules

    @rule(character=who, trouble=st.sampled_from(["", "generation", "processing", "upload"]))
    def reference(self, character: int, trouble: str) -> None:
        if trouble:
            self.switches.change({f"{trouble}_errors": 1})
        status, answer = self.post(character, "generate-initial-image", {"prompt": "x"})
        self.drawn += status == 200 or answer["error"].startswith("Failed to process")

    @rule(character=who, scene_type=st.sampled_from([*TYPES, "unlisted"]))
    def scene(self, character: int, scene_type: str) -> None:
        document = {"sceneContext": "a bar", "sceneType": scene_type}
        status, answer = self.post(character, "generate-scene-image", document)
        self.drawn += status == 200 or "invalid" in answer["error"]

    @rule(character=who, count=st.integers(1, 3), refused=few, unread=few)
    def on_demand(self, character: int, count: int, refused: int, unread: int) -> None:
        self.switches.change({"generation_errors": refused, "processing_errors": unread})
        status, _ = self.post(character, "generate-image", {"prompt": "y", "count": count})
        self.drawn += max(0, count - refused) if status == 200 else 0

    @rule(character=who, refused=few, quality=st.sampled_from([20, 88.5]))
    def smart(self, character: int, refused: int, quality: float) -> None:
        self.switches.change({"generation_errors": refused, "quality_score": quality})
        status, answer = self.post(character, "generate-smart-image", {"prompt": "z"})
        self.switches.quality_score = 88.5
        if status == 200:
            self.drawn += 1
        elif "details" in answer:
            self.drawn += 3 - refused

    @rule(character=who, failing=few, lost=few, fails=st.booleans())
    def begin_set(self, character: int, failing: int, lost: int, fails: bool) -> None:
        self.simulator.set_reference(self.ids[character])
        self.switches.change({"failing_shots": failing, "lost_shots": lost, "fail_jobs": fails})
        status, answer = self.post(character, "generate-360-set", {})
        assert status == 202
        TALLY["sets"] += 1
        good = max(0, self.switches.shots - failing)
        lost = min(lost, good)
        ends = "failed" if fails or lost or not good else "completed"
        self.jobs[answer["jobId"]] = {"ends": ends, "shown": 0}
        self.drawn += 1 + (0 if fails else good - lost)

    @rule(character=who, failing=few)
    def core_set(self, character: int, failing: int) -> None:
        self.switches.failing_shots = failing
        status, answer = self.post(character, "generate-core-set", {})
        if status == 200:
            self.drawn += answer["data"]["summary"]["totalGenerated"]

    @rule(character=who, which=st.integers(0, 50))
    def restore(self, character: int, which: int) -> None:
        found = self.documents()
        if found:
            media_id = found[which % len(found)]["id"]
            path = f"/api/v1/characters/{self.ids[character]}/reference-image"
            assert self.ask("PUT", path, {"mediaId": media_id})[0] == 200

    @rule(character=who)
    def remove_reference(self, character: int) -> None:
        path = f"/api/v1/characters/{self.ids[character]}"
        assert self.ask("DELETE", f"{path}/reference-image")[0] == 200
        assert self.ask("GET", f"{path}/images")[1]["totalImages"] == 0

    @rule(seconds=st.sampled_from([0, 30]))
    def drawing_takes(self, seconds: int) -> None:
        self.switches.generation_seconds = seconds

    @rule(seconds=st.sampled_from([1, 20, 45, 100]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.switches.clock_offset = self.now

    @rule()
    def restart_or_go_on(self) -> None:
        self.switches.strand_jobs = not self.switches.strand_jobs

    @rule()
    def cancel(self) -> None:
        for job_id in self.jobs:
            self.ask("DELETE", f"/api/v1/jobs/{job_id}/status")

    # What always holds

    @invariant()
    def documents_stay(self) -> None:
        found = {each["id"]: (each["filename"], each["createdAt"]) for each in self.documents()}
        assert found.items() >= self.seen.items(), "a media document is gone or another"
        names = [name for name, _ in found.values()]
        assert len(set(names)) == len(names), "two have one name"
        for media_id in set(found) - set(self.seen):
            name, created = found[media_id]
            moment = re.search(r"_(\d{13})\.\w+$", name)
            told = datetime.fromisoformat(created).timestamp() * 1000
            # Files of one moment are told apart by some milliseconds more.
            assert moment is None or 0 <= int(moment[1]) - round(told) < 100
            status, data = self.ask("GET", f"/media/{name}")
            assert (status, len(data) > 100) == (200, True)
        assert len(found) <= self.drawn, "more was drawn than was paid for"
        self.seen = found

    @invariant()
    def galleries_show_what_is_there(self) -> None:
        urls = {each["id"]: each["url"] for each in self.documents()}
        for db_id in self.ids:
            images = self.ask("GET", f"/api/v1/characters/{db_id}/images")[1]["images"]
            master = images.pop("masterReference", None)
            for each in chain([master] if master else [], *images.values()):
                assert urls.get(each["imageId"]) == each["url"], "a gallery shows what is not there"
            TALLY["looks"] += 1

    @invariant()
    def jobs_go_forward(self) -> None:
        for job_id, job in self.jobs.items():
            answer = self.ask("GET", f"/api/v1/jobs/{job_id}/status")[1]
            shown = answer["progress"]["current"]
            ended = answer["status"] in ("completed", "failed")
            assert not job.get("ended") or ended, "an end is final"
            assert not ended or answer["status"] == job["ends"]
            assert ended or shown >= job["shown"], "progress goes back"
            if self.switches.strand_jobs and not ended:
                assert answer["status"] in ("processing", "cancelled")
                assert "estimatedCompletionAt" not in answer
                assert shown == job.setdefault("stranded", shown), "a stranded job moves"
            else:
                job.pop("stranded", None)
            job |= {"shown": shown, "ended": ended}
            for each in answer.get("results", {}).get("generatedImages", []):
                assert each["mediaId"] in self.seen, "a job names what is not there"

    def teardown(self) -> None:
        if not hasattr(self, "simulator"):
            return
        # In the end all is drawn that was begun, and nothing of it is lost.
        self.switches.strand_jobs = False
        self.wait(1000)
        self.documents_stay()
        self.jobs_go_forward()
        assert len(self.seen) == self.drawn, "what was paid for is not there"
        assert all(job["ended"] for job in self.jobs.values())
        TALLY["drawn"] += self.drawn


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(200, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_the_simulator_keeps_its_facts(examples: int, figure: Figure) -> None:
    TALLY.clear()
    follow(Histories, examples, steps=25)
    assert TALLY["sets"] > 0
    figure(
        "histories of the simulator",
        f"{TALLY['histories']}, {TALLY['drawn']} images drawn, {TALLY['sets']} sets, "
        f"{TALLY['looks']} looks at galleries, 0 wrong",
    )


def forgets_a_failed_set(patch: pytest.MonkeyPatch) -> None:
    finish: Callable[..., None] = sets._finish

    def forgetful(kept: state.State, switches: Any, job: state.Job, now: float) -> None:
        finish(kept, switches, job, now)
        if job.ended == "failed":
            for media_id in job.images:
                del kept.media[media_id]

    patch.setattr(sets, "_finish", forgetful)


def goes_on_when_stranded(patch: pytest.MonkeyPatch) -> None:
    def restless(kept: state.State, switches: Any, job: state.Job, now: float) -> None:
        job.done = min(len(job.shots), job.done + 1)

    patch.setattr(sets, "_strand", restless)


def draws_again_what_it_had(patch: pytest.MonkeyPatch) -> None:
    finish: Callable[..., None] = sets._finish

    def wasteful(kept: state.State, switches: Any, job: state.Job, now: float) -> None:
        job.done = 0
        finish(kept, switches, job, now)

    patch.setattr(sets, "_finish", wasteful)


@pytest.mark.parametrize(
    "mistake", [forgets_a_failed_set, goes_on_when_stranded, draws_again_what_it_had]
)
def test_a_simulator_that_does_not_is_noticed(
    mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        follow(Histories, 200, steps=25)
