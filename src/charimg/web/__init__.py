"""What a host mounts in its web application: the ``/v1`` routes, the images page, media files.

`asgi_app` is the whole as an ASGI application; `charimg.web.fastapi`, `charimg.web.django` and
`charimg.web.flask` mount the same in their frameworks; `MediaApp` serves the files of a
`DiskMediaStore`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "_async.workspace": ("AsyncWorkspace",),
    "_sync.workspace": ("Workspace",),
    "access": ("AccessDenied", "Action", "Authorize"),
    "asgi": ("asgi_app",),
    "exchange": ("WebRequest", "WebResponse"),
    "media": ("MediaApp",),
    "options": ("Csrf", "WorkspaceOptions"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
