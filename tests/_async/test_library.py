"""The client of the Character Library against canned answers: every endpoint, every failure."""

from __future__ import annotations

import json
import logging
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import stamina
from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from charimg import (
    AsyncCharacterLibrary,
    CharacterLibraryError,
    ConfigurationError,
    ErrorCode,
    InvalidArgument,
    InvalidPrompt,
    JobError,
    JobPolicy,
    RetryPolicy,
    Timeouts,
)

from ..http.scripted import Reply, Scripted, failing, html, reply
from ..library.helpers import BASE, DB_ID, JOB_ID, MEDIA_ID

pytestmark = pytest.mark.anyio

ONE = f"/prefix/api/v1/characters/{DB_ID}"
JOB = f"/prefix/api/v1/jobs/{JOB_ID}/status"
FAST = RetryPolicy(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)
SECRET = "s3cr3t-k3y"
PROMPT = "Lena, 34, auburn hair — “exactly so”"
SCENE = "Lena waits in the rain"
CHARACTER = {"id": DB_ID, "name": "Lena", "characterId": "lena"}
REFERENCE = {"success": True, "imageUrl": "/media/a.png", "mediaId": MEDIA_ID}
PAGE = {"docs": [CHARACTER], "totalDocs": 1, "page": 1, "totalPages": 1, "hasNextPage": False}
JOBS = {
    "success": True,
    "jobs": [{"jobId": JOB_ID, "status": "processing"}],
    "pagination": {"totalDocs": 1, "page": 1, "totalPages": 1, "hasNextPage": False},
}
SHOT = {
    "shotName": "50mm 25° RIGHT MCU (Enhanced)",
    "lensMm": 50,
    "crop": "mcu",
    "expression": "neutral",
    "cameraAzimuthDeg": 25,
    "cameraElevationDeg": -5,
    "cameraDistanceM": 1.9,
    "sortOrder": 4,
}
GALLERY = {
    "success": True,
    "characterId": DB_ID,
    "totalImages": 2,
    "images": {
        "masterReference": {"imageId": MEDIA_ID, "url": "/media/a.png"},
        "coreReferenceSet": [{"imageId": MEDIA_ID, "url": "/media/b.png", "referenceShot": SHOT}],
    },
}

Call = Callable[[AsyncCharacterLibrary], Awaitable[Any]]


def client_of(server: Scripted, **options: Any) -> AsyncCharacterLibrary:
    """Return a client whose requests go to canned answers."""
    given = {"retries": FAST, "client": httpx.AsyncClient(transport=server.transport), **options}
    return AsyncCharacterLibrary(BASE, **given)


async def error_of(call: Call, *replies: Reply, **options: Any) -> CharacterLibraryError:
    """Return the error that a call ends with after exactly these answers."""
    server = Scripted(*replies)
    with pytest.raises(CharacterLibraryError) as caught:
        await call(client_of(server, **options))
    assert len(server.requests) == len(replies)
    return caught.value


def poll(status: str, current: int = 0, **more: Any) -> Reply:
    """Answer with a job."""
    progress = {"current": current, "total": 27, "percentage": 0}
    return reply({"success": True, "jobId": JOB_ID, "status": status, "progress": progress} | more)


# Every endpoint

