# Generated from src/charimg/web/_async/routes.py by tools/unasync.py. Do not edit.
"""The handlers of ``/v1``: each one call of the service, and its answer in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from ..._offers import offers
from ..._sync.service import CharacterImageService
from ...capabilities import VersionedMetadataRepository
from ...errors import CharacterNotFound, CharimgError, ErrorCode, ImageMismatch, ImageNotFound
from ...journal import Operation, OperationKind
from ...models import CharacterImage, CharacterReference, ReferencePolicy, SceneType
from ...protocols import ProgressCallback
from .._lookup import look_up
from .._runs import Run, Runs
from ..bodies import check_body, choice, image_ids, integer, optional_text, refuse_misspelt, texts
from ..exchange import WebRequest, WebResponse, json_response
from ..failures import BadRequest, failure_body, failure_response
from ..options import Settings
from ..sse import STREAM_HEADERS, last_event
from ..stored import StoredListing
from ..wire import (
    delete_json,
    generation_json,
    image_json,
    operation_json,
    page_json,
    portfolio_json,
    suggestion_json,
    warnings_json,
)
from .archive import zipped
from .streams import follow_ledger, follow_run, is_running

__all__ = ["HANDLERS", "Call", "ended"]


@frozen(kw_only=True)
class Call:
    """One admitted request.

    Attributes:
        service: The host's.
        runs: The operations of this process.
        settings: Of the workspace.
        request: What was asked.
        character_id: From the path.
        item_id: The image or the operation, from the path.
        media_id: The candidate of an operation, from the path.
        user: Who asks, if ``authorize`` told.
        foreign: Whether another site's page asks: it may read, and sets nothing off.
    """

    service: CharacterImageService
    runs: Runs
    settings: Settings
    request: WebRequest
    character_id: str
    item_id: str
    media_id: str
    user: str | None
    foreign: bool

    def body(self, *names: str) -> dict[str, Any]:
        """Return the request's JSON object; a misspelt one of the names is an error."""
        body = check_body(self.request, self.settings.max_body)
        refuse_misspelt(body, names)
        return body

    def character(self) -> CharacterReference:
        """Return the character, or raise `CharacterNotFound`."""
        character = self.service.directory.get(self.character_id)
        if character is None:
            raise no_character(self.character_id)
        return character

    def image(self, image_id: str) -> CharacterImage:
        """Return an image of this character; that of another one is as good as none."""
        try:
            return self.service.get_image(self.character_id, image_id)
        except ImageMismatch as error:
            raise ImageNotFound(f"There is no image {image_id!a:.80}.") from error

    def run(
        self,
        kind: OperationKind,
        work: Callable[[ProgressCallback], dict[str, Any]],
    ) -> WebResponse:
        """Run an operation that a client's leaving does not end, and answer as the client wants."""
        resumed = last_event(self.request)
        if resumed is not None:
            # The connection broke and the client asks again: nothing is paid for twice.
            operation = self.operation(resumed[0])
            if operation.kind != kind:
                raise BadRequest(
                    409, "OTHER_OPERATION", f"Last-Event-ID is of another one: {operation.kind}."
                )
            return self.follow(operation.id)
        if not self.request.wants_events():
            run = self.runs.complete(self.character_id, work)
            return ended(run)
        run = self.runs.begin(self.character_id, work)
        if run.operation_id is None:
            return ended(run)
        return self.stream(run, 0)

    def stream(self, run: Run, after: int) -> WebResponse:
        """Answer with a run's events after number ``after``."""
        chunks = follow_run(self.runs, run, after, self.settings.heartbeat)
        return WebResponse(status=200, headers=STREAM_HEADERS, stream=chunks)

    def follow(self, operation_id: str) -> WebResponse:
        """Answer with the events of an operation, those after ``Last-Event-ID``."""
        operation = self.operation(operation_id)
        resumed = last_event(self.request)
        after = resumed[1] if resumed is not None and resumed[0] == operation_id else 0
        run = self.runs.get(operation_id)
        if run is not None:
            return self.stream(run, after)
        settings = self.settings
        chunks = follow_ledger(
            self.service,
            operation,
            after,
            settings.heartbeat,
            settings.stale_after,
            take_up=not self.foreign,
        )
        return WebResponse(status=200, headers=STREAM_HEADERS, stream=chunks)

    def operation(self, operation_id: str) -> Operation:
        """Return an operation of this character."""
        operation = self.service.ledger.get(operation_id)
        if operation is None or operation.character_id != self.character_id:
            raise BadRequest(
                404, "OPERATION_NOT_FOUND", f"There is no operation {operation_id!a:.80}."
            )
        return operation

    def told(self, operation: Operation) -> dict[str, Any]:
        """Return an operation's JSON: as the ledger has it, the same on every worker."""
        run = self.runs.get(operation.id)
        alive = run is None and is_running(operation, self.settings.stale_after)
        return operation_json(operation, running=alive or (run is not None and not run.ended))


