from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library import answers, requests, wire
from charimg._library.answers import Exchange
from charimg._library.structure import WireError, structure
from charimg.errors import CharacterLibraryError, ErrorCode
from charimg.models import Shot

from .helpers import DB_ID, JOB_ID, MEDIA_ID, POST, exchange

READERS: list[Callable[[Exchange], Any]] = [
    answers.health,
    answers.character,
    answers.character_page,
    answers.nothing,
    answers.initial_image,
    answers.reference_state,
    answers.reference_deletion,
    answers.portfolio,
    answers.job,
    answers.job_page,
    answers.cancellation,
    answers.scene_image,
    answers.gallery,
    answers.media,
]


def broken(read: Callable[[Exchange], Any], document: Any, **more: Any) -> CharacterLibraryError:
    with pytest.raises(CharacterLibraryError) as caught:
        read(exchange(document, **more))
    return caught.value


# Initial image


def test_initial_image_nested() -> None:
    image = answers.initial_image(
        exchange(
            {
                "success": True,
                "data": {
                    "imageId": MEDIA_ID,
                    "publicUrl": "https://cdn.test/a",
                    "imageUrl": "https://cdn.test/b",
                    "characterName": "Lena",
                    "qualityScore": 88,
                    "validationNotes": "fine",
                },
            }
        )
    )
    assert image.url == "https://cdn.test/a"
    assert image.media_id == MEDIA_ID
    assert image.character_name == "Lena"
    assert image.quality_score == 88.0
    assert isinstance(image.quality_score, float)
    assert image.validation_notes == "fine"


@pytest.mark.parametrize(
    ("document", "url"),
    [
        ({"publicUrl": "https://c.test/p", "imageUrl": "https://c.test/i"}, "https://c.test/p"),
        ({"publicUrl": "", "imageUrl": "https://c.test/i"}, "https://c.test/i"),
        ({"publicUrl": None, "imageUrl": [], "url": "https://c.test/u"}, "https://c.test/u"),
        ({"data": {"url": "/media/x.jpg"}}, "https://library.test/media/x.jpg"),
        ({"data": {"url": "media/x.jpg"}}, "https://library.test/prefix/media/x.jpg"),
        ({"data": {"url": "//cdn.test/x"}}, "https://cdn.test/x"),
        ({"mediaId": MEDIA_ID}, None),
        ({"data": [], "imageId": MEDIA_ID}, None),
    ],
)
def test_initial_image_url(document: dict[str, Any], url: str | None) -> None:
    assert answers.initial_image(exchange(document)).url == url


def test_initial_image_without_any_trace_is_invalid_and_may_have_been_paid() -> None:
    error = broken(answers.initial_image, {"success": True, "data": {}}, request=POST)
    assert error.code == ErrorCode.INVALID_RESPONSE
    assert error.field == "$.data.imageId"
    assert error.outcome_unknown
    assert "$.data.imageId" in str(error)


def test_the_path_of_a_wrong_type_is_named() -> None:
    error = broken(answers.initial_image, {"data": {"imageId": 7}}, request=POST)
    assert error.code == ErrorCode.INVALID_RESPONSE
    assert error.field == "$.data.imageId"
    assert error.outcome_unknown
    assert not error.retryable


# Envelopes


def test_success_false_with_200_is_an_error_of_the_server() -> None:
    error = broken(
        answers.initial_image, {"success": False, "error": "Image generation failed"}, request=POST
    )
    assert error.code == ErrorCode.UPSTREAM_MODEL
    assert error.status_code == 200
    assert (error.outcome_unknown, error.may_arrive, error.retryable) == (True, False, False)


def test_success_must_be_a_boolean() -> None:
    assert broken(answers.portfolio, {"success": "yes", "jobId": "x"}).field == "$.success"


def test_a_reference_state_needs_success() -> None:
    assert broken(answers.reference_state, {}).field == "$.success"


