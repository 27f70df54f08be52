"""The images page served by a server of its own, for ``charimg serve`` and ``charimg demo``."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import typer
from attrs import evolve

from .._assembly.provenance import provenance_policy
from .._assembly.settings import StoreSettings, allowed_origins, download_limits, site_url
from .._assembly.stores import async_open_stores
from .._assembly.suggesters import async_suggester
from .._async.download import AsyncDownloader
from .._async.service import AsyncCharacterImageService
from ..policies import JobPolicy
from ..protocols import AsyncPromptSuggester
from .report import Report
from .session import Settings

__all__ = ["serve_pages"]

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
_DEMO_JOB = JobPolicy(interval=0.2, growth=1.2, interval_max=0.5)


def serve_pages(
    report: Report,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    demo: bool = False,
    token: bool = False,
    opened: str | None = None,
) -> None:
    """Serve the pages of the settings' stores until Ctrl-C.

    Args:
        report: Told of the address.
        settings: Where everything is.
        host: Address to listen on.
        port: 0 takes a free one.
        demo: The stores are those of the demo, whatever the environment says.
        token: Whether one is asked for on the loopback address, too.
        opened: The character whose page is opened in a browser, if any.
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
    secret = None if host in _LOOPBACK and not token else secrets.token_urlsafe(24)
    app = Standalone(
        _service(settings, places, demo, None if demo else async_suggester()),
        media_directory=files,
        token=secret,
        site_url=None if demo else site_url(),
    )

    config = uvicorn.Config(
        app,
        lifespan="on",
        log_level="error",
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )
    listening, url = listen(host, port, "The page's server")
    if host in _EVERYWHERE:
        # What listens on every address has none of its own.
        url = url.replace(host, socket.gethostname())
    shown = url if secret is None else f"{url}/?token={secret}"
    if opened is None:
        report.data({"url": shown}, lambda: shown)
    else:
        # It connects at once and waits until the server is up: the socket listens already.
        shown = app.images_url(opened, url)
        report.say(f"The images page: {shown}")
        typer.launch(shown)
    report.say("Ctrl-C ends it.")
    with listening, suppress(KeyboardInterrupt):
        # Failures of which a client is told no more than the reference.
        log, shown_log = logging.getLogger("charimg.web"), logging.StreamHandler()
        shown_log.setFormatter(
            logging.Formatter("%(message)s %(reference)s", defaults={"reference": ""})
        )
        log.addHandler(shown_log)
        try:
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            log.removeHandler(shown_log)


@asynccontextmanager
async def _service(
    settings: Settings, places: StoreSettings, demo: bool, suggester: AsyncPromptSuggester | None
) -> AsyncIterator[AsyncCharacterImageService]:
    """Open the async service over the stores; the client is that of the sync commands' settings."""
    async with AsyncExitStack() as owned:
        library = await owned.enter_async_context(settings.async_library())
        downloader = await owned.enter_async_context(
            AsyncDownloader(
                limits=download_limits(settings.foreign),
                allowed_origins=allowed_origins(),
                provenance=provenance_policy(settings.provenance),
            )
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
                suggester=suggester,
            )
        )
