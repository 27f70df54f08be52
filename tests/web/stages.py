"""One host per framework, with the workspace below ``/studio``, behind a real server.

A server lives as long as the test session. What a test may change, the service and who may do what,
lies on a `Stage` that each test gets fresh.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import isawaitable
from types import ModuleType
from typing import Any

import anyio
import httpx

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    JobPolicy,
    Media,
    RetryPolicy,
    Upload,
)
from charimg._http.defaults import usual_tls
from charimg.stores import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import Simulator

from ..servers.django import set_up
from ..servers.http import serve_asgi, serve_wsgi

KINDS = ("asgi", "fastapi", "django", "flask")
PREFIX = "/studio"
OPTIONS: dict[str, Any] = {"heartbeat": 0.2, "max_body": 20_000, "character_url": "/cast/{id}"}
TOKEN = "a" * 32
"""Django compares a cookie with a header; any pair of equal ones will do."""


class Stage:
    """What one test sees of a host.

    Attributes:
        kind: Of the host.
        url: Where the workspace is.
        asked: What ``authorize`` was asked: request, action, character id.
        answer: What it answers, or a function of the same three.
        simulator: The Character Library.
        ahead: Seconds that its clock has been put forward.
        parts: Of the service.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.is_async = kind in ("asgi", "fastapi")
        self.url = ""
        self.client = httpx.Client(verify=usual_tls())

    def reset(self) -> None:
        """Begin a test."""
        self.ahead = 0.0
        self.simulator = Simulator(clock=lambda: time.monotonic() + self.ahead)
        self.simulator.switches.shots = 3
        self.simulator.switches.width = 48
        self.asked: list[tuple[Any, str, str]] = []
        self.answer: Any = "ada"
        names = ("mara", "otto")
        linked = [
            CharacterReference(
                id=name,
                name=name.title(),
                library_db_id=self.simulator.add_character(name.title()),
                traits={"age": 34},
            )
            for name in names
        ]
        characters = [*linked, CharacterReference(id="loner", name="Loner")]
        fast = JobPolicy(interval=0.01, interval_max=0.02, deadline=300, stall=300, cancel_grace=0)
        self.parts: dict[str, Any] = {"job_policy": fast, **self._parts(characters)}
        self.service = self._made()

    def change(self, **parts: Any) -> None:
        """Make the service anew with other parts."""
        self.parts.update(parts)
        self.service = self._made()

    def _made(self) -> Any:
        cls = AsyncCharacterImageService if self.is_async else CharacterImageService
        return cls(**self.parts)

    def _parts(self, characters: list[CharacterReference]) -> dict[str, Any]:
        transport, url, off = self.simulator.transport(), self.simulator.base_url, RetryPolicy.off()
        if self.is_async:
            aclient = httpx.AsyncClient(transport=transport)
            return {
                "library": AsyncCharacterLibrary(url, client=aclient, retries=off),
                "downloader": AsyncDownloader(client=aclient, retries=off),
                "directory": AsyncMemoryCharacterDirectory(characters),
                "media": AsyncMemoryMediaStore(),
                "metadata": AsyncMemoryMetadataRepository(),
                "ledger": AsyncMemoryGenerationLedger(),
            }
        client = httpx.Client(transport=transport)
        return {
            "library": CharacterLibrary(url, client=client, retries=off),
            "downloader": Downloader(client=client, retries=off),
            "directory": MemoryCharacterDirectory(characters),
            "media": MemoryMediaStore(),
            "metadata": MemoryMetadataRepository(),
            "ledger": MemoryGenerationLedger(),
        }

    def gate(self) -> threading.Event:
        """Let no image be stored until the event is set, so that an operation stays running."""
        opened = threading.Event()
        self.change(media=(_AsyncGated if self.is_async else _Gated)(opened))
        return opened

    def call(self, work: Callable[[Any], Any]) -> Any:
        """Call the service from the test, in either world."""
        result = work(self.service)
        if not isawaitable(result):
            return result

        async def wait() -> Any:
            return await result

        return anyio.run(wait)

    def authorize(self, request: Any, action: str, character_id: str) -> Any:
        """The host's."""
        self.asked.append((request, action, character_id))
        if callable(self.answer):
            return self.answer(request, action, character_id)
        return self.answer

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request as the page does."""
        headers = {
            "Sec-Fetch-Site": "same-origin",
            **self.credentials,
            **options.pop("headers", {}),
        }
        return self.client.request(
            method, f"{self.url}{path}", headers=headers, timeout=300, **options
        )

    @property
    def credentials(self) -> dict[str, str]:
        """What the host's framework wants with every write."""
        if self.kind != "django":
            return {}
        return {"X-CSRFToken": TOKEN, "Cookie": f"csrftoken={TOKEN}"}

    @property
    def posts(self) -> int:
        """How many paid requests reached the Character Library."""
        counters = self.simulator.counters
        return counters.initial_image_posts + counters.set360_posts + counters.scene_posts


class _Gated(MemoryMediaStore):
    def __init__(self, opened: threading.Event) -> None:
        super().__init__()
        self._opened = opened

    def save(self, upload: Upload, /) -> Media:
        assert self._opened.wait(300)
        return super().save(upload)


class _AsyncGated(AsyncMemoryMediaStore):
    def __init__(self, opened: threading.Event) -> None:
        super().__init__()
        self._opened = opened

    async def save(self, upload: Upload, /) -> Media:
        with anyio.fail_after(300):
            while not self._opened.is_set():
                await anyio.sleep(0.01)
        return await super().save(upload)


@contextmanager
def hosted(kind: str, **options: Any) -> Iterator[Stage]:
    """Start the server of one kind."""
    stage = Stage(kind)
    given: dict[str, Any] = {"authorize": stage.authorize, **OPTIONS, **options}
    with _HOSTS[kind](lambda: stage.service, given) as url:
        stage.url = url + PREFIX
        yield stage
        stage.client.close()


@contextmanager
def _asgi(service: Any, given: dict[str, Any]) -> Iterator[str]:
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from charimg.web import asgi_app

    with serve_asgi(Starlette(routes=[Mount(PREFIX, asgi_app(service, **given))])) as url:
        yield url


@contextmanager
def _fastapi(service: Any, given: dict[str, Any]) -> Iterator[str]:
    from fastapi import FastAPI

    from charimg.web.fastapi import router

    app = FastAPI()
    app.include_router(router(service, **given), prefix=PREFIX)
    with serve_asgi(app) as url:
        yield url


@contextmanager
def _django(service: Any, given: dict[str, Any]) -> Iterator[str]:
    set_up()
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings
    from django.urls import include, path

    from charimg.web.django import urlpatterns

    urls = ModuleType("charimg_test_urls")
    patterns = urlpatterns(service, **given)
    urls.urlpatterns = [path("studio/", include(patterns))]  # type: ignore[attr-defined]
    sys.modules[urls.__name__] = urls
    with override_settings(ROOT_URLCONF=urls.__name__), serve_wsgi(WSGIHandler()) as url:
        yield url


@contextmanager
def _flask(service: Any, given: dict[str, Any]) -> Iterator[str]:
    from flask import Flask

    from charimg.web.flask import blueprint

    app = Flask("host")
    app.register_blueprint(blueprint(service, **given), url_prefix=PREFIX)
    with serve_wsgi(app) as url:
        yield url


_HOSTS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "asgi": _asgi,
    "fastapi": _fastapi,
    "django": _django,
    "flask": _flask,
}
