"""The gallery, media documents, and the files themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from .characters import media_document, payload_pages
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .state import Character, MediaFile, State
from .switches import Switches

__all__ = ["average", "file", "gallery", "media", "media_list", "number"]

_OTHER = ("scene", "relationship", "interaction")
"""What the server does not count as drawn on demand, whatever its prompt."""


def gallery(
    state: State, switches: Switches, base: str, request: SimulatedRequest, db_id: str
) -> SimulatedResponse:
    """``GET …/images``."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    character = state.characters.get(db_id)
    if character is None:
        return json_response(500, {**_answer("", "", None), "success": False, "error": "Not Found"})
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

    def entries(wanted: str, shown: Sequence[MediaFile]) -> list[dict[str, Any]]:
        if category not in (None, wanted):
            return []
        entry = _core if wanted == "core" else _entry
        return [entry(each, url(each)) for each in shown if each.quality >= least]

    images = [state.media[each] for each in character.gallery]
    core = [each for each in images if each.shot is not None]
    rest = [each for each in images if each.shot is None]
    master = state.media.get(character.reference or "")
    shown = None
    if master is not None:
        shown = {
            "imageId": master.id,
            "url": url(master),
            "dinoAssetId": master.asset,
            "qualityScore": None,
            "isProcessed": master.read,
        }
    # What is drawn on demand under the name of a scene stands among both.
    return _answer(
        character.id,
        character.fields["name"],
        shown,
        entries("core", core[switches.gallery_lacks :]),
        entries("scene", [each for each in rest if "scene" in each.shot_type]),
        entries("ondemand", [each for each in rest if each.told and each.shot_type not in _OTHER]),
        entries("relationship", [each for each in rest if each.shot_type in _OTHER[1:]]),
    )


def _core(media: MediaFile, url: str) -> dict[str, Any]:
    shot = media.shot
    assert shot is not None  # noqa: S101 - every core image has one
    return {
        "imageId": media.id,
        "url": url,
        "dinoAssetId": None,
        "shotType": media.shot_type,
        "angle": shot.angle,
        "lens": f"{shot.lens_mm}mm",
        "qualityScore": media.quality,
        "consistencyScore": media.consistency,
        "isValid": media.valid,
        "referenceShot": shot.document(),
    }


def _entry(media: MediaFile, url: str) -> dict[str, Any]:
    return {
        "imageId": media.id,
        "url": url,
        "dinoAssetId": media.asset if media.on_demand else None,
        "shotType": media.shot_type,
        "tags": media.tags,
        "qualityScore": media.quality,
        "consistencyScore": media.consistency,
        "isValid": media.valid,
        "generationPrompt": media.prompt if media.told else None,
    }


def _answer(
    db_id: str,
    name: str,
    master: dict[str, Any] | None,
    *categories: list[dict[str, Any]],
) -> dict[str, Any]:
    core, scenes, on_demand, relationships = categories or ([], [], [], [])
    scored = [*core, *scenes, *on_demand, *relationships]
    valid = sum(image["isValid"] for image in scored)
    return {
        "success": True,
        "characterId": db_id,
        "characterName": name,
        "totalImages": len(scored) + (master is not None),
        "images": {
            **({} if master is None else {"masterReference": master}),
            "coreReferenceSet": core,
            "sceneImages": scenes,
            "onDemandImages": on_demand,
            "relationshipImages": relationships,
        },
        "summary": {
            "masterReferenceCount": int(master is not None),
            "coreReferenceCount": len(core),
            "sceneImageCount": len(scenes),
            "onDemandImageCount": len(on_demand),
            "relationshipImageCount": len(relationships),
            "totalValidImages": valid + (master is not None and master["isProcessed"]),
            "averageQuality": _rounded([image["qualityScore"] for image in scored]),
            "averageConsistency": _rounded([image["consistencyScore"] for image in scored]),
        },
    }


def _rounded(scores: Sequence[float]) -> int:
    """Return the mean as JavaScript rounds it: halves go up."""
    return math.floor(average(scores) + 0.5)


def average(scores: Sequence[float]) -> float:
    """Return the mean, 0 of nothing."""
    return number(sum(scores) / len(scores)) if scores else 0


def number(value: float) -> float:
    """Return a number as JavaScript writes it: ``85``, not ``85.0``."""
    return int(value) if value == int(value) else value


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
    shown, paging = payload_pages(found, request.query)
    return json_response(200, {"docs": [media_document(base, each) for each in shown], **paging})


def file(
    state: State, switches: Switches, request: SimulatedRequest, name: str
) -> SimulatedResponse:
    """``GET`` and ``HEAD`` of a file."""
    if request.method not in ("GET", "HEAD"):
        return SimulatedResponse(status=405)
    found = state.media.get(state.files.get(unquote(name), ""))
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