READS: dict[str, tuple[Call, str, Any, Callable[[Any], object], object]] = {
    "health": (
        lambda library: library.health(),
        "GET /prefix/api/health",
        {"status": "ok", "version": "2.0.0"},
        lambda value: (value.status, value.version),
        ("ok", "2.0.0"),
    ),
    "get_character": (
        lambda library: library.get_character(DB_ID),
        f"GET {ONE}",
        CHARACTER,
        lambda value: (value.id, value.name, value.character_id),
        (DB_ID, "Lena", "lena"),
    ),
    "list_characters": (
        lambda library: library.find_characters(limit=5, page=2),
        "GET /prefix/api/v1/characters?limit=5&page=2",
        PAGE,
        lambda value: [each.id for each in value.characters],
        [DB_ID],
    ),
    "find_characters": (
        lambda library: library.find_characters(character_id="lena", limit=1),
        "GET /prefix/api/characters?limit=1&page=1&where%5BcharacterId%5D%5Bequals%5D=lena",
        PAGE,
        lambda value: (value.total, value.characters[0].character_id),
        (1, "lena"),
    ),
    "get_reference_image": (
        lambda library: library.get_reference_image(DB_ID),
        f"GET {ONE}/reference-image",
        REFERENCE,
        lambda value: (value.exists, value.media_id, value.url),
        (True, MEDIA_ID, "https://library.test/media/a.png"),
    ),
    "no_reference_image": (
        lambda library: library.get_reference_image(DB_ID),
        f"GET {ONE}/reference-image",
        {"success": True, "updated": True},
        lambda value: value.exists,
        False,
    ),
    "get_job": (
        lambda library: library.get_job(JOB_ID),
        f"GET {JOB}",
        {
            "success": True,
            "jobId": JOB_ID,
            "status": "completed",
            "results": {
                "generatedImages": [{"url": "/media/b.png", "angle": "x", "mediaId": MEDIA_ID}],
                "failedImages": [{"angle": "y", "error": "flagged", "attempts": 3}],
            },
        },
        lambda value: (value.finished, value.images[0].media_id, value.failures[0].angle),
        (True, MEDIA_ID, "y"),
    ),
    "list_jobs": (
        lambda library: library.list_jobs(character_id=DB_ID, status="processing"),
        f"GET /prefix/api/v1/jobs?limit=10&page=1&characterId={DB_ID}&status=processing",
        JOBS,
        lambda value: [(each.job_id, each.status) for each in value.jobs],
        [(JOB_ID, "processing")],
    ),
    "list_images": (
        lambda library: library.list_images(DB_ID, category="core", min_quality=60),
        f"GET {ONE}/images?includeUrls=true&category=core&minQuality=60",
        GALLERY,
        lambda value: (value.master.url, value.core[0].url, value.core[0].image_id),
        ("https://library.test/media/a.png", "https://library.test/media/b.png", MEDIA_ID),
    ),
    "get_media": (
        lambda library: library.get_media(MEDIA_ID),
        f"GET /prefix/api/media/{MEDIA_ID}",
        {"id": MEDIA_ID, "url": "/media/b.png"},
        lambda value: (value.id, value.url),
        (MEDIA_ID, "https://library.test/media/b.png"),
    ),
}
WRITES: dict[str, tuple[Call, str, Any, Any, Callable[[Any], object], object]] = {
    "create_character": (
        lambda library: library.create_character("Lena", character_id="lena", fields={"age": 34}),
        "POST /prefix/api/v1/characters",
        {"name": "Lena", "characterId": "lena", "age": 34},
        CHARACTER,
        lambda value: value.id,
        DB_ID,
    ),
    "update_character": (
        lambda library: library.update_character(DB_ID, {"age": 35}),
        f"PATCH {ONE}",
        {"age": 35},
        CHARACTER,
        lambda value: value.id,
        DB_ID,
    ),
    "delete_character": (
        lambda library: library.delete_character(DB_ID),
        f"DELETE {ONE}",
        None,
        {"success": True},
        lambda value: value,
        None,
    ),
    "generate_initial_image": (
        lambda library: library.generate_initial_image(DB_ID, PROMPT),
        f"POST {ONE}/generate-initial-image",
        {"prompt": PROMPT},
        {"success": True, "data": {"imageId": MEDIA_ID, "publicUrl": "/media/a"}},
        lambda value: (value.media_id, value.url),
        (MEDIA_ID, "https://library.test/media/a"),
    ),
    "set_reference_image": (
        lambda library: library.set_reference_image(DB_ID, MEDIA_ID),
        f"PUT {ONE}/reference-image",
        {"mediaId": MEDIA_ID},
        REFERENCE,
        lambda value: value.media_id,
        MEDIA_ID,
    ),
    "delete_reference_image": (
        lambda library: library.delete_reference_image(DB_ID),
        f"DELETE {ONE}/reference-image",
        None,
        {"success": True, "resetFields": ["imageGallery"]},
        lambda value: value.reset_fields,
        ("imageGallery",),
    ),
    "generate_360_set": (
        lambda library: library.generate_360_set(DB_ID),
        f"POST {ONE}/generate-360-set",
        {},
        {"success": True, "jobId": JOB_ID, "status": "accepted"},
        lambda value: (value.job_id, value.images),
        (JOB_ID, ()),
    ),
    "generate_360_set_at_once": (
        lambda library: library.generate_360_set(
            DB_ID, style="photo", image_count=8, quality_threshold=70, max_retries=2
        ),
        f"POST {ONE}/generate-360-set",
        {"style": "photo", "imageCount": 8, "qualityThreshold": 70, "maxRetries": 2},
        {"success": True, "images": [{"url": "/media/b.png", "angle": "front"}]},
        lambda value: (value.job_id, [each.url for each in value.images]),
        (None, ["https://library.test/media/b.png"]),
    ),
    "cancel_job": (
        lambda library: library.cancel_job(JOB_ID),
        f"DELETE {JOB}",
        None,
        {"success": True, "message": "cancelled"},
        lambda value: (value.accepted, value.message),
        (True, "cancelled"),
    ),
    "generate_scene_image": (
        lambda library: library.generate_scene_image(DB_ID, SCENE),
        f"POST {ONE}/generate-scene-image",
        {"sceneContext": SCENE, "sceneType": "dialogue"},
        {"success": True, "imageUrl": "/media/c.png", "mediaId": MEDIA_ID},
        lambda value: (value.media_id, value.url),
        (MEDIA_ID, "https://library.test/media/c.png"),
    ),
    "generate_scene_image_in_full": (
        lambda library: library.generate_scene_image(
            DB_ID,
            SCENE,
            scene_type="emotional",
            mood="tense",
            lighting_style="low key",
            environment_context="1920s bar",
            additional_characters=["Bo", "Kai"],
            reference_image_asset_id="asset",
        ),
        f"POST {ONE}/generate-scene-image",
        {
            "sceneContext": SCENE,
            "sceneType": "emotional",
            "mood": "tense",
            "lightingStyle": "low key",
            "environmentContext": "1920s bar",
            "additionalCharacters": ["Bo", "Kai"],
            "referenceImageAssetId": "asset",
        },
        {"success": True, "publicUrl": "https://cdn.test/c", "mediaId": MEDIA_ID},
        lambda value: value.url,
        "https://cdn.test/c",
    ),
}
GENERATIONS = [name for name in WRITES if name.startswith("generate")]


