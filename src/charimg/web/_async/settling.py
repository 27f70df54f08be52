"""The handlers of what stays open: look again, look at what it may be, and settle it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ...journal import Recovered
from ...protocols import ProgressCallback
from ..answers import SAFE_HEADERS
from ..bodies import optional_text, texts
from ..exchange import WebResponse, json_response
from ..failures import BadRequest
from ..wire import candidates_json, image_json
from .routes import AsyncCall, ended

__all__ = ["SETTLING"]


async def _recover(call: AsyncCall) -> WebResponse:
    call.body()
    operation = await call.operation(call.item_id)

    async def work(_: ProgressCallback) -> dict[str, Any]:
        report = await call.service.recover(call.character_id)
        for each in report.operations:
            if each.operation_id == operation.id:
                return await _told(call, each)
        return await _told(call, None)

    return ended(await call.runs.complete(call.character_id, work))


async def _candidates(call: AsyncCall) -> WebResponse:
    _check_site(call)
    operation = await call.operation(call.item_id)
    return json_response(200, candidates_json(await call.service.candidates(operation.id)))


async def _candidate(call: AsyncCall) -> WebResponse:
    _check_site(call)
    operation = await call.operation(call.item_id)
    download = await call.service.fetch_candidate(operation.id, call.media_id)
    with download.file as file:
        body = file.read()
    headers = (
        ("Content-Type", download.mime_type),
        ("Content-Disposition", f'inline; filename="candidate.{download.extension}"'),
        ("Cache-Control", "private, max-age=300"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        *SAFE_HEADERS,
    )
    return WebResponse(status=200, headers=headers, body=body)


async def _settle(call: AsyncCall) -> WebResponse:
    body = call.body("mediaId", "mediaIds", "nothing")
    media_id = optional_text(body, "mediaId")
    media_ids = texts(body, "mediaIds") if media_id is None else (media_id,)
    nothing = body.get("nothing")
    several = media_id is not None and body.get("mediaIds") is not None
    if bool(media_ids) == (nothing is True) or nothing not in (None, True) or several:
        raise BadRequest(
            422,
            "INVALID_ARGUMENT",
            'Send {"mediaId": …}, the image that it is, {"mediaIds": […]} of a set, or '
            '{"nothing": true}.',
        )
    operation = await call.operation(call.item_id)

    async def work(_: ProgressCallback) -> dict[str, Any]:
        settled = await call.service.settle(operation.id, media_ids or None, settled_by=call.user)
        return await _told(call, settled)

    return ended(await call.runs.complete(call.character_id, work))


def _check_site(call: AsyncCall) -> None:
    """Refuse another site's page: each of these asks the Character Library."""
    if call.request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
        raise BadRequest(403, "CROSS_SITE", "Requests for this must come from this site.")


async def _told(call: AsyncCall, recovered: Recovered | None) -> dict[str, Any]:
    """Return how an operation stands now, and what has just become of it."""
    operation = await call.operation(call.item_id)
    outcome, message = operation.state, operation.error or ""
    images: tuple[str, ...] = ()
    if recovered is not None:
        outcome, message, images = recovered.outcome, recovered.message, recovered.images
    if outcome == "error":
        message = "It could not be worked on now. The server's log says why."
    return {
        "success": True,
        "outcome": outcome,
        "message": message,
        "images": [image_json(await call.image(each)) for each in images],
        "operation": call.told(operation),
    }


SETTLING: dict[str, Callable[[AsyncCall], Awaitable[WebResponse]]] = {
    "recover": _recover,
    "candidates": _candidates,
    "candidate": _candidate,
    "settle": _settle,
}
"""By the route's name."""
