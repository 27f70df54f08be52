"""Images on demand: from a free prompt, and "smart", tried again until they pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .characters import media_document, parse_object
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .gallery import average
from .generation import drawn, when_drawn
from .state import Character, MediaFile, State
from .switches import Switches

__all__ = ["image", "smart_image"]

_MOST = 5
"""Images of one request, and tries."""
_QUALITY, _CONSISTENCY = 70, 85


def image(
    state: State,
    switches: Switches,
    base: str,
    request: SimulatedRequest,
    db_id: str,
    now: float,
) -> SimulatedResponse:
    """``GET`` and ``POST …/generate-image``."""
    character = state.characters.get(db_id)
    if request.method == "GET":
        if character is None:
            return _failed(500, "Internal server error", details="Not Found")
        return json_response(200, _listing(state, base, character))
    if request.method != "POST":
        return SimulatedResponse(status=405)
    internal = "Internal server error during image generation"
    try:
        given = parse_object(request.body)
    except ValueError as error:
        return _failed(500, internal, details=str(error))
    if not given.get("prompt"):
        return _failed(400, "Prompt is required")
    if character is None:
        return _failed(500, internal, details="Not Found")
    reference = state.media.get(character.reference or "")
    if reference is None or not reference.read:
        return _failed(400, "Master reference image must be processed before generating images")
    count = given.get("count")
    count = min(count if isinstance(count, int) and count > 0 else 1, _MOST)
    return _on_demand(state, switches, character, reference, given, count, now)


def _failed(status: int, error: str, **more: str) -> SimulatedResponse:
    return json_response(status, {"error": error, **more})


def _on_demand(
    state: State,
    switches: Switches,
    character: Character,
    reference: MediaFile,
    given: dict[str, Any],
    count: int,
    now: float,
) -> SimulatedResponse:
    prompt, shot_type, tags = (given.get(name) for name in ("prompt", "shotType", "tags"))
    effects: list[Callable[[], object]] = []
    results: list[dict[str, Any]] = []
    for _ in range(count):
        if switches.take("generation_errors"):
            results.append({"success": False, "error": switches.generation_error})
            continue
        quality, consistency = switches.quality_score, switches.consistency_score
        notes = "".join(
            f"{name} score {score:g} below threshold {least}. "
            for name, score, least in (
                ("Quality", quality, _QUALITY),
                ("Consistency", consistency, _CONSISTENCY),
            )
            if score < least
        )
        media = drawn(
            state,
            switches,
            f"{character.slug or character.id}_ondemand",
            "Generated character image",
            prompt=str(prompt),
            subject=reference.subject,
            caption="On demand",
            setting=str(prompt),
            number=len(effects) + 1,
            shot_type=str(shot_type or "on_demand"),
            tags=str(tags or "on-demand generation"),
            told=True,
            on_demand=True,
            valid=not notes,
            quality=quality,
            consistency=consistency,
            notes=notes or "Image passed all validation checks.",
            # Its scores do not depend on that.
            reading="error" if switches.take("processing_errors") else "validation_success",
        )
        effects.append(_show(state, character, media))
        results.append({"success": True, "imageId": media.id, **_scores(media)})
    good = [each for each in results if each["success"]]
    valid = sum(each["isValid"] for each in good)
    answer = {
        "success": bool(good),
        "message": f"Generated {len(good)}/{count} images, {valid} passed validation",
        "data": {
            "characterId": character.id,
            "characterName": character.fields["name"],
            "prompt": prompt,
            "results": results,
            "summary": {
                "total": count,
                "successful": len(good),
                "valid": valid,
                "averageQuality": average([each["qualityScore"] for each in good]),
                "averageConsistency": average([each["consistencyScore"] for each in good]),
            },
        },
    }
    return when_drawn(state, switches, now, effects, json_response(200, answer))


def _show(state: State, character: Character, media: MediaFile) -> Callable[[], None]:
    # Each is added to what the request had found, so that the last of several stays alone.
    shown = list(character.gallery)

    def effect() -> None:
        state.keep(media)
        character.gallery = [*shown, media.id]

    return effect


def _scores(media: MediaFile) -> dict[str, Any]:
    return {
        "qualityScore": media.quality,
        "consistencyScore": media.consistency,
        "isValid": media.valid,
        "validationNotes": media.notes,
    }


def _listing(state: State, base: str, character: Character) -> dict[str, Any]:
    found = [state.media[each] for each in character.gallery if state.media[each].told]
    return {
        "success": True,
        "data": {
            "characterId": character.id,
            "characterName": character.fields["name"],
            "onDemandImages": [
                {
                    "imageId": media_document(base, media),
                    "prompt": media.prompt,
                    "shotType": media.shot_type,
                    "tags": media.tags,
                    **_scores(media),
                }
                for media in found
            ],
            "summary": {
                "total": len(found),
                "valid": sum(media.valid for media in found),
                "averageQuality": average([media.quality for media in found]),
                "averageConsistency": average([media.consistency for media in found]),
            },
        },
    }


def smart_image(
    state: State,
    switches: Switches,
    base: str,
    request: SimulatedRequest,
    db_id: str,
    now: float,
) -> SimulatedResponse:
    """``POST …/generate-smart-image``: each try is drawn and paid for."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    internal = "Internal server error during smart image generation"
    try:
        given = parse_object(request.body)
    except ValueError as error:
        return _not_smart(internal, [], [str(error)], 0)
    prompt = given.get("prompt")
    if not isinstance(prompt, str) or not prompt.strip():
        return json_response(400, {"success": False, "error": "Prompt is required"})
    character = state.characters.get(db_id)
    if character is None:
        return _not_smart(internal, [], ["Not Found"], 0)
    master = state.media.get(character.reference or "")
    if master is None:
        return json_response(
            400,
            {
                "success": False,
                "error": "Character has no reference images. Please upload a master reference "
                "image first.",
            },
        )
    if not master.read:
        unread = "Master reference image not found for consistency validation"
        return json_response(500, {"success": False, "error": unread})
    return _try(state, switches, base, character, master, given, now)