@pytest.mark.parametrize("name", READS)
async def test_reads(name: str) -> None:
    call, line, document, shown, expected = READS[name]
    server = Scripted(reply(document))
    assert shown(await call(client_of(server))) == expected
    assert server.lines == [line]
    (request,) = server.requests
    assert request.read() == b""
    assert "content-type" not in request.headers
    assert request.headers["accept"] == "application/json"


@pytest.mark.parametrize("name", WRITES)
async def test_writes(name: str) -> None:
    call, line, body, document, shown, expected = WRITES[name]
    server = Scripted(reply(document))
    assert shown(await call(client_of(server))) == expected
    assert server.lines == [line]
    (request,) = server.requests
    if body is None:
        assert request.read() == b""
    else:
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.read()) == body


async def test_the_gallery_brings_each_shots_camera() -> None:
    gallery = await client_of(Scripted(reply(GALLERY))).list_images(DB_ID)
    shot = gallery.core[0].shot
    assert shot is not None
    assert (shot.name, shot.lens_mm, shot.crop) == ("50mm 25° RIGHT MCU (Enhanced)", 50.0, "mcu")
    assert (shot.camera_azimuth_deg, shot.camera_elevation_deg) == (25.0, -5.0)
    assert (shot.camera_distance_m, shot.sort_order) == (1.9, 4)


async def test_a_character_without_an_id_gets_a_unique_one() -> None:
    server = Scripted(reply(CHARACTER), reply(CHARACTER))
    library = client_of(server)
    await library.create_character("李小龍")
    await library.create_character("李小龍")
    first, second = (json.loads(each.read())["characterId"] for each in server.requests)
    assert first != second


# Paid and destructive calls happen once

ONCE: list[tuple[Reply, str, bool]] = [
    (reply({"error": "boom"}, status=500), "SERVER_ERROR", False),
    (reply(status=500, body=b""), "INVALID_RESPONSE", True),
    (html(502), "UNAVAILABLE", True),
    (html(503), "UNAVAILABLE", True),
    (reply({"error": "x"}, status=429, headers={"retry-after": "0"}), "RATE_LIMITED", False),
    (reply({"error": "x"}, status=408), "TIMEOUT", False),
    (reply(body=b'{"success": true, "da'), "INVALID_RESPONSE", True),
    (html(200), "INVALID_RESPONSE", True),
    (failing(httpx.ReadTimeout("x")), "TIMEOUT", True),
    (failing(httpx.WriteTimeout("x")), "TIMEOUT", True),
    (failing(httpx.ReadError("x")), "UNAVAILABLE", True),
    (failing(httpx.RemoteProtocolError("x")), "UNAVAILABLE", True),
    (failing(httpx.ConnectError("x")), "UNAVAILABLE", False),
    (failing(httpx.ConnectTimeout("x")), "UNAVAILABLE", False),
    (failing(httpx.PoolTimeout("x")), "TIMEOUT", False),
]