@pytest.mark.parametrize(
    ("body", "retryable"),
    [
        (b'{"success": true, "da', True),
        (b"", True),
        (b"\xff\xfe\x00", True),
        (b'{"a": NaN}', True),
        (b"[" * 100_000, True),
        (b"<!DOCTYPE html><html></html>", False),
        (b"[]", False),
        (b"null", True),
        (b'"text"', False),
    ],
)
@pytest.mark.parametrize("reader", READERS)
def test_a_body_that_is_no_json_object(
    reader: Callable[[Exchange], Any], body: bytes, retryable: bool
) -> None:
    error = broken(reader, None, body=body, request=POST)
    assert error.code == ErrorCode.INVALID_RESPONSE
    assert error.field == "$"
    # It may have been paid for.
    assert error.outcome_unknown
    assert not error.retryable
    assert broken(reader, None, body=body).retryable == retryable


def test_a_read_has_no_unknown_outcome() -> None:
    assert not broken(answers.reference_state, None, body=b"<html>").outcome_unknown


def test_the_servers_request_id_wins_if_it_is_fit() -> None:
    assert exchange({}, headers={"x-request-id": "theirs"}).request_id == "theirs"
    assert exchange({}, headers={"x-request-id": "a b"}).request_id == "request-1"
    assert exchange({}, headers={"x-request-id": "x" * 129}).request_id == "request-1"
    assert exchange({}).request_id == "request-1"


# References


def test_reference_state() -> None:
    none = answers.reference_state(exchange({"success": True, "updated": True}))
    assert not none.exists
    there = answers.reference_state(exchange({"success": True, "mediaId": MEDIA_ID}))
    assert there.exists
    url = answers.reference_state(exchange({"success": True, "imageUrl": "/m/x", "mediaId": ""}))
    assert url.exists
    assert url.media_id is None
    assert url.url == "https://library.test/m/x"


def test_reference_deletion() -> None:
    gone = answers.reference_deletion(
        exchange({"success": True, "message": "done", "resetFields": ["a", "b"]})
    )
    assert gone.message == "done"
    assert gone.reset_fields == ("a", "b")
    plain = answers.reference_deletion(exchange({"success": True, "resetFields": None}))
    assert plain.reset_fields == ()
    error = broken(answers.reference_deletion, {"success": True, "resetFields": ["a", 1]})
    assert error.field == "$.resetFields[1]"


# 360 sets


def test_portfolio_with_a_job() -> None:
    found = answers.portfolio(exchange({"success": True, "jobId": JOB_ID, "message": "go"}))
    assert found.job_id == JOB_ID
    assert found.images == ()
    assert found.message == "go"


@pytest.mark.parametrize("place", ["images", "results"])
def test_portfolio_of_an_older_server(place: str) -> None:
    images = [{"url": "/media/a.jpg", "angle": "front", "quality": 90, "dinoAssetId": "x"}]
    failed = [{"angle": "back", "error": "flagged", "attempts": 2}]
    document: dict[str, Any] = {"success": True, "status": "completed"}
    if place == "images":
        document |= {"images": images, "failedImages": failed}
    else:
        document["results"] = {"generatedImages": images, "failedImages": failed}
    found = answers.portfolio(exchange(document))
    assert found.job_id is None
    (image,) = found.images
    assert image.url == "https://library.test/media/a.jpg"
    assert image.angle == "front"
    assert image.quality == 90.0
    assert image.media_id is None
    (failure,) = found.failures
    assert (failure.angle, failure.error, failure.attempts) == ("back", "flagged", 2)


@pytest.mark.parametrize("document", [{"success": True}, {"jobId": "../x"}, {"jobId": "a" * 65}])
def test_portfolio_without_a_usable_job_id(document: dict[str, Any]) -> None:
    assert broken(answers.portfolio, document).field == "$.jobId"


def test_job_with_defaults_and_an_unknown_status() -> None:
    job = answers.job(
        exchange({"jobId": "x", "status": "paused", "progress": {"current": None, "total": 27}})
    )
    assert job.status == "paused"
    assert (job.current, job.total, job.percentage) == (0, 27, 0.0)
    assert not job.finished
    bare = answers.job(exchange({"jobId": "x", "status": "completed", "startedAt": None}))
    assert bare.finished
    assert bare.started_at is None


