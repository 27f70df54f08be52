"""The workspace served alone: a list of characters, their pages, the files, and who may come in."""

from __future__ import annotations

import hmac
import re
from contextlib import AbstractAsyncContextManager, suppress
from os import PathLike
from typing import Any, Unpack
from urllib.parse import parse_qsl, quote, urlencode

import anyio

from .._async.service import AsyncCharacterImageService
from ..models import CharacterReference
from ..protocols import AsyncListableCharacterDirectory
from ._async.workspace import AsyncWorkspace
from ._ending import server_ends
from .access import Action
from .asgi import Receive, Scope, Send, send_response, workspace_app
from .exchange import WebResponse
from .media import MediaApp
from .options import WorkspaceOptions

__all__ = ["Standalone", "let_in"]

MEDIA = "/media"
_COOKIE = "charimg_token_"
"""And the port: cookies of one machine are shared among its ports."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Standalone:
    """An ASGI application for a server of its own. It runs the service for as long as it is up.

    Args:
        service: Opened when the server starts, closed when it ends.
        media_directory: Of a disk store, whose files are served below ``/media``.
        token: Who has it may do everything; ``None`` on the loopback address, where whoever can
            connect is the user.
        **options: See `WorkspaceOptions`.
    """

    def __init__(
        self,
        service: AbstractAsyncContextManager[AsyncCharacterImageService],
        *,
        media_directory: str | PathLike[str] | None = None,
        token: str | None = None,
        **options: Unpack[WorkspaceOptions],
    ) -> None:
        self._opening = service
        self._service: AsyncCharacterImageService | None = None
        self._token = token
        self._media = None if media_directory is None else MediaApp(media_directory)
        options.setdefault("character_url", "/#{id}")
        self._workspace = AsyncWorkspace(self._running, authorize=_everything, **options)
        self._routes = workspace_app(self._workspace)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        refusal = let_in(scope, self._token)
        if refusal is not None:
            await send_response(refusal, scope["method"], send)
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await send_response(await self._index(scope), scope["method"], send)
        elif self._media is not None and scope["path"].startswith(f"{MEDIA}/"):
            below = {**scope, "path": scope["path"].removeprefix(MEDIA), "root_path": ""}
            await self._media(below, receive, send)
        else:
            try:
                await self._routes(scope, receive, send)
            except anyio.get_cancelled_exc_class():
                # The server ends in the middle of a stream, and cancels a task that is ours alone.
                if not server_ends():
                    raise

    def images_url(self, character_id: str, base: str) -> str:
        """Return the address of a character's page below the server's own."""
        return self._workspace.images_url(character_id, base)

    def _running(self) -> AsyncCharacterImageService:
        if self._service is None:
            raise RuntimeError("The server has not started, or has ended.")
        return self._service

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._service = await self._opening.__aenter__()
            # What an earlier server left behind when it ended.
            await self._service.recover()
        except Exception as error:  # noqa: BLE001 - told to the server, which ends
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        with suppress(anyio.get_cancelled_exc_class()):
            # Told twice, a server does not ask but breaks off; what is open is closed all the same.
            await receive()
        # Ended before their stores are: the ledger keeps what recover() needs.
        await self._workspace.aclose()
        await self._opening.__aexit__(None, None, None)
        self._service = None
        await send({"type": "lifespan.shutdown.complete"})

    async def _index(self, scope: Scope) -> WebResponse:
        asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("character")
        if asked:
            to = (("Location", self._workspace.images_url(asked)), ("Cache-Control", "no-store"))
            return WebResponse(status=303, headers=to)
        directory = self._running().directory
        characters: tuple[CharacterReference, ...] | None = None
        if isinstance(directory, AsyncListableCharacterDirectory):
            characters = await directory.list_all()
        return self._workspace.index(characters)


def _everything(_request: Any, _action: Action, _character_id: str) -> bool:
    """Admit: `let_in` has looked at the request already."""
    return True


def let_in(scope: Scope, token: str | None) -> WebResponse | None:
    """Return ``None`` for who may come in, else the answer that says what is missing.

    Without a token only the names of the loopback address lead here: a page of another site could
    else reach us by a name of its own (DNS rebinding).

    Args:
        scope: The ASGI scope.
        token: What has to be shown, as ``?token=``, cookie or bearer.
    """
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    if token is None:
        host = re.sub(r":\d*$", "", headers.get("host", "")).strip("[]").lower()
        if host in _LOOPBACK:
            return None
        return _text(
            421, "This server is called 127.0.0.1 or localhost, and answers to no other name."
        )
    query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    shown = dict(query).get("token")
    if shown is not None and scope["method"] == "GET" and _same(shown, token):
        # Out of the address, so that it is not copied along with a link.
        rest = urlencode([pair for pair in query if pair[0] != "token"])
        to = quote(scope["path"], safe="/~!$&'()*+,;=:@") + (f"?{rest}" if rest else "")
        cookie = f"{_cookie(scope)}={token}; Path=/; HttpOnly; SameSite=Strict"
        # Two slashes at the start would lead to another server.
        moved = (("Location", "/" + to.lstrip("/")), ("Set-Cookie", cookie))
        return WebResponse(status=303, headers=(*moved, ("Cache-Control", "no-store")))
    bearer = headers.get("authorization", "").removeprefix("Bearer ")
    cookies = dict(
        each.strip().partition("=")[::2] for each in headers.get("cookie", "").split(";")
    )
    if _same(bearer, token) or _same(cookies.get(_cookie(scope), ""), token):
        return None
    return _text(401, "Open the address with ?token=… that the server printed when it started.")


def _cookie(scope: Scope) -> str:
    return f"{_COOKIE}{(scope.get('server') or ('', ''))[1]}"


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def _text(status: int, text: str) -> WebResponse:
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))
    return WebResponse(status=status, headers=headers, body=text.encode())