def no_character(character_id: str) -> CharacterNotFound:
    """Return the error of an id that the directory does not know."""
    return CharacterNotFound(f"There is no character {character_id!a:.80}.")


def ended(run: Run) -> WebResponse:
    """Return the answer of an operation that has ended."""
    if run.error is not None:
        return failure_response(run.error, run.operation_id)
    return json_response(200, run.answer)


def _reference(call: Call) -> WebResponse:
    body = call.body("prompt", "policy")
    prompt = optional_text(body, "prompt")
    policy = choice(body, "policy", ReferencePolicy, ReferencePolicy.DELETE_ALL)

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        result = call.service.generate_reference(
            call.character_id,
            prompt=prompt,
            policy=policy,
            created_by=call.user,
            on_progress=on_progress,
        )
        return generation_json(result)

    return call.run(OperationKind.REFERENCE, work)


def _portfolio(call: Call) -> WebResponse:
    reference_id = optional_text(call.body("referenceId"), "referenceId")
    if reference_id is not None:
        call.image(reference_id)

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        result = call.service.generate_portfolio(
            call.character_id,
            reference_id=reference_id,
            created_by=call.user,
            on_progress=on_progress,
        )
        return portfolio_json(result)

    return call.run(OperationKind.PORTFOLIO, work)


_SCENE = (
    *("sceneContext", "prompt", "sceneType", "mood", "lighting", "environment"),
    "additionalCharacters",
)


def _scene(call: Call) -> WebResponse:
    body = call.body(*_SCENE)
    context = optional_text(body, "sceneContext")
    if context is None:
        # The name that the first generation of the front end uses.
        context = optional_text(body, "prompt") or ""
    if not context.strip():
        raise BadRequest(
            400, ErrorCode.PROMPT_REQUIRED, "sceneContext is missing or blank: say what happens."
        )
    scene_type = choice(body, "sceneType", SceneType, SceneType.DIALOGUE)
    mood, lighting = optional_text(body, "mood"), optional_text(body, "lighting")
    environment = optional_text(body, "environment")
    others = texts(body, "additionalCharacters")

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        result = call.service.generate_scene(
            call.character_id,
            context,
            scene_type=scene_type,
            mood=mood,
            lighting=lighting,
            environment=environment,
            additional_characters=others,
            created_by=call.user,
            on_progress=on_progress,
        )
        return generation_json(result)

    return call.run(OperationKind.SCENE, work)


def _suggest(call: Call) -> WebResponse:
    return json_response(200, suggestion_json(call.service.suggest_prompt(call.character_id)))


def _images(call: Call) -> WebResponse:
    query = call.request.query
    limit = integer(query, "limit", 50, 1000)
    asked: dict[str, Any] = {name: query.get(name) or None for name in ("kind", "status", "cursor")}
    asked["limit"] = limit
    service = call.service
    repository = service.metadata
    if not _is_plain(service) or not offers(repository, VersionedMetadataRepository):
        character = call.character()
        page = service.list_images(call.character_id, **asked)
        return json_response(200, page_json(page, character))
    listing = StoredListing(service.media, asked, call.request.headers.get("if-none-match", ""))
    found = look_up(service.directory, repository, call.character_id, listing.wanted)
    if found is None:
        raise no_character(call.character_id)
    return listing.answer(*found)


