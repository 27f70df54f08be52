"""The client of the Character Library over canned answers, and every call of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from charimg import AsyncCharacterLibrary, CharacterLibraryError, RetryPolicy

from ..http.scripted import Reply, Scripted
from ..library.helpers import BASE, DB_ID, JOB_ID, MEDIA_ID

ONE = f"/prefix/api/v1/characters/{DB_ID}"


JOB = f"/prefix/api/v1/jobs/{JOB_ID}/status"


FAST = RetryPolicy(attempts=3, wait_initial=0, wait_max=0, wait_jitter=0)


LIKE = "%5Bfilename%5D%5Blike%5D"


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
    "list_reference_shots": (
        lambda library: library.list_reference_shots(),
        "GET /prefix/api/v1/reference-shots",
        {
            "success": True,
            "shots": [
                {
                    "shotName": "50mm BACK 3Q (Enhanced)",
                    "slug": "back",
                    "lensMm": 50,
                    "angle": "back",
                    "crop": "3q",
                    "expression": "neutral",
                    "pack": "core",
                    "promptTemplate": "{CHARACTER}",
                },
                {"lensMm": 50},
            ],
        },
        lambda value: [
            (each.shot.name, each.shot.lens_mm, each.angle, each.pack, each.prompt_template)
            for each in value
        ],
        [("50mm BACK 3Q (Enhanced)", 50.0, "back", "core", "{CHARACTER}")],
    ),
    "list_media": (
        lambda library: library.list_media("x", limit=2),
        f"GET /prefix/api/media?where{LIKE}=x&sort=-createdAt&limit=2&page=1&depth=0",
        {
            "docs": [
                {
                    "id": MEDIA_ID,
                    "url": "/media/b.png",
                    "createdAt": "2026-11-29T20:31:44.575Z",
                    "dinoProcessingStatus": "error",
                }
            ],
            "totalDocs": 3,
            "totalPages": 2,
            "hasNextPage": True,
        },
        lambda value: (
            [(each.id, each.url, each.created_at, each.processing) for each in value.media],
            (value.total, value.page, value.pages, value.has_next),
        ),
        (
            [
                (
                    MEDIA_ID,
                    "https://library.test/media/b.png",
                    datetime(2026, 11, 29, 20, 31, 44, 575000, UTC),
                    "error",
                )
            ],
            (3, 1, 2, True),
        ),
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
