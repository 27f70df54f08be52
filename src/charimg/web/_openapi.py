"""What a host's OpenAPI tells of each route of ``/v1``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from pydantic import BaseModel

from . import _models as models
from . import _orders as orders
from .exchange import EVENT_STREAM

__all__ = ["DOCUMENTS", "documented"]

_READ = (401, 403, 404, 500, 503)
_OUTWARD = (*_READ, 502, 504)
_WRITE = (400, 401, 403, 404, 409, 413, 415, 422, 500, 502, 503, 504)

_FAILURES: dict[int, tuple[str, str, str]] = {
    400: (
        "The character is not linked, the prompt is blank, or the body is no JSON",
        "NOT_LINKED",
        "The character mara has no library_db_id. Link it first.",
    ),
    401: ("A sign-in is needed", "SIGN_IN", "Sign in first."),
    403: ("Not allowed, or sent by another site's page", "FORBIDDEN", "You may not do this."),
    404: ("No such character, image or operation", "IMAGE_NOT_FOUND", "There is no image 7."),
    409: (
        "Another operation on the character is running, or there is no reference",
        "IN_PROGRESS",
        "Another operation on character mara is running.",
    ),
    413: ("The body is too large", "TOO_LARGE", "The body may have at most 262,144 bytes."),
    415: ("The body is not JSON", "NOT_JSON", "Send JSON, with Content-Type: application/json."),
    422: ("A value makes no sense", "INVALID_ARGUMENT", "limit must be a number from 1 to 1,000."),
    500: ("An error of this server", "INTERNAL", "Something went wrong on this server."),
    502: (
        "The Character Library failed, or an image could not be brought in. Never sent again",
        "SERVER_ERROR",
        "The Character Library failed (500).",
    ),
    503: ("A store cannot be reached", "STORAGE", "The records cannot be read."),
    504: ("The Character Library did not answer in time", "TIMEOUT", "No answer within 300 s."),
}


@frozen(kw_only=True)
class Document:
    """What is told of one route.

    Attributes:
        summary: In a few words.
        description: What it does and costs.
        answer: The answer's model; ``None`` for a file.
        file: The type of the file.
        body: The request body's model, if it takes one.
        statuses: Of failures that can occur.
        events: Whether it also answers with an event stream.
        query: Its parameters: name, schema, description.
        parts: Further parameters of its path.
        links: By the name of the route that an answer leads to: what leads there.
        tagged: Whether it has an ETag, and may answer that nothing has changed.
    """

    summary: str
    description: str = ""
    answer: type[BaseModel] | None = None
    file: str = "application/zip"
    body: type[BaseModel] | None = None
    statuses: tuple[int, ...] = _READ
    events: bool = False
    query: tuple[tuple[str, dict[str, Any], str], ...] = ()
    parts: tuple[str, ...] = ()
    links: Mapping[str, str] = {}
    tagged: bool = False


_CURSOR = ("cursor", {"type": "string"}, "nextCursor of the page before.")


def _limit(default: int, most: int) -> tuple[str, dict[str, Any], str]:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return "limit", schema, "How many at most."


DOCUMENTS: dict[str, Document] = {
    "reference": Document(
        summary="Draw a new reference image",
        description="Costs money. With the default policy the character's earlier images are "
        "deleted, here and on the Character Library. With Accept: text/event-stream it answers "
        "with events as they happen.",
        answer=models.GenerationAnswer,
        body=orders.ReferenceBody,
        statuses=_WRITE,
        events=True,
        links={"image": "image.id", "operation": "data.operationId", "remove": "image.id"},
    ),
    "portfolio": Document(
        summary="Draw the 360° set",
        description="Costs money: up to 27 images. Single shots that fail are told as failures.",
        answer=models.PortfolioAnswer,
        body=orders.PortfolioBody,
        statuses=_WRITE,
        events=True,
        links={"operation": "data.operationId"},
    ),
    "scene": Document(
        summary="Draw the character in a scene",
        description="Costs money.",
        answer=models.GenerationAnswer,
        body=orders.SceneBody,
        statuses=_WRITE,
        events=True,
        links={"image": "image.id", "operation": "data.operationId", "remove": "image.id"},
    ),
    "suggest": Document(
        summary="Suggest a prompt for the reference image", answer=models.SuggestionAnswer
    ),
    "images": Document(
        summary="List the images, newest first",
        answer=models.ImagesAnswer,
        statuses=(*_READ, 422),
        query=(
            _limit(50, 1000),
            _CURSOR,
            ("kind", {"type": "string"}, "Only this kind."),
            ("status", {"type": "string"}, "Only this status."),
        ),
        tagged=True,
    ),
    "remove_many": Document(
        summary="Delete several images",
        description="Fails as a whole only when none could be deleted.",
        answer=models.DeleteManyAnswer,
        body=orders.IdsBody,
        statuses=_WRITE,
    ),
    "archive": Document(
        summary="Download several images as a ZIP file",
        description="Images without a file are named in NOT-INCLUDED.txt.",
        body=orders.IdsBody,
        statuses=(400, 401, 403, 404, 413, 415, 422, 500, 503),
    ),
    "image": Document(summary="Get one image", answer=models.ImageAnswer),
    "remove": Document(
        summary="Delete an image", answer=models.DeleteAnswer, statuses=_WRITE, events=True
    ),
    "retry": Document(
        summary="Fetch an image again that was drawn but could not be brought in",
        description="Draws nothing, costs nothing.",
        answer=models.GenerationAnswer,
        statuses=_WRITE,
        events=True,
        links={"image": "image.id"},
    ),
    "restore": Document(
        summary="Make a kept reference the current one",
        answer=models.ImageAnswer,
        statuses=_WRITE,
        events=True,
        links={"image": "image.id"},
    ),
    "repair": Document(
        summary="Bring the file of an image back that is gone or was altered",
        description="Reads the file, and fetches it again where it is not what the record says, by "
        "its SHA-256. Draws nothing, costs nothing.",
        answer=models.ImageAnswer,
        statuses=_WRITE,
        links={"image": "image.id"},
    ),
    "operations": Document(
        summary="List running and past operations, newest first",
        answer=models.OperationsAnswer,
        statuses=(*_READ, 422),
        query=(_limit(20, 200), _CURSOR),
    ),
    "operation": Document(
        summary="Get one operation",
        description="With Accept: text/event-stream it answers with events until the end, after "
        "Last-Event-ID where that is sent.",
        answer=models.OperationAnswer,
        events=True,
    ),
    "recover": Document(
        summary="Look again what became of an operation, and finish it",
        description="Draws nothing, costs nothing. Other open operations of the character are "
        "finished, too.",
        answer=models.SettledAnswer,
        statuses=_WRITE,
    ),
    "candidates": Document(
        summary="List the images that an operation of unknown outcome may have drawn",
        answer=models.CandidatesAnswer,
        statuses=_OUTWARD,
    ),
    "candidate": Document(
        summary="Look at one of them",
        description="Fetched from the Character Library, and checked like what is brought in.",
        file="image/*",
        parts=("media_id",),
        statuses=(*_OUTWARD, 422),
    ),
    "settle": Document(
        summary="Say which image an operation has drawn, or that there is none",
        description="Draws nothing, deletes nothing. Who said so is written down.",
        answer=models.SettledAnswer,
        body=orders.SettleBody,
        statuses=_WRITE,
    ),
}
"""By the route's name."""


