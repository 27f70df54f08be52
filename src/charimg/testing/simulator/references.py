"""The shots that sets are drawn from, and which one of a character's fits a scene best."""

from __future__ import annotations

from typing import Any

from .characters import media_document, parse_object
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .gallery import average
from .shots import SHOTS, ReferenceShot
from .state import MediaFile, State

__all__ = ["for_scene", "reference_shots"]

_TONES = {
    "tense": ("concerned", ("tense", "argument", "threat", "danger", "worried")),
    "intimate": ("vulnerable", ("intimate", "tender", "gentle", "love", "tears")),
    "dramatic": ("determined", ("dramatic", "fight", "battle", "chase", "resolve")),
    "contemplative": ("thoughtful", ("quiet", "thoughtful", "alone", "remembers", "memory")),
}
_TYPES = {
    "dialogue": ("dialogue", "talk", "conversation", "table", "says", "asks"),
    "action": ("action", "fight", "chase", "runs", "jumps", "battle"),
    "emotional": ("emotional", "tears", "cries", "grief", "joy"),
    "establishing": ("establishing", "arrives", "landscape", "city", "enters"),
}
_LENSES = {
    "dialogue": (50, 85),
    "action": (35, 50),
    "emotional": (85, 50),
    "establishing": (35,),
}
_CROPS = {
    "dialogue": ("cu", "mcu"),
    "action": ("3q", "full"),
    "emotional": ("cu", "mcu"),
    "establishing": ("full", "3q"),
}


def reference_shots(request: SimulatedRequest) -> SimulatedResponse:
    """``GET /api/v1/reference-shots``: all of them, whatever ``limit`` says."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    lens, pack = request.query.get("lens"), request.query.get("pack")
    found = [shot for shot in SHOTS if lens in (None, str(shot.lens_mm)) and pack in (None, "core")]
    return json_response(
        200,
        {
            "success": True,
            "totalShots": len(found),
            "coreShots": len(found),
            "addonShots": 0,
            "shots": [shot.document() for shot in found],
        },
    )


def for_scene(state: State, base: str, request: SimulatedRequest, db_id: str) -> SimulatedResponse:
    """``POST …/find-reference-for-scene``."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    try:
        given = parse_object(request.body)
    except ValueError as error:
        zeros = {"totalImagesEvaluated": 0, "averageScore": 0, "selectionConfidence": 0}
        metrics = {**zeros, "processingTimeMs": 0}
        return json_response(500, {"success": False, "error": str(error), "searchMetrics": metrics})
    description = given.get("sceneDescription")
    if not description:
        return json_response(400, {"success": False, "error": "sceneDescription is required"})
    analysis = _analysis(str(description))
    character = state.characters.get(db_id)
    if character is None:
        # What goes wrong inside the search is a 200.
        return json_response(200, {"success": False, "error": "Not Found"})
    least = given.get("minQualityScore", 70)
    shown = [state.media[each] for each in character.gallery]
    found = sorted(
        (
            (_score(media, media.shot, analysis), media, media.shot)
            for media in shown
            if media.shot is not None and media.quality >= least
        ),
        key=lambda each: -each[0],
    )
    if not found:
        nothing = "No reference images found for this character"
        return json_response(200, {"success": False, "error": nothing, "sceneAnalysis": analysis})
    score, best, shot = found[0]
    others = found[1:4] if given.get("includeAlternatives", True) else []
    return json_response(
        200,
        {
            "success": True,
            "selectedImage": {
                "imageUrl": f"{base}/media/{best.name}",
                "mediaId": best.id,
                "referenceShot": shot.document(),
                "score": score,
                "metadata": _metadata(base, best, shot),
            },
            "reasoning": f"{_reason(shot)}. Overall compatibility score: {round(score)}/100.",
            "alternatives": [
                {
                    "imageUrl": f"{base}/media/{media.name}",
                    "mediaId": media.id,
                    "score": round(each),
                    "reasoning": f"{_reason(other)} - Score: {round(each)}/100",
                }
                for each, media, other in others
            ],
            "sceneAnalysis": analysis,
            "searchMetrics": {
                "totalImagesEvaluated": len(found),
                "averageScore": average([each for each, _, _ in found]),
                "selectionConfidence": score / 100,
                "processingTimeMs": 0,
            },
        },
    )


def _analysis(description: str) -> dict[str, Any]:
    """Return what the words of a description tell; the server does not look at ``sceneType``."""
    words = [word.strip(".,;:!?") for word in description.lower().split()]
    kind = next((name for name, told in _TYPES.items() if set(told) & set(words)), "dialogue")
    tones = (name for name, (_, told) in _TONES.items() if set(told) & set(words))
    tone = next(tones, "neutral")
    signs = {*_TYPES[kind], *(_TONES[tone][1] if tone in _TONES else ())}
    keywords = [word for word in words if word in signs]
    return {
        "sceneType": kind,
        "emotionalTone": tone,
        "requiredShots": {
            "preferredLens": list(_LENSES[kind]),
            "preferredCrop": list(_CROPS[kind]),
            "preferredAngles": [-35, 0, 35],
        },
        "cameraPreferences": {
            "intimacyLevel": 7 if kind in ("dialogue", "emotional") else 3,
            "dynamismLevel": 8 if kind == "action" else 5,
            "emotionalIntensity": 5 if tone == "neutral" else 8,
        },
        "compositionNeeds": {
            "eyeContact": kind == "dialogue",
            "profileWork": False,
            "fullBodyNeeded": kind == "establishing",
            "handsImportant": "hands" in words,
        },
        "confidence": min(100, 40 + 12 * len(keywords)),
        "keywords": keywords,
        "reasoning": f"Detected scene type: {kind}. Emotional tone: {tone}.",
    }


def _score(media: MediaFile, shot: ReferenceShot, analysis: dict[str, Any]) -> float:
    kind, tone = analysis["sceneType"], analysis["emotionalTone"]
    face = _TONES[tone][0] if tone in _TONES else "neutral"
    wanted = analysis["requiredShots"]
    return (
        25 * (kind in shot.scene_types)
        + 20 * (shot.lens_mm in wanted["preferredLens"])
        + 20 * (shot.crop in wanted["preferredCrop"])
        + 15 * (shot.camera_azimuth_deg in wanted["preferredAngles"])
        + 15 * (shot.expression == face)
        + media.quality * 0.05
    )


def _reason(shot: ReferenceShot) -> str:
    return f"{shot.lens_mm}mm {shot.crop.upper()} shot ({shot.angle})"


def _metadata(base: str, media: MediaFile, shot: ReferenceShot) -> dict[str, Any]:
    """Return the whole entry of the gallery."""
    return {
        "id": media.id[::-1],
        "imageFile": media_document(base, media),
        "isCoreReference": True,
        "dinoProcessingStatus": "pending",
        "qualityScore": media.quality,
        "consistencyScore": media.consistency,
        "validationNotes": "Image passed all validation checks.",
        "referenceShot": shot.document(),
        "lens": shot.lens_mm,
        "angle": shot.angle,
        "crop": shot.crop,
        "expression": shot.expression,
        "pose": shot.pose,
        "cameraAzimuthDeg": shot.camera_azimuth_deg,
        "cameraElevationDeg": shot.camera_elevation_deg,
        "cameraDistanceM": shot.camera_distance_m,
        "gaze": shot.gaze,
        "thirds": shot.thirds,
        "recommendedFor": [],
        "technicalScore": 100,
        "compositionScore": 100,
        "cinematicScore": 95,
    }
