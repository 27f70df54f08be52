"""``generate-core-set``: the 27 shots of a set in one answer, beside what the gallery has."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from attrs import evolve

from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .gallery import average
from .sets import draw_shot
from .shots import SHOTS
from .state import Character, MediaFile, State, now_text
from .switches import Switches

__all__ = ["core_set"]


def core_set(
    state: State,
    switches: Switches,
    request: SimulatedRequest,
    db_id: str,
    now: float,
) -> SimulatedResponse:
    """``POST …/generate-core-set``; whatever its body is."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    character = state.characters.get(db_id)
    if character is None:
        internal = "Internal server error during core set generation"
        return json_response(500, {"error": internal, "details": "Not Found"})
    master = state.media.get(character.reference or "")
    if master is None or not master.read:
        wanted = "is required" if master is None else "must be processed"
        error = f"Master reference image {wanted} before generating core set"
        return json_response(400, {"error": error})
    words = re.sub(r"[^A-Za-z0-9]", "", character.fields["name"])
    shots = SHOTS[: switches.shots]
    failing = [shot for shot in reversed(shots) if switches.take("failing_shots")]
    images = [
        draw_shot(
            state,
            switches,
            shot,
            # The server forgets to put the time in.
            partial(state.numbered, f"{shot.file_name(words, 2)}_{{TIMESTAMP}}"),
            created=now_text(switches.clock_offset + switches.job_seconds),
            prompt=master.prompt,
            subject=master.subject,
            shot_type=shot.slug,
            valid=True,
            quality=switches.quality_score,
            consistency=switches.consistency_score,
            notes="Image passed all validation checks.",
        )
        for shot in shots
        if shot not in failing
    ]
    failed = [
        {"referenceShot": shot.document(), "error": switches.generation_error, "attempts": 3}
        for shot in failing
    ]
    attempts = len(images) + 3 * len(failed)
    if not images:
        details = {"generatedImages": [], "failedImages": failed, "totalAttempts": attempts}
        return json_response(500, {"error": "Core set generation failed", "details": details})
    shown = list(character.gallery)

    def effect() -> None:
        character.gallery = [*shown, *(state.keep(media).id for media in images)]

    if switches.job_seconds == 0:
        effect()
    else:
        state.later(now + switches.job_seconds, effect)
    answer = json_response(200, _answer(character, images, failed, attempts))
    return evolve(answer, seconds=switches.job_seconds)


def _answer(
    character: Character, images: list[MediaFile], failed: list[dict[str, Any]], attempts: int
) -> dict[str, Any]:
    generated, listed = [], []
    for media in images:
        assert media.shot is not None  # noqa: S101 - each is one of a set
        shot = media.shot.document()
        scores = {"qualityScore": media.quality, "consistencyScore": media.consistency}
        generated.append(
            {
                "referenceShot": shot,
                "imageId": media.id,
                "isValid": media.valid,
                **scores,
                "validationNotes": media.notes,
                "generationTime": 0,
            }
        )
        listed.append(
            {
                "imageId": media.id,
                "referenceShot": shot["id"],
                "shotName": shot["shotName"],
                **scores,
                "lens": shot["lensMm"],
                "angle": shot["angle"],
                "crop": shot["crop"],
            }
        )
    return {
        "success": True,
        "message": f"Successfully generated {len(images)} reference images using template system",
        "data": {
            "characterId": character.id,
            "characterName": character.fields["name"],
            "generatedImages": generated,
            "failedImages": failed,
            "totalAttempts": attempts,
            "coreSetImages": listed,
            "summary": {
                "totalGenerated": len(images),
                "validImages": len(images),
                "averageQuality": average([media.quality for media in images]),
                "averageConsistency": average([media.consistency for media in images]),
            },
        },
    }
