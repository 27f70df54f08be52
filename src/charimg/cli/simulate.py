"""``charimg simulate``: the simulated Character Library as a real HTTP server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from ..errors import ConfigurationError
from .options import JsonOption
from .report import reporting

__all__ = ["require_local", "simulate"]

_NEEDED = {"PIL": "pillow", "uvicorn": "uvicorn"}


def require_local() -> None:
    """Check that what the simulator serves and draws with is installed.

    Raises:
        ConfigurationError: It is not.
    """
    missing = [shown for name, shown in _NEEDED.items() if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"The simulator needs {' and '.join(missing)}: pip install 'charimg[local]'"
        )


def simulate(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = (
        8787
    ),
    as_json: JsonOption = False,
) -> None:
    """Serve a simulated Character Library until Ctrl-C.

    It keeps everything in memory. Its control endpoints are below /_simulator.
    """
    with reporting(as_json) as report:
        require_local()
        raise NotImplementedError(host, port, report)
