"""What stays unknown is looked at and settled over HTTP, in each framework."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest

from charimg import JobPolicy, StorageError

from ..patience import until
from .stages import Stage
from .test_failures import refused
from .test_routes import MARA, drawn, ok

SCENE = f"{MARA}/generate-scene-image"
CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}


def unknown_scene(stage: Stage) -> tuple[str, Any]:
    """Return where a scene of unknown outcome is, and its candidates: its own is the second."""
    drawn(stage)
    stage.simulator.switches.lost_answers = 1
    body = {"sceneContext": "She waits.", "sceneType": "action", "mood": "tense"}
    lost = stage("POST", SCENE, json=body)
    assert lost.json()["outcomeUnknown"] is True
    mara = stage.call(lambda service: service.directory.get("mara"))
    stage.simulator.draw_scene(mara.library_db_id, "theirs", "action", "tense")
    at = f"{MARA}/operations/{lost.json()['operationId']}"
    assert ok(stage("POST", f"{at}/recover"))["outcome"] == "unknown"
    return at, ok(stage("GET", f"{at}/candidates"))["candidates"]


def opened(stage: Stage) -> list[str]:
    return [each["state"] for each in ok(stage("GET", f"{MARA}/operations?limit=1"))["open"]]


def journaled(stage: Stage, at: str) -> Any:
    return ok(stage("GET", at))["operation"]["options"].get("settled")


def test_candidates_are_told_without_their_urls_and_shown_through_the_host(stage: Stage) -> None:
    at, found = unknown_scene(stage)
    assert len(found) == 2
    for each in found:
        assert set(each) == {"mediaId", "drawnAt", "evidence"}
        assert each["evidence"][0] == "It is of the type that was asked for, action."
        picture = stage("GET", f"{at}/candidates/{each['mediaId']}")
        assert picture.status_code == 200
        start = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}
        assert picture.content.startswith(start[picture.headers["content-type"]])
        assert picture.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert picture.headers["cross-origin-resource-policy"] == "same-origin"
    assert opened(stage) == ["unknown"]


def test_the_chosen_one_comes_in_and_nothing_is_unknown_any_more(stage: Stage) -> None:
    at, (_, own) = unknown_scene(stage)
    before = stage.posts
    for _ in range(2):
        said = ok(stage("POST", f"{at}/settle", json={"mediaId": own["mediaId"]}))
        (image,) = said["images"]
        assert (image["prompt"], image["externalId"]) == ("She waits.", own["mediaId"])
        assert said["operation"]["state"] == "done"
    settled = journaled(stage, at)
    assert (settled["by"], settled["media_ids"]) == ("ada", [own["mediaId"]])
    assert opened(stage) == []
    assert ok(stage("GET", f"{at}/candidates"))["candidates"] == []
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 2
    assert stage.posts == before


def test_none_of_them_closes_it(stage: Stage) -> None:
    at, _ = unknown_scene(stage)
    for _ in range(2):
        said = ok(stage("POST", f"{at}/settle", json={"nothing": True}))
        assert (said["outcome"], said["images"]) == ("failed", [])
    assert journaled(stage, at)["by"] == "ada"
    assert opened(stage) == []
    assert ok(stage("POST", f"{at}/recover"))["outcome"] == "failed"
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 1


def test_a_stranded_job_is_given_up_and_no_image_deleted(stage: Stage) -> None:
    drawn(stage)
    stage.simulator.switches.strand_jobs = True
    stage.simulator.switches.job_seconds = 60
    stage.change(job_policy=JobPolicy(interval=0.01, deadline=0.05, stall=0.05, cancel_grace=0))
    lost = stage("POST", f"{MARA}/generate-360-set", json={})
    at = f"{MARA}/operations/{ok(lost)['data']['operationId']}"
    said = ok(stage("POST", f"{at}/recover"))
    assert (said["outcome"], said["operation"]["state"]) == ("stranded", "received")
    # Nobody waits for it any more, whoever asks.
    assert said["operation"]["running"] is False
    before = ok(stage("GET", f"{MARA}/images"))["images"]
    said = ok(stage("POST", f"{at}/settle", json={"nothing": True}))
    assert said["operation"]["state"] == "done"
    assert opened(stage) == []
    assert ok(stage("GET", f"{MARA}/images"))["images"] == before


def unsure_set(stage: Stage) -> str:
    """Return where a set is that loses a shot while somebody draws for a namesake."""
    drawn(stage)
    simulator = stage.simulator
    other = simulator.add_character("Mara")
    simulator.set_reference(other)
    order = f"{simulator.base_url}/api/v1/characters/{other}/generate-360-set"
    simulator.switches.change({"job_seconds": 600, "lost_shots": 1})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(stage, "POST", f"{MARA}/generate-360-set", json={})
        until(lambda: simulator.counters.set360_posts == 1)
        simulator.switches.lost_shots = 1
        simulator.handle("POST", order, {}, b"{}")
        stage.ahead = 1200
        lost = answer.result()
    assert lost.json()["code"] == "JOB_FAILED", lost.text
    return f"{MARA}/operations/{lost.json()['operationId']}"


def test_those_of_a_set_that_are_chosen_come_in(stage: Stage) -> None:
    at = unsure_set(stage)
    assert opened(stage) == ["unknown"]
    found = ok(stage("GET", f"{at}/candidates"))["candidates"]
    assert len(found) == 4
    assert found[0]["evidence"][0].startswith("It shows ")
    assert stage("GET", f"{at}/candidates/{found[0]['mediaId']}").status_code == 200
    twice = [each["mediaId"] for each in found]
    said = stage("POST", f"{at}/settle", json={"mediaIds": twice})
    refused(said, 422, "INVALID_ARGUMENT")
    assert "cannot have all of these images" in said.json()["error"]
    assert opened(stage) == ["unknown"]
    shots = {each["evidence"][0]: each["mediaId"] for each in found}
    chosen = list(shots.values())[:2]
    said = ok(stage("POST", f"{at}/settle", json={"mediaIds": chosen}))
    stored = [each["externalId"] for each in said["images"] if each["status"] == "succeeded"]
    assert sorted(stored) == sorted(chosen)
    assert journaled(stage, at)["media_ids"] == chosen
    assert opened(stage) == []


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"nothing": False}, {"nothing": 1}, {"mediaid": "f"}, {"mediaIds": []}),
        *({"mediaId": "f", "nothing": True}, {"mediaId": "f", "mediaIds": ["f"]}),
    ],
)
def test_what_is_meant_has_to_be_said(stage: Stage, body: Any) -> None:
    at, _ = unknown_scene(stage)
    refused(stage("POST", f"{at}/settle", json=body), 422, "INVALID_ARGUMENT")
    assert opened(stage) == ["unknown"]


def test_what_is_no_candidate_is_neither_taken_nor_shown(stage: Stage) -> None:
    at, _ = unknown_scene(stage)
    posted = stage("POST", f"{at}/settle", json={"mediaId": "f" * 24})
    for answer in (posted, stage("GET", f"{at}/candidates/{'f' * 24}")):
        refused(answer, 422, "INVALID_ARGUMENT")
    assert opened(stage) == ["unknown"]


def test_another_characters_operation_is_as_good_as_none(stage: Stage) -> None:
    at, (own, _) = unknown_scene(stage)
    there = at.replace("mara", "otto")
    for answer in (
        stage("GET", f"{there}/candidates"),
        stage("GET", f"{there}/candidates/{own['mediaId']}"),
        stage("POST", f"{there}/settle", json={"nothing": True}),
        stage("POST", f"{there}/recover"),
    ):
        refused(answer, 404, "OPERATION_NOT_FOUND")
    assert opened(stage) == ["unknown"]


def test_another_sites_page_asks_the_library_nothing(stage: Stage) -> None:
    at, (own, _) = unknown_scene(stage)
    before = attrs.evolve(stage.simulator.counters)
    for method, path, body in (
        ("GET", f"{at}/candidates", None),
        ("GET", f"{at}/candidates/{own['mediaId']}", None),
        ("POST", f"{at}/settle", {"nothing": True}),
        ("POST", f"{at}/recover", {}),
    ):
        refused(stage(method, path, json=body, headers=CROSS_SITE), 403, "CROSS_SITE")
    assert stage.simulator.counters == before


def test_a_candidate_that_is_no_image_is_not_passed_on(stage: Stage) -> None:
    at, (own, _) = unknown_scene(stage)
    stage.simulator.switches.html_files = 1
    answer = stage("GET", f"{at}/candidates/{own['mediaId']}")
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "application/json"


def test_a_recovery_that_fails_tells_no_path(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    at, _ = unknown_scene(stage)

    def broken(*_: Any) -> Any:
        raise StorageError("/srv/secret/charimg.sqlite is locked")

    monkeypatch.setattr(stage.parts["ledger"], "write", broken)
    monkeypatch.setattr(stage.parts["ledger"], "renew", broken)
    said = ok(stage("POST", f"{at}/recover"))
    assert said["outcome"] == "error"
    assert "/srv" not in said["message"]