@pytest.mark.parametrize("answer", ONCE, ids=range(len(ONCE)))
@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_attempted_exactly_once(
    name: str, answer: tuple[Reply, str, bool]
) -> None:
    failure, code, unknown = answer
    with stamina.set_testing(True, attempts=5):  # not even stamina's test mode repeats it
        error = await error_of(WRITES[name][0], failure, retries=RetryPolicy(attempts=9))
    assert error.code == code
    assert error.outcome_unknown == unknown
    assert ("may have taken effect" in str(error)) == unknown


# Reads are repeated

PASSING: list[Reply] = [
    reply({"error": "boom"}, status=500),
    html(502),
    reply(status=429, body=b""),
    reply(body=b'{"status": "o'),
    failing(httpx.ReadTimeout("x")),
    failing(httpx.ConnectError("x")),
    failing(httpx.RemoteProtocolError("x")),
]


@pytest.mark.parametrize("failure", PASSING, ids=range(len(PASSING)))
async def test_a_read_is_repeated_until_it_succeeds(
    failure: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    server = Scripted(failure, failure, reply({"status": "ok"}))
    with caplog.at_level(logging.INFO, "charimg"):
        assert (await client_of(server).health()).status == "ok"
    assert len(server.requests) == 3
    assert len({each.headers["x-request-id"] for each in server.requests}) == 1
    told = [vars(each) for each in caplog.records if each.message == "library.retry"]
    assert [each["attempt"] for each in told] == [2, 3]
    assert {each["path"] for each in told} == {"/api/health"}
    assert {each["request_id"] for each in told} == {server.requests[0].headers["x-request-id"]}


@pytest.mark.parametrize("name", READS)
async def test_a_read_is_given_up_after_its_attempts(name: str) -> None:
    failure = html(502)
    error = await error_of(READS[name][0], failure, failure, failure)
    assert (error.code, error.status_code) == (ErrorCode.UNAVAILABLE, 502)
    assert error.retryable
    assert not error.outcome_unknown


async def test_retries_can_be_switched_off() -> None:
    with stamina.set_testing(True, attempts=5):
        await error_of(READS["health"][0], html(502), retries=RetryPolicy.off())


async def test_the_time_for_all_attempts_ends_them() -> None:
    slow = RetryPolicy(attempts=9, timeout=0.02, wait_initial=0.03, wait_max=1, wait_jitter=0)
    server = Scripted(*[html(502)] * 3)
    with pytest.raises(CharacterLibraryError):
        await client_of(server, retries=slow).health()
    assert len(server.requests) < 3


async def test_an_attempt_that_took_all_the_time_is_the_last() -> None:
    server = Scripted(html(502))
    with pytest.raises(CharacterLibraryError):
        await client_of(server, retries=RetryPolicy(attempts=9, timeout=1e-9)).health()
    assert len(server.requests) == 1


async def test_a_first_attempt_counts_among_the_attempts() -> None:
    server = Scripted(*[html(502)] * 3)
    policy = RetryPolicy(attempts=3, wait_initial=0, wait_jitter=0)
    with pytest.raises(CharacterLibraryError):
        await client_of(server, retries=policy).health()
    assert len(server.requests) == 3


@pytest.mark.parametrize(("header", "wait"), [("3600", 0.01), ("0.005", 0.005), (None, 0.0)])
async def test_retry_after_is_honoured_up_to_its_cap(header: str | None, wait: float) -> None:
    waits: list[float] = []

    def remember(details: RetryDetails) -> None:
        waits.append(details.wait_for)

    policy = RetryPolicy(
        attempts=3, wait_initial=0, wait_max=0, wait_jitter=0, retry_after_max=0.01
    )
    busy = reply({}, status=429, headers={} if header is None else {"retry-after": header})
    server = Scripted(busy, busy, reply({"status": "ok"}))
    set_on_retry_hooks([remember])
    try:
        await client_of(server, retries=policy).health()
    finally:
        set_on_retry_hooks(None)
    assert waits == pytest.approx([wait, wait])


NOT_FOUND: list[Reply] = [
    reply({"error": "Not Found"}, status=500),
    reply({"error": "Image generation failed", "details": "Not Found"}, status=500),
    reply({"error": "Failed to fetch character"}, status=500),
]


@pytest.mark.parametrize("failure", NOT_FOUND, ids=range(len(NOT_FOUND)))
async def test_a_500_that_means_not_found_is_not_repeated(failure: Reply) -> None:
    error = await error_of(READS["get_character"][0], failure)
    assert error.code == ErrorCode.NOT_FOUND
    assert error.status_code == 500
    assert not error.retryable
    assert "library_db_id" in str(error)


@pytest.mark.parametrize("failure", [reply({"error": "no"}, status=401), html(200), html(404)])
async def test_what_cannot_pass_is_not_repeated(failure: Reply) -> None:
    assert not (await error_of(READS["health"][0], failure)).retryable


# Codes, answers that make no sense


@pytest.mark.parametrize(
    ("name", "status", "text", "code"),
    [
        ("generate_initial_image", 400, "Prompt is required", "PROMPT_REQUIRED"),
        (
            "generate_initial_image",
            400,
            "Character already has a master reference image. Use the generate-image endpoint",
            "ALREADY_HAS_REFERENCE",
        ),
        ("generate_initial_image", 500, "Image generation failed", "UPSTREAM_MODEL"),
        ("generate_initial_image", 500, "Failed to upload generated image", "UPSTREAM_STORAGE"),
        ("generate_360_set", 400, "Character must have a master reference image", "NO_REFERENCE"),
        ("generate_scene_image", 400, "No reference image available for", "NO_REFERENCE"),
        ("generate_scene_image", 400, "sceneType is required", "BAD_REQUEST"),
        ("create_character", 500, "Failed to create character", "SERVER_ERROR"),
        ("cancel_job", 400, "Cannot cancel job with status: completed", "JOB_NOT_CANCELLABLE"),
        ("cancel_job", 404, "Job not found", "NOT_FOUND"),
        ("delete_reference_image", 401, "who are you", "UNAUTHORIZED"),
    ],
)
async def test_codes(name: str, status: int, text: str, code: str) -> None:
    error = await error_of(WRITES[name][0], reply({"error": text}, status=status))
    assert (error.code, error.status_code, error.server_message) == (code, status, text)
    assert not error.outcome_unknown
    assert isinstance(error, JobError) == (name == "cancel_job")


@pytest.mark.parametrize(
    ("call", "answer", "path"),
    [
        (READS["health"][0], html(200), "$"),
        (READS["health"][0], reply(["ok"]), "$"),
        (READS["health"][0], reply({"status": 1}), "$.status"),
        (READS["get_character"][0], reply({"id": DB_ID}), "$.name"),
        (READS["list_characters"][0], reply({**PAGE, "docs": [{"name": "x"}]}), "$.docs[0].id"),
        (READS["get_reference_image"][0], reply({**REFERENCE, "mediaId": 7}), "$.mediaId"),
        (READS["get_job"][0], reply({"jobId": JOB_ID}), "$.status"),
        (
            READS["list_jobs"][0],
            reply({**JOBS, "jobs": [{"jobId": "x", "status": None}]}),
            "$.jobs[0].status",
        ),
        (
            READS["list_images"][0],
            reply({**GALLERY, "images": {"coreReferenceSet": [{"imageId": 1}]}}),
            "$.images.coreReferenceSet[0].imageId",
        ),
        (
            WRITES["generate_initial_image"][0],
            reply({"success": True, "data": {"publicUrl": 5}}),
            "$.data.publicUrl",
        ),
        (WRITES["generate_initial_image"][0], reply({"success": True}), "$.data.imageId"),
        (WRITES["generate_360_set"][0], reply({"success": True}), "$.jobId"),
        (WRITES["generate_scene_image"][0], reply({"success": True}), "$.mediaId"),
    ],
)
async def test_nonsense_names_its_path(call: Call, answer: Reply, path: str) -> None:
    error = await error_of(call, answer)
    assert (error.code, error.field) == (ErrorCode.INVALID_RESPONSE, path)
    assert not error.retryable


async def test_a_truncated_read_is_repeated_and_then_invalid() -> None:
    cut = reply(body=b'{"status": "o')
    error = await error_of(READS["health"][0], cut, cut, cut)
    assert (error.code, error.field) == (ErrorCode.INVALID_RESPONSE, "$")


# Nothing is sent for arguments that make no sense

REFUSED: list[tuple[Call, str]] = [
    (lambda library: library.get_character("lena"), "library_character_id"),
    (lambda library: library.update_character("lena", {"age": 4}), "library_character_id"),
    (lambda library: library.delete_character("lena"), "library_character_id"),
    (lambda library: library.generate_initial_image("lena", PROMPT), "library_character_id"),
    (lambda library: library.get_reference_image("lena"), "library_character_id"),
    (lambda library: library.set_reference_image("lena", MEDIA_ID), "library_character_id"),
    (lambda library: library.set_reference_image(DB_ID, "m"), "media id"),
    (lambda library: library.delete_reference_image("lena"), "library_character_id"),
    (lambda library: library.generate_360_set("lena"), "library_character_id"),
    (lambda library: library.generate_scene_image("lena", SCENE), "library_character_id"),
    (lambda library: library.generate_scene_image(DB_ID, SCENE, scene_type="x"), "scene type"),
    (lambda library: library.list_images("lena"), "library_character_id"),
    (lambda library: library.list_jobs(character_id="lena"), "library_character_id"),
    (lambda library: library.get_job("../x"), "job id"),
    (lambda library: library.wait_for_job("../x"), "job id"),
    (lambda library: library.cancel_job(""), "job id"),
    (lambda library: library.get_media("m"), "media id"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
async def test_ids_are_checked_before_anything_is_sent(call: Call, words: str) -> None:
    server = Scripted()
    with pytest.raises(InvalidArgument, match=words):
        await call(client_of(server))
    assert server.requests == []


async def test_blank_texts_are_refused_before_anything_is_sent() -> None:
    server = Scripted()
    library = client_of(server)
    with pytest.raises(InvalidPrompt):
        await library.generate_initial_image(DB_ID, " ")
    with pytest.raises(InvalidPrompt):
        await library.generate_scene_image(DB_ID, "\n")
    assert server.requests == []


# Settings


async def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", f" {BASE}/ ")
    server = Scripted(reply({"status": "ok"}))
    times = Timeouts(read=7)
    library = AsyncCharacterLibrary.from_env(
        headers={"X-Key": SECRET},
        timeouts=times,
        retries=RetryPolicy.off(),
        client=httpx.AsyncClient(transport=server.transport),
        request_id_factory=lambda: "mine",
    )
    assert library.base_url == BASE
    assert library.timeouts is times
    await library.health()
    (request,) = server.requests
    assert request.headers["x-key"] == SECRET
    assert request.headers["x-request-id"] == "mine"
    assert request.extensions["timeout"]["read"] == 7


@pytest.mark.parametrize(
    "value", [None, "", "  ", "library.test", "ftp://library.test", f"https://u:{SECRET}@x.test"]
)
def test_from_env_without_a_usable_url(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is not None:
        monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", value)
    with pytest.raises(ConfigurationError, match="CHARACTER_LIBRARY_API_URL") as caught:
        AsyncCharacterLibrary.from_env()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "headers", [{"": "x"}, {"a b": "x"}, {"a:": "x"}, {"é": "x"}, {"a": "é"}, {"a": "x\r\nb: y"}]
)
def test_headers_that_cannot_be_sent_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be sent") as caught:
        AsyncCharacterLibrary(BASE, headers=headers)
    assert "b: y" not in str(caught.value)


@pytest.mark.parametrize("url", ["library.test", "https://xn--.test\u3002", "https://[::1"])
def test_a_base_url_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        AsyncCharacterLibrary(url)


async def test_a_clients_own_settings_do_not_override_ours() -> None:
    server = Scripted(reply(status=302, body=b"", headers={"location": "https://evil.test/"}))
    own = httpx.AsyncClient(
        transport=server.transport, follow_redirects=True, timeout=1, headers={"Accept": "x/y"}
    )
    library = AsyncCharacterLibrary(BASE, client=own, retries=FAST, headers={"accept": "z/z"})
    with pytest.raises(CharacterLibraryError, match="redirects elsewhere"):
        await library.health()
    assert server.requests[0].headers["accept"] == "application/json"
    assert server.requests[0].extensions["timeout"]["read"] == 30


TIMES = Timeouts(connect=1, read=2, delete=3, generation=4)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        *((name, 2) for name in READS),
        *((name, 4) for name in GENERATIONS),
        ("delete_character", 3),
        ("delete_reference_image", 3),
        ("create_character", 2),
        ("update_character", 2),
        ("set_reference_image", 2),
        ("cancel_job", 2),
    ],
)
async def test_timeouts_per_kind_of_call_reach_httpx(name: str, seconds: float) -> None:
    call = READS[name][0] if name in READS else WRITES[name][0]
    server = Scripted(html(500))
    with pytest.raises(CharacterLibraryError):
        await call(client_of(server, timeouts=TIMES, retries=RetryPolicy.off()))
    assert server.requests[0].extensions["timeout"] == {
        "connect": 1,
        "read": seconds,
        "write": seconds,
        "pool": 1,
    }


async def test_an_injected_client_is_never_closed() -> None:
    server = Scripted(reply({"status": "ok"}), reply({"status": "ok"}))
    own = httpx.AsyncClient(transport=server.transport)
    async with AsyncCharacterLibrary(BASE, client=own) as library:
        await library.health()
    assert not own.is_closed
    await library.aclose()
    await library.health()
    await own.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await library.health()


async def test_an_own_client_is_closed() -> None:
    async with AsyncCharacterLibrary(BASE) as library:
        pass
    await library.aclose()
    with pytest.raises(ConfigurationError, match="closed"):
        await library.health()


def test_what_a_client_shows_of_itself() -> None:
    library = AsyncCharacterLibrary(f"{BASE}/", headers={"X-Key": SECRET})
    assert repr(library) == f"AsyncCharacterLibrary('{BASE}')"
    assert library.timeouts == Timeouts()
    assert library.resolve_url("/media/a") == "https://library.test/media/a"
    for name in ("base_url", "timeouts"):
        with pytest.raises(AttributeError):
            setattr(library, name, None)


# Request ids


async def test_a_request_id_is_sent_and_stands_in_the_error() -> None:
    server = Scripted(reply({"error": "boom"}, status=500))
    with pytest.raises(CharacterLibraryError) as caught:
        await client_of(server).delete_reference_image(DB_ID)
    sent = server.requests[0].headers["x-request-id"]
    assert len(sent) == 32
    assert caught.value.request_id == sent
    assert sent in str(caught.value)


async def test_each_call_has_a_request_id_of_its_own() -> None:
    server = Scripted(reply({"status": "ok"}), reply({"status": "ok"}))
    library = client_of(server)
    await library.health()
    await library.health()
    assert len({each.headers["x-request-id"] for each in server.requests}) == 2


async def test_the_request_id_that_the_server_names_wins() -> None:
    theirs = {"X-Request-Id": "theirs"}
    boom = reply({"error": "boom"}, status=500, headers=theirs)
    assert (await error_of(WRITES["cancel_job"][0], boom)).request_id == "theirs"


@pytest.mark.parametrize("bad", ["", "a b", "é", "x" * 129, None])
async def test_an_unfit_request_id_is_refused(bad: Any) -> None:
    server = Scripted()
    with pytest.raises(ConfigurationError, match="request_id_factory"):
        await client_of(server, request_id_factory=lambda: bad).health()
    assert server.requests == []


# Secrets


async def test_keys_prompts_and_queries_reach_no_log_error_or_repr(
    caplog: pytest.LogCaptureFixture,
) -> None:
    echo = f"rejected: {PROMPT} and {SCENE}"
    failures = [
        reply({"error": "Image generation failed", "details": echo}, status=500),
        reply({"success": True, "data": {"publicUrl": 5, "note": PROMPT}}),
        html(502),
        failing(httpx.ReadError(f"POST {BASE}?q={SECRET}")),
    ]
    errors = []
    with caplog.at_level(logging.DEBUG):
        for failure in failures:
            errors.append(
                await error_of(
                    WRITES["generate_initial_image"][0], failure, headers={"X-Key": SECRET}
                )
            )
        errors.append(await error_of(WRITES["generate_scene_image"][0], failures[0]))
        server = Scripted(html(502), reply(PAGE))
        library = client_of(server, headers={"X-Key": SECRET})
        await library.find_characters(name="Lena Marlow")
    assert caplog.records
    logged = [text for each in caplog.records for text in (each.getMessage(), repr(vars(each)))]
    texts = [*logged, *(f"{each}{each!r}" for each in errors[:4]), repr(library)]
    for text in texts:
        assert SECRET not in text
        assert PROMPT not in text
        assert "auburn" not in text
        assert "Marlow" not in text
        assert "where" not in text
    assert SCENE not in str(errors[4])


async def test_each_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "charimg"):
        await client_of(Scripted(reply({"status": "ok"}))).health()
        await error_of(WRITES["cancel_job"][0], reply({"error": "Job not found"}, status=404))
        await error_of(WRITES["cancel_job"][0], failing(httpx.ReadError("x")))
    told = [vars(each) for each in caplog.records if each.message == "library.request"]
    assert [each["method"] for each in told] == ["GET", "DELETE", "DELETE"]
    assert [each.get("status") for each in told] == [200, 404, None]
    assert [each.get("code") for each in told] == [None, "NOT_FOUND", "UNAVAILABLE"]
    assert all(each["duration_ms"] >= 0 for each in told)


