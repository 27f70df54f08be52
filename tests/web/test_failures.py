"""Every status of an error, over HTTP, in each framework: what it tells, what it cost."""

from __future__ import annotations

import io
import json
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from charimg import (
    AsyncCharacterLibrary,
    CharacterLibrary,
    RetryPolicy,
    StorageError,
    Timeouts,
)
from charimg.stores import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryMetadataRepository,
    MemoryCharacterDirectory,
    MemoryMetadataRepository,
)
from charimg.web.bodies import read_body
from charimg.web.failures import BadRequest

from ..patience import until
from .stages import PREFIX, Stage
from .test_routes import MARA, drawn, keep, ok

GENERATE = f"{MARA}/generate-initial-image"


def refused(response: httpx.Response, status: int, code: str) -> Any:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert (body["success"], body["code"], body["status"]) == (False, code, status)
    assert body["error"]
    return body


def nothing_paid(stage: Stage) -> None:
    assert stage.posts == 0
    assert stage.simulator.counters.reference_deletes == 0


def test_400_not_linked_tells_how_to_link(stage: Stage) -> None:
    for path in ("generate-initial-image", "generate-360-set"):
        body = refused(stage("POST", f"/v1/characters/loner/{path}", json={}), 400, "NOT_LINKED")
        assert "library_db_id" in body["error"]
    nothing_paid(stage)


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_400_blank_prompt(stage: Stage, prompt: str) -> None:
    refused(stage("POST", GENERATE, json={"prompt": prompt}), 400, "PROMPT_REQUIRED")
    scene = stage("POST", f"{MARA}/generate-scene-image", json={"sceneContext": prompt})
    assert "sceneContext" in refused(scene, 400, "PROMPT_REQUIRED")["error"]
    nothing_paid(stage)


def test_400_a_prompt_that_is_too_long(stage: Stage) -> None:
    stage.change(max_prompt_bytes=20)
    long = "x" * 21
    for path, body in (
        ("generate-initial-image", {"prompt": long}),
        ("generate-scene-image", {"sceneContext": long}),
    ):
        answer = refused(stage("POST", f"{MARA}/{path}", json=body), 422, "INVALID_ARGUMENT")
        assert "has 21 bytes, and at most 20" in answer["error"]
    nothing_paid(stage)


