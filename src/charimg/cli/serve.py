"""``charimg serve``: the images page of every character, on a server of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from attrs import evolve

from .._assembly.settings import StoreSettings, allowed_origins
from .._assembly.stores import async_open_stores
from .._async.download import AsyncDownloader
from .._async.service import AsyncCharacterImageService
from ..errors import ConfigurationError
from ..policies import JobPolicy
from .demo import prepare
from .demo_story import add_character, simulated
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .report import Report, reporting
from .session import Settings
from .simulate import require_local

__all__ = ["serve", "serve_pages"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_DEMO = Path("charimg-demo")
_DEMO_JOB = JobPolicy(interval=0.2, growth=1.2, interval_max=0.5)


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
    as_json: JsonOption = False,
) -> None:
    """Serve the images page of every character until Ctrl-C.

    On the loopback address whoever can connect may do everything. On any other address a token is
    made and printed with the address: who has it may do everything.
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
        serve_pages(report, settings, host=host, port=port, demo=demo)


def serve_pages(report: Report, settings: Settings, *, host: str, port: int, demo: bool) -> None:
    """Serve the pages of the settings' stores until Ctrl-C.

    Args:
        report: Told of the address.
        settings: Where everything is.
        host: Address to listen on.
        port: 0 takes a free one.
        demo: The stores are those of the demo, whatever the environment says.
    """
    import uvicorn

    from ..testing.server import listen
    from ..web.standalone import MEDIA, Standalone

    settings.check_data()
    places = settings.places
    if demo:
        places = StoreSettings.embedded(settings.directory)
    files = None
    if places.media.backend == "file" and places.media_url is None:
        files = places.media.path
        places = evolve(places, media_url=MEDIA)
    token = None if host in _LOOPBACK else secrets.token_urlsafe(24)
    app = Standalone(_service(settings, places, demo), media_directory=files, token=token)
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_level="error",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    listening, url = listen(host, port, "The page's server")
    shown = url if token is None else f"{url}/?token={token}"
    report.data({"url": shown}, lambda: shown)
    report.say("Ctrl-C ends it.")
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


@asynccontextmanager
async def _service(
    settings: Settings, places: StoreSettings, demo: bool
) -> AsyncIterator[AsyncCharacterImageService]:
    """Open the async service over the stores; the client is that of the sync commands' settings."""
    async with AsyncExitStack() as owned:
        library = await owned.enter_async_context(settings.async_library())
        downloader = await owned.enter_async_context(
            AsyncDownloader(allowed_origins=allowed_origins())
        )
        stores = async_open_stores(places)
        owned.push_async_callback(stores.aclose)
        yield await owned.enter_async_context(
            AsyncCharacterImageService(
                library=library,
                directory=stores.directory,
                media=stores.media,
                metadata=stores.metadata,
                ledger=stores.ledger,
                downloader=downloader,
                job_policy=_DEMO_JOB if demo else None,
            )
        )


def _require_web() -> None:
    missing = [name for name in ("jinja2", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"The page needs {' and '.join(missing)}: pip install 'charimg[local]'"
        )
