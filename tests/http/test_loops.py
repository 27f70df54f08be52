"""What belongs to an event loop is refused in another, before anything is sent or deleted."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterReference,
    ConfigurationError,
    DownloadError,
    StorageError,
)
from charimg.stores import AsyncPayloadClient
from charimg.testing import SimulatorServer, serve

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
REFUSED = "belongs to another event loop"


@pytest.fixture(autouse=True)
def _left_open() -> Iterator[None]:
    """Sockets that ended with their event loop: nobody can close them any more, as Python says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@BACKENDS
def test_a_service_is_used_in_one_event_loop(tmp_path: Path, backend: str) -> None:
    with serve() as server:
        db_id = server.simulator.add_character(name="Lena")
        service = AsyncCharacterImageService.local(tmp_path, library=server.url)

        async def first() -> None:
            await service.put_character(
                CharacterReference(id="lena", name="Lena", library_db_id=db_id)
            )
            await service.generate_reference("lena", prompt="one")

        async def second() -> None:
            requests = len(server.simulator.requests)
            calls: list[Callable[[], Awaitable[Any]]] = [
                lambda: service.generate_reference("lena", prompt="two"),
                lambda: service.delete_all_images("lena"),
                lambda: service.list_images("lena"),
                service.recover,
            ]
            for call in calls:
                with pytest.raises(ConfigurationError, match=REFUSED):
                    await call()
            assert len(server.simulator.requests) == requests
            await service.aclose()

        async def third() -> None:
            async with AsyncCharacterImageService.local(tmp_path, library=server.url) as anew:
                assert (await anew.list_images("lena")).total == 1

        for work in (first, second, third):
            anyio.run(work, backend=backend)


def _library(server: SimulatorServer) -> tuple[Any, Callable[[Any], Awaitable[Any]]]:
    return AsyncCharacterLibrary(server.url), lambda library: library.health()


def _downloader(server: SimulatorServer) -> tuple[Any, Callable[[Any], Awaitable[Any]]]:
    async def use(downloader: Any) -> None:
        with pytest.raises(DownloadError):
            await downloader.fetch(f"{server.url}/none.png", library_url=server.url)

    return AsyncDownloader(), use


def _payload(server: SimulatorServer) -> tuple[Any, Callable[[Any], Awaitable[Any]]]:
    async def use(client: Any) -> None:
        # It is no Payload.
        with pytest.raises(StorageError):
            await client.check()

    return AsyncPayloadClient(server.url), use


@BACKENDS
@pytest.mark.parametrize("make", [_library, _downloader, _payload])
def test_so_is_each_of_its_parts(
    make: Callable[[SimulatorServer], tuple[Any, Callable[[Any], Awaitable[Any]]]], backend: str
) -> None:
    with serve() as server:
        part, use = make(server)
        anyio.run(use, part, backend=backend)

        async def elsewhere() -> None:
            with pytest.raises(ConfigurationError, match=REFUSED):
                await use(part)
            await part.aclose()
            with pytest.raises(ConfigurationError, match="closed"):
                await use(part)

        anyio.run(elsewhere, backend=backend)
