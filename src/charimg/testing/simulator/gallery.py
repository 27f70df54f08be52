"""The gallery, media documents, and the files themselves."""

from __future__ import annotations

import math
from typing import Any

from .characters import media_document, pages
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .state import Character, MediaFile, State
from .switches import Switches

__all__ = ["file", "gallery", "media", "media_list"]


def gallery(
    state: State, switches: Switches, base: str, request: SimulatedRequest, db_id: str
) -> SimulatedResponse:
    """``GET …/images``."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    character = state.characters.get(db_id)
    if character is None:
        return json_response(
            500, {**_answer("", "", None, [], []), "success": False, "error": "Not Found"}
        )
    if switches.gallery_errors_after is not None:
        if switches.gallery_errors_after == 0:
            return json_response(500, {"success": False, "error": "Internal server error"})
        switches.gallery_errors_after -= 1
    return json_response(200, _listing(state, switches, base, request, character))


def _listing(
    state: State, switches: Switches, base: str, request: SimulatedRequest, character: Character
) -> dict[str, Any]:
    query = request.query
    with_urls = query.get("includeUrls") != "false"
    category = query.get("category")
    try:
        least = float(query.get("minQuality", "0"))
    except ValueError:
        # No score reaches what is not a number: only the master is left.
        least = math.nan

    def url(media: MediaFile) -> str:
        return f"{base}/media/{media.name}" if with_urls else ""

    shown_here = [state.media[each] for each in character.gallery]
    core: list[dict[str, Any]] = []
    scenes: list[dict[str, Any]] = []
    if category in (None, "core") and least <= 88.5:
        shots = [each for each in shown_here if each.shot is not None]
        core = [_core(each, url(each)) for each in shots[switches.gallery_lacks :]]
    if category in (None, "scene") and least <= 85:
        scenes = [_scene(each, url(each)) for each in shown_here if each.scene_type is not None]
    master = state.media.get(character.reference or "")
    shown = None
    if master is not None:
        shown = {
            "imageId": master.id,
            "url": url(master),
            "dinoAssetId": f"dino-{master.id}" if master.read else "",
            "qualityScore": None,
            "isProcessed": master.read,
        }
    return _answer(character.id, character.fields["name"], shown, core, scenes)


def _core(media: MediaFile, url: str) -> dict[str, Any]:
    shot = media.shot
    assert shot is not None  # noqa: S101 - every core image has one
    return {
        "imageId": media.id,
        "url": url,
        "dinoAssetId": None,
        "shotType": "core_reference",
        "angle": shot.angle,
        "lens": f"{shot.lens_mm}mm",
        "qualityScore": 88.5,
        "consistencyScore": 93.2,
        "isValid": False,
        "referenceShot": shot.document(media.id[::-1], media.created),
    }


def _scene(media: MediaFile, url: str) -> dict[str, Any]:
    return {
        "imageId": media.id,
        "url": url,
        "dinoAssetId": None,
        "shotType": f"scene_{media.scene_type}",
        "qualityScore": 85,
        "consistencyScore": 90,
        "isValid": False,
        "generationPrompt": None,
        **({"tags": f"scene,{media.scene_type},{media.mood}"} if media.mood else {}),
    }


def _answer(
    db_id: str,
    name: str,
    master: dict[str, Any] | None,
    core: list[dict[str, Any]],
    scenes: list[dict[str, Any]],
) -> dict[str, Any]:
    scored = [*core, *scenes]
    quality = [image["qualityScore"] for image in scored]
    consistency = [image["consistencyScore"] for image in scored]
    return {
        "success": True,
        "characterId": db_id,
        "characterName": name,
        "totalImages": len(scored) + (master is not None),
        "images": {
            **({} if master is None else {"masterReference": master}),
            "coreReferenceSet": core,
            "sceneImages": scenes,
            "onDemandImages": [],
            "relationshipImages": [],
        },
        "summary": {
            "masterReferenceCount": int(master is not None),
            "coreReferenceCount": len(core),
            "sceneImageCount": len(scenes),
            "onDemandImageCount": 0,
            "relationshipImageCount": 0,
            "totalValidImages": int(master is not None and master["isProcessed"]),
            "averageQuality": round(sum(quality) / len(quality)) if quality else 0,
            "averageConsistency": round(sum(consistency) / len(consistency)) if quality else 0,
        },
    }


def media(
    state: State, switches: Switches, base: str, request: SimulatedRequest, media_id: str
) -> SimulatedResponse:
    """``GET /api/media/{id}``: the media document with the true URL."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    found = state.media.get(media_id)
    if found is None or switches.take("media_errors"):
        return json_response(404, {"errors": [{"message": "Not Found"}]})
    return json_response(200, media_document(base, found))


def media_list(
    state: State, switches: Switches, base: str, request: SimulatedRequest
) -> SimulatedResponse:
    """``GET /api/media``: newest first, by a part of the file's name."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    if switches.media_closed:
        message = "You are not allowed to perform this action."
        return json_response(403, {"errors": [{"message": message}]})
    part = request.query.get("where[filename][like]", "").lower()
    found = [each for each in reversed(state.media.values()) if part in each.name.lower()]
    found.sort(key=lambda each: each.created, reverse=True)
    docs, paging = pages([media_document(base, each) for each in found], request.query)
    return json_response(200, {"docs": docs, **paging})


def file(
    state: State, switches: Switches, request: SimulatedRequest, name: str
) -> SimulatedResponse:
    """``GET`` and ``HEAD`` of a file."""
    if request.method not in ("GET", "HEAD"):
        return SimulatedResponse(status=405)
    found = state.media.get(state.files.get(name, ""))
    if found is None:
        return SimulatedResponse(
            status=404, headers={"content-type": "text/plain;charset=UTF-8"}, body=b"Not Found"
        )
    if switches.take("file_errors"):
        return SimulatedResponse(
            status=500, headers={"content-type": "text/plain"}, body=b"Internal Server Error"
        )
    body = b"<!doctype html><title>Sign in</title>" if switches.take("html_files") else found.data
    broken = "cut" if switches.take("truncated_files") else None
    return SimulatedResponse(
        status=200,
        headers={
            "content-type": found.mime_type,
            "content-length": str(len(body)),
            "etag": f'"{found.id}"',
        },
        body=b"" if request.method == "HEAD" else body,
        broken=broken,
        seconds=switches.file_seconds,
        is_file=True,
    )
