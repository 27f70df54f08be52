"""Operations that outlive their client, and the streams that tell of them, in each framework."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import attrs
import httpx
import pytest

from charimg import Operation, OperationState
from charimg.web._async import streams as in_async
from charimg.web._sync import streams as in_sync

from ..patience import until
from .stages import Stage
from .test_failures import GENERATE, refused
from .test_routes import MARA, drawn, ok

EVENTS = {"Accept": "text/event-stream"}
Event = tuple[str, str, dict[str, Any]]
"""Id, name and data."""


@contextmanager
def streamed(
    stage: Stage, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
) -> Iterator[httpx.Response]:
    sent = {"Sec-Fetch-Site": "same-origin", **EVENTS, **stage.credentials, **(headers or {})}
    with stage.client.stream(
        method, f"{stage.url}{path}", headers=sent, timeout=60, **options
    ) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        yield response


def told(response: httpx.Response, comments: list[str] | None = None) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            if comments is not None:
                comments.append(line)
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def events(stage: Stage, method: str, path: str, **options: Any) -> list[Event]:
    with streamed(stage, method, path, **options) as response:
        return list(told(response))


def in_order(found: list[Event], operation_id: str) -> bool:
    """Return whether the events are the operation's, each with a higher number than the last."""
    of, numbers = zip(*(event_id.rsplit(".", 1) for event_id, _, _ in found), strict=True)
    row = list(map(int, numbers))
    return set(of) == {operation_id} and row == sorted(set(row))


def count(stage: Stage) -> int:
    return int(ok(stage("GET", f"{MARA}/images"))["count"])


def test_a_reference_is_told_step_by_step(stage: Stage) -> None:
    all_events = events(stage, "POST", GENERATE, json={"prompt": "Rain."})
    assert [name for _, name, _ in all_events] == ["started", "image", "done"]
    operation_id = all_events[0][2]["operationId"]
    assert in_order(all_events, operation_id)
    done = all_events[-1][2]
    assert set(done) == {"success", "data", "image", "warnings"}
    assert done["image"] == all_events[1][2]["image"]
    assert done["image"]["createdBy"] == "ada"
    assert (all_events[1][2]["done"], all_events[1][2]["total"]) == (1, 1)


def test_a_set_tells_progress_images_and_failures(stage: Stage) -> None:
    drawn(stage)
    stage.simulator.switches.failing_shots = 1
    stage.simulator.switches.job_seconds = 0.2
    all_events = events(stage, "POST", f"{MARA}/generate-360-set", json={})
    names = [name for _, name, _ in all_events]
    assert names[0] == "started"
    assert names[-1] == "done"
    assert (names.count("image"), names.count("failure")) == (2, 1)
    progress = next(data for _, name, data in all_events if name == "progress")
    assert set(progress) == {"operationId", "jobId", "status", "current", "total", "task"}
    landed = [data for _, name, data in all_events if name in ("image", "failure")]
    assert sorted(data["done"] for data in landed) == [1, 2, 3]
    assert {data["total"] for data in landed} == {3}


def test_a_warning_and_a_second_try_are_told(stage: Stage) -> None:
    drawn(stage)
    stage.simulator.switches.reference_delete_errors = 1
    names = [name for _, name, _ in events(stage, "POST", GENERATE, json={})]
    assert "warning" in names
    assert "reference-retried" in names


def test_a_failure_is_told(stage: Stage) -> None:
    stage.simulator.switches.generation_errors = 1
    all_events = events(stage, "POST", GENERATE, json={})
    assert [name for _, name, _ in all_events] == ["started", "error"]
    error = all_events[-1][2]
    assert (error["success"], error["status"], error["code"]) == (False, 502, "UPSTREAM_MODEL")
    assert error["operationId"] == all_events[0][2]["operationId"]


def test_what_is_refused_before_it_begins_is_no_stream(stage: Stage) -> None:
    refused(stage("POST", GENERATE, json={"prompt": " "}, headers=EVENTS), 400, "PROMPT_REQUIRED")
    asked = stage("POST", "/v1/characters/nobody/generate-initial-image", headers=EVENTS)
    refused(asked, 404, "CHARACTER_NOT_FOUND")
    refused(stage("GET", f"{MARA}/operations/none", headers=EVENTS), 404, "OPERATION_NOT_FOUND")


