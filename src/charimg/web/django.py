"""The workspace in a Django project: a list of URL patterns.

``path("studio/", include(urlpatterns(service, authorize=...)))`` puts the routes below any prefix.
They work with the sync service, in the thread of the request: with the host's session, database
connections and middleware, its CSRF protection among them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, Unpack

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import connections, transaction
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse, UnreadablePostError
from django.middleware.csrf import get_token
from django.shortcuts import resolve_url
from django.urls import path as url_path

from .._sync.service import CharacterImageService
from ._sync.workspace import Workspace
from .access import AccessDenied, Action, Authorize, sign_in_first
from .bodies import read_body
from .exchange import WebRequest, WebResponse
from .failures import BadRequest
from .media import MediaApp
from .options import Csrf, WorkspaceOptions
from .routing import ROUTES, split_path

__all__ = ["media_view", "signed_in", "urlpatterns"]


def urlpatterns(
    service: CharacterImageService | Callable[[], CharacterImageService],
    *,
    authorize: Authorize,
    name: str = "charimg",
    **options: Unpack[WorkspaceOptions],
) -> list[Any]:
    """Return the routes and the page for ``include()``.

    ``{% url "charimg-page" character.pk %}`` is the address of a character's images page.

    With ``ATOMIC_REQUESTS``, what changes something runs outside of the request's transaction: the
    ledger has to be on disk before an image is paid for, and a later error must not take the
    record of one away. What only reads stays inside.

    Args:
        service: The host's service, or a function that returns it (when it is made later).
        authorize: See `Authorize`; it gets Django's request. Or `signed_in`.
        name: Begins the names of the patterns.
        **options: See `WorkspaceOptions`. By default the page sends Django's own CSRF token, and a
            thread of ours closes its database connections at its end.

    Raises:
        ConfigurationError: ``authorize`` is no function, or an option makes no sense.
    """
    options.setdefault("csrf", _csrf)
    options.setdefault("after_thread", connections.close_all)
    workspace = Workspace(service, authorize=authorize, **options)
    views: dict[str, Any] = {}
    patterns = []
    for route in ROUTES:
        if route.path not in views:
            views[route.path] = _view(workspace, route.path)
        rule = route.path.removeprefix("/").replace("{", "<str:").replace("}", ">")
        patterns.append(url_path(rule, views[route.path], name=f"{name}-{route.name}"))
        if route.method != "GET":
            for alias in connections:
                transaction.non_atomic_requests(using=alias)(views[route.path])
    return patterns


def signed_in(
    permission: str | Mapping[Action, str | None] | None = None,
    *,
    may: Callable[[Any, Action, str], bool] | None = None,
    sign_in_url: str | None = None,
) -> Authorize:
    """Return an ``authorize`` that goes by ``request.user``.

    Args:
        permission: Which permission the user needs, e.g. ``"studio.change_character"``; or one per
            `Action`, where ``None`` means being signed in, and an action that is missing is
            refused.
        may: Whether this user may do this with this character; by default every user may.
        sign_in_url: Where the page sends a browser that is not signed in; by default
            ``settings.LOGIN_URL``. Its own address goes along as ``next``.
    """

    def authorize(request: Any, action: Action, character_id: str, /) -> str:
        user = request.user
        if not user.is_authenticated:
            url = resolve_url(settings.LOGIN_URL if sign_in_url is None else sign_in_url)
            to = f"{url}{'&' if '?' in url else '?'}next={{next}}"
            raise sign_in_first(to, request.get_full_path())
        if isinstance(permission, Mapping):
            if action not in permission:
                raise AccessDenied
            needed = permission[action]
        else:
            needed = permission
        if needed is not None and not user.has_perm(needed):
            raise AccessDenied
        if may is not None and may(user, action, character_id) is not True:
            raise AccessDenied
        return str(user.get_username())

    return authorize


def media_view(media: MediaApp) -> Callable[..., HttpResponseBase]:
    """Return a view that serves files, for a pattern of the host's behind its own sign-in.

    ``path("media/<path:path>", login_required(media_view(media)))``

    Args:
        media: The files of a disk store.
    """

    def view(request: Any, path: str) -> HttpResponseBase:
        told: list[Any] = []
        # WSGI hands a path over as Latin-1.
        below = f"/{path}".encode().decode("latin-1")
        chunks = media.wsgi(
            {**request.META, "REQUEST_METHOD": request.method, "PATH_INFO": below},
            lambda status, headers: told.extend((int(status[:3]), dict(headers))),
        )
        return StreamingHttpResponse(_streamed(request, chunks), status=told[0], headers=told[1])

    return view


def _csrf(request: Any) -> Csrf:
    header = settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-")
    return Csrf(header=header, token=get_token(request))


def _view(workspace: Workspace, pattern: str) -> Callable[..., HttpResponseBase]:
    def view(request: Any, **_ids: str) -> HttpResponseBase:
        base, path = split_path(request.path, pattern)
        headers = {key.lower(): value for key, value in request.headers.items()}
        asked = WebRequest(
            method=request.method,
            path=path,
            query=request.GET.dict(),
            headers=headers,
            base=base,
            scheme=request.scheme,
            root=request.META.get("SCRIPT_NAME", "").rstrip("/"),
            native=request,
        )
        return _sent(request, workspace.handle(asked, read=lambda: _body(request, headers)))

    def _body(request: Any, headers: dict[str, str]) -> bytes:
        try:
            return read_body(request.read, headers, workspace.max_body)
        except UnreadablePostError as error:
            message = "The client left before the end of the body."
            raise BadRequest(400, "CUT_OFF", message) from error

    return view


def _sent(request: Any, answer: WebResponse) -> HttpResponseBase:
    headers = dict(answer.headers)
    stream: Any = answer.stream
    if stream is None:
        if answer.status != 304:
            headers["Content-Length"] = str(len(answer.body))
        body = b"" if request.method == "HEAD" else answer.body
        response = HttpResponse(body, status=answer.status, headers=headers)
        if "Content-Type" not in headers:
            # Django's own: of a 304 it would be that of what is not sent.
            del response["Content-Type"]
        return response
    if request.method == "HEAD":
        stream.close()
        return HttpResponse(status=answer.status, headers=headers)
    # Keeps GZipMiddleware from holding events back until there is enough to compress.
    headers["Content-Encoding"] = "identity"
    return StreamingHttpResponse(_streamed(request, stream), status=answer.status, headers=headers)


def _streamed(request: Any, chunks: Iterable[bytes]) -> Iterable[bytes] | AsyncIterator[bytes]:
    return _in_threads(iter(chunks)) if isinstance(request, ASGIRequest) else chunks


async def _in_threads(stream: Iterator[bytes]) -> AsyncIterator[bytes]:
    # Not in the one thread of all sync views: a stream waits, and would hold them all up.
    step = sync_to_async(lambda: next(stream, b""), thread_sensitive=False)
    while chunk := await step():
        yield chunk
