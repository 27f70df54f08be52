"""``charimg simulate``: the simulated Character Library as a real HTTP server."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import typer

from .._library.urls import ENVIRONMENT_VARIABLE
from ..errors import ConfigurationError, InvalidArgument
from .options import JsonOption
from .report import reporting

if TYPE_CHECKING:
    from ..testing import Switches

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


def _switches(pairs: list[str] | None) -> Switches:
    from ..testing import Switches

    switches = Switches()
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise InvalidArgument(f"--switch takes NAME=VALUE, not {pair!r}.")
        try:
            # Numbers and true or false as in JSON; anything else is a text.
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        switches.change({name.strip(): parsed})
    return switches


def simulate(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = (
        8787
    ),
    seed: Annotated[int, typer.Option("--seed", help="Of the ids that it gives.")] = 0,
    switch: Annotated[
        list[str] | None,
        typer.Option(
            "--switch",
            metavar="NAME=VALUE",
            help="A failure or delay to turn on, e.g. file_errors=1 or job_seconds=20; repeatable.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a simulated Character Library until Ctrl-C.

    Prints its base URL as soon as it takes connections. It keeps everything in memory. GET
    /_simulator/counters and /_simulator/switches look into it, PATCH /_simulator/switches turns on
    failures.
    """
    with reporting(as_json) as report:
        require_local()
        from ..testing import Simulator
        from ..testing.server import run

        def ready(url: str) -> None:
            report.data({"url": url, "control": f"{url}/_simulator"}, lambda: url)
            report.say(f"Ctrl-C ends it. To use it: export {ENVIRONMENT_VARIABLE}={url}")

        simulator = Simulator(switches=_switches(switch), seed=seed)
        # Ctrl-C is how it is meant to end, also in the moment before the server listens to it.
        with suppress(KeyboardInterrupt):
            run(simulator, host=host, port=port, ready=ready)