def test_a_silent_stream_says_that_it_is_there(stage: Stage) -> None:
    gate = stage.gate()
    names: list[str] = []
    with streamed(stage, "POST", GENERATE, json={}) as response:
        for line in response.iter_lines():
            if line.startswith(":"):
                assert line == ": still here"
                gate.set()
            elif line.startswith("event: "):
                names.append(line.removeprefix("event: "))
    # It said so, or it would have waited for ever.
    assert names == ["started", "image", "done"]


def test_deleting_retrying_and_restoring_are_told_too(stage: Stage) -> None:
    stage.simulator.switches.file_errors = 1
    failed = stage("POST", GENERATE, json={}).json()["imageId"]
    at = f"{MARA}/images/{failed}"
    assert events(stage, "POST", f"{at}/retry")[-1][1] == "done"
    assert events(stage, "POST", f"{at}/restore", json={})[-1][1] == "done"
    assert events(stage, "DELETE", at)[-1][1] == "done"
    assert count(stage) == 0


def test_a_client_that_leaves_loses_nothing(stage: Stage) -> None:
    stage.simulator.switches.generation_seconds = 0.5
    headers = {"Sec-Fetch-Site": "same-origin", **stage.credentials}
    patience = httpx.Timeout(60, read=0.2)
    with httpx.Client() as impatient:
        try:
            impatient.post(f"{stage.url}{GENERATE}", headers=headers, json={}, timeout=patience)
        except httpx.ReadTimeout:
            pass
        else:
            raise AssertionError("it was not supposed to answer so soon")
    until(lambda: count(stage) == 1)
    assert stage.posts == 1


def test_a_listener_that_leaves_comes_back_and_pays_once(stage: Stage) -> None:
    stage.simulator.switches.generation_seconds = 0.5
    with streamed(stage, "POST", GENERATE, json={}) as response:
        event_id, name, data = next(told(response))
        assert name == "started"
    # As EventSource does: the same request once more, with the id of what came last.
    again = events(stage, "POST", GENERATE, json={}, headers={"Last-Event-ID": event_id})
    assert [name for _, name, _ in again] == ["image", "done"]
    assert in_order([(event_id, name, data), *again], data["operationId"])
    # And after its end, from the beginning and from the middle.
    at = f"{MARA}/operations/{data['operationId']}"
    assert [name for _, name, _ in events(stage, "GET", at)] == ["started", "image", "done"]
    late = events(stage, "GET", at, headers={"Last-Event-ID": again[0][0]})
    assert [name for _, name, _ in late] == ["done"]
    another = events(stage, "GET", at, headers={"Last-Event-ID": "another.2"})
    assert [name for _, name, _ in another] == ["started", "image", "done"]
    assert stage.posts == 1
    # What is no id of ours, or one of another kind, is no order of a new image.
    for given, status, code in [
        ("foo", 400, "BAD_EVENT_ID"),
        (".", 400, "BAD_EVENT_ID"),
        (f"{data['operationId']}.x", 400, "BAD_EVENT_ID"),
    ]:
        asked = stage("POST", GENERATE, json={}, headers={**EVENTS, "Last-Event-ID": given})
        refused(asked, status, code)
    headers = {**EVENTS, "Last-Event-ID": event_id}
    asked = stage("POST", f"{MARA}/generate-scene-image", json={"prompt": "x"}, headers=headers)
    refused(asked, 409, "OTHER_OPERATION")
    assert stage.posts == 1


def test_a_foreign_event_id_pays_nothing(stage: Stage) -> None:
    image = drawn(stage)
    operation_id = image["id"].rpartition("-")[0]
    headers = {**EVENTS, "Last-Event-ID": f"{operation_id}.1"}
    asked = stage("POST", "/v1/characters/otto/generate-initial-image", json={}, headers=headers)
    refused(asked, 404, "OPERATION_NOT_FOUND")
    assert stage.posts == 1


def test_a_second_tab_sees_what_runs(stage: Stage) -> None:
    drawn(stage)
    gate = stage.gate()
    with streamed(stage, "POST", f"{MARA}/generate-360-set", json={}) as response:
        seen = told(response)
        next(event for event in seen if event[1] == "progress")
        (running,) = ok(stage("GET", f"{MARA}/operations?limit=1"))["operations"]
        assert (running["running"], running["kind"]) == (True, "portfolio")
        assert running["progress"]["total"]
        gate.set()
        followed = events(stage, "GET", f"{MARA}/operations/{running['id']}")
        assert followed[0][1] == "started"
        assert followed[-1][1] == "done"
        assert list(seen)[-1] == followed[-1]
    assert stage.posts == 2


