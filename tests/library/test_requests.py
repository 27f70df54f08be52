"""What goes out, endpoint by endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library import requests
from charimg._library.requests import CallKind, LibraryRequest
from charimg.errors import InvalidArgument, InvalidPrompt

from .helpers import DB_ID, JOB_ID, MEDIA_ID

ONE = f"/api/v1/characters/{DB_ID}"


def scene(context: str = "a bar", **options: Any) -> LibraryRequest:
    given_ = {
        "scene_type": "dialogue",
        "mood": None,
        "lighting_style": None,
        "environment_context": None,
        "additional_characters": (),
        "reference_image_asset_id": None,
        **options,
    }
    return requests.scene_image(DB_ID, context, **given_)


@pytest.mark.parametrize(
    ("request_", "line", "kind", "body"),
    [
        (requests.health(), "GET /api/health", CallKind.READ, None),
        (
            requests.create_character("Lena", "lena-1", {"age": 4}),
            "POST /api/v1/characters",
            CallKind.READ,
            {"name": "Lena", "characterId": "lena-1", "age": 4},
        ),
        (requests.get_character(DB_ID), f"GET {ONE}", CallKind.READ, None),
        (
            requests.find_characters(None, None, 10, 2),
            "GET /api/v1/characters?limit=10&page=2",
            CallKind.READ,
            None,
        ),
        (
            requests.find_characters("Lena & Co", None, 10, 1),
            "GET /api/characters?limit=10&page=1&where%5Bname%5D%5Bequals%5D=Lena+%26+Co",
            CallKind.READ,
            None,
        ),
        (
            requests.find_characters(None, "lena", 10, 1),
            "GET /api/characters?limit=10&page=1&where%5BcharacterId%5D%5Bequals%5D=lena",
            CallKind.READ,
            None,
        ),
        (requests.update_character(DB_ID, {"age": 5}), f"PATCH {ONE}", CallKind.READ, {"age": 5}),
        (requests.delete_character(DB_ID), f"DELETE {ONE}", CallKind.DELETE, None),
        (
            requests.initial_image(DB_ID, " a\n“b” "),
            f"POST {ONE}/generate-initial-image",
            CallKind.GENERATION,
            {"prompt": " a\n“b” "},
        ),
        (requests.get_reference(DB_ID), f"GET {ONE}/reference-image", CallKind.READ, None),
        (
            requests.set_reference(DB_ID, MEDIA_ID),
            f"PUT {ONE}/reference-image",
            CallKind.READ,
            {"mediaId": MEDIA_ID},
        ),
        (
            requests.delete_reference(DB_ID),
            f"DELETE {ONE}/reference-image",
            CallKind.DELETE,
            None,
        ),
        (
            requests.portfolio(DB_ID, None, None, None, None),
            f"POST {ONE}/generate-360-set",
            CallKind.GENERATION,
            {},
        ),
        (
            requests.portfolio(DB_ID, "photo", 27, 70.5, 0),
            f"POST {ONE}/generate-360-set",
            CallKind.GENERATION,
            {"style": "photo", "imageCount": 27, "qualityThreshold": 70.5, "maxRetries": 0},
        ),
        (requests.get_job(JOB_ID), f"GET /api/v1/jobs/{JOB_ID}/status", CallKind.READ, None),
        (
            requests.list_jobs(None, None, 10, 1),
            "GET /api/v1/jobs?limit=10&page=1",
            CallKind.READ,
            None,
        ),
        (
            requests.list_jobs(DB_ID, "failed", 5, 3),
            f"GET /api/v1/jobs?limit=5&page=3&characterId={DB_ID}&status=failed",
            CallKind.READ,
            None,
        ),
        (requests.reference_shots(), "GET /api/v1/reference-shots", CallKind.READ, None),
        (requests.cancel_job(JOB_ID), f"DELETE /api/v1/jobs/{JOB_ID}/status", CallKind.READ, None),
        (
            scene(),
            f"POST {ONE}/generate-scene-image",
            CallKind.GENERATION,
            {"sceneContext": "a bar", "sceneType": "dialogue"},
        ),
        (
            scene(
                scene_type="action",
                mood="tense",
                lighting_style="low key",
                environment_context="1920s",
                additional_characters=("Bo",),
                reference_image_asset_id="asset",
            ),
            f"POST {ONE}/generate-scene-image",
            CallKind.GENERATION,
            {
                "sceneContext": "a bar",
                "sceneType": "action",
                "mood": "tense",
                "lightingStyle": "low key",
                "environmentContext": "1920s",
                "additionalCharacters": ["Bo"],
                "referenceImageAssetId": "asset",
            },
        ),
        (
            requests.list_images(DB_ID, None, True, None),
            f"GET {ONE}/images?includeUrls=true",
            CallKind.READ,
            None,
        ),
        (
            requests.list_images(DB_ID, "core", False, 80),
            f"GET {ONE}/images?includeUrls=false&category=core&minQuality=80",
            CallKind.READ,
            None,
        ),
        (requests.get_media(MEDIA_ID), f"GET /api/media/{MEDIA_ID}", CallKind.READ, None),
        (
            requests.list_media("x", 5, 2),
            "GET /api/media?where%5Bfilename%5D%5Blike%5D=x&sort=-createdAt&limit=5&page=2&depth=0",
            CallKind.READ,
            None,
        ),
    ],
)
def test_requests(request_: LibraryRequest, line: str, kind: CallKind, body: Any) -> None:
    assert f"{request_.method} {request_.target}" == line
    assert request_.kind == kind
    assert (None if request_.body is None else json.loads(request_.body)) == body
    assert request_.idempotent == line.startswith("GET ")
    assert request_.job_id == (JOB_ID if "/jobs/" in line else None)


def test_a_made_character_id_goes_out() -> None:
    body = requests.create_character("Lena Marlow", None, None).body
    assert body is not None
    assert json.loads(body)["characterId"].startswith("lena-marlow-")


MANY: list[Callable[[], LibraryRequest]] = [
    lambda: requests.get_character("lena"),
    lambda: requests.update_character("lena", {"age": 4}),
    lambda: requests.delete_character("lena"),
    lambda: requests.initial_image("lena", "x"),
    lambda: requests.get_reference("lena"),
    lambda: requests.set_reference("lena", MEDIA_ID),
    lambda: requests.set_reference(DB_ID, "media"),
    lambda: requests.delete_reference("lena"),
    lambda: requests.portfolio("lena", None, None, None, None),
    lambda: requests.get_job("../x"),
    lambda: requests.cancel_job("../x"),
    lambda: requests.list_jobs("lena", None, 1, 1),
    lambda: requests.list_images("lena", None, True, None),
    lambda: requests.get_media("media"),
    lambda: requests.list_media(" ", 1, 1),
    lambda: requests.list_media("x", 0, 1),
    lambda: requests.create_character(" ", None, None),
    lambda: requests.create_character("Lena", " ", None),
    lambda: requests.create_character("Lena", None, {"name": "Bo"}),
    lambda: requests.create_character("Lena", None, {"characterId": "bo"}),
    lambda: requests.create_character("Lena", None, {"age": {1, 2}}),
    lambda: requests.update_character(DB_ID, {}),
    lambda: requests.update_character(DB_ID, {"age": float("nan")}),
    lambda: requests.find_characters(None, None, 0, 1),
    lambda: requests.find_characters(None, None, 1, 0),
    lambda: requests.list_jobs(None, None, True, 1),
    lambda: requests.list_jobs(None, None, 1, 1.5),  # type: ignore[arg-type]
    lambda: requests.portfolio(DB_ID, None, 0, None, None),
    lambda: requests.portfolio(DB_ID, None, None, float("inf"), None),
    lambda: requests.portfolio(DB_ID, None, None, True, None),
    lambda: requests.portfolio(DB_ID, None, None, None, -1),
    lambda: requests.list_images(DB_ID, "all", True, None),
    lambda: requests.list_images(DB_ID, None, True, "80"),  # type: ignore[arg-type]
    lambda: scene(scene_type="portrait"),
    lambda: scene(additional_characters="Bo"),
]


@pytest.mark.parametrize("make", MANY)
def test_what_makes_no_sense_is_refused(make: Callable[[], LibraryRequest]) -> None:
    with pytest.raises(InvalidArgument):
        make()


def test_blank_texts_are_refused() -> None:
    with pytest.raises(InvalidPrompt):
        requests.initial_image(DB_ID, " \n")
    with pytest.raises(InvalidPrompt):
        scene(" ")


def test_the_id_is_looked_at_before_the_prompt() -> None:
    with pytest.raises(InvalidArgument, match="library_db_id"):
        requests.initial_image("lena", "")


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_any_prompt_goes_out_as_it_is_and_stays_out_of_reprs(prompt: str) -> None:
    request = requests.initial_image(DB_ID, prompt)
    assert request.body is not None
    assert json.loads(request.body) == {"prompt": prompt}
    assert request.body.isascii()
    assert request.private == (prompt,)
    assert "prompt" not in repr(request)


def test_texts_of_a_scene_are_private() -> None:
    request = scene(mood="tense", environment_context="1920s")
    assert request.private == ("a bar", "1920s", "tense")
    assert "a bar" not in repr(request)
    assert scene().private == ("a bar",)


def test_a_query_stays_out_of_the_repr() -> None:
    assert "Lena" not in repr(requests.find_characters("Lena", None, 1, 1))


@pytest.mark.parametrize("good", ["x", "a-b_c.9", "!" * 128])
def test_fit_request_ids(good: str) -> None:
    assert requests.is_request_id(good)


@pytest.mark.parametrize("bad", ["", "a b", "é", "a\n", "x" * 129, None, 5])
def test_unfit_request_ids(bad: object) -> None:
    assert not requests.is_request_id(bad)
