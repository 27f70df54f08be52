"""The workspace in a FastAPI application: a router, or an ASGI application to mount.

``app.include_router(router(service, authorize=...), prefix="/studio")`` puts the routes below any
prefix, behind the host's own dependencies, and into the host's OpenAPI.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from inspect import isawaitable
from typing import Any, Unpack
from urllib.parse import quote

from attrs import evolve
from fastapi import APIRouter, Depends, Request, Response
from fastapi.params import Depends as Dependency
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from .._async.service import AsyncCharacterImageService
from ._async.workspace import AsyncWorkspace
from ._openapi import DOCUMENTS, documented
from .access import AccessDenied, Action, Authorize, judged, sign_in_first
from .asgi import asgi_app, send_response
from .exchange import WebRequest, WebResponse
from .failures import BadRequest, failure_response
from .media import MediaApp
from .options import WorkspaceOptions
from .page import sign_in
from .routing import ROUTES, Route, match, split_path

__all__ = ["asgi_app", "from_dependency", "images_url", "media_view", "router"]

_USER = "charimg.user"
_ADDRESS = "charimg.address"


def router(
    service: AsyncCharacterImageService | Callable[[], AsyncCharacterImageService],
    *,
    authorize: Authorize,
    name: str = "charimg",
    **options: Unpack[WorkspaceOptions],
) -> APIRouter:
    """Return the routes and the page as a router for ``include_router``.

    The host's dependencies, those of ``include_router`` too, run before ``authorize``. A 401 or
    403 that one of them raises becomes an answer that the page understands. A path that is no
    route of ours is left to the host.

    Args:
        service: The host's service, or a function that returns it (when it is made later).
        authorize: See `Authorize`; it gets Starlette's request. Or `from_dependency`.
        name: Begins the names of the routes and their ids in the OpenAPI, for several routers in
            one application.
        **options: See `WorkspaceOptions`.

    Raises:
        ConfigurationError: ``authorize`` is no function, or an option makes no sense.
    """
    workspace = AsyncWorkspace(service, authorize=authorize, **options)
    signed_in = [authorize.dependency] if isinstance(authorize, _FromDependency) else []

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        yield
        # Before the host closes its stores.
        await workspace.aclose()

    result = APIRouter(route_class=_Route, lifespan=lifespan)
    heads = [evolve(route, method="HEAD") for route in ROUTES if route.method == "GET"]
    for route in (*ROUTES, *heads):
        item = _ITEMS.get(route.name, "image_id") if "{item_id}" in route.path else None
        shown = route.method != "HEAD" and route.name in DOCUMENTS
        result.add_api_route(
            route.path.replace("{item_id}", f"{{{item}}}"),
            _endpoint(workspace, route, getattr(authorize, "sign_in_url", None)),
            methods=[route.method],
            name=f"{name}-{route.name}",
            response_model=None,
            # It has no media type of its own, so the documented ones stand alone.
            response_class=Response,
            dependencies=[] if route.action is None else signed_in,
            include_in_schema=shown,
            **(documented(route.name, item, name) if shown else {}),
        )
    return result


_ITEMS = {
    **dict.fromkeys(("operation", "recover", "candidates", "candidate", "settle"), "operation_id"),
    "static": "file",
}


def images_url(request: Request, character_id: str, *, name: str = "charimg") -> str:
    """Return the path of a character's images page, for a link on a page of the host's.

    It begins at the root of the server as browsers see it, whatever name they know it by.

    Args:
        request: To which the host answers.
        character_id: The host's id of the character.
        name: That of the router.
    """
    return request.url_for(f"{name}-page", character_id=quote(character_id, safe="")).path


def media_view(media: MediaApp) -> Callable[..., Awaitable[Response]]:
    """Return an endpoint that serves files, for a route of the host's behind its own sign-in.

    ``app.get("/media/{path:path}", dependencies=[Depends(get_current_user)])(media_view(media))``

    Args:
        media: The files of a disk store.
    """

    async def view(path: str) -> Response:
        return _File(media, path)

    return view


class _File(Response):
    def __init__(self, media: MediaApp, path: str) -> None:
        super().__init__()
        self._media, self._path = media, f"/{path}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._media({**scope, "path": self._path, "root_path": ""}, receive, send)


def from_dependency(
    dependency: Dependency | Callable[..., Any],
    *,
    may: Callable[[Any, Action, str], bool | Awaitable[bool]] | None = None,
    name: Callable[[Any], str] | None = None,
    sign_in_url: str | None = None,
) -> Authorize:
    """Return an ``authorize`` for `router` that goes by the host's sign-in dependency.

    Args:
        dependency: Returns the user, e.g. ``get_current_user`` or ``Depends(get_current_user)``.
            It refuses by ``HTTPException`` (401 or 403), or by returning ``None``.
        may: Whether this user may do this with this character; by default every user may.
        name: The user's name, which becomes ``created_by``; by default a ``username`` or a text.
        sign_in_url: Where the page sends a browser that is not signed in; ``{next}`` in it stands
            for the page's own address.
    """
    if not isinstance(dependency, Dependency):
        dependency = Depends(dependency)

    async def keep(request: Request, user: Any = dependency) -> None:
        request.scope[_USER] = user

    return _FromDependency(Depends(keep), may, name, sign_in_url)


class _FromDependency:
    def __init__(
        self,
        dependency: Dependency,
        may: Callable[[Any, Action, str], bool | Awaitable[bool]] | None,
        name: Callable[[Any], str] | None,
        sign_in_url: str | None,
    ) -> None:
        self.dependency = dependency
        self._may = may
        self._name = name
        self.sign_in_url = sign_in_url

    async def __call__(self, request: Request, action: Action, character_id: str) -> Any:
        user = request.scope.get(_USER)
        if user is None:
            raise sign_in_first(self.sign_in_url, request.scope[_ADDRESS]())
        allowed = True if self._may is None else self._may(user, action, character_id)
        return judged(user, await allowed if isawaitable(allowed) else allowed, self._name)


class _Answer(Response):
    """Sends an answer of the workspace, a stream as it comes."""

    def __init__(self, answer: WebResponse) -> None:
        super().__init__(status_code=answer.status)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send_response(self._answer, scope["method"], send, receive)
        if self.background is not None:
            # The host's dependencies may have put some there.
            await self.background()


class _Route(APIRoute):
    """Answers as the workspace does what FastAPI or a dependency refuses."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()
        refuse: Callable[[Request, HTTPException], Response] = self.endpoint.refuse  # type: ignore[attr-defined]

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except HTTPException as error:
                if error.status_code not in (401, 403):
                    raise
                return refuse(request, error)

        return handle

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().handle(scope, receive, send)
        except HTTPException as error:
            # Raised by the router itself: what is below it has been answered.
            pattern: str = self.endpoint.pattern  # type: ignore[attr-defined]
            _, path = split_path(scope["path"], pattern)
            try:
                match(scope["method"], path)
            except BadRequest as ours:
                await send_response(failure_response(ours), scope["method"], send)
            else:
                raise error


