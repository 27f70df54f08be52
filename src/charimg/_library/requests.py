"""Requests to the Character Library as values, one function per endpoint (contract page)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from attrs import field, frozen

from ..errors import InvalidArgument
from . import ids

__all__ = ["CallKind", "LibraryAnswer", "LibraryRequest", "is_request_id"]

CATEGORIES = ("core", "scene", "ondemand", "relationship")


class CallKind(StrEnum):
    """Which of the `Timeouts` holds for a request."""

    READ = "read"
    DELETE = "delete"
    GENERATION = "generation"


@frozen(kw_only=True)
class LibraryRequest:
    """One request, ready to be sent.

    Attributes:
        method: The HTTP method.
        path: Below the base URL, starting with a slash, without query.
        action: What it does and for which id, as the beginning of a sentence.
        query: Query parameters, in order.
        body: The JSON body; ``None`` for none.
        kind: Which time-out holds.
        job_id: The job that it is about, if any.
        private: Texts that no message may repeat even if the server does (prompts, keys).
        keyless: Whether it is known to go without any key.
    """

    method: str
    path: str
    action: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes | None = field(default=None, repr=False)
    kind: CallKind = CallKind.READ
    job_id: str | None = None
    private: tuple[str, ...] = field(default=(), repr=False)
    keyless: bool = False

    @property
    def idempotent(self) -> bool:
        """Whether it may be repeated. Only reads may: writes are attempted exactly once."""
        return self.method in ("GET", "HEAD")

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@frozen(kw_only=True)
class LibraryAnswer:
    """One answer, read whole.

    Attributes:
        status: The HTTP status.
        headers: Header names in lower case.
        body: The decoded bytes.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def is_request_id(value: object) -> bool:
    """Return whether a value may stand in an ``X-Request-Id`` header: short, visible ASCII."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= 128
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


def _encode(document: Mapping[str, Any], what: str) -> bytes:
    try:
        return json.dumps(document, allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"The {what} cannot be written as JSON.") from error


def _count(value: object, name: str, *, least: int = 1) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return value
    raise InvalidArgument(f"{name} must be a whole number of at least {least}.")


def _score(value: object, name: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    raise InvalidArgument(f"{name} must be a number.")


def health() -> LibraryRequest:
    """``GET /api/health``."""
    return LibraryRequest(
        method="GET", path="/api/health", action="Asking the Character Library for its health"
    )


def create_character(
    name: str, character_id: str | None, fields: Mapping[str, Any] | None
) -> LibraryRequest:
    """``POST /api/v1/characters``."""
    if not name.strip():
        raise InvalidArgument("A character needs a name.")
    given = dict(fields or {})
    if {"name", "characterId"} & given.keys():
        raise InvalidArgument("Give name and character_id as arguments, not in fields.")
    if character_id is None:
        character_id = ids.unique_character_id(name)
    elif not character_id.strip():
        raise InvalidArgument("character_id must not be blank; leave it out to have one made.")
    given |= {"name": name, "characterId": character_id}
    return LibraryRequest(
        method="POST",
        path="/api/v1/characters",
        action="Creating a character",
        body=_encode(given, "fields"),
    )


def get_character(db_id: str) -> LibraryRequest:
    """``GET /api/v1/characters/{id}``."""
    return LibraryRequest(
        method="GET",
        path=f"/api/v1/characters/{ids.check_object_id(db_id)}",
        action=f"Reading character {db_id}",
    )


def find_characters(
    name: str | None, character_id: str | None, limit: int, page: int
) -> LibraryRequest:
    """``GET /api/v1/characters``, or with a filter Payload's own ``GET /api/characters``."""
    query = _paging(limit, page)
    if name is not None:
        query.append(("where[name][equals]", name))
    if character_id is not None:
        query.append(("where[characterId][equals]", character_id))
    filtered = len(query) > 2
    return LibraryRequest(
        method="GET",
        # Only Payload's REST route understands "where".
        path="/api/characters" if filtered else "/api/v1/characters",
        action="Finding characters",
        query=tuple(query),
    )