@pytest.mark.parametrize(
    "body", [b"{", b"{'prompt': 1}", b'{"prompt": NaN}', b"[" * 5000, b"\xff\xfe", b'{"a":1}}']
)
def test_400_no_json(stage: Stage, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    refused(stage("POST", GENERATE, content=body, headers=headers), 400, "BAD_JSON")
    nothing_paid(stage)


def test_404(stage: Stage) -> None:
    for method, path in (
        ("GET", "images"),
        ("GET", "initial-image-prompt"),
        ("GET", "operations"),
        ("POST", "generate-initial-image"),
        ("POST", "generate-360-set"),
    ):
        answer = stage(method, f"/v1/characters/nobody/{path}")
        refused(answer, 404, "CHARACTER_NOT_FOUND")
    for method, path, code in (
        ("GET", "images/none", "IMAGE_NOT_FOUND"),
        ("DELETE", "images/none", "IMAGE_NOT_FOUND"),
        ("POST", "images/none/retry", "IMAGE_NOT_FOUND"),
        ("POST", "images/none/restore", "IMAGE_NOT_FOUND"),
        ("POST", "images/none/repair", "IMAGE_NOT_FOUND"),
        ("GET", "operations/none", "OPERATION_NOT_FOUND"),
    ):
        refused(stage(method, f"{MARA}/{path}"), 404, code)
    unknown = stage("GET", f"{MARA}/portraits")
    if stage.kind in ("fastapi", "django"):
        # The host may have a route of its own there.
        assert unknown.status_code == 404
    else:
        refused(unknown, 404, "NO_SUCH_ROUTE")


def test_405_tells_what_is_allowed(stage: Stage) -> None:
    answer = stage("PUT", f"{MARA}/images")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "DELETE, GET, HEAD"
    answer = stage("GET", GENERATE)
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"
    assert stage("HEAD", GENERATE).status_code == 405
    answer = stage("GET", f"{MARA}/images/archive")
    refused(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "POST"
    assert stage.asked == []


def test_409_a_second_request_while_one_runs(stage: Stage) -> None:
    gate = stage.gate()
    answers: list[httpx.Response] = []
    first = threading.Thread(target=lambda: answers.append(stage("POST", GENERATE, json={})))
    first.start()
    until(lambda: stage.posts == 1)
    for asked in (GENERATE, f"{MARA}/generate-360-set"):
        answer = stage("POST", asked, json={})
        # When the lease would end says nothing of when the work does.
        told = refused(answer, 409, "IN_PROGRESS")["error"]
        assert "lease" not in told
        assert "is running, or was broken off" in told
        assert answer.headers["retry-after"] == str(answer.json()["retryAfter"])
    events = stage("POST", GENERATE, json={}, headers={"Accept": "text/event-stream"})
    refused(events, 409, "IN_PROGRESS")
    gate.set()
    first.join(60)
    ok(answers[0])
    assert stage("POST", "/v1/characters/otto/generate-initial-image").status_code == 200
    assert stage.posts == 2


def test_409_no_reference(stage: Stage) -> None:
    refused(stage("POST", f"{MARA}/generate-360-set", json={}), 409, "NO_REFERENCE")


def test_409_what_is_no_reference_cannot_be_restored(stage: Stage) -> None:
    drawn(stage)
    scene = ok(stage("POST", f"{MARA}/generate-scene-image", json={"prompt": "Rain."}))["image"]
    answer = stage("POST", f"{MARA}/images/{scene['id']}/restore")
    assert answer.status_code in (409, 422)
    assert answer.json()["success"] is False


def test_413(stage: Stage) -> None:
    body = json.dumps({"prompt": "a" * 30_000}).encode()
    headers = {"Content-Type": "application/json"}
    refused(stage("POST", GENERATE, content=body, headers=headers), 413, "TOO_LARGE")
    nothing_paid(stage)


def test_415(stage: Stage) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        headers = {"Content-Type": kind}
        refused(stage("POST", GENERATE, content=b"{}", headers=headers), 415, "NOT_JSON")
    refused(stage("POST", GENERATE, content=b"{}"), 415, "NOT_JSON")
    refused(stage("POST", GENERATE, files={"prompt": b"a"}), 415, "NOT_JSON")
    nothing_paid(stage)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("generate-initial-image", [], "object"),
        ("generate-initial-image", {"prompt": 7}, "prompt"),
        ("generate-initial-image", {"policy": "all"}, "policy"),
        ("generate-initial-image", {"promt": "A"}, "prompt"),
        ("generate-initial-image", {"Policy": "keep-history"}, "policy"),
        ("generate-360-set", {"referenceID": "a"}, "referenceId"),
        ("generate-360-set", {"referenceId": ["a"]}, "referenceId"),
        ("generate-scene-image", {"sceneContext": "Rain.", "sceneType": "sad"}, "sceneType"),
        ("generate-scene-image", {"sceneContext": "Rain.", "mood": {}}, "mood"),
        ("generate-scene-image", {"sceneContext": "Rain.", "additionalCharacters": [1]}, "addit"),
        ("images/archive", {}, "ids"),
        ("images/archive", {"ids": ["a"] * 3 + [None]}, "ids"),
        ("images/archive", {"ids": [str(each) for each in range(501)]}, "500"),
    ],
)
def test_422_names_the_field(stage: Stage, path: str, body: Any, field: str) -> None:
    answer = stage("POST", f"{MARA}/{path}", json=body)
    assert field in refused(answer, 422, "INVALID_ARGUMENT")["error"]
    nothing_paid(stage)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=ten", "limit=%2B5", "limit=1_0", "limit=", "cursor=x"]
)
def test_422_query(stage: Stage, query: str) -> None:
    refused(stage("GET", f"{MARA}/images?{query}"), 422, "INVALID_ARGUMENT")


