"""The workspace served alone: a list of characters, their pages, the files, and who may come in."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from os import PathLike
from typing import Any, Unpack
from urllib.parse import parse_qsl

import anyio

from .._async.service import AsyncCharacterImageService
from .._offers import offers
from ..models import CharacterReference
from ..protocols import AsyncListableCharacterDirectory
from ._async.workspace import AsyncWorkspace
from ._door import SIGN_OUT, Door
from ._ending import server_ends
from .access import Action
from .asgi import Receive, Scope, Send, send_response, workspace_app
from .exchange import WebResponse
from .media import MediaApp
from .options import WorkspaceOptions

__all__ = ["Standalone"]

MEDIA = "/media"


class Standalone:
    """An ASGI application for a server of its own. It runs the service for as long as it is up.

    Args:
        service: Opened when the server starts, closed when it ends.
        media_directory: Of a disk store, whose files are served below ``/media``.
        token: Who has it may do everything. Without one everybody may who can connect: on the
            loopback address, every user of the machine.
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
        self._door = Door(token)
        self._media = None if media_directory is None else MediaApp(media_directory)
        options.setdefault("character_url", "/#{id}")
        self._workspace = AsyncWorkspace(self._running, authorize=_everything, **options)
        self._routes = workspace_app(self._workspace)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        refusal = self._door.let_in(scope)
        if refusal is not None:
            await send_response(refusal, scope["method"], send)
        elif scope["path"] == "/" and scope["method"] in ("GET", "HEAD"):
            await send_response(await self._index(scope), scope["method"], send)
        elif scope["path"] == SIGN_OUT and scope["method"] == "POST":
            await send_response(self._door.sign_out(scope), scope["method"], send)
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
        async with AsyncExitStack() as opened:
            try:
                self._service = await opened.enter_async_context(self._opening)
                # What an earlier server left behind when it ended.
                await self._service.recover()
            except Exception as error:  # noqa: BLE001 - told to the server, which ends
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            with suppress(anyio.get_cancelled_exc_class()):
                # Told twice, a server does not ask but breaks off; what is open is closed all the
                # same.
                await receive()
            # Ended before their stores are: the ledger keeps what recover() needs.
            await self._workspace.aclose()
        self._service = None
        await send({"type": "lifespan.shutdown.complete"})

    async def _index(self, scope: Scope) -> WebResponse:
        asked = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("character")
        if asked:
            to = (("Location", self._workspace.images_url(asked)), ("Cache-Control", "no-store"))
            return WebResponse(status=303, headers=to)
        directory = self._running().directory
        characters: tuple[CharacterReference, ...] | None = None
        if offers(directory, AsyncListableCharacterDirectory):
            characters = await directory.list_all()
        sign_out = SIGN_OUT if self._door.asks else None
        return self._workspace.index(characters, sign_out)


def _everything(_request: Any, _action: Action, _character_id: str) -> bool:
    """Admit: the `Door` has looked at the request already."""
    return True
