"""Every route of ``/v1`` and the page, over HTTP, in each framework: the same answers."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from .stages import PREFIX, Stage

MARA = "/v1/characters/mara"
IMAGE_FIELDS = {
    *("id", "key", "characterReference", "kind", "status", "media", "provider", "prompt"),
    *("sourceUrl", "externalId", "error", "metrics", "createdBy", "createdAt", "updatedAt"),
}
MEDIA_FIELDS = {
    *("id", "key", "url", "thumbnailURL", "alt", "filename", "mimeType", "filesize"),
    *("width", "height", "sha256"),
}


def ok(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    body = response.json()
    assert body["success"] is True
    return body


def drawn(stage: Stage, **body: Any) -> Any:
    return ok(stage("POST", f"{MARA}/generate-initial-image", json=body))["image"]


def keep(stage: Stage) -> Any:
    """Draw a reference beside the earlier ones."""
    return drawn(stage, policy="keep-history")


def test_a_reference_of_the_suggestion(stage: Stage) -> None:
    suggestion = ok(stage("GET", f"{MARA}/initial-image-prompt"))
    assert set(suggestion) == {"success", "prompt", "template", "facts", "reason"}
    assert suggestion["facts"]["age"] == "34"
    body = ok(stage("POST", f"{MARA}/generate-initial-image"))
    assert set(body) == {"success", "data", "image", "warnings"}
    assert body["data"]["prompt"] == suggestion["prompt"] == body["image"]["prompt"]
    assert stage.simulator.posts("generate-initial-image") == [{"prompt": suggestion["prompt"]}]
    assert set(body["image"]) == IMAGE_FIELDS
    assert set(body["image"]["media"]) == MEDIA_FIELDS


def test_a_prompt_is_posted_byte_for_byte_and_the_user_is_recorded(stage: Stage) -> None:
    prompt = '<script>alert("ü")</script> \u2028 {{7*7}} 人'
    image = drawn(stage, prompt=prompt)
    assert stage.simulator.posts("generate-initial-image") == [{"prompt": prompt}]
    assert (image["prompt"], image["createdBy"]) == (prompt, "ada")
    listed = ok(stage("GET", f"{MARA}/images"))["images"]
    assert [each["prompt"] for each in listed] == [prompt]
    operations = ok(stage("GET", f"{MARA}/operations"))["operations"]
    assert operations[0]["createdBy"] == "ada"


def test_true_admits_without_a_name(stage: Stage) -> None:
    stage.answer = True
    assert drawn(stage)["createdBy"] is None


def test_a_new_reference_replaces_or_keeps_as_told(stage: Stage) -> None:
    first = drawn(stage)
    second = keep(stage)
    ids = [each["id"] for each in ok(stage("GET", f"{MARA}/images"))["images"]]
    assert ids == [second["id"], first["id"]]
    answer = ok(stage("POST", f"{MARA}/generate-initial-image", json={}))
    assert answer["data"]["removed"] == 2
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 1


def test_a_360_set_with_a_shot_that_fails(stage: Stage) -> None:
    reference = drawn(stage)
    stage.simulator.switches.failing_shots = 1
    answer = ok(stage("POST", f"{MARA}/generate-360-set", json={"referenceId": reference["id"]}))
    assert set(answer) == {"success", "data", "images", "failures", "warnings"}
    assert answer["data"]["referenceId"] == reference["id"]
    assert answer["data"]["jobId"]
    assert [each["status"] for each in answer["images"]] == ["succeeded"] * 2
    (failure,) = answer["failures"]
    assert (failure["status"], failure["media"]) == ("failed", None)
    assert failure["error"]
    assert answer["images"][0]["metrics"]["shot"]["lensMm"]


def test_a_scene_by_the_new_and_the_older_name(stage: Stage) -> None:
    drawn(stage)
    given = {"sceneType": "action", "mood": "tense", "lighting": "neon", "environment": "alley"}
    answer = ok(
        stage(
            "POST",
            f"{MARA}/generate-scene-image",
            json={"sceneContext": "She runs.", "additionalCharacters": ["otto"], **given},
        )
    )
    assert answer["image"]["kind"] == "scene"
    answer = ok(stage("POST", f"{MARA}/generate-scene-image", json={"prompt": "She waits."}))
    first, second = stage.simulator.posts("generate-scene-image")
    assert (first["sceneContext"], second["sceneContext"]) == ("She runs.", "She waits.")
    assert (first["mood"], first["additionalCharacters"]) == ("tense", ["otto"])


@pytest.mark.parametrize(
    "name",
    [
        *("sceneContext", "prompt", "sceneType", "mood", "lighting", "environment"),
        "additionalCharacters",
    ],
)
def test_a_misspelt_field_of_a_scene_is_told(stage: Stage, name: str) -> None:
    body = {"sceneContext": "She runs.", f"{name}_": "x"}
    answer = stage("POST", f"{MARA}/generate-scene-image", json=body)
    assert answer.status_code == 422
    assert f"{name}_" in answer.text
    assert stage.posts == 0


@pytest.mark.parametrize("body", [{}, {"prompt": " "}, {"sceneContext": "", "prompt": "x"}])
def test_a_scene_without_a_context_is_refused(stage: Stage, body: Any) -> None:
    answer = stage("POST", f"{MARA}/generate-scene-image", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "PROMPT_REQUIRED")


def test_images_and_operations_come_in_pages_of_50_and_20(stage: Stage) -> None:
    asked: list[dict[str, Any]] = []
    for name in ("metadata", "ledger"):
        store = stage.parts[name]
        real = store.list

        def listed(*args: Any, real: Any = real, **options: Any) -> Any:
            asked.append(options)
            return real(*args, **options)

        store.list = listed
    ok(stage("GET", f"{MARA}/images?kind=&status=&cursor="))
    ok(stage("GET", f"{MARA}/operations?cursor="))
    assert asked == [
        {"kind": None, "status": None, "limit": 50, "cursor": None},
        {"limit": 20, "cursor": None},
    ]
    for of, most in (("images", 1000), ("operations", 200)):
        ok(stage("GET", f"{MARA}/{of}?limit={most}"))
        assert stage("GET", f"{MARA}/{of}?limit={most + 1}").status_code == 422


def test_a_body_that_is_none_orders_nothing(stage: Stage) -> None:
    image = drawn(stage)
    at = f"{MARA}/images/{image['id']}"
    headers = {"Content-Type": "application/json"}
    for method, path in (("DELETE", at), ("POST", f"{at}/retry"), ("POST", f"{at}/restore")):
        assert stage(method, path, content=b"{", headers=headers).status_code == 400, path
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 1


def test_images_of_nobody_cannot_be_deleted(stage: Stage) -> None:
    answer = stage("DELETE", "/v1/characters/nobody/images", json={"ids": ["a"]})
    assert (answer.status_code, answer.json()["code"]) == (404, "CHARACTER_NOT_FOUND")


def test_images_are_paged_and_filtered(stage: Stage) -> None:
    ids = [keep(stage)["id"] for _ in range(3)]
    ok(stage("POST", f"{MARA}/generate-scene-image", json={"sceneContext": "She waits."}))
    page = ok(stage("GET", f"{MARA}/images?limit=2&kind=reference"))
    assert set(page) == {"success", "count", "images", "nextCursor", "character"}
    assert page["count"] == 3
    assert page["character"]["name"] == "Mara"
    assert set(page["character"]) == {"id", "name", "libraryDbId", "libraryCharacterId"}
    rest = ok(
        stage(
            "GET",
            f"{MARA}/images",
            params={"limit": 2, "kind": "reference", "cursor": page["nextCursor"]},
        )
    )
    assert rest["nextCursor"] is None
    assert [each["id"] for each in (*page["images"], *rest["images"])] == ids[::-1]
    assert ok(stage("GET", f"{MARA}/images?status=failed"))["count"] == 0
    assert ok(stage("GET", f"{MARA}/images/{ids[1]}"))["image"]["id"] == ids[1]


def test_of_a_parameter_that_comes_twice_the_last_counts(stage: Stage) -> None:
    for _ in range(3):
        keep(stage)
    page = ok(stage("GET", f"{MARA}/images?limit=1&kind=scene&limit=2&kind=reference"))
    assert len(page["images"]) == 2


def test_deleting_one(stage: Stage) -> None:
    image = drawn(stage)
    answer = ok(stage("DELETE", f"{MARA}/images/{image['id']}"))
    assert set(answer) == {"success", "data", "warnings"}
    assert answer["data"]["removed"] == 1
    assert answer["data"]["remoteDeleted"] is True
    assert stage("GET", f"{MARA}/images/{image['id']}").status_code == 404
    assert stage("DELETE", f"{MARA}/images/{image['id']}").status_code == 404


def test_deleting_several_tells_of_each(stage: Stage) -> None:
    ids = [keep(stage)["id"] for _ in range(3)]
    asked = [ids[0], "nobody", ids[2], ids[0]]
    answer = ok(stage("DELETE", f"{MARA}/images", json={"ids": asked}))
    assert answer["removed"] == [ids[0], ids[2]]
    assert answer["failures"] == [
        {"id": "nobody", "code": "IMAGE_NOT_FOUND", "error": answer["failures"][0]["error"]}
    ]
    assert "nobody" in answer["failures"][0]["error"]
    assert answer["warnings"] == []
    assert [each["id"] for each in ok(stage("GET", f"{MARA}/images"))["images"]] == [ids[1]]
    refused = stage("DELETE", f"{MARA}/images", json={"ids": ["nobody"]})
    assert (refused.status_code, refused.json()["code"]) == (404, "IMAGE_NOT_FOUND")


def test_deleting_several_tells_what_the_library_kept(stage: Stage) -> None:
    image = drawn(stage)
    stage.simulator.switches.reference_delete_errors = 1
    answer = ok(stage("DELETE", f"{MARA}/images", json={"ids": [image["id"]]}))
    assert (answer["removed"], answer["failures"]) == ([image["id"]], [])
    assert len(answer["warnings"]) == 1


def test_a_failed_download_is_fetched_again(stage: Stage) -> None:
    stage.simulator.switches.file_errors = 1
    refused = stage("POST", f"{MARA}/generate-initial-image", json={})
    assert refused.status_code == 502
    image_id = refused.json()["imageId"]
    assert ok(stage("GET", f"{MARA}/images/{image_id}"))["image"]["status"] == "failed"
    answer = ok(stage("POST", f"{MARA}/images/{image_id}/retry"))
    assert (answer["image"]["id"], answer["image"]["status"]) == (image_id, "succeeded")
    assert stage.posts == 1


def test_a_kept_reference_is_restored(stage: Stage) -> None:
    first, second = keep(stage), keep(stage)
    assert second["metrics"]["masterSince"] > first["metrics"]["masterSince"]
    answer = ok(stage("POST", f"{MARA}/images/{first['id']}/restore", json={}))
    assert set(answer) == {"success", "image"}
    assert answer["image"]["metrics"]["masterSince"] > second["metrics"]["masterSince"]


def test_who_deleted_restored_and_retried_is_written_down(stage: Stage) -> None:
    first, second = keep(stage), keep(stage)
    ok(stage("POST", f"{MARA}/images/{first['id']}/restore"))
    ok(stage("DELETE", f"{MARA}/images/{second['id']}"))
    ok(stage("DELETE", f"{MARA}/images", json={"ids": [first["id"]]}))
    stage.simulator.switches.file_errors = 1
    failed = stage("POST", f"{MARA}/generate-initial-image", json={}).json()["imageId"]
    stage.answer = "otto"
    ok(stage("POST", f"{MARA}/images/{failed}/retry"))
    told = ok(stage("GET", f"{MARA}/operations?limit=5"))["operations"]
    assert [(each["kind"], each["createdBy"]) for each in told] == [
        *(("retry", "otto"), ("reference", "ada"), ("delete", "ada"), ("delete", "ada")),
        ("restore", "ada"),
    ]


def test_an_archive_holds_the_files(stage: Stage) -> None:
    images = [keep(stage), keep(stage)]
    stage.simulator.switches.file_errors = 1
    failed = stage("POST", f"{MARA}/generate-scene-image", json={"prompt": "She waits."}).json()
    ids = [*(each["id"] for each in images), failed["imageId"]]
    response = stage("POST", f"{MARA}/images/archive", json={"ids": ids})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == 'attachment; filename="images.zip"'
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        names = {each["media"]["filename"]: each["media"]["filesize"] for each in images}
        assert {each.filename for each in archive.infolist()} == {*names, "NOT-INCLUDED.txt"}
        for name, size in names.items():
            assert archive.getinfo(name).file_size == size
        assert failed["imageId"] in archive.read("NOT-INCLUDED.txt").decode()


def test_an_archive_tells_of_files_that_are_gone(stage: Stage) -> None:
    kept, gone = keep(stage), keep(stage)
    stage.call(lambda service: service.media.delete(gone["media"]["key"]))
    ids = [kept["id"], gone["id"]]
    response = stage("POST", f"{MARA}/images/archive", json={"ids": ids})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert archive.namelist() == [kept["media"]["filename"], "NOT-INCLUDED.txt"]
        assert archive.read("NOT-INCLUDED.txt").decode() == f"{gone['id']}: its file is gone\n"
    one = stage("POST", f"{MARA}/images/archive", json={"ids": [kept["id"]]})
    with zipfile.ZipFile(io.BytesIO(one.content)) as archive:
        assert archive.namelist() == [kept["media"]["filename"]]


def test_operations_are_listed_and_paged(stage: Stage) -> None:
    drawn(stage)
    ok(stage("POST", f"{MARA}/generate-360-set", json={}))
    page = ok(stage("GET", f"{MARA}/operations?limit=1"))
    (newest,) = page["operations"]
    assert (newest["kind"], newest["state"], newest["running"]) == ("portfolio", "done", False)
    assert (newest["stored"], newest["failed"]) == (3, 0)
    assert (newest["progress"]["current"], newest["progress"]["total"]) == (3, 3)
    assert len(newest["items"]) == 3
    rest = ok(stage("GET", f"{MARA}/operations", params={"cursor": page["nextCursor"]}))
    assert [each["kind"] for each in rest["operations"]] == ["reference"]
    one = ok(stage("GET", f"{MARA}/operations/{newest['id']}"))
    assert one["operation"] == newest
    assert stage("GET", f"/v1/characters/otto/operations/{newest['id']}").status_code == 404


def test_images_of_another_character_are_as_good_as_none(stage: Stage) -> None:
    image = drawn(stage)
    other = f"/v1/characters/otto/images/{image['id']}"
    asked = [
        stage("GET", other),
        stage("DELETE", other),
        stage("POST", f"{other}/retry"),
        stage("POST", f"{other}/restore"),
        stage("POST", "/v1/characters/otto/images/archive", json={"ids": [image["id"]]}),
        stage("DELETE", "/v1/characters/otto/images", json={"ids": [image["id"]]}),
        stage("POST", "/v1/characters/otto/generate-360-set", json={"referenceId": image["id"]}),
    ]
    assert [each.status_code for each in asked] == [404] * len(asked)
    assert {each.json()["code"] for each in asked} == {"IMAGE_NOT_FOUND"}
    assert ok(stage("GET", f"{MARA}/images"))["count"] == 1


def test_head_is_get_without_a_body(stage: Stage) -> None:
    for path in (f"{MARA}/images", "/screenplay/characters/mara/images"):
        got, head = stage("GET", path), stage("HEAD", path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
        # The page of Django has a token in it, masked anew each time.
        assert head.headers["content-length"] == got.headers["content-length"]
    assert stage("HEAD", f"{MARA}/images/nobody").status_code == 404


def test_the_page_knows_where_it_is(stage: Stage) -> None:
    page = stage("GET", "/screenplay/characters/mara/images")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    config = json.loads(page.text.split('id="charimg-config">')[1].split("</script>")[0])
    assert config["base"] == PREFIX
    assert config["characterId"] == "mara"
    assert config["backUrl"] == "/cast/mara"
    assert (config["csrf"] is not None) == (stage.kind == "django")
    assert stage("GET", "/screenplay/characters/nobody/images").status_code == 404


def test_ids_are_opaque(stage: Stage) -> None:
    stage.call(lambda service: service.put_character(_odd(stage)))
    answer = ok(stage("GET", "/v1/characters/%C3%BC%20%26%3F%23%25b/images"))
    assert answer["character"]["id"] == "ü &?#%b"
    assert stage.asked[-1][2] == "ü &?#%b"


def _odd(stage: Stage) -> Any:
    from charimg import CharacterReference

    return CharacterReference(id="ü &?#%b", name="Odd")