def test_500_tells_the_client_nothing(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.change(directory=(_AsyncBroken if stage.is_async else _Broken)(RuntimeError("secret")))
    body = refused(stage("GET", f"{MARA}/images"), 500, "INTERNAL")
    assert "secret" not in json.dumps(body)
    assert logged(caplog, body["reference"]) == "secret"


def test_502_the_library_fails_once_and_nothing_is_recorded(stage: Stage) -> None:
    stage.simulator.switches.generation_errors = 1
    body = refused(stage("POST", GENERATE, json={}), 502, "UPSTREAM_MODEL")
    assert body["operationId"]
    assert (body["outcomeUnknown"], body["recoverable"]) == (False, False)
    assert stage.posts == 1
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 0
    operation = ok(stage("GET", f"{MARA}/operations/{body['operationId']}"))["operation"]
    assert (operation["state"], operation["running"]) == ("failed", False)


def test_502_a_set_is_taken_on_and_then_the_library_fails(stage: Stage) -> None:
    drawn(stage)
    stage.simulator.switches.gallery_errors_after = 1
    body = refused(stage("POST", f"{MARA}/generate-360-set", json={}), 502, "SERVER_ERROR")
    assert (body["outcomeUnknown"], body["recoverable"]) == (True, True)
    assert "recover()" in body["error"]
    stage.simulator.switches.gallery_errors_after = None
    found = ok(stage("POST", f"{MARA}/operations/{body['operationId']}/recover", json={}))
    assert found["outcome"] == "completed"
    assert stage.simulator.counters.set360_posts == 1


def test_502_an_outage_costs_no_image(stage: Stage) -> None:
    image = drawn(stage)
    stage.simulator.switches.down = True
    assert stage("POST", GENERATE, json={}).status_code == 502
    assert ok(stage("GET", f"{MARA}/images"))["images"][0]["id"] == image["id"]
    assert stage.posts == 1


def logged(caplog: pytest.LogCaptureFixture, reference: str) -> str:
    """Return the text of the error that the log has, once, under a reference."""
    (record,) = [each for each in caplog.records if getattr(each, "reference", "") == reference]
    assert record.message == "web.failed"
    assert record.exc_info is not None
    return str(record.exc_info[1])


def test_503_a_store_fails(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What it says may name a path; who runs the server finds it by the reference."""
    broken = _AsyncBrokenRecords if stage.is_async else _BrokenRecords
    stage.change(metadata=broken())
    page = stage("GET", "/screenplay/characters/mara/images")
    assert page.status_code == 200
    body = refused(stage("GET", f"{MARA}/images"), 503, "STORAGE")
    assert "/srv" not in json.dumps(body)
    assert body["reference"] in body["error"]
    assert logged(caplog, body["reference"]) == "Cannot read /srv/records."
    body = refused(stage("POST", GENERATE, json={}), 503, "STORAGE")
    assert isinstance(body["recoverable"], bool)
    assert "/srv" not in json.dumps(body)
    told = stage("POST", GENERATE, json={}, headers={"Accept": "text/event-stream"}).text
    assert "/srv" not in told
    listed = ok(stage("GET", f"{MARA}/operations"))["operations"]
    assert [each["error"] for each in listed] == ["A store failed."] * 2
    removed = stage("DELETE", f"{MARA}/images", json={"ids": ["a", "b"]}).text
    assert "/srv" not in removed
    assert stage.posts == 0


def test_504_no_answer_in_time(stage: Stage) -> None:
    library = AsyncCharacterLibrary if stage.is_async else CharacterLibrary
    stage.change(
        library=library(
            stage.simulator.base_url,
            client=(httpx.AsyncClient if stage.is_async else httpx.Client)(
                transport=stage.simulator.transport()
            ),
            retries=RetryPolicy.off(),
            timeouts=Timeouts(generation=0.05),
        )
    )
    stage.simulator.switches.generation_seconds = 5.0
    body = refused(stage("POST", GENERATE, json={}), 504, "TIMEOUT")
    assert body["outcomeUnknown"] is True
    assert stage.posts == 1


def test_a_body_that_breaks_off_orders_nothing(stage: Stage) -> None:
    parts = urlsplit(stage.url)
    headers = "".join(f"{name}: {value}\r\n" for name, value in stage.credentials.items())
    for sent in (b"", b"{"):
        with socket.create_connection((parts.hostname or "", parts.port or 0)) as client:
            client.sendall(
                f"POST {PREFIX}{GENERATE} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}"
                "Content-Type: application/json\r\nContent-Length: 40\r\n\r\n".encode()
                + sent
            )
            client.shutdown(socket.SHUT_WR)
            client.settimeout(30)
            said = b""
            while chunk := client.recv(4096):
                said += chunk
            assert said == b"" or b" 400 " in said.split(b"\r\n")[0]
    # Had one been taken for whole, another could not begin.
    keep(stage)
    assert stage.posts == 1


def test_a_body_without_a_length(stage: Stage) -> None:
    """A server that cannot tell where it ends must not take it for an empty one."""

    def chunks() -> Any:
        yield b'{"prompt": "A '
        yield b'red coat"}'

    headers = {"Content-Type": "application/json"}
    answer = stage("POST", GENERATE, content=chunks(), headers=headers)
    if stage.kind == "django":
        refused(answer, 411, "LENGTH_REQUIRED")
        nothing_paid(stage)
    else:
        assert ok(answer)["image"]["prompt"] == "A red coat"


@pytest.mark.parametrize("length", ["-1", "1e3", "²", "+4", "0x4", "9" * 5000])
def test_a_length_that_is_no_number(length: str) -> None:
    headers = {"content-length": length}
    with pytest.raises(BadRequest) as refusal:
        read_body(io.BytesIO(b"body").read, headers, 100)
    assert (refusal.value.status, refusal.value.code) == (400, "BAD_LENGTH")


class _Broken(MemoryCharacterDirectory):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def get(self, character_id: str, /) -> Any:
        raise self.error


class _AsyncBroken(AsyncMemoryCharacterDirectory):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def get(self, character_id: str, /) -> Any:
        raise self.error


class _BrokenRecords(MemoryMetadataRepository):
    def list(self, *args: Any, **options: Any) -> Any:
        raise StorageError("Cannot read /srv/records.")

    def add(self, *args: Any, **options: Any) -> Any:
        raise StorageError("Cannot write /srv/records.")


class _AsyncBrokenRecords(AsyncMemoryMetadataRepository):
    async def list(self, *args: Any, **options: Any) -> Any:
        raise StorageError("Cannot read /srv/records.")

    async def add(self, *args: Any, **options: Any) -> Any:
        raise StorageError("Cannot write /srv/records.")
