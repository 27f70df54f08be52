"""The client of the Character Library: every endpoint, every refusal, every code."""

from __future__ import annotations

import json

import pytest

from charimg import ErrorCode, InvalidArgument, InvalidPrompt, JobError

from ..http.scripted import Reply, Scripted, html, reply
from ..library.helpers import DB_ID, JOB_ID, MEDIA_ID
from .canned import (
    CHARACTER,
    GALLERY,
    JOBS,
    PAGE,
    PROMPT,
    READS,
    REFERENCE,
    SCENE,
    WRITES,
    Call,
    client_of,
    error_of,
)

pytestmark = pytest.mark.anyio


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
    assert not error.may_arrive
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
