"""The JSON of the routes, as the first generation of the system spoke it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._json import to_json
from ..journal import Candidate, ItemState, Operation
from ..models import (
    CharacterImage,
    CharacterReference,
    DeleteResult,
    GenerationResult,
    ImagePage,
    OperationWarning,
    PortfolioResult,
    PromptSuggestion,
)

__all__ = [
    "candidates_json",
    "character_json",
    "delete_json",
    "generation_json",
    "image_json",
    "operation_json",
    "page_json",
    "portfolio_json",
    "suggestion_json",
    "warnings_json",
]

_MEDIA = {"size": "filesize", "thumbnailUrl": "thumbnailURL"}
"""Fields of media that the first generation called as Payload CMS does."""


def image_json(image: CharacterImage) -> dict[str, Any]:
    """Return an image with its media."""
    body: dict[str, Any] = to_json(image)
    if body["media"] is not None:
        body["media"] = {_MEDIA.get(name, name): value for name, value in body["media"].items()}
    return body


def character_json(character: CharacterReference) -> dict[str, Any]:
    """Return what a page's head shows of a character; its traits stay with the host."""
    return {
        "id": character.id,
        "name": character.name,
        "libraryDbId": character.library_db_id,
        "libraryCharacterId": character.library_character_id,
    }


def warnings_json(warnings: Iterable[OperationWarning]) -> list[dict[str, str]]:
    """Return warnings in order."""
    return [{"code": str(each.code), "message": each.message} for each in warnings]


def generation_json(result: GenerationResult) -> dict[str, Any]:
    """Return what a generation of one image answers."""
    return {
        "success": True,
        "data": {
            "operationId": result.operation_id,
            "prompt": result.prompt,
            "removed": result.removed,
            "retried": result.retried,
            "durationMs": result.duration_ms,
        },
        "image": image_json(result.image),
        "warnings": warnings_json(result.warnings),
    }


def portfolio_json(result: PortfolioResult) -> dict[str, Any]:
    """Return what a 360° set answers."""
    return {
        "success": True,
        "data": {
            "operationId": result.operation_id,
            "jobId": result.job_id,
            "referenceId": result.reference_id,
            "durationMs": result.duration_ms,
        },
        "images": [image_json(image) for image in result.images],
        "failures": [image_json(image) for image in result.failures],
        "warnings": warnings_json(result.warnings),
    }


def delete_json(result: DeleteResult) -> dict[str, Any]:
    """Return what deleting one image answers."""
    return {
        "success": True,
        "data": {
            "operationId": result.operation_id,
            "removed": result.removed,
            "remoteDeleted": result.remote_deleted,
            "durationMs": result.duration_ms,
        },
        "warnings": warnings_json(result.warnings),
    }


def page_json(page: ImagePage, character: CharacterReference) -> dict[str, Any]:
    """Return one page of a listing."""
    return {
        "success": True,
        "count": page.total,
        "images": [image_json(image) for image in page.images],
        "nextCursor": page.next_cursor,
        "character": character_json(character),
    }


def suggestion_json(suggestion: PromptSuggestion) -> dict[str, Any]:
    """Return a suggested prompt."""
    return {
        "success": True,
        "prompt": suggestion.prompt,
        "template": suggestion.template,
        "facts": dict(suggestion.facts),
        "reason": suggestion.reason,
    }


def candidates_json(candidates: Iterable[Candidate]) -> dict[str, Any]:
    """Return what an operation may have drawn; a route of the host shows it, not its URL."""
    names = ("mediaId", "drawnAt", "evidence")
    told = [to_json(each) for each in candidates]
    return {
        "success": True,
        "candidates": [{name: each[name] for name in names} for each in told],
    }


def operation_json(operation: Operation, *, running: bool) -> dict[str, Any]:
    """Return an operation as the ledger has it.

    Args:
        operation: The journal's entry.
        running: Whether somebody works on it.
    """
    whole: dict[str, Any] = to_json(operation)
    names = (
        *("id", "kind", "characterReference", "state", "prompt", "options", "createdBy"),
        *("jobId", "error", "removed", "createdAt", "updatedAt"),
    )
    states = [item.state for item in operation.items]
    stored, failed = states.count(ItemState.STORED), states.count(ItemState.FAILED)
    items = [
        {
            name: item[name]
            for name in ("key", "index", "state", "prompt", "shot", "error", "imageId")
        }
        for item in whole["items"]
    ]
    return {
        **{name: whole[name] for name in names},
        "running": running,
        "stored": stored,
        "failed": failed,
        "progress": _progress(operation, stored + failed),
        "items": items,
    }


def _progress(operation: Operation, settled: int) -> dict[str, Any] | None:
    """Return how far an operation has come, or ``None`` while there is nothing to count."""
    if operation.items:
        shots = [
            item.shot
            for item in operation.items
            if item.state != ItemState.PENDING and item.shot is not None
        ]
        name = shots[-1].name if shots else None
        return {"current": settled, "total": len(operation.items), "task": None, "shot": name}
    seen = operation.job_seen
    if seen is None or not seen.total:
        return None
    return {"current": seen.current, "total": seen.total, "task": None, "shot": None}