def _written(stage: Stage, operation: Operation) -> None:
    """Write an operation as another process does."""

    async def later(service: Any) -> None:
        lease = await service.ledger.acquire("mara", owner="elsewhere", ttl=60)
        await service.ledger.write(operation, lease=lease)
        await service.ledger.release(lease)

    def at_once(service: Any) -> None:
        lease = service.ledger.acquire("mara", owner="elsewhere", ttl=60)
        service.ledger.write(operation, lease=lease)
        service.ledger.release(lease)

    stage.call(later if stage.is_async else at_once)


ELSEWHERE = Operation(id="01a2", kind="reference", character_id="mara", prompt="Rain.")


def test_an_operation_of_another_process_is_followed(stage: Stage) -> None:
    _written(stage, ELSEWHERE)
    with streamed(stage, "GET", f"{MARA}/operations/01a2") as response:
        comments: list[str] = []
        seen = told(response, comments)
        _, name, data = next(seen)
        assert (name, data["operation"]["state"]) == ("operation", "started")
        assert data["operation"]["running"] is True
        _written(stage, attrs.evolve(ELSEWHERE, state=OperationState.DONE))
        rest = list(seen)
    assert [name for _, name, _ in rest] == ["operation", "done"]
    assert rest[-1][2]["operation"]["state"] == "done"
    assert in_order(rest, "01a2")


def test_how_an_operation_of_another_process_ended(stage: Stage) -> None:
    old = attrs.evolve(ELSEWHERE, updated_at=ELSEWHERE.updated_at - timedelta(days=1))
    for operation, code in (
        (attrs.evolve(ELSEWHERE, state=OperationState.FAILED, error="No."), "OPERATION_FAILED"),
        (attrs.evolve(ELSEWHERE, state=OperationState.UNKNOWN), "INTERRUPTED"),
        (old, "INTERRUPTED"),
    ):
        _written(stage, operation)
        all_events = events(stage, "GET", f"{MARA}/operations/01a2")
        assert [name for _, name, _ in all_events] == ["operation", "error"]
        assert all_events[-1][2]["code"] == code


def test_an_operation_that_nobody_has_touched_for_long_does_not_run(stage: Stage) -> None:
    for age, running in ((timedelta(0), True), (timedelta(days=1), False)):
        _written(stage, attrs.evolve(ELSEWHERE, updated_at=ELSEWHERE.updated_at - age))
        one = stage("GET", f"{MARA}/operations/01a2").json()["operation"]
        (listed,) = stage("GET", f"{MARA}/operations").json()["operations"]
        assert (one["running"], listed["running"]) == (running, running)


def test_operations_come_in_pages_unless_more_are_asked_for(stage: Stage) -> None:
    for number in range(22):
        _written(stage, attrs.evolve(ELSEWHERE, id=f"01a{number:02}"))
    page = ok(stage("GET", f"{MARA}/operations"))
    assert len(page["operations"]) == 20
    rest = ok(stage("GET", f"{MARA}/operations?cursor={page['nextCursor']}"))
    assert (len(rest["operations"]), rest["nextCursor"]) == (2, None)
    refused(stage("GET", f"{MARA}/operations?limit=201"), 422, "INVALID_ARGUMENT")


def test_a_ledger_that_is_silent_is_told(stage: Stage) -> None:
    _written(stage, ELSEWHERE)
    comments: list[str] = []
    with streamed(stage, "GET", f"{MARA}/operations/01a2") as response:
        lines = response.iter_lines()
        comments.append(next(line for line in lines if line.startswith(":")))
    assert comments == [": still here"]


@pytest.mark.parametrize(
    ("headers", "taken_up"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
    ],
)
def test_only_who_comes_from_here_takes_an_operation_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], taken_up: bool
) -> None:
    """Another site's page can send a GET, and the Library would be called for it."""
    for streams in (in_async, in_sync):
        monkeypatch.setattr(streams, "_ADOPT", 0.0)
    _written(stage, ELSEWHERE)
    with streamed(stage, "GET", f"{MARA}/operations/01a2", headers) as response:
        lines = response.iter_lines()
        if taken_up:
            assert "event: error" in lines
        else:
            beats = (line for line in lines if line == ": still here")
            assert [next(beats), next(beats), next(beats)]
    state = ok(stage("GET", f"{MARA}/operations/01a2"))["operation"]["state"]
    assert state == ("failed" if taken_up else "started")


def test_head_of_a_stream_has_no_body(stage: Stage) -> None:
    _written(stage, ELSEWHERE)
    answer = stage("HEAD", f"{MARA}/operations/01a2", headers=EVENTS)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
