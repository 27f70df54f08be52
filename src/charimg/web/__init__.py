"""What a host mounts in its web application.

So far: `MediaApp`, which serves the files of a `DiskMediaStore`, as ASGI and as WSGI.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .media import MediaApp as MediaApp

_NAMES = {"media": ("MediaApp",)}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = ["MediaApp"]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
