"""A Character Library whose image host is hostile, and services over it that keep files on disk."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import anyio
import httpx

from charimg import AsyncDownloader, CharimgError, Downloader, DownloadLimits, RetryPolicy
from charimg.stores import AsyncDiskMediaStore, DiskMediaStore
from charimg.testing import Simulator

from .._async.world import AsyncWorld
from .._sync.world import LENA, URL, World

Answer: TypeAlias = Callable[[], httpx.Response]

ALL = DownloadLimits(formats=["png", "jpeg", "webp", "gif", "avif"])
_OFF = RetryPolicy.off()
_URLS = re.compile(r'"(url|publicUrl|imageUrl)": ?"[^"]*"')
_NAMES = re.compile(r'"(filename|name|mimeType)": ?"[^"]*"')


class HostileHost(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The simulator, but its images are elsewhere and have other names.

    Attributes:
        answer: Makes what the image host answers.
        name: The name of the file, in the URL and in the Library's answers.
    """

    def __init__(self) -> None:
        self.simulator = Simulator(base_url=URL)
        self.simulator.switches.width = 48
        self.inner = self.simulator.transport()
        self.answer: Answer = lambda: httpx.Response(404)
        self.name: str | None = None
        self.served = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._image(request) or self._twisted(self.inner.handle_request(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._image(request) or self._twisted(await self.inner.handle_async_request(request))

    def forget(self) -> None:
        """Show the latest scene alone, or every answer would be longer than the one before."""
        for character in self.simulator._state.characters.values():
            del character.gallery[:-1]

    def _image(self, request: httpx.Request) -> httpx.Response | None:
        if request.url.host != "cdn.test":
            return None
        self.served += 1
        return self.answer()

    def _twisted(self, response: httpx.Response) -> httpx.Response:
        text = response.content.decode()
        name = self.name or "image.png"
        # As it is, or in a form that every URL allows.
        path = name if len(name) % 2 else quote(name)
        url = f"https://cdn.test/{path}?signature=x"
        text = _URLS.sub(lambda found: f'"{found[1]}": {json.dumps(url)}', text)
        if self.name is not None:
            text = _NAMES.sub(lambda found: f'"{found[1]}": {json.dumps(name)}', text)
        return httpx.Response(response.status_code, json=json.loads(text))


def of(body: bytes, content_type: str = "image/png", **headers: str) -> Answer:
    """Answer with a body that claims to be an image."""
    return lambda: httpx.Response(
        200, content=body, headers={"content-type": content_type, **headers}
    )


def scenes_sync(root: Path, host: HostileHost, tries: Iterable[Any], **options: Any) -> list[Any]:
    """Draw a scene per try, which prepares the host; return the errors that came."""
    client = httpx.Client(transport=host)
    downloader = Downloader(client=client, retries=_OFF, **options)
    world = World(Simulated(host), media=DiskMediaStore(root), downloader=downloader)
    world.link()
    host.answer, told = of(_good()), []
    world.service.generate_reference(LENA, prompt="the prompt")
    for prepare in tries:
        host.forget()
        prepare(host)
        try:
            told.append(world.service.generate_scene(LENA, "She waits.").image)
        except CharimgError as error:
            told.append(error)
    return told


def scenes_async(root: Path, host: HostileHost, tries: Iterable[Any], **options: Any) -> list[Any]:
    """The same with the async service."""

    async def main() -> list[Any]:
        async with httpx.AsyncClient(transport=host) as client:
            downloader = AsyncDownloader(client=client, retries=_OFF, **options)
            media = AsyncDiskMediaStore(root)
            world = AsyncWorld(Simulated(host), media=media, downloader=downloader)
            await world.link()
            host.answer, told = of(_good()), []
            await world.service.generate_reference(LENA, prompt="the prompt")
            for prepare in tries:
                host.forget()
                prepare(host)
                try:
                    told.append((await world.service.generate_scene(LENA, "She waits.")).image)
                except CharimgError as error:
                    told.append(error)
            return told

    return anyio.run(main)


class Simulated:
    """The hostile host in the place of a world's simulator."""

    def __init__(self, host: HostileHost) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host.simulator, name)

    def transport(self) -> HostileHost:
        return self._host


def _good() -> bytes:
    from ..ingest.samples import drawn

    return drawn("PNG")


def stored(root: Path) -> list[Path]:
    """Every file of a media store."""
    return sorted(path for path in root.rglob("*") if path.is_file())
