"""Which route a method and a path mean, and what `Action` it needs. Pure."""

from __future__ import annotations

from attrs import frozen

from .access import Action
from .failures import BadRequest

__all__ = ["PAGE", "ROUTES", "STATIC", "Found", "Route", "match"]


@frozen(kw_only=True)
class Route:
    """One route.

    Attributes:
        name: The handler's name.
        method: The HTTP method.
        path: Its segments; those in braces take any text without a slash.
        action: What ``authorize`` is asked for; ``None`` for what is public.
    """

    name: str
    method: str
    path: str
    action: Action | None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing and calls nobody else: a model, or the Character Library."""
        return self.method == "GET" and self.name not in ("suggest", "candidates", "candidate")


@frozen(kw_only=True)
class Found:
    """A route with what stands in its path's braces."""

    route: Route
    character_id: str = ""
    item_id: str = ""
    media_id: str = ""


_CHARACTER = "/v1/characters/{character_id}"
_OPERATION = f"{_CHARACTER}/operations/{{item_id}}"
PAGE = "/screenplay/characters/{character_id}/images"
STATIC = "/screenplay/static/{item_id}"


def _route(method: str, path: str, name: str, action: Action | None) -> Route:
    return Route(name=name, method=method, path=path, action=action)


ROUTES = (
    # What is asked for most is found first.
    _route("GET", f"{_CHARACTER}/images", "images", Action.VIEW),
    _route("POST", f"{_CHARACTER}/generate-initial-image", "reference", Action.GENERATE),
    _route("POST", f"{_CHARACTER}/generate-360-set", "portfolio", Action.GENERATE),
    _route("POST", f"{_CHARACTER}/generate-scene-image", "scene", Action.GENERATE),
    _route("GET", f"{_CHARACTER}/initial-image-prompt", "suggest", Action.VIEW),
    _route("DELETE", f"{_CHARACTER}/images", "remove_many", Action.DELETE),
    _route("POST", f"{_CHARACTER}/images/archive", "archive", Action.VIEW),
    _route("GET", f"{_CHARACTER}/images/{{item_id}}", "image", Action.VIEW),
    _route("DELETE", f"{_CHARACTER}/images/{{item_id}}", "remove", Action.DELETE),
    _route("POST", f"{_CHARACTER}/images/{{item_id}}/retry", "retry", Action.RETRY),
    _route("POST", f"{_CHARACTER}/images/{{item_id}}/restore", "restore", Action.RESTORE),
    _route("POST", f"{_CHARACTER}/images/{{item_id}}/repair", "repair", Action.RETRY),
    _route("GET", f"{_CHARACTER}/operations", "operations", Action.VIEW),
    _route("GET", _OPERATION, "operation", Action.VIEW),
    _route("POST", f"{_OPERATION}/recover", "recover", Action.RETRY),
    _route("GET", f"{_OPERATION}/candidates", "candidates", Action.VIEW),
    _route("GET", f"{_OPERATION}/candidates/{{media_id}}", "candidate", Action.VIEW),
    _route("POST", f"{_OPERATION}/settle", "settle", Action.SETTLE),
    _route("GET", PAGE, "page", Action.VIEW),
    _route("GET", STATIC, "static", None),
)
"""Every route, below the place where the host mounts them."""

_SPLIT = tuple((route, tuple(route.path.split("/"))) for route in ROUTES)


def match(method: str, path: str) -> Found:
    """Return the route of a request. ``HEAD`` is answered as ``GET``, without the body.

    Raises:
        BadRequest: There is no such path (404), or it does not take the method (405).
    """
    wanted = "GET" if method == "HEAD" else method
    parts = path.split("/")
    meant: str | None = None
    allowed: list[str] = []
    for route, pattern in _SPLIT:
        ids = _fits(pattern, parts)
        # The first that fits tells which path is meant: images/archive is no image.
        if ids is None or (meant is not None and route.path != meant):
            continue
        meant = route.path
        if route.method == wanted:
            return Found(route=route, **ids)
        allowed.append(route.method)
    if allowed:
        allow = ", ".join(sorted({*allowed, *(["HEAD"] if "GET" in allowed else [])}))
        raise BadRequest(
            405, "METHOD_NOT_ALLOWED", f"This path takes {allow}, not {method}.", ("Allow", allow)
        )
    raise BadRequest(404, "NO_SUCH_ROUTE", "There is no such route.")


def _fits(pattern: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    ids: dict[str, str] = {}
    for wanted, given in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            if not given:
                return None
            ids[wanted[1:-1]] = given
        elif wanted != given:
            return None
    return ids


def split_path(path: str, pattern: str) -> tuple[str, str]:
    """Return where the host mounted us and what follows, of a path that ends as the pattern.

    Args:
        path: As a browser sees it, percent-decoded.
        pattern: A route's. What stands in its braces has no slash.
    """
    parts = path.rsplit("/", pattern.count("/"))
    return parts[0], "/".join(["", *parts[1:]])