def _is_plain(service: CharacterImageService) -> bool:
    """Whether a listing is what the repository holds: no more, and nothing made of it by a host."""
    if service.metadata.requires_media:
        # Images that failed are in the ledger alone.
        return False
    listing = getattr(service.list_images, "__func__", None)
    return listing is CharacterImageService.list_images


def _image(call: Call) -> WebResponse:
    return json_response(200, {"success": True, "image": image_json(call.image(call.item_id))})


def _remove(call: Call) -> WebResponse:
    call.body()
    call.image(call.item_id)

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        result = call.service.delete_image(
            call.character_id, call.item_id, created_by=call.user, on_progress=on_progress
        )
        return delete_json(result)

    return call.run(OperationKind.DELETE, work)


def _remove_many(call: Call) -> WebResponse:
    ids = image_ids(call.body())
    call.character()

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        removed: list[str] = []
        failures: list[dict[str, Any]] = []
        warnings: list[dict[str, str]] = []
        first: CharimgError | None = None
        for image_id in ids:
            try:
                call.image(image_id)
                result = call.service.delete_image(
                    call.character_id, image_id, created_by=call.user, on_progress=on_progress
                )
            except CharimgError as error:
                first = error if first is None else first
                told = failure_body(error)
                failures.append({"id": image_id, "code": told["code"], "error": told["error"]})
            else:
                removed.append(image_id)
                warnings += warnings_json(result.warnings)
        if first is not None and not removed:
            raise first
        return {"success": True, "removed": removed, "failures": failures, "warnings": warnings}

    return ended(call.runs.complete(call.character_id, work))


def _retry(call: Call) -> WebResponse:
    call.body()
    call.image(call.item_id)

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        result = call.service.retry_ingestion(
            call.character_id, call.item_id, created_by=call.user, on_progress=on_progress
        )
        return generation_json(result)

    return call.run(OperationKind.RETRY, work)


def _restore(call: Call) -> WebResponse:
    call.body()
    call.image(call.item_id)

    def work(on_progress: ProgressCallback) -> dict[str, Any]:
        image = call.service.restore_reference(
            call.character_id, call.item_id, created_by=call.user, on_progress=on_progress
        )
        return {"success": True, "image": image_json(image)}

    return call.run(OperationKind.RESTORE, work)


def _repair(call: Call) -> WebResponse:
    call.body()
    call.image(call.item_id)

    def work(_: ProgressCallback) -> dict[str, Any]:
        image = call.service.bring_back(call.character_id, call.item_id)
        return {"success": True, "image": image_json(image)}

    return ended(call.runs.complete(call.character_id, work))


def _archive(call: Call) -> WebResponse:
    images = [call.image(image_id) for image_id in image_ids(call.body())]
    headers = (
        ("Content-Type", "application/zip"),
        ("Content-Disposition", 'attachment; filename="images.zip"'),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )
    return WebResponse(status=200, headers=headers, stream=zipped(call.service.media, images))


def _operations(call: Call) -> WebResponse:
    query = call.request.query
    limit = integer(query, "limit", 20, 200)
    character_id = (call.character()).id
    page = call.service.list_operations(
        character_id, limit=limit, cursor=query.get("cursor") or None
    )
    body = {
        "success": True,
        "operations": [call.told(each) for each in page.operations],
        # However old they are: nothing that may have been paid for is out of sight.
        "open": [call.told(each) for each in call.service.ledger.unfinished(character_id)],
        "nextCursor": page.next_cursor,
    }
    return json_response(200, body)


def _operation(call: Call) -> WebResponse:
    if call.request.wants_events():
        return call.follow(call.item_id)
    operation = call.operation(call.item_id)
    return json_response(200, {"success": True, "operation": call.told(operation)})


HANDLERS: dict[str, Callable[[Call], WebResponse]] = {
    "reference": _reference,
    "portfolio": _portfolio,
    "scene": _scene,
    "suggest": _suggest,
    "images": _images,
    "image": _image,
    "remove": _remove,
    "remove_many": _remove_many,
    "retry": _retry,
    "restore": _restore,
    "repair": _repair,
    "archive": _archive,
    "operations": _operations,
    "operation": _operation,
}
"""By the route's name."""
