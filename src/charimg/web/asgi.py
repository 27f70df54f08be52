"""The workspace as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Unpack
from urllib.parse import parse_qsl

from .._async.service import AsyncCharacterImageService
from ._async.workspace import AsyncWorkspace
from .access import Authorize
from .exchange import WebRequest, WebResponse
from .failures import BadRequest
from .options import WorkspaceOptions

__all__ = ["Receive", "Scope", "Send", "asgi_app", "read_body", "send_response", "workspace_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def asgi_app(
    service: AsyncCharacterImageService | Callable[[], AsyncCharacterImageService],
    *,
    authorize: Authorize,
    **options: Unpack[WorkspaceOptions],
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return the routes and the page as an ASGI application, served alone or mounted in another.

    Needs no lifespan, and works below a prefix: ``app.mount("/studio", asgi_app(...))``.

    Args:
        service: The host's service, or a function that returns it (when it is made later).
        authorize: See `Authorize`. It gets the ASGI scope as the request.
        **options: See `WorkspaceOptions`.
    """
    return workspace_app(AsyncWorkspace(service, authorize=authorize, **options))


def workspace_app(workspace: AsyncWorkspace) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """Return a workspace as an ASGI application."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"The images workspace serves http, not {scope['type']}.")
        base = scope.get("root_path", "")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        request = WebRequest(
            method=scope["method"],
            # By the ASGI specification the path holds the prefix; some servers leave it out.
            path=scope["path"].removeprefix(base),
            query=dict(
                parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
            ),
            headers=headers,
            base=base,
            scheme=scope.get("scheme", "http"),
            # Starlette and FastAPI tell it apart from where we are mounted; nobody else does.
            root=scope.get("app_root_path", ""),
            native=scope,
        )
        left = False

        async def read() -> bytes:
            nonlocal left
            body = await read_body(receive, workspace.max_body)
            left = body is None
            if body is None:
                raise BadRequest(400, "CUT_OFF", "The client left before the end of the body.")
            return body

        answer = await workspace.handle(request, read)
        if not left:
            await send_response(answer, scope["method"], send, receive)

    return app


async def _lifespan(receive: Receive, send: Send) -> None:
    """Answer a server that serves us alone; there is nothing to start or to stop."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """Read a request's body, at most one byte more than the limit.

    Returns:
        ``None`` when the client left before the end: what it wanted is not known, and half a
        request must not be taken for a whole one without a body.
    """
    body = bytearray()
    while len(body) <= limit:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body[: limit + 1])


async def send_response(
    response: WebResponse, method: str, send: Send, receive: Receive | None = None
) -> None:
    """Send an answer; a ``HEAD`` gets the headers alone.

    Args:
        response: The answer.
        method: The request's.
        send: The server's.
        receive: The server's, to stop a stream when the client leaves.
    """
    headers = [
        (name.lower().encode("ascii"), value.encode("latin-1")) for name, value in response.headers
    ]
    stream: Any = response.stream
    # Of a 304 it would be the length of what is not sent.
    if stream is None and response.status != 304:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if stream is not None and method != "HEAD":
        try:
            await _send_stream(stream, send, receive)
        finally:
            await stream.aclose()
    body = b"" if method == "HEAD" else response.body
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _send_stream(stream: AsyncIterator[bytes], send: Send, receive: Receive | None) -> None:
    import anyio

    async with anyio.create_task_group() as group:
        if receive is not None:
            group.start_soon(_until_gone, receive, group.cancel_scope.cancel)
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        group.cancel_scope.cancel()


async def _until_gone(receive: Receive, stop: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        # Of a body that nobody reads, or that is too large.
        pass
    stop()
