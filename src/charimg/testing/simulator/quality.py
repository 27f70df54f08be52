"""What the server thinks of a character's images: metrics, and the check of their likeness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .characters import document
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .gallery import average, number
from .state import Character, MediaFile, State, now_text

__all__ = ["consistency", "metrics"]

_QUALITY, _CONSISTENCY = 70, 85
_NARRATIVE = (
    "biography",
    "personality",
    "motivations",
    "backstory",
    "physicalDescription",
    "voiceDescription",
)


def metrics(state: State, request: SimulatedRequest, db_id: str) -> SimulatedResponse:
    """``GET …/quality-metrics``."""
    if request.method != "GET":
        return SimulatedResponse(status=405)
    character = state.characters.get(db_id)
    if character is None:
        nobody = {"characterId": "", "characterName": "", "metrics": {}}
        return json_response(500, {"success": False, **nobody, "error": "Not Found"})
    shown = [state.media[each] for each in character.gallery]
    visual = _visual(character, shown)
    narrative = _narrative(character)
    stored = document(state, "", character)
    issues, advice = _issues(visual, narrative)
    score = (visual["averageImageQuality"] or 0) * 0.3 + narrative["completenessScore"] * 0.4 + 5
    return json_response(
        200,
        {
            "success": True,
            "id": character.id,
            "characterId": character.slug,
            "characterName": character.fields["name"],
            "metrics": {
                "overallScore": round(score),
                "visualMetrics": visual,
                "narrativeMetrics": narrative,
                "relationshipMetrics": {
                    "totalRelationships": 0,
                    "averageRelationshipStrength": None,
                    "averageConflictLevel": None,
                    "relationshipTypes": [],
                    "orphanedRelationships": 0,
                    "bidirectionalRelationships": 0,
                    "strongRelationships": 0,
                    "conflictualRelationships": 0,
                },
                "technicalMetrics": {
                    "lastUpdated": character.updated,
                    "lastValidated": None,
                    "syncStatus": stored["novelMovieIntegration"]["syncStatus"],
                    "pathragSynced": False,
                    "masterReferenceProcessed": bool(stored["masterReferenceProcessed"]),
                    "coreSetGenerated": bool(visual["coreReferenceCount"]),
                    "validationHistory": [],
                },
                "recommendations": advice,
                "issues": issues,
            },
        },
    )


def _visual(character: Character, shown: Sequence[MediaFile]) -> dict[str, Any]:
    core = sum(each.shot is not None for each in shown)
    return {
        "hasReferenceImage": character.reference is not None,
        "referenceImageQuality": None,
        # Eight are a whole set to this route.
        "coreSetCompleteness": min(100, number(core / 8 * 100)),
        "averageImageQuality": average([each.quality for each in shown]) if shown else None,
        "averageConsistencyScore": average([each.consistency for each in shown]) if shown else None,
        "totalImages": len(shown),
        "coreReferenceCount": core,
        "lowQualityImageCount": sum(each.quality < _QUALITY for each in shown),
        "inconsistentImageCount": sum(each.consistency < _CONSISTENCY for each in shown),
    }


def _narrative(character: Character) -> dict[str, Any]:
    told = {name: bool(character.fields.get(name)) for name in _NARRATIVE}
    return {
        "completenessScore": round(sum(told.values()) / len(told) * 100),
        **{f"{name}Completeness": known for name, known in told.items()},
        "skillsCount": len(character.fields.get("skills", [])),
        "missingFields": [name for name, known in told.items() if not known],
    }


def _issues(
    visual: dict[str, Any], narrative: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what is amiss, and what the server recommends."""
    missing = ", ".join(narrative["missingFields"])
    low = visual["lowQualityImageCount"]
    found = [
        (
            not visual["hasReferenceImage"],
            ("visual", "error", "Missing master reference image", "Generate a reference image"),
            "Generate a master reference image",
        ),
        (
            visual["coreSetCompleteness"] < 50,
            ("visual", "warning", "Incomplete core reference set", "Generate the 360° set"),
            "Complete the 360° core reference set",
        ),
        (
            low > 0,
            ("visual", "warning", f"{low} low quality images", "Draw them anew"),
            None,
        ),
        (
            narrative["completenessScore"] < 70,
            ("narrative", "warning", "Incomplete character development", f"Complete {missing}"),
            "Complete the character's fields",
        ),
        (
            narrative["skillsCount"] == 0,
            ("narrative", "info", "No skills defined", "Add skills"),
            None,
        ),
        (
            True,
            ("relationship", "info", "No relationships defined", "Add relationships"),
            "Define relationships",
        ),
        (
            True,
            ("technical", "warning", "Not synced to PathRAG knowledge base", "Sync it"),
            "Run validation",
        ),
    ]
    names = ("type", "severity", "description", "suggestedFix")
    issues: list[dict[str, Any]] = [
        dict(zip(names, issue, strict=True)) for amiss, issue, _ in found if amiss
    ]
    return issues, [advice for amiss, _, advice in found if amiss and advice is not None]


def consistency(state: State, request: SimulatedRequest, db_id: str) -> SimulatedResponse:
    """``POST …/validate-consistency``: of what was drawn on demand alone."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    character = state.characters.get(db_id)
    if character is None:
        internal = "Internal server error during consistency validation"
        return json_response(500, {"error": internal, "details": "Not Found"})
    master = state.media.get(character.reference or "")
    if master is None:
        error = "Master reference image is required for consistency validation"
        return json_response(400, {"error": error})
    if not master.read:
        error = "Master reference image not properly processed with DINOv3"
        return json_response(400, {"error": error})
    found = [state.media[each] for each in character.gallery if state.media[each].on_demand]
    if not found:
        return json_response(400, {"error": "No gallery images with DINOv3 processing found"})
    results = [_result(each) for each in found]
    valid = sum(each["isOverallValid"] for each in results)
    return json_response(
        200,
        {
            "success": True,
            "message": f"Validated {len(results)} images, {valid} passed all checks",
            "data": {
                "characterId": character.id,
                "characterName": character.fields["name"],
                "masterReferenceAssetId": master.asset,
                "validationResults": results,
                "summary": {
                    "total": len(results),
                    "consistent": sum(each["isConsistent"] for each in results),
                    "qualityValid": sum(each["isQualityValid"] for each in results),
                    "overallValid": valid,
                    "averageConsistency": average([each.consistency for each in found]),
                    "averageQuality": average([each.quality for each in found]),
                    "coreReferenceValid": 0,
                    "onDemandValid": valid,
                },
                "recommendations": [],
                "validatedAt": now_text(),
            },
        },
    )


def _result(media: MediaFile) -> dict[str, Any]:
    good = media.quality >= _QUALITY
    alike = media.consistency >= _CONSISTENCY
    return {
        "imageId": media.id,
        "dinoAssetId": media.asset,
        "consistencyScore": media.consistency,
        "qualityScore": media.quality,
        "isConsistent": alike,
        "isQualityValid": good,
        "isOverallValid": good and alike,
        "validationNotes": media.notes,
        "recommendations": [],
        "shotType": media.shot_type,
        "isCoreReference": False,
    }