def update_character(db_id: str, fields: Mapping[str, Any]) -> LibraryRequest:
    """``PATCH /api/v1/characters/{id}``."""
    path = f"/api/v1/characters/{ids.check_object_id(db_id)}"
    if not fields:
        raise InvalidArgument("Name at least one field to update.")
    return LibraryRequest(
        method="PATCH",
        path=path,
        action=f"Updating character {db_id}",
        body=_encode(dict(fields), "fields"),
    )


def delete_character(db_id: str) -> LibraryRequest:
    """``DELETE /api/v1/characters/{id}``."""
    return LibraryRequest(
        method="DELETE",
        path=f"/api/v1/characters/{ids.check_object_id(db_id)}",
        action=f"Deleting character {db_id}",
        kind=CallKind.DELETE,
    )


def initial_image(db_id: str, prompt: str) -> LibraryRequest:
    """``POST …/generate-initial-image``; the prompt goes out unchanged."""
    path = f"/api/v1/characters/{ids.check_object_id(db_id)}/generate-initial-image"
    ids.check_text(prompt, "prompt")
    return LibraryRequest(
        method="POST",
        path=path,
        action=f"Generating the reference image of character {db_id}",
        body=_encode({"prompt": prompt}, "prompt"),
        kind=CallKind.GENERATION,
        private=(prompt,),
    )


def get_reference(db_id: str) -> LibraryRequest:
    """``GET …/reference-image``."""
    return LibraryRequest(
        method="GET",
        path=f"/api/v1/characters/{ids.check_object_id(db_id)}/reference-image",
        action=f"Reading the reference image of character {db_id}",
    )


def set_reference(db_id: str, media_id: str) -> LibraryRequest:
    """``PUT …/reference-image`` with a media id (with a URL the server stores nothing)."""
    path = f"/api/v1/characters/{ids.check_object_id(db_id)}/reference-image"
    body = _encode({"mediaId": ids.check_media_id(media_id)}, "media id")
    return LibraryRequest(
        method="PUT",
        path=path,
        action=f"Making media {media_id} the reference image of character {db_id}",
        body=body,
    )


def delete_reference(db_id: str) -> LibraryRequest:
    """``DELETE …/reference-image``."""
    return LibraryRequest(
        method="DELETE",
        path=f"/api/v1/characters/{ids.check_object_id(db_id)}/reference-image",
        action=f"Deleting the reference image of character {db_id}",
        kind=CallKind.DELETE,
    )


def portfolio(
    db_id: str,
    style: str | None,
    image_count: int | None,
    quality_threshold: float | None,
    max_retries: int | None,
) -> LibraryRequest:
    """``POST …/generate-360-set``; ``{}`` is enough, but a body there must be."""
    path = f"/api/v1/characters/{ids.check_object_id(db_id)}/generate-360-set"
    body: dict[str, object] = {}
    if style is not None:
        body["style"] = style
    if image_count is not None:
        body["imageCount"] = _count(image_count, "image_count")
    if quality_threshold is not None:
        body["qualityThreshold"] = _score(quality_threshold, "quality_threshold")
    if max_retries is not None:
        body["maxRetries"] = _count(max_retries, "max_retries", least=0)
    return LibraryRequest(
        method="POST",
        path=path,
        action=f"Generating the 360° set of character {db_id}",
        body=_encode(body, "options"),
        kind=CallKind.GENERATION,
    )


def get_job(job_id: str) -> LibraryRequest:
    """``GET /api/v1/jobs/{jobId}/status``."""
    return LibraryRequest(
        method="GET",
        path=f"/api/v1/jobs/{ids.check_job_id(job_id)}/status",
        action=f"Reading job {job_id}",
        job_id=job_id,
    )


