"""Several workers, and restarts: each tells the same of an operation, and nothing is missed."""

from __future__ import annotations

import json
from typing import Any

import anyio

from charimg import ItemState, JobSeen, Operation, OperationItem, Shot
from charimg.web import AsyncWorkspace, WebRequest, WebResponse, Workspace
from charimg.web.wire import operation_json

from ..patience import until
from .stages import Stage
from .test_events import EVENTS, Event, events, streamed, told
from .test_routes import MARA, drawn, ok


class Worker:
    """Another process of the same host: a workspace of its own over the same stores."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        cls: Any = AsyncWorkspace if stage.is_async else Workspace
        self._workspace = cls(lambda: stage.service, authorize=lambda *_: "ada", heartbeat=0.2)

    def json(self, path: str) -> Any:
        return json.loads(self._asked(WebRequest(method="GET", path=path), None).body)

    def events(self, path: str, last: str, most: int = 100) -> list[Event]:
        """Follow an operation after an event, for so many events at most."""
        headers = {**EVENTS, "last-event-id": last}
        headers = {name.lower(): value for name, value in headers.items()}
        return self._asked(WebRequest(method="GET", path=path, headers=headers), most)  # type: ignore[no-any-return]

    def _asked(self, request: WebRequest, most: int | None) -> Any:
        if not self._stage.is_async:
            answer = self._workspace.handle(request)
            return answer if most is None else self._read(answer, most)

        async def ask() -> Any:
            answer = await self._workspace.handle(request)
            return answer if most is None else await self._aread(answer, most)

        return anyio.run(ask)

    @staticmethod
    def _read(answer: WebResponse, most: int) -> list[Event]:
        found: list[Event] = []
        stream: Any = answer.stream
        for chunk in stream:
            found += _event(chunk)
            if len(found) == most:
                stream.close()
        return found

    @staticmethod
    async def _aread(answer: WebResponse, most: int) -> list[Event]:
        found: list[Event] = []
        stream: Any = answer.stream
        async for chunk in stream:
            found += _event(chunk)
            if len(found) == most:
                await stream.aclose()
        return found


def _event(chunk: bytes) -> list[Event]:
    if chunk.startswith(b":"):
        return []
    fields = dict(line.split(": ", 1) for line in chunk.decode().splitlines() if line)
    return [(fields["id"], fields["event"], json.loads(fields["data"]))]


def numbers(found: list[Event]) -> list[int]:
    return [int(event_id.rpartition(".")[2]) for event_id, _, _ in found]


def test_every_worker_tells_the_same_progress(stage: Stage) -> None:
    drawn(stage)
    stage.simulator.switches.job_seconds = 0.5
    gate = stage.gate()
    other = Worker(stage)
    with streamed(stage, "POST", f"{MARA}/generate-360-set", json={}) as response:
        seen = told(response)
        at = f"{MARA}/operations/{next(seen)[2]['operationId']}"
        next(event for event in seen if event[1] == "progress" and event[2]["current"])
        assert other.json(at)["operation"]["progress"]["total"] == 3
        until(lambda: other.json(at)["operation"]["items"])
        # Something may be written between one look and the other, until the files are held up.
        until(lambda: ok(stage("GET", at)) == other.json(at))
        here = other.json(at)["operation"]
        assert here["progress"] == {"current": 0, "total": 3, "task": None, "shot": None}
        gate.set()
        list(seen)
    here, there = (ask["operation"] for ask in (ok(stage("GET", at)), other.json(at)))
    assert here["progress"]["current"] == 3
    assert here["progress"]["shot"]
    assert here == there


def test_the_numbers_of_events_grow_from_worker_to_worker(stage: Stage) -> None:
    gate = stage.gate()
    with streamed(stage, "POST", f"{MARA}/generate-initial-image", json={}) as response:
        first = next(told(response))
    at = f"{MARA}/operations/{first[2]['operationId']}"
    (there,) = Worker(stage).events(at, first[0], 1)
    assert there[1] == "operation"
    gate.set()
    # Back at the worker that draws: nothing of what came since is missed.
    back = events(stage, "GET", at, headers={"Last-Event-ID": there[0]})
    assert [name for _, name, _ in back] == ["image", "done"]
    restarted = Worker(stage).events(at, back[-1][0])
    assert [name for _, name, _ in restarted] == ["operation", "done"]
    row = numbers([first, there, *back, *restarted])
    assert row == sorted(set(row))


def test_the_end_is_told_to_whoever_asks_after_it(stage: Stage) -> None:
    all_events = events(stage, "POST", f"{MARA}/generate-initial-image", json={})
    at = f"{MARA}/operations/{all_events[0][2]['operationId']}"
    again = events(stage, "GET", at, headers={"Last-Event-ID": all_events[-1][0]})
    assert [name for _, name, _ in again] == ["done"]
    assert numbers(again) > numbers(all_events)[-1:]


def test_progress_is_that_of_the_job_until_its_images_are_known() -> None:
    operation = Operation(id="01a2", kind="portfolio", character_id="mara")

    def progress(**changes: Any) -> Any:
        changed = Operation(id="01a2", kind="portfolio", character_id="mara", **changes)
        return operation_json(changed, running=True)["progress"]

    assert operation_json(operation, running=True)["progress"] is None
    seen = JobSeen(status="processing", current=3, total=27)
    assert progress(job_seen=seen) == {"current": 3, "total": 27, "task": None, "shot": None}
    assert progress(job_seen=JobSeen(status="queued")) is None
    items = (
        OperationItem(key="a", index=0, state=ItemState.STORED, shot=Shot(name="50mm FRONT")),
        OperationItem(key="b", index=1, state=ItemState.FAILED),
        OperationItem(key="c", index=2, shot=Shot(name="50mm LEFT")),
    )
    found = progress(job_seen=seen, items=items)
    assert found == {"current": 2, "total": 3, "task": None, "shot": "50mm FRONT"}