def _not_smart(
    error: str, attempts: list[dict[str, Any]], reasons: list[str], total: int
) -> SimulatedResponse:
    details = {"attempts": attempts, "totalAttempts": total, "failureReasons": reasons}
    return json_response(500, {"success": False, "error": error, "details": details})


def _number(value: object, default: float, least: float, most: float) -> float:
    """Return what was asked for within the server's limits; nothing and 0 are the default."""
    asked = value if isinstance(value, (int, float)) and value else default
    return min(max(asked, least), most)


def _try(
    state: State,
    switches: Switches,
    base: str,
    character: Character,
    master: MediaFile,
    given: dict[str, Any],
    now: float,
) -> SimulatedResponse:
    tries = int(_number(given.get("maxRetries"), 3, 0, _MOST))
    quality = _number(given.get("qualityThreshold"), 70, 50, 100)
    consistency = _number(given.get("consistencyThreshold"), 80, 60, 100)
    prompt = given["prompt"]
    earlier = [state.media[each] for each in character.gallery if state.media[each].read]
    # The best of before first, then the master, then what there is by turns.
    references = [*earlier[:1], master, *earlier[1:]]
    attempts: list[dict[str, Any]] = []
    reasons: list[str] = []
    effects: list[Callable[[], object]] = []
    for number in range(1, tries + 1):
        used = references[(number - 1) % len(references)]
        kind = (
            "master" if used is master else "generated" if used.shot is None else "core_reference"
        )
        attempt: dict[str, Any] = {"referenceUsed": f"{kind}:{used.id}"}
        attempts.append(attempt)
        if switches.take("generation_errors"):
            reasons.append(f"Generation failed: {switches.generation_error}")
            attempt["reason"] = reasons[-1]
            continue
        unread = switches.take("processing_errors")
        media = drawn(
            state,
            switches,
            f"{character.id}_smart",
            "Smart generated image",
            prompt=prompt,
            subject=master.subject,
            caption="On demand",
            setting=prompt,
            number=len(effects) + 1,
            shot_type="smart_generated",
            tags=f"{given.get('tags') or 'smart generation'}, smart generation",
            told=True,
            valid=True,
            quality=switches.quality_score,
            consistency=switches.consistency_score,
            notes="Image passed all validation checks.",
            reading="error" if unread else "validation_success",
        )
        if unread:
            reasons.append("Upload failed: DINOv3 processing timeout")
            attempt["reason"] = reasons[-1]
        elif media.quality >= quality and media.consistency >= consistency:
            effects.append(_show(state, character, media))
            answer = _success(base, character, media, used, kind, number)
            return when_drawn(state, switches, now, effects, json_response(200, answer))
        else:
            attempt |= {
                "qualityScore": media.quality,
                "consistencyScore": media.consistency,
                "reason": "Failed validation",
            }
            reasons.append(
                f"Validation failed - Quality: {media.quality:g}/{quality:g}, Consistency: "
                f"{media.consistency:g}/{consistency:g}"
            )
        # Its media document stays, in no gallery.
        effects.append(partial(state.keep, media))
    error = f"Failed to generate acceptable image after {tries} attempts"
    failed = _not_smart(error, attempts, reasons, tries)
    return when_drawn(state, switches, now, effects, failed)


def _success(
    base: str, character: Character, media: MediaFile, used: MediaFile, kind: str, attempts: int
) -> dict[str, Any]:
    return {
        "success": True,
        "message": f"Smart image generated successfully in {attempts} attempts",
        "data": {
            "characterId": character.id,
            "characterName": character.fields["name"],
            "imageId": media.id,
            "dinoAssetId": media.asset,
            "publicUrl": f"{base}/media/{media.name}",
            "selectedReferenceId": used.id,
            "selectedReferenceType": kind,
            "qualityScore": media.quality,
            "consistencyScore": media.consistency,
            "attempts": attempts,
            "generationTime": 0,
            "validationNotes": media.notes,
            "filename": media.name,
        },
    }