def list_jobs(
    character_id: str | None, status: str | None, limit: int, page: int
) -> LibraryRequest:
    """``GET /api/v1/jobs``."""
    query = _paging(limit, page)
    if character_id is not None:
        query.append(("characterId", ids.check_object_id(character_id)))
    if status is not None:
        query.append(("status", status))
    return LibraryRequest(
        method="GET", path="/api/v1/jobs", action="Listing jobs", query=tuple(query)
    )


def reference_shots() -> LibraryRequest:
    """``GET /api/v1/reference-shots``: all of them, whatever its ``limit`` says."""
    return LibraryRequest(method="GET", path="/api/v1/reference-shots", action="Listing shots")


def cancel_job(job_id: str) -> LibraryRequest:
    """``DELETE /api/v1/jobs/{jobId}/status``."""
    return LibraryRequest(
        method="DELETE",
        path=f"/api/v1/jobs/{ids.check_job_id(job_id)}/status",
        action=f"Cancelling job {job_id}",
        job_id=job_id,
    )


def scene_image(
    db_id: str,
    scene_context: str,
    *,
    scene_type: str,
    mood: str | None,
    lighting_style: str | None,
    environment_context: str | None,
    additional_characters: Sequence[str],
    reference_image_asset_id: str | None,
) -> LibraryRequest:
    """``POST …/generate-scene-image``; the scene context goes out unchanged."""
    path = f"/api/v1/characters/{ids.check_object_id(db_id)}/generate-scene-image"
    body: dict[str, object] = {
        "sceneContext": ids.check_text(scene_context, "scene context"),
        "sceneType": ids.check_scene_type(scene_type),
    }
    options = {
        "mood": mood,
        "lightingStyle": lighting_style,
        "environmentContext": environment_context,
        "referenceImageAssetId": reference_image_asset_id,
    }
    body |= {name: value for name, value in options.items() if value is not None}
    if isinstance(additional_characters, str):
        raise InvalidArgument("additional_characters is a sequence of names, not one text.")
    if additional_characters:
        body["additionalCharacters"] = list(additional_characters)
    return LibraryRequest(
        method="POST",
        path=path,
        action=f"Generating a scene image of character {db_id}",
        body=_encode(body, "scene options"),
        kind=CallKind.GENERATION,
        private=tuple(each for each in (scene_context, environment_context, mood) if each),
    )


def list_images(
    db_id: str, category: str | None, include_urls: bool, min_quality: float | None
) -> LibraryRequest:
    """``GET …/images``."""
    path = f"/api/v1/characters/{ids.check_object_id(db_id)}/images"
    query = [("includeUrls", "true" if include_urls else "false")]
    if category is not None:
        if category not in CATEGORIES:
            raise InvalidArgument(f"category must be one of {', '.join(CATEGORIES)}.")
        query.append(("category", category))
    if min_quality is not None:
        query.append(("minQuality", str(_score(min_quality, "min_quality"))))
    return LibraryRequest(
        method="GET",
        path=path,
        action=f"Listing the images of character {db_id}",
        query=tuple(query),
    )


def get_media(media_id: str) -> LibraryRequest:
    """``GET /api/media/{id}``."""
    return LibraryRequest(
        method="GET",
        path=f"/api/media/{ids.check_media_id(media_id)}",
        action=f"Reading media {media_id}",
    )


def list_media(filename: str, limit: int, page: int) -> LibraryRequest:
    """``GET /api/media``, newest first: those with the text in their file's name."""
    part = ids.check_text(filename, "part of a file name")
    return LibraryRequest(
        method="GET",
        path="/api/media",
        action="Listing media",
        query=(
            ("where[filename][like]", part),
            ("sort", "-createdAt"),
            *_paging(limit, page),
            ("depth", "0"),
        ),
    )


def _paging(limit: int, page: int) -> list[tuple[str, str]]:
    return [("limit", str(_count(limit, "limit"))), ("page", str(_count(page, "page")))]