def test_job_in_full() -> None:
    job = answers.job(
        exchange(
            {
                "jobId": "x",
                "status": "completed",
                "progress": {"current": 1, "total": 2, "percentage": 50.5, "currentTask": "t"},
                "startedAt": "2026-11-23T11:58:49.613Z",
                "completedAt": "2026-11-23T12:58:49+01:00",
                "createdAt": "2026-11-23T11:58:49",
                "characterId": DB_ID,
                "jobType": "360-set",
                "error": "e",
                "message": "m",
                "results": {
                    "generatedImages": [{"mediaId": "", "imageId": "i", "url": ""}],
                    "failedImages": [{"angle": "a"}],
                },
            }
        )
    )
    assert (job.current, job.total, job.percentage, job.task) == (1, 2, 50.5, "t")
    assert job.started_at == datetime(2026, 11, 23, 11, 58, 49, 613000, tzinfo=UTC)
    assert job.completed_at == datetime(2026, 11, 23, 11, 58, 49, tzinfo=UTC)
    assert job.created_at == datetime(2026, 11, 23, 11, 58, 49, tzinfo=UTC)
    assert (job.character_id, job.job_type, job.error, job.message) == (DB_ID, "360-set", "e", "m")
    assert job.images[0].media_id == "i"
    assert job.images[0].url is None
    assert job.failures[0].angle == "a"


def test_job_page() -> None:
    page = answers.job_page(
        exchange(
            {
                "success": True,
                "jobs": [{"jobId": "x", "status": "failed"}],
                "pagination": {"totalDocs": 11, "page": 2, "totalPages": 2, "hasNextPage": True},
            }
        )
    )
    assert [each.job_id for each in page.jobs] == ["x"]
    assert (page.total, page.page, page.pages, page.has_next) == (11, 2, 2, True)
    error = broken(
        answers.job_page,
        {"success": True, "jobs": [{"jobId": "x", "status": 1}], "pagination": {"totalDocs": 1}},
    )
    assert error.field == "$.jobs[0].status"


def test_a_cancellation_that_was_not_accepted_is_no_error() -> None:
    no = answers.cancellation(exchange({"success": False, "message": "not running"}))
    assert (no.accepted, no.message) == (False, "not running")
    assert answers.cancellation(exchange({"success": True})).accepted


# Scenes, gallery, media, characters, health


def test_scene() -> None:
    scene = answers.scene_image(
        exchange(
            {
                "success": True,
                "imageUrl": "/a.jpg",
                "imageId": MEDIA_ID,
                "sceneContext": {"sceneId": "s", "sceneType": "action", "qualityScore": 85},
            }
        )
    )
    assert scene.url == "https://library.test/a.jpg"
    assert scene.media_id == MEDIA_ID
    assert (scene.scene_id, scene.scene_type, scene.quality_score) == ("s", "action", 85.0)
    bare = answers.scene_image(exchange({"mediaId": MEDIA_ID, "sceneContext": None}))
    assert bare.scene_id is None
    assert broken(answers.scene_image, {"success": True}).field == "$.mediaId"


def gallery_of(core: dict[str, Any]) -> dict[str, Any]:
    return {
        "success": True,
        "characterId": DB_ID,
        "characterName": "Lena",
        "totalImages": 3,
        "images": {
            "masterReference": {"imageId": "m", "url": ""},
            "coreReferenceSet": [core],
            "sceneImages": [{"imageId": "s", "generationPrompt": "p", "consistencyScore": 9}],
            "onDemandImages": [{"imageId": "o"}],
            "relationshipImages": [{"imageId": "r"}],
        },
    }


def test_gallery() -> None:
    shot = {
        "shotName": "50mm BACK",
        "slug": "back",
        "lensMm": 50,
        "crop": "mcu",
        "expression": "neutral",
        "cameraAzimuthDeg": -25,
        "cameraElevationDeg": 0,
        "cameraDistanceM": 1.9,
        "sortOrder": 10,
    }
    core = {"imageId": "c", "url": "/c.png", "angle": "back", "lens": "50mm", "referenceShot": shot}
    gallery = answers.gallery(exchange(gallery_of(core)))
    assert (gallery.character_id, gallery.character_name, gallery.total) == (DB_ID, "Lena", 3)
    assert gallery.master is not None
    assert (gallery.master.category, gallery.master.url) == ("master", None)
    (image,) = gallery.core
    assert (image.category, image.angle, image.lens) == ("core", "back", "50mm")
    assert image.url == "https://library.test/c.png"
    assert image.shot == Shot(
        name="50mm BACK",
        slug="back",
        lens_mm=50.0,
        crop="mcu",
        expression="neutral",
        camera_azimuth_deg=-25.0,
        camera_elevation_deg=0.0,
        camera_distance_m=1.9,
        sort_order=10,
    )
    assert gallery.scenes[0].prompt == "p"
    assert gallery.scenes[0].consistency_score == 9.0
    assert [each[0].category for each in (gallery.scenes, gallery.on_demand)] == [
        "scene",
        "ondemand",
    ]
    assert gallery.relationships[0].category == "relationship"