def _endpoint(
    workspace: AsyncWorkspace, route: Route, sign_in_url: str | None
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        base, path = _place(request, route)
        request.scope[_ADDRESS] = partial(_address, request, route)
        web_request = WebRequest(
            method=request.method,
            path=path,
            query=dict(request.query_params),
            headers=dict(request.headers),
            base=base,
            scheme=request.scope["scheme"],
            root=_root(request),
            native=request,
        )
        read = partial(_body, request, workspace.max_body)
        return _Answer(await workspace.handle(web_request, read))

    def refuse(request: Request, error: HTTPException) -> Response:
        headers = tuple((error.headers or {}).items())
        if error.status_code == 401:
            denied = sign_in_first(sign_in_url, _address(request, route), error.detail, headers)
        else:
            denied = AccessDenied(error.detail, headers=headers)
        return _Answer(
            sign_in(denied, _root(request)) if route.name == "page" else failure_response(denied)
        )

    # For `_Route`: what FastAPI makes of its own path differs between its versions.
    endpoint.refuse, endpoint.pattern = refuse, route.path  # type: ignore[attr-defined]
    return endpoint


def _root(request: Request) -> str:
    scope = request.scope
    root: str = scope.get("app_root_path", scope.get("root_path", ""))
    return root


def _place(request: Request, route: Route) -> tuple[str, str]:
    """Return where we are mounted and what follows."""
    base, path = split_path(request.scope["path"], route.path)
    root = request.scope.get("root_path", "")
    if not f"{base}/".startswith(f"{root}/"):
        # Told by the host alone, because a proxy has taken it off the path.
        base = root + base
    return base, path


def _address(request: Request, route: Route) -> str:
    query = request.url.query
    return quote("".join(_place(request, route))) + (f"?{query}" if query else "")


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                break
    except ClientDisconnect as error:
        message = "The client left before the end of the body."
        raise BadRequest(400, "CUT_OFF", message) from error
    return bytes(body[: limit + 1])
