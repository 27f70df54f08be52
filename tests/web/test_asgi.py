"""The ASGI application by itself, on asyncio and trio: streams, clients that leave, half bodies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from charimg import Operation
from charimg.web import AsyncWorkspace, asgi_app
from charimg.web.asgi import workspace_app

from .stages import Stage

pytestmark = pytest.mark.anyio

GENERATE = "/v1/characters/mara/generate-initial-image"
EVENTS = (b"accept", b"text/event-stream")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def hall() -> Stage:
    """A service without a server."""
    stage = Stage("asgi")
    stage.reset()
    return stage


class Client:
    """The server's side of one request: what it sends us, what we sent."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = [*messages]
        self.gone = anyio.Event()
        self.sent: list[dict[str, Any]] = []
        self.arrived = anyio.Event()

    async def receive(self) -> dict[str, Any]:
        if self.messages:
            return self.messages.pop(0)
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.arrived.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent)


def scope(method: str, path: str, *headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    kind = (b"content-type", b"application/json")
    return {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [kind, *headers],
        "root_path": "",
        **more,
    }


def whole(body: bytes = b"") -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": False}


@asynccontextmanager
async def nursery() -> AsyncIterator[Any]:
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            yield group


async def test_a_stream_from_its_beginning_to_its_end(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize)
    client = Client(whole(b'{"prompt": "Rain."}'))
    await app(scope("POST", GENERATE, EVENTS), client.receive, client.send)
    assert client.status == 200
    names = [line for line in client.body.decode().splitlines() if line.startswith("event: ")]
    assert names == ["event: started", "event: image", "event: done"]
    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_stream_ends_when_its_client_leaves_and_the_work_goes_on(hall: Stage) -> None:
    gate = hall.gate()
    app = asgi_app(hall.service, authorize=hall.authorize, heartbeat=60)
    client = Client(whole())
    async with nursery() as group:
        asked = scope("POST", GENERATE, EVENTS)
        group.start_soon(app, asked, client.receive, client.send)
        await client.arrived.wait()
        client.gone.set()
    # The application has returned, without a heartbeat or an event to wake it.
    assert b"event: done" not in client.body
    gate.set()
    with anyio.fail_after(60):
        while not (await hall.service.list_images("mara")).images:
            await anyio.sleep(0.02)
    assert hall.posts == 1


async def test_an_operation_of_another_process_is_followed(hall: Stage) -> None:
    async def write(state: str) -> None:
        lease = await hall.service.ledger.acquire("mara", owner="elsewhere", ttl=60)
        operation = Operation(id="01a2", kind="scene", character_id="mara", state=state)
        await hall.service.ledger.write(operation, lease=lease)
        await hall.service.ledger.release(lease)

    app = asgi_app(hall.service, authorize=hall.authorize, heartbeat=0.05)
    client = Client(whole())
    await write("posting")
    async with nursery() as group:
        asked = scope("GET", "/v1/characters/mara/operations/01a2", EVENTS)
        group.start_soon(app, asked, client.receive, client.send)
        await client.arrived.wait()
        while b": still here" not in client.body:
            await anyio.sleep(0.01)
        await write("done")
    names = [line for line in client.body.decode().splitlines() if line.startswith("event: ")]
    assert names == ["event: operation", "event: operation", "event: done"]
    assert hall.posts == 0


async def test_who_comes_back_hears_the_rest_and_pays_once(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize)
    first = Client(whole())
    await app(scope("POST", GENERATE, EVENTS), first.receive, first.send)
    started, _, rest = first.body.partition(b"\n\n")
    last = started.split(b"\n")[0].removeprefix(b"id: ")
    again = Client(whole())
    back = scope("POST", GENERATE, EVENTS, (b"last-event-id", last))
    await app(back, again.receive, again.send)
    assert again.body == rest
    assert hall.posts == 1


async def test_half_a_body_orders_nothing(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize)
    gone = {"type": "http.disconnect"}
    part = {"type": "http.request", "body": b'{"prompt":', "more_body": True}
    for messages in ([gone], [part, gone]):
        client = Client(*messages)
        await app(scope("POST", GENERATE), client.receive, client.send)
        assert client.sent == []
    assert hall.posts == 0


async def test_the_rest_of_a_large_body_is_not_read(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize, max_body=10)
    more = {"type": "http.request", "body": b"123456", "more_body": True}
    client = Client(more, more, more, more)
    await app(scope("POST", GENERATE), client.receive, client.send)
    assert client.status == 413
    assert len(client.messages) == 2


async def test_a_stream_after_a_large_body_still_ends_with_the_client(hall: Stage) -> None:
    """What was not read of the body is not taken for the client's leaving."""
    app = asgi_app(hall.service, authorize=hall.authorize)
    client = Client(whole(), whole(), whole())
    await app(scope("POST", GENERATE, EVENTS), client.receive, client.send)
    assert b"event: done" in client.body


async def test_below_a_prefix_that_the_server_tells_or_leaves_out(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize)
    for path in ("/studio/screenplay/characters/mara/images", "/screenplay/characters/mara/images"):
        client = Client(whole())
        await app(scope("GET", path, root_path="/studio"), client.receive, client.send)
        assert client.status == 200
        assert b'"base": "/studio"' in client.body


async def test_head_has_no_body(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize)
    client = Client(whole())
    await app(scope("HEAD", "/v1/characters/mara/images"), client.receive, client.send)
    assert (client.status, client.body) == (200, b"")


async def test_it_answers_a_server_that_asks_for_a_lifespan(hall: Stage) -> None:
    app = asgi_app(hall.service, authorize=hall.authorize)
    client = Client({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    await app({"type": "lifespan"}, client.receive, client.send)
    assert [each["type"] for each in client.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    with pytest.raises(RuntimeError, match="websocket"):
        await app({"type": "websocket"}, client.receive, client.send)


async def test_several_in_one_process_know_nothing_of_each_other(hall: Stage) -> None:
    other = Stage("asgi")
    other.reset()
    one = asgi_app(hall.service, authorize=hall.authorize)
    two = asgi_app(other.service, authorize=other.authorize)
    client = Client(whole(b"{}"))
    await one(scope("POST", GENERATE), client.receive, client.send)
    operation_id = json.loads(client.body)["data"]["operationId"]
    path = f"/v1/characters/mara/operations/{operation_id}"
    for app, status in ((one, 200), (two, 404)):
        client = Client(whole())
        await app(scope("GET", path), client.receive, client.send)
        assert client.status == status
    assert (hall.posts, other.posts) == (1, 0)


async def test_closing_when_nothing_runs(hall: Stage) -> None:
    await AsyncWorkspace(hall.service, authorize=hall.authorize).aclose()


# Trio ends such tasks itself, with its loop.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_closing_ends_what_runs_and_recovery_goes_on(hall: Stage) -> None:
    hall.simulator.switches.generation_seconds = 60
    workspace = AsyncWorkspace(lambda: hall.service, authorize=hall.authorize)
    client = Client(whole())
    async with nursery() as group:
        asked = scope("POST", GENERATE, EVENTS)
        group.start_soon(workspace_app(workspace), asked, client.receive, client.send)
        await client.arrived.wait()
        while hall.posts == 0:
            await anyio.sleep(0.01)
        await workspace.aclose()
    assert b"event: error" in client.body
    assert len(await hall.service.ledger.unfinished("mara")) == 1
    assert hall.posts == 1