@pytest.mark.parametrize(
    ("given_shot", "name"),
    [(None, None), ("6b04", None), ([], None), ({}, None), ({"slug": "s"}, "s")],
)
def test_gallery_shots_that_are_not_populated(given_shot: Any, name: str | None) -> None:
    gallery = answers.gallery(exchange(gallery_of({"imageId": "c", "referenceShot": given_shot})))
    shot = gallery.core[0].shot
    assert (shot.name if shot is not None else None) == name


def test_gallery_names_the_path_of_a_bad_shot() -> None:
    document = gallery_of({"imageId": "c", "referenceShot": {"shotName": "x", "lensMm": "50"}})
    error = broken(answers.gallery, document)
    assert error.field == "$.images.coreReferenceSet[0].referenceShot.lensMm"
    document["images"]["coreReferenceSet"] = [{"imageId": "c"}, {}]
    assert broken(answers.gallery, document).field == "$.images.coreReferenceSet[1].imageId"
    document["images"]["coreReferenceSet"] = {}
    assert broken(answers.gallery, document).field == "$.images.coreReferenceSet"
    document["images"] = 7
    assert broken(answers.gallery, document).field == "$.images"


def test_media() -> None:
    media = answers.media(
        exchange(
            {
                "id": MEDIA_ID,
                "url": "/m.png",
                "filename": "m.png",
                "mimeType": "image/jpeg",
                "filesize": 9,
                "width": 1,
                "height": 2,
            }
        )
    )
    assert media.url == "https://library.test/m.png"
    assert (media.id, media.filename, media.mime_type) == (MEDIA_ID, "m.png", "image/jpeg")
    assert (media.size, media.width, media.height) == (9, 1, 2)


@pytest.mark.parametrize(
    ("reference", "media_id"),
    [(None, None), (MEDIA_ID, MEDIA_ID), ({"id": MEDIA_ID}, MEDIA_ID), ({}, None), (5, None)],
)
def test_character(reference: Any, media_id: str | None) -> None:
    document = {
        "id": DB_ID,
        "name": "Lena",
        "characterId": "lena",
        "status": "draft",
        "masterReferenceImage": reference,
        "createdAt": "2026-11-23T11:50:24.755Z",
        "updatedAt": "2026-11-23T11:50:25.755Z",
        "age": 34,
    }
    character = answers.character(exchange(document))
    assert (character.id, character.name, character.character_id) == (DB_ID, "Lena", "lena")
    assert character.status == "draft"
    assert character.master_reference_id == media_id
    assert character.created_at == datetime(2026, 11, 23, 11, 50, 24, 755000, tzinfo=UTC)
    assert character.updated_at == datetime(2026, 11, 23, 11, 50, 25, 755000, tzinfo=UTC)
    assert character.fields["age"] == 34


def test_character_page() -> None:
    page = answers.character_page(
        exchange(
            {
                "docs": [{"id": "a", "name": "A", "characterId": ""}],
                "totalDocs": 3,
                "page": 2,
                "totalPages": 3,
                "hasNextPage": True,
            }
        )
    )
    assert (page.total, page.page, page.pages, page.has_next) == (3, 2, 3, True)
    assert page.characters[0].character_id is None
    empty = answers.character_page(exchange({"docs": [], "totalDocs": 0, "page": None}))
    assert (empty.characters, empty.page, empty.has_next) == ((), 1, False)
    error = broken(answers.character_page, {"docs": [{"id": "a"}], "totalDocs": 1})
    assert error.field == "$.docs[0].name"


def test_health_and_nothing() -> None:
    health = answers.health(
        exchange(
            {
                "status": "ok",
                "service": "Character Library",
                "version": "2.0.0",
                "environment": "production",
                "uptime": 220.2,
                "timestamp": "2026-11-23T11:54:03.662Z",
            }
        )
    )
    assert (health.status, health.service, health.version) == ("ok", "Character Library", "2.0.0")
    assert (health.environment, health.uptime) == ("production", 220.2)
    assert health.timestamp is not None
    answers.nothing(exchange({"success": True}))


