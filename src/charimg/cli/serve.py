"""``charimg serve``: the images page of every character, on a server of its own."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError
from .demo_directory import prepare
from .demo_story import add_character, simulated
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .pages import serve_pages
from .report import reporting
from .session import Settings
from .simulate import require_local

__all__ = ["serve"]

_DEMO = Path("charimg-demo")


def serve(
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = (
        8080
    ),
    demo: Annotated[
        bool,
        typer.Option("--demo", help="With a simulated Character Library and a character to try."),
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token on the loopback address, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve the images page of every character until Ctrl-C.

    On the loopback address every user of this machine can connect, and may do everything: where
    there are others, give --token. It makes a token and prints it with the address, as is always
    done on any other address: who has it may do everything.
    """
    with reporting(as_json) as report, ExitStack() as owned:
        _require_web()
        settings = Settings.of(directory, library_url, header)
        if demo:
            require_local()
            root = prepare(directory or _DEMO)
            server = owned.enter_context(simulated(1))
            server.simulator.switches.change({"job_seconds": 6.0})
            settings = Settings.of(root, server.url)
            with settings.library() as library:
                add_character(report, library, root)
        serve_pages(report, settings, host=host, port=port, demo=demo, token=token)


def _require_web() -> None:
    missing = [name for name in ("jinja2", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"The page needs {' and '.join(missing)}: pip install 'charimg[local]'"
        )