def documented(name: str, item: str | None, prefix: str) -> dict[str, Any]:
    """Return what FastAPI's ``add_api_route`` takes for a route's documentation.

    Args:
        name: The route's.
        item: What its second path parameter is called, if it has one.
        prefix: What the operation ids begin with.
    """
    document = DOCUMENTS[name]
    parameters = [
        _parameter("path", "character_id", {"type": "string"}, "The host's id of the character.")
    ]
    named = () if item is None else (item, *document.parts)
    parameters += [
        _parameter("path", each, {"type": "string"}, "As the lists tell it.") for each in named
    ]
    parameters += [_parameter("query", *each) for each in document.query]
    extra: dict[str, Any] = {"parameters": parameters}
    if document.body is not None:
        schema = document.body.model_json_schema()
        extra["requestBody"] = {
            "content": {"application/json": {"schema": schema, "example": schema.pop("example")}},
            "required": bool(schema.keys() & {"required", "oneOf"}),
        }
    if document.tagged:
        known = "The ETag of the answer that the client has."
        parameters.append(_parameter("header", "If-None-Match", {"type": "string"}, known))
    responses: dict[int | str, dict[str, Any]] = {200: _success(document, prefix)}
    if document.tagged:
        tag = {"schema": {"type": "string"}, "description": "Where the stores can tell a change."}
        responses[200]["headers"] = {"ETag": tag}
        responses[304] = {"description": "Nothing has changed", "headers": {"ETag": tag}}
    for status in sorted(document.statuses):
        description, code, error = _FAILURES[status]
        example = {"success": False, "error": error, "code": code, "status": status}
        responses[status] = {
            "model": models.Failure,
            "description": description,
            "content": {"application/json": {"example": example}},
        }
    return {
        "summary": document.summary,
        "description": document.description,
        "operation_id": f"{prefix}_{name}",
        "responses": responses,
        "openapi_extra": extra,
    }


def _success(document: Document, prefix: str) -> dict[str, Any]:
    told: dict[str, Any] = {"description": "Done"}
    if document.answer is None:
        told["content"] = {document.file: {"schema": {"type": "string", "format": "binary"}}}
        return told
    told["model"] = document.answer
    if document.events:
        told["content"] = {EVENT_STREAM: {"schema": {"type": "string"}, "example": _EVENTS}}
    told["links"] = {
        target: {
            "operationId": f"{prefix}_{target}",
            "parameters": {
                "character_id": "$request.path.character_id",
                _ITEM.get(target, "image_id"): f"$response.body#/{pointer.replace('.', '/')}",
            },
        }
        for target, pointer in document.links.items()
    }
    return told


_ITEM = {"operation": "operation_id"}
_EVENTS = (
    'id: 01a2.1\nevent: started\ndata: {"operationId":"01a2","kind":"reference"}\n\n'
    'id: 01a2.2\nevent: image\ndata: {"operationId":"01a2","image":{},"done":1,"total":1}\n\n'
    'id: 01a2.3\nevent: done\ndata: {"success":true}\n\n'
)


def _parameter(where: str, name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {
        "in": where,
        "name": name,
        "required": where == "path",
        "schema": schema,
        "description": description,
    }