def test_no_value_shows_a_url_or_a_prompt_in_its_repr() -> None:
    document = gallery_of({"imageId": "c", "url": "/c.png?key=secret", "generationPrompt": "hush"})
    text = repr(answers.gallery(exchange(document)))
    assert "secret" not in text
    assert "hush" not in text


# The converter


@pytest.mark.parametrize(
    ("cls", "document", "path", "problem"),
    [
        (wire.JobWire, [], "$", "is not an object"),
        (wire.JobWire, {"jobId": "x"}, "$.status", "is missing"),
        (wire.JobWire, {"jobId": None, "status": "x"}, "$.jobId", "is not a string"),
        (wire.ProgressWire, {"current": True}, "$.current", "is not an integer"),
        (wire.ProgressWire, {"current": 1.0}, "$.current", "is not an integer"),
        (wire.ProgressWire, {"percentage": True}, "$.percentage", "is not a number"),
        (wire.ProgressWire, {"percentage": "9"}, "$.percentage", "is not a number"),
        (wire.ProgressWire, {"percentage": 10**400}, "$.percentage", "is not a finite number"),
        (wire.PaginationWire, {"totalDocs": 1, "hasNextPage": 1}, "$.hasNextPage", "boolean"),
        (wire.HealthWire, {"status": "ok", "timestamp": "soon"}, "$.timestamp", "date and time"),
        (wire.HealthWire, {"status": "ok", "timestamp": 5}, "$.timestamp", "date and time"),
        (
            wire.HealthWire,
            {"status": "ok", "timestamp": "0001-01-01T00:00:00+23:00"},
            "$.timestamp",
            "date and time",
        ),
        (wire.ResultsWire, {"failedImages": [{}, 3]}, "$.failedImages[1]", "is not an object"),
        (wire.JobWire, {"jobId": "x", "status": "y", "progress": "z"}, "$.progress", "object"),
    ],
)
def test_wrong_types_are_refused(cls: Any, document: Any, path: str, problem: str) -> None:
    with pytest.raises(WireError) as caught:
        structure(document, cls)
    assert caught.value.path == path
    assert problem in caught.value.problem
    assert path in str(caught.value)


def test_half_surrogates_become_storable() -> None:
    found = structure(json.loads('{"status": "a\\ud83d"}'), wire.HealthWire)
    assert found.status == "a?"
    assert structure({"status": "Zoë"}, wire.HealthWire).status == "Zoë"


def failure_of(read: Callable[[Exchange], Any], given_: Exchange) -> CharacterLibraryError | None:
    """Return the error that reading ended with; any other than ours fails the test."""
    try:
        read(given_)
    except CharacterLibraryError as error:
        return error
    return None


NAMES = [
    *("success", "data", "images", "jobs", "docs", "progress", "results", "jobId", "status", "id"),
    *("name", "url", "error", "details", "errors", "message", "publicUrl", "imageId", "totalDocs"),
    *("pagination", "generatedImages", "referenceShot", "coreReferenceSet", "masterReference"),
    *("characterId", "timestamp"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
REQUESTS = [POST, requests.get_job("x"), requests.cancel_job("x"), requests.health()]


@given(
    document=JSON,
    status=st.sampled_from([200, 201, 202, 302, 400, 404, 429, 500, 503]),
    reader=st.sampled_from(READERS),
    request_=st.sampled_from(REQUESTS),
)
def test_any_json_is_read_or_becomes_our_error(
    document: Any, status: int, reader: Callable[[Exchange], Any], request_: Any
) -> None:
    error = failure_of(reader, exchange(document, status=status, request=request_))
    if error is not None:
        assert error.status_code == status
        assert str(error.code) in str(error)


@given(
    body=st.binary(max_size=60),
    status=st.integers(200, 599),
    reader=st.sampled_from(READERS),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "retry-after", "x-request-id"]), st.text(max_size=20)
    ),
)
def test_any_bytes_are_read_or_become_our_error(
    body: bytes, status: int, reader: Callable[[Exchange], Any], headers: dict[str, str]
) -> None:
    error = failure_of(reader, exchange(body=body, status=status, headers=headers, request=POST))
    if error is not None:
        assert error.status_code == status