async def test_errors_pickle() -> None:
    errors = [
        await error_of(WRITES["cancel_job"][0], reply({"error": "Job not found"}, status=404)),
        await error_of(WRITES["generate_360_set"][0], failing(httpx.ReadTimeout("x"))),
    ]
    for error in errors:
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert (str(copy), vars(copy)) == (str(error), vars(error))


# Waiting for a job

QUICK = JobPolicy(interval=0.001, growth=2, interval_max=0.004, jitter=0, deadline=5, stall=5)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Take the place of sleeping; what was slept."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("charimg._async.library.asleep", note)
    return waits


async def test_waiting_tells_of_every_poll(slept: list[float]) -> None:
    server = Scripted(
        poll("pending"), poll("processing", 3), poll("paused", 4), poll("completed", 27)
    )
    seen: list[tuple[str, int]] = []
    job = await client_of(server).wait_for_job(
        JOB_ID, policy=QUICK, on_progress=lambda job: seen.append((job.status, job.current))
    )
    assert job.finished
    assert seen == [("pending", 0), ("processing", 3), ("paused", 4), ("completed", 27)]
    assert slept == [0.001, 0.002, 0.004]
    assert server.lines == [f"GET {JOB}"] * 4


async def test_intervals_are_jittered_by_default(slept: list[float]) -> None:
    server = Scripted(*[poll("processing", n) for n in range(6)], poll("completed"))
    await client_of(server).wait_for_job(JOB_ID)
    assert len(slept) == 6
    for wait, most in zip(slept, [2, 3, 4.5, 6.75, 10.125, 15.1875], strict=True):
        assert most * 0.75 <= wait <= most
    assert slept != [2, 3, 4.5, 6.75, 10.125, 15.1875]


