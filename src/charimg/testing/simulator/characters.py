"""The character endpoints: bare documents, and a 500 for everything that is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .state import Character, MediaFile, State, now_text, slug_of

__all__ = [
    "document",
    "make_character",
    "media_document",
    "parse_object",
    "pages",
    "payload_pages",
    "respond",
]

_STATUSES = ("draft", "in_development", "ready", "in_production", "archived")
_TEXTS = (
    "biography",
    "personality",
    "motivations",
    "relationships",
    "backstory",
    "role",
    "archetype",
    "height",
    "weight",
    "eyeColor",
    "hairColor",
    "physicalDescription",
    "clothing",
)
_GROUPS: dict[str, dict[str, Any]] = {
    "psychology": {"motivation": None, "fears": None, "desires": None, "flaws": None},
    "characterArc": {"startState": None, "transformation": None, "endState": None},
    "dialogueVoice": {
        "voiceDescription": None,
        "style": None,
        "patterns": [],
        "vocabulary": None,
    },
    "novelMovieIntegration": {
        "projectId": None,
        "projectName": None,
        "lastSyncAt": None,
        "syncStatus": "pending",
        "conflictResolution": "manual",
        "changeLog": [],
    },
    "enhancedQualityMetrics": {
        "narrativeConsistency": None,
        "crossSceneConsistency": None,
        "relationshipVisualConsistency": None,
        "lastValidated": None,
        "validationHistory": [],
    },
}
_NULLS = (
    "masterReferenceProcessed",
    "masterReferenceQuality",
    "coreSetGenerated",
    "coreSetGeneratedAt",
    "coreSetQuality",
    "pathragSynced",
    "pathragLastSync",
    "pathragDocumentCount",
    "lastConsistencyValidation",
    "consistencyValidationSummary",
)


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises:
        ValueError: It is none; the text is what the server says of it.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        text = (
            "Unexpected end of JSON input"
            if not body.strip()
            else "Expected property name or '}' in JSON at position 1"
        )
        raise ValueError(text) from error
    if found is None:
        raise ValueError("Cannot read properties of null (reading 'prompt')")
    return found if isinstance(found, dict) else {}


def make_character(state: State, given: dict[str, Any]) -> Character:
    """Create a character.

    Raises:
        ValueError: No name, a bad status, or a ``characterId`` that is taken.
    """
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError("name")
    if given.get("status", "draft") not in _STATUSES:
        raise ValueError("status")
    slug = given.get("characterId")
    slug = slug if isinstance(slug, str) else slug_of(name)
    if any(character.slug == slug for character in state.characters.values()):
        raise ValueError("characterId")
    time = now_text()
    character = Character(
        id=state.new_id(),
        slug=slug,
        fields=_known_fields(state, given),
        created=time,
        updated=time,
    )
    state.characters[character.id] = character
    return character


def _known_fields(state: State, given: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in given.items() if name in ("name", "status", *_TEXTS)}
    age = given.get("age")
    if "age" in given:
        # A string is stored as null by the recorded server.
        kept["age"] = age if isinstance(age, (int, float)) else None
    if isinstance(given.get("skills"), list):
        kept["skills"] = [
            {"id": state.new_id(), **skill} for skill in given["skills"] if isinstance(skill, dict)
        ]
    for group, defaults in _GROUPS.items():
        value = given.get(group)
        if isinstance(value, dict):
            kept[group] = {**defaults, **{key: value[key] for key in defaults if key in value}}
    return kept


def document(state: State, base: str, character: Character) -> dict[str, Any]:
    """Return the character's document, the master reference expanded."""
    fields = character.fields
    reference = state.media.get(character.reference or "")
    return {
        "id": character.id,
        "name": fields["name"],
        "status": fields.get("status", "draft"),
        "characterId": character.slug,
        "age": fields.get("age"),
        **{name: fields.get(name) for name in _TEXTS},
        "skills": fields.get("skills", []),
        **{name: fields.get(name, copy.deepcopy(group)) for name, group in _GROUPS.items()},
        "enhancedRelationships": [],
        "sceneContexts": [],
        "masterReferenceImage": None if reference is None else media_document(base, reference),
        **dict.fromkeys(_NULLS),
        "masterReferenceProcessed": None if reference is None else reference.read,
        "imageGallery": [],
        "updatedAt": character.updated,
        "createdAt": character.created,
    }


