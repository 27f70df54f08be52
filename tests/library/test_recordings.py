"""Every recorded exchange of the contract goes through the reader of its endpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from charimg import errors
from charimg._library import answers, requests
from charimg._library.answers import Exchange
from charimg._library.requests import LibraryAnswer, LibraryRequest
from charimg.errors import CharacterLibraryError, ErrorCode, JobError

from .helpers import DB_ID, JOB_ID, MEDIA_ID
from .recordings import load

RECORDINGS = load()

ID = "[^/?]+"
ROUTES: list[tuple[str, str, Callable[[Exchange], Any], LibraryRequest]] = [
    ("GET", "/api/health", answers.health, requests.health()),
    (
        "POST",
        "/api/v1/characters",
        answers.character,
        requests.create_character("Lena", None, None),
    ),
    (
        "GET",
        "/api/v1/characters",
        answers.character_page,
        requests.find_characters(None, None, 1, 1),
    ),
    ("GET", "/api/characters", answers.character_page, requests.find_characters("x", None, 1, 1)),
    ("GET", f"/api/v1/characters/{ID}", answers.character, requests.get_character(DB_ID)),
    (
        "PATCH",
        f"/api/v1/characters/{ID}",
        answers.character,
        requests.update_character(DB_ID, {"age": 4}),
    ),
    ("DELETE", f"/api/v1/characters/{ID}", answers.nothing, requests.delete_character(DB_ID)),
    (
        "POST",
        f"/api/v1/characters/{ID}/generate-initial-image",
        answers.initial_image,
        requests.initial_image(DB_ID, "portrait"),
    ),
    (
        "GET",
        f"/api/v1/characters/{ID}/reference-image",
        answers.reference_state,
        requests.get_reference(DB_ID),
    ),
    (
        "PUT",
        f"/api/v1/characters/{ID}/reference-image",
        answers.reference_state,
        requests.set_reference(DB_ID, MEDIA_ID),
    ),
    (
        "DELETE",
        f"/api/v1/characters/{ID}/reference-image",
        answers.reference_deletion,
        requests.delete_reference(DB_ID),
    ),
    (
        "POST",
        f"/api/v1/characters/{ID}/generate-360-set",
        answers.portfolio,
        requests.portfolio(DB_ID, None, None, None, None),
    ),
    (
        "POST",
        f"/api/v1/characters/{ID}/generate-scene-image",
        answers.scene_image,
        requests.scene_image(
            DB_ID,
            "a bar",
            scene_type="dialogue",
            mood=None,
            lighting_style=None,
            environment_context=None,
            additional_characters=(),
            reference_image_asset_id=None,
        ),
    ),
    (
        "GET",
        f"/api/v1/characters/{ID}/images",
        answers.gallery,
        requests.list_images(DB_ID, None, True, None),
    ),
    ("GET", f"/api/v1/jobs/{ID}/status", answers.job, requests.get_job(JOB_ID)),
    ("DELETE", f"/api/v1/jobs/{ID}/status", answers.cancellation, requests.cancel_job(JOB_ID)),
    ("GET", "/api/v1/jobs", answers.job_page, requests.list_jobs(None, None, 10, 1)),
    ("GET", f"/api/media/{ID}", answers.media, requests.get_media(MEDIA_ID)),
    ("GET", "/api/media", answers.media_page, requests.list_media("x", 10, 1)),
    ("GET", "/api/v1/reference-shots", answers.reference_shots, requests.reference_shots()),
]
UNREAD = {
    "generate-image",
    "generate-smart-image",
    "generate-core-set",
    "quality-metrics",
    "validate-consistency",
    "find-reference-for-scene",
}
"""What the second part records, and charimg does not ask for."""

ERROR_CODES = {
    "Failed to create character": ErrorCode.SERVER_ERROR,
    "Failed to fetch character": ErrorCode.NOT_FOUND,
    "Failed to delete character": ErrorCode.NOT_FOUND,
    "Prompt is required": ErrorCode.PROMPT_REQUIRED,
    "Character already has a master reference image": ErrorCode.ALREADY_HAS_REFERENCE,
    "Character must have a master reference image": ErrorCode.NO_REFERENCE,
    "No reference image available": ErrorCode.NO_REFERENCE,
    "Image generation failed": ErrorCode.UPSTREAM_MODEL,
    "Fal.ai API error": ErrorCode.UPSTREAM_MODEL,
    "No images returned from Fal.ai": ErrorCode.UPSTREAM_MODEL,
    "Failed to upload generated image": ErrorCode.UPSTREAM_STORAGE,
    "Failed to process image with DINOv3": ErrorCode.UPSTREAM_FEATURES,
    "Job not found": ErrorCode.NOT_FOUND,
    "Cannot cancel job": ErrorCode.JOB_NOT_CANCELLABLE,
    "is required": ErrorCode.BAD_REQUEST,
    "Not Found": ErrorCode.NOT_FOUND,
    "": ErrorCode.SERVER_ERROR,
}


def route(recorded: dict[str, Any]) -> tuple[Callable[[Exchange], Any], LibraryRequest] | None:
    path = str(recorded["request"].get("path") or "").partition("?")[0]
    for method, pattern, reader, request in ROUTES:
        if method == recorded["request"]["method"] and re.fullmatch(pattern, path):
            return reader, request
    return None


def body_of(response: dict[str, Any]) -> bytes:
    if "json" in response:
        return json.dumps(response["json"]).encode()
    return str(response.get("text") or "").encode()


COVERED = [each for each in RECORDINGS if route(each[1]) is not None]


def test_the_recordings_are_there() -> None:
    assert len(COVERED) > 100
    unread = [each for name, each in RECORDINGS if name >= "22_" and route(each) is None]
    assert {each["request"]["path"].rpartition("/")[2] for each in unread} == UNREAD
    used = {id(reader) for _, each in COVERED for reader in [(route(each) or [None])[0]]}
    assert len(used) == len({id(reader) for _, _, reader, _ in ROUTES})


@pytest.mark.parametrize("recorded", [each for _, each in COVERED], ids=[n for n, _ in COVERED])
def test_recording(recorded: dict[str, Any]) -> None:
    found = route(recorded)
    assert found is not None
    reader, request = found
    response = recorded["response"]
    exchange = Exchange.of(
        request,
        LibraryAnswer(
            status=response["status"], headers=response["headers"], body=body_of(response)
        ),
        "request-1",
        "http://127.0.0.1:9703",
    )
    if 200 <= response["status"] < 300:
        check_value(reader(exchange), response["json"])
        return
    with pytest.raises(CharacterLibraryError) as caught:
        reader(exchange)
    error = caught.value
    assert error.status_code == response["status"]
    assert error.request_id == "request-1"
    # Else the server itself said no.
    assert error.may_arrive == (error.code == ErrorCode.UPSTREAM_FEATURES)
    if "json" in response:
        check_error(error, response["json"], request)


def check_value(value: Any, document: dict[str, Any]) -> None:
    """Compare what was read with the document, field by field where the names differ."""
    expected = {
        "media_id": document.get("mediaId", document.get("data", {}).get("imageId")),
        "job_id": document.get("jobId"),
        "url": document.get("imageUrl", document.get("data", {}).get("publicUrl")),
        "message": document.get("message"),
    }
    if type(value).__name__ == "LibraryMedia":
        expected["url"] = document["url"]
    for name, each in expected.items():
        if hasattr(value, name):
            assert getattr(value, name) == each, name
    if type(value).__name__ == "Gallery":
        images = document["images"]
        assert len(value.core) == len(images["coreReferenceSet"])
        assert len(value.scenes) == len(images["sceneImages"])
        assert len(value.on_demand) == len(images["onDemandImages"])
        assert value.total == document["totalImages"]
        assert (value.master is None) == ("masterReference" not in images)
        for got, given in zip(value.core, images["coreReferenceSet"], strict=True):
            shot = given["referenceShot"]
            assert got.image_id == given["imageId"]
            assert got.url == (given["url"] or None)
            assert got.shot is not None
            assert got.shot.name == shot["shotName"]
            assert got.shot.lens_mm == shot["lensMm"]
            assert got.shot.camera_azimuth_deg == shot["cameraAzimuthDeg"]
            assert got.shot.sort_order == shot["sortOrder"]
    if type(value).__name__ == "Job":
        results = document.get("results", {})
        assert [each.media_id for each in value.images] == [
            each["mediaId"] for each in results.get("generatedImages", [])
        ]
        assert [(each.angle, each.error) for each in value.failures] == [
            (each["angle"], each["error"]) for each in results.get("failedImages", [])
        ]
        assert value.status == document["status"]
        assert value.current == document["progress"]["current"]
        assert value.finished == (document["status"] in ("completed", "failed"))


def check_error(
    error: CharacterLibraryError, document: dict[str, Any], request: LibraryRequest
) -> None:
    if document.get("details") == "Not Found":
        assert error.code == ErrorCode.NOT_FOUND
        return
    said = str(document.get("error") or document.get("message"))
    code = next(code for text, code in ERROR_CODES.items() if text in said)
    if code == ErrorCode.SERVER_ERROR and error.status_code == 400:
        code = ErrorCode.BAD_REQUEST
    assert error.code == code, said
    assert error.server_message is not None
    assert said in error.server_message
    if code == ErrorCode.NOT_FOUND:
        assert not error.retryable
    is_job = request.job_id is not None
    assert isinstance(error, JobError) == is_job
    assert isinstance(error, errors.CharimgError)
