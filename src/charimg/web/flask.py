"""The workspace in a Flask application, as a blueprint.

``app.register_blueprint(blueprint(service, authorize=...), url_prefix="/studio")`` puts the routes
below any prefix. They work with the sync service, in the thread and the contexts of the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack, cast
from urllib.parse import quote

from flask import Blueprint, Request, Response, current_app, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from .._sync.service import CharacterImageService
from ._sync.workspace import Workspace
from .access import Action, Authorize, judged, sign_in_first
from .bodies import read_body
from .exchange import WebRequest, WebResponse
from .failures import BadRequest
from .media import MediaApp
from .options import Csrf, WorkspaceOptions
from .routing import ROUTES, split_path

__all__ = ["blueprint", "media_view", "signed_in"]

_BELOW = "/v1/characters/<character_id>/<path:rest>"


def blueprint(
    service: CharacterImageService | Callable[[], CharacterImageService],
    *,
    authorize: Authorize,
    name: str = "charimg",
    **options: Unpack[WorkspaceOptions],
) -> Blueprint:
    """Return the routes and the page as a blueprint.

    ``url_for("charimg.page", character_id=...)`` is the address of a character's images page.

    Args:
        service: The host's service, or a function that returns it (when it is made later).
        authorize: See `Authorize`; it gets Flask's request. Or `signed_in`.
        name: The blueprint's.
        **options: See `WorkspaceOptions`. By default the page sends the token of Flask-WTF where
            its ``CSRFProtect`` is used.

    Raises:
        ConfigurationError: ``authorize`` is no function, or an option makes no sense.
    """
    options.setdefault("csrf", _csrf)
    workspace = Workspace(service, authorize=authorize, **options)
    result = Blueprint(name, __name__)
    for route in ROUTES:
        rule = route.path.replace("{", "<").replace("}", ">")
        view = _view(workspace, route.path)
        result.add_url_rule(rule, route.name, view, methods=[route.method])
    # Whatever else is asked of us is refused in our JSON. A rule of the host's own that fits goes
    # before this one: it has the least weight.
    others = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    result.add_url_rule(_BELOW, "other", _view(workspace, None), methods=others)
    return result


def signed_in(
    *,
    may: Callable[[Any, Action, str], bool] | None = None,
    name: Callable[[Any], str] | None = None,
    sign_in_url: str | None = None,
    current_user: Callable[[], Any] | None = None,
) -> Authorize:
    """Return an ``authorize`` that goes by Flask-Login.

    Args:
        may: Whether this user may do this with this character; by default every user may.
        name: The user's name, which becomes ``created_by``; by default its ``username``, else what
            ``get_id()`` returns.
        sign_in_url: Where the page sends a browser that is not signed in; ``{next}`` in it stands
            for the page's own address. By default the ``login_view`` of Flask-Login.
        current_user: Returns the user, for another extension than Flask-Login: an object with
            ``is_authenticated``.
    """
    find = _flask_login_user if current_user is None else current_user

    def authorize(native: Request, action: Action, character_id: str, /) -> str | bool:
        user = find()
        if getattr(user, "is_authenticated", False) is not True:
            url = _login_view() if sign_in_url is None and current_user is None else sign_in_url
            raise sign_in_first(url, _address(native))
        allowed = True if may is None else may(user, action, character_id)
        return judged(user, allowed, _name if name is None else name)

    return authorize


def media_view(media: MediaApp) -> Callable[[str], Response]:
    """Return a view that serves files, for a rule of the host's behind its own sign-in.

    ``app.add_url_rule("/media/<path:path>", "media", login_required(media_view(media)))``

    Args:
        media: The files of a disk store.
    """

    def view(path: str) -> Response:
        # WSGI hands a path over as Latin-1.
        below = f"/{path}".encode().decode("latin-1")
        environ = {**request.environ, "PATH_INFO": below}
        return cast("Response", Response.from_app(media.wsgi, environ))

    return view


def _flask_login_user() -> Any:
    import flask_login

    return flask_login.current_user


def _login_view() -> str | None:
    import flask_login

    view = current_app.login_manager.login_view  # type: ignore[attr-defined]
    if view is None:
        return None
    url = flask_login.login_url(view)
    return f"{url}{'&' if '?' in url else '?'}next={{next}}"


def _name(user: Any) -> str:
    told = getattr(user, "username", None)
    return told if isinstance(told, str) else str(user.get_id())


def _csrf(_request: Any) -> Csrf | None:
    if "csrf" not in current_app.extensions:
        return None
    from flask_wtf.csrf import generate_csrf

    return Csrf(header=current_app.config["WTF_CSRF_HEADERS"][0], token=generate_csrf())


def _view(workspace: Workspace, pattern: str | None) -> Callable[..., Response]:
    def view(**ids: str) -> Response:
        base, path = split_path(_path(request), pattern or f"/v1/characters//{ids['rest']}")
        headers = {key.lower(): value for key, value in request.headers.items()}
        asked = WebRequest(
            method=request.method,
            path=path,
            query={key: values[-1] for key, values in request.args.lists()},
            headers=headers,
            base=base,
            scheme=request.scheme,
            root=request.root_path.rstrip("/"),
            native=request,
        )
        return _sent(workspace.handle(asked, lambda: _body(headers, workspace.max_body)))

    return view


def _body(headers: dict[str, str], limit: int) -> bytes:
    try:
        ends = bool(request.environ.get("wsgi.input_terminated"))
        return read_body(request.stream.read, headers, limit, ends=ends)
    except RequestEntityTooLarge as error:
        raise BadRequest(413, "TOO_LARGE", "The body is larger than this server takes.") from error
    except ClientDisconnected as error:
        raise BadRequest(400, "CUT_OFF", "The client left before the end of the body.") from error


def _sent(answer: WebResponse) -> Response:
    stream: Any = answer.stream
    return Response(answer.body if stream is None else stream, answer.status, list(answer.headers))


def _path(native: Request) -> str:
    return native.root_path.rstrip("/") + native.path


def _address(native: Request) -> str:
    query = native.query_string.decode("latin-1")
    return quote(_path(native)) + (f"?{query}" if query else "")