def media_document(base: str, media: MediaFile) -> dict[str, Any]:
    """Return the document of a file."""
    failed = media.reading == "error"
    return {
        "id": media.id,
        "alt": media.alt,
        "dinoAssetId": media.asset,
        "dinoMediaUrl": None,
        "dinoProcessingStatus": media.reading,
        "qualityScore": None,
        "consistencyScore": None,
        "validationNotes": "DINOv3 upload failed: 500 Internal Server Error" if failed else None,
        "dinoFeatures": media.features if media.read else None,
        "dinoProcessedAt": media.created if media.read or failed else None,
        "prefix": "media",
        "updatedAt": media.created,
        "createdAt": media.created,
        "url": f"{base}/media/{media.name}",
        "thumbnailURL": None,
        "filename": media.name,
        "mimeType": media.mime_type,
        "filesize": len(media.data),
        "width": media.width,
        "height": media.height,
        "focalX": 50,
        "focalY": 50,
    }


def respond(state: State, base: str, request: SimulatedRequest, db_id: str) -> SimulatedResponse:
    """Answer ``/api/v1/characters`` and ``/api/v1/characters/{id}``."""
    if not db_id:
        return _collection(state, base, request)
    character = state.characters.get(db_id)
    if request.method == "GET":
        if character is None:
            return json_response(500, {"error": "Failed to fetch character"})
        return json_response(200, document(state, base, character))
    if request.method == "PATCH":
        try:
            given = parse_object(request.body)
        except ValueError:
            given = None
        if character is None or given is None:
            return json_response(500, {"error": "Failed to update character"})
        character.fields.update(_known_fields(state, given))
        character.updated = now_text()
        return json_response(200, document(state, base, character))
    if request.method == "DELETE":
        if character is None:
            return json_response(500, {"error": "Failed to delete character"})
        del state.characters[db_id]
        return json_response(200, {"success": True})
    return SimulatedResponse(status=405)


def _collection(state: State, base: str, request: SimulatedRequest) -> SimulatedResponse:
    if request.method == "POST":
        try:
            character = make_character(state, parse_object(request.body))
        except ValueError:
            return json_response(500, {"error": "Failed to create character"})
        return json_response(201, document(state, base, character))
    if request.method != "GET":
        return SimulatedResponse(status=405)
    found = list(reversed(state.characters.values()))
    name, slug = (
        request.query.get("where[name][equals]"),
        request.query.get("where[characterId][equals]"),
    )
    # Only Payload's own route understands filters; the other ignores them.
    if not request.path.startswith("/api/v1/"):
        found = [
            character
            for character in found
            if name in (None, character.fields["name"]) and slug in (None, character.slug)
        ]
    shown, paging = payload_pages(found, request.query)
    docs = [document(state, base, character) for character in shown]
    return json_response(200, {"docs": docs, **paging})


def payload_pages(found: list[Any], query: Mapping[str, str]) -> tuple[list[Any], dict[str, Any]]:
    """Return one page of a listing of Payload's own, and what it says of the paging."""
    shown, paging = pages(found, query)
    page = paging["page"]
    return shown, {
        **paging,
        "nextPage": page + 1 if paging["hasNextPage"] else None,
        "pagingCounter": (page - 1) * paging["limit"] + 1,
        "prevPage": page - 1 if paging["hasPrevPage"] else None,
    }


def pages(found: list[Any], query: Mapping[str, str]) -> tuple[list[Any], dict[str, Any]]:
    """Return one page of a listing and what the server says of the paging."""

    def number(name: str, default: int) -> int:
        text = query.get(name, "")
        return int(text) if text.isdecimal() and 0 < int(text) < 10_000 else default

    limit, page = number("limit", 10), number("page", 1)
    total = max(1, -(-len(found) // limit))
    return found[(page - 1) * limit : page * limit], {
        "totalDocs": len(found),
        "limit": limit,
        "page": page,
        "totalPages": total,
        "hasNextPage": page < total,
        "hasPrevPage": page > 1,
    }
