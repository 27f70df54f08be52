"""One work over thousands of characters, on any executor, resumable.

`run_bulk` is the whole; the other names are the values that it takes and gives.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "dask": ("DaskExecutor",),
    "run": ("run_bulk",),
    "values": (
        "BulkCallback",
        "BulkOutcome",
        "BulkProgress",
        "BulkReport",
        "BulkResult",
        "BulkTask",
        "BulkWork",
    ),
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
