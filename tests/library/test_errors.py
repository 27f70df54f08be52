"""Which error an answer becomes."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library import requests
from charimg._library.errors import failure, refusal, server_text, undecodable
from charimg._library.requests import LibraryAnswer, LibraryRequest
from charimg.errors import CharacterLibraryError, ErrorCode, JobError

from .helpers import DB_ID, GET, JOB_ID, POST

DELETE = requests.delete_reference(DB_ID)
SCENE = requests.scene_image(
    DB_ID,
    "a bar",
    scene_type="action",
    mood=None,
    lighting_style=None,
    environment_context=None,
    additional_characters=(),
    reference_image_asset_id=None,
)
POLL = requests.get_job(JOB_ID)


def refused(
    status: int, document: Any = None, *, request: LibraryRequest = GET, **headers: str
) -> CharacterLibraryError:
    body = b"" if document is None else json.dumps(document).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = LibraryAnswer(status=status, headers=named, body=body)
    return refusal(request, answer, document, request_id="request-1")


ALREADY = "Character already has a master reference image. Use the generate-image endpoint …"


@pytest.mark.parametrize(
    ("status", "document", "code", "retryable_read", "retryable_post"),
    [
        (400, {"error": "Prompt is required"}, "PROMPT_REQUIRED", False, False),
        (400, {"error": ALREADY}, "ALREADY_HAS_REFERENCE", False, False),
        (400, {"error": "Character must have a master reference image for"}, "NO_REFERENCE", 0, 0),
        (400, {"error": "No reference image available for c"}, "NO_REFERENCE", False, False),
        (400, {"error": "sceneType is required"}, "BAD_REQUEST", False, False),
        (400, {"error": "Cannot cancel job"}, "JOB_NOT_CANCELLABLE", False, False),
        (400, {"error": "bad dino"}, "BAD_REQUEST", False, False),
        (401, {"error": "no"}, "UNAUTHORIZED", False, False),
        (403, None, "UNAUTHORIZED", False, False),
        (407, None, "UNAUTHORIZED", False, False),
        (404, {"message": "Route not found"}, "INVALID_RESPONSE", False, False),
        (404, None, "INVALID_RESPONSE", False, False),
        (405, None, "BAD_REQUEST", False, False),
        (408, None, "TIMEOUT", True, True),
        (429, {"error": "slow down"}, "RATE_LIMITED", True, True),
        (429, None, "RATE_LIMITED", True, True),
        (300, {"error": "Not Found"}, "INVALID_RESPONSE", False, False),
        (302, {"error": "Not Found"}, "INVALID_RESPONSE", False, False),
        (500, {"message": "Route not found"}, "SERVER_ERROR", True, False),
        (404, {}, "NOT_FOUND", False, False),
        (500, {"error": "Not Found"}, "NOT_FOUND", False, False),
        (500, {"error": "not found. "}, "NOT_FOUND", False, False),
        (500, {"error": "Failed", "details": "Not Found"}, "NOT_FOUND", False, False),
        (500, {"error": "The requested resource was not found."}, "NOT_FOUND", False, False),
        (500, {"error": "Failed to fetch character"}, "NOT_FOUND", False, False),
        (500, {"error": "x", "details": "Failed to fetch character"}, "SERVER_ERROR", True, False),
        (500, {"error": "Prompt is required"}, "SERVER_ERROR", True, False),
        (500, {"error": 7, "details": "Not Found"}, "NOT_FOUND", False, False),
        (500, {"error": "File not found on disk"}, "SERVER_ERROR", True, False),
        (500, {"error": "boom"}, "SERVER_ERROR", True, False),
        (500, {}, "SERVER_ERROR", True, False),
        (500, None, "INVALID_RESPONSE", True, False),
        (502, None, "UNAVAILABLE", True, False),
        (503, {"error": "Not Found"}, "UNAVAILABLE", True, False),
        (504, None, "UNAVAILABLE", True, False),
        (524, None, "UNAVAILABLE", True, False),
        (200, {"success": False, "error": "boom"}, "SERVER_ERROR", False, False),
        (200, {"success": False, "error": ALREADY}, "ALREADY_HAS_REFERENCE", False, False),
    ],
)
def test_codes(
    status: int, document: Any, code: str, retryable_read: bool, retryable_post: bool
) -> None:
    read, post = refused(status, document), refused(status, document, request=POST)
    assert (read.code, post.code) == (code, code)
    assert (read.status_code, read.request_id) == (status, "request-1")
    assert (read.retryable, post.retryable) == (retryable_read, retryable_post)
    assert not read.outcome_unknown
    assert read.field == ("$" if code == "INVALID_RESPONSE" else None)
    assert f"({code}, HTTP {status})" in str(read)
    assert "Request request-1." in str(read)
    assert DB_ID in str(read)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Image generation failed", "UPSTREAM_MODEL"),
        ("Failed to upload generated image", "UPSTREAM_STORAGE"),
        ("Failed to process image with DINOv3", "UPSTREAM_FEATURES"),
        ("The following field is invalid: Scene Type", "SERVER_ERROR"),
    ],
)
def test_what_draws_may_have_been_paid_for_and_nothing_else_says_so(text: str, code: str) -> None:
    for request in (POST, SCENE):
        error = refused(500, {"error": text}, request=request)
        assert (error.code, error.retryable, error.outcome_unknown) == (code, False, True)
        assert "may have been paid for; asking again may pay again." in str(error)
    for request in (GET, DELETE, POLL):
        error = refused(500, {"error": text}, request=request)
        assert (error.code, error.outcome_unknown) == ("SERVER_ERROR", False)
        assert "drawn" not in str(error)
        assert "paid" not in str(error)


@pytest.mark.parametrize(
    ("status", "document", "request_", "told", "untold"),
    [
        (404, {"error": "Job not found"}, POLL, "does not know this job, or no longer", "24-hex"),
        (500, {"error": "Not Found"}, GET, "24-hex", "job"),
        (500, None, GET, "Try again later.", "base URL"),
        (200, None, GET, "base URL", "Try again"),
        (400, {"error": "must have a master reference"}, POST, "does not count", "Generate or"),
    ],
)
def test_the_advice_fits_what_was_asked_for(
    status: int, document: Any, request_: LibraryRequest, told: str, untold: str
) -> None:
    error = str(refused(status, document, request=request_))
    assert told in error
    assert untold not in error


@pytest.mark.parametrize(
    ("status", "document", "unknown"),
    [
        (500, None, True),
        (502, {"error": "bad gateway"}, True),
        (504, None, True),
        (408, None, False),
        (429, None, False),
        (302, None, False),
    ],
)
def test_only_a_gateway_leaves_the_outcome_of_a_write_unknown(
    status: int, document: Any, unknown: bool
) -> None:
    for write in (POST, DELETE):
        error = refused(status, document, request=write)
        assert error.outcome_unknown == unknown
        assert ("may have taken effect" in str(error)) == unknown


@pytest.mark.parametrize(
    ("told", "retryable"),
    [("429", True), ("503", True), ("500", True), ("422", False), ("401", False)],
)
def test_the_models_own_status_decides_about_a_retry(told: str, retryable: bool) -> None:
    document = {"error": "Image generation failed", "details": f"Fal.ai API error: {told} - {{}}"}
    error = refused(500, document, request=POST)
    assert error.code == ErrorCode.UPSTREAM_MODEL
    assert error.retryable == retryable


def test_the_models_text_is_not_searched_for_other_reasons() -> None:
    document = {"error": "Image generation failed", "details": "prompt: she failed to upload dino"}
    assert refused(500, document, request=POST).code == ErrorCode.UPSTREAM_MODEL


def test_retry_after_is_kept() -> None:
    assert refused(429, None, retry_after="7").retry_after == 7.0
    assert refused(429).retry_after is None


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (None, None),
        ([], None),
        ({}, None),
        ({"error": "a", "details": "b", "message": "c"}, "a: b"),
        ({"error": " ", "details": " b "}, "b"),
        ({"error": 5, "message": " c "}, "c"),
        ({"errors": [{"message": "d"}, {"message": "e"}]}, "d"),
        ({"message": "c", "errors": [{"message": "d"}]}, "c"),
        ({"errors": []}, None),
        ({"errors": {"message": "d"}}, None),
        ({"errors": ["d"]}, None),
        ({"errors": [{"message": 5}]}, None),
        ({"error": "x" * 5000}, "x" * 2000),
        ({"error": "half \ud83d"}, "half ?"),
    ],
)
def test_the_servers_own_words(document: Any, text: str | None) -> None:
    assert server_text(document) == text


PROMPT = 'A "quoted"\nprompt for Zoë'


@pytest.mark.parametrize(
    "echo",
    [
        PROMPT,
        json.dumps(PROMPT),
        json.dumps(PROMPT, ensure_ascii=False),
        f"flagged: {PROMPT}!",
    ],
)
def test_a_prompt_that_the_server_echoes_stays_out_of_the_message(echo: str) -> None:
    request = requests.initial_image(DB_ID, PROMPT)
    error = refused(500, {"error": "boom", "details": echo}, request=request)
    assert "Zo" not in str(error)
    assert "quoted" not in repr(error)
    assert "[…]" in str(error)


def test_a_tiny_prompt_does_not_shred_the_message() -> None:
    error = refused(500, {"error": "bad luck"}, request=requests.initial_image(DB_ID, "a"))
    assert "bad luck" in str(error)


def test_long_words_are_cut_in_the_message_alone() -> None:
    error = refused(500, {"error": "word\n" * 300})
    assert error.server_message == ("word\n" * 300).strip()
    assert len(str(error)) < 500
    assert "\n" not in str(error)
    assert "…" in str(error)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b" \n", "", "the answer is empty"),
        (b"<p>", "", "HTML instead of JSON"),
        (b"hello", "text/HTML; charset=utf-8", "HTML instead of JSON"),
        (b"hello", "text/plain", "not valid JSON"),
    ],
)
def test_a_body_without_json_is_described(body: bytes, kind: str, words: str) -> None:
    answer = LibraryAnswer(status=502, headers={"content-type": kind}, body=body)
    error = refusal(GET, answer, None, request_id="r")
    assert words in str(error)
    assert "hello" not in str(error)


def test_other_answers_without_words() -> None:
    assert "redirects elsewhere" in str(refused(301))
    assert "gave no reason" in str(refused(500, {}))


def test_errors_about_a_job_name_it() -> None:
    error = refused(404, {"status": "failed", "error": "Job not found"}, request=POLL)
    assert isinstance(error, JobError)
    assert (error.code, error.job_id) == (ErrorCode.NOT_FOUND, JOB_ID)
    assert not isinstance(refused(500, {"error": "boom"}, request=POLL), JobError)
    assert not isinstance(refused(404, {"error": "Not Found"}), JobError)


def test_a_job_that_has_ended_is_named_too() -> None:
    cancel = requests.cancel_job(JOB_ID)
    error = refused(400, {"error": "Cannot cancel job"}, request=cancel)
    assert isinstance(error, JobError)
    assert (error.code, error.job_id) == (ErrorCode.JOB_NOT_CANCELLABLE, JOB_ID)


def test_nothing_is_worth_repeating_unless_it_is_said() -> None:
    error = failure(POST, ErrorCode.SERVER_ERROR, "it broke.", request_id="r")
    assert not error.retryable
    assert not error.outcome_unknown


@pytest.mark.parametrize("retryable", [False, True])
def test_an_answer_that_cannot_be_read_leaves_a_write_unknown(retryable: bool) -> None:
    said: dict[str, Any] = {"request_id": "r", "status": 200}
    for request, unknown in ((GET, False), (POST, True)):
        error = undecodable(request, "it is odd.", retryable=retryable, **said)
        assert error.code == ErrorCode.INVALID_RESPONSE
        assert (error.status_code, error.request_id, error.field) == (200, "r", "$")
        assert error.retryable == (retryable and not unknown)
        assert error.outcome_unknown == unknown
    assert not undecodable(GET, "it is odd.", **said).retryable
    assert undecodable(GET, "it is odd.", field="$.id", **said).field == "$.id"


def test_a_deletion_of_unknown_outcome_may_be_repeated() -> None:
    error = refused(502, None, request=DELETE)
    assert (error.outcome_unknown, error.retryable) == (True, True)


@pytest.mark.parametrize("request_", [POST, SCENE], ids=["reference", "scene"])
@pytest.mark.parametrize(
    ("said", "code", "paid", "retryable"),
    [
        ("Fal.ai API error: 429 - slow down", "UPSTREAM_MODEL", False, True),
        ("Fal.ai API error: 503 - away", "UPSTREAM_MODEL", False, True),
        ("Fal.ai API error: 422 - flagged", "UPSTREAM_MODEL", False, False),
        ("No images returned from Fal.ai", "UPSTREAM_MODEL", True, False),
        ("fetch failed", "UPSTREAM_MODEL", True, False),
        ("Failed to download image: 404", "UPSTREAM_MODEL", True, False),
        ("Failed to upload generated image", "UPSTREAM_STORAGE", True, False),
    ],
)
def test_a_failure_of_the_model_is_told_alike_and_says_whether_it_may_be_paid_for(
    request_: LibraryRequest, said: str, code: str, paid: bool, retryable: bool
) -> None:
    # An initial image says so itself; a scene has the model's words alone (contract page).
    document = {"error": said}
    if request_ is POST and code == "UPSTREAM_MODEL":
        document = {"error": "Image generation failed", "details": said}
    error = refused(500, document, request=request_)
    assert (error.code, error.outcome_unknown, error.retryable) == (code, paid, retryable)
    assert ("may have been paid for" in str(error)) == paid
    # The server says that it has nothing: there is nothing to wait for.
    assert not error.may_arrive


def test_every_error_pickles() -> None:
    for error in (
        refused(429, {"error": "slow"}, retry_after="3", request=POST),
        refused(404, {"error": "Job not found"}, request=POLL),
        refused(500, None, request=POST),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert type(copy) is type(error)
        assert str(copy) == str(error)
        assert vars(copy) == vars(error)


@given(code=st.sampled_from([*ErrorCode, "NEWER"]), unknown=st.booleans())
def test_any_code_makes_a_message(code: str, unknown: bool) -> None:
    error = failure(POST, code, "it went wrong.", request_id="r", may_have_happened=unknown)
    assert str(error).startswith(
        f"Generating the reference image of character {DB_ID} failed ({code}): it went wrong."
    )
    assert str(error).endswith("Request r.")
    assert error.status_code is None