async def test_watching_yields_every_poll(slept: list[float]) -> None:
    server = Scripted(poll("processing", 1), poll("completed", 27))
    seen = [job.current async for job in client_of(server).watch_job(JOB_ID, policy=QUICK)]
    assert seen == [1, 27]
    assert slept == [0.0, 0.001]


async def wait_error(*replies: Reply, **policy: float) -> JobError:
    given = {"interval": 0.001, "interval_max": 0.002, **policy}
    server = Scripted(*replies)
    with pytest.raises(JobError) as caught:
        await client_of(server).wait_for_job(JOB_ID, policy=JobPolicy(**given))
    assert caught.value.job_id == JOB_ID
    return caught.value


async def test_a_job_that_fails() -> None:
    error = await wait_error(poll("processing"), poll("failed", error="All shots failed"))
    assert error.code == ErrorCode.JOB_FAILED
    assert error.server_message == "All shots failed"


async def test_a_job_that_never_ends_is_stranded() -> None:
    polls = [poll("processing", n) for n in range(100)]
    error = await wait_error(*polls, deadline=0.01)
    assert error.code == ErrorCode.JOB_STRANDED
    assert "did not end within 0.01 s" in str(error)
    error = await wait_error(*[poll("processing", 3)] * 100, stall=0.01)
    assert error.code == ErrorCode.JOB_STRANDED
    assert "has not moved for 0.01 s" in str(error)


async def test_a_cancelled_job_usually_goes_on(slept: list[float]) -> None:
    server = Scripted(poll("cancelled", 1), poll("processing", 2), poll("completed", 27))
    job = await client_of(server).wait_for_job(JOB_ID, policy=QUICK)
    assert job.status == "completed"


async def test_a_job_that_stays_cancelled() -> None:
    error = await wait_error(*[poll("cancelled", 1)] * 100, cancel_grace=0.01)
    assert error.code == ErrorCode.JOB_CANCELLED


async def test_an_unknown_job_is_no_failed_job() -> None:
    unknown = reply({"success": False, "status": "failed", "error": "Job not found"}, status=404)
    error = await wait_error(unknown)
    assert (error.code, error.status_code) == (ErrorCode.NOT_FOUND, 404)


async def test_a_poll_that_breaks_is_repeated(slept: list[float]) -> None:
    server = Scripted(
        html(502), poll("processing"), failing(httpx.ReadError("x")), poll("completed")
    )
    assert (await client_of(server).wait_for_job(JOB_ID, policy=QUICK)).finished
