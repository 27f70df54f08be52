"""A process that brings in images which are large when decoded, and tells how large it was itself.

Run as ``python -m tests.hostile.measured MODE FILE DIRECTORY``; prints JSON: ``idle`` and the
highest resident memory in KiB while it brought in ``one`` of them, a ``set`` of 27, and ``again`` a
set by `recover`; with each, how many were stored, how many of these have a thumbnail, and how many
were refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from charimg import AsyncDownloader, Downloader, DownloadLimits, RetryPolicy
from charimg._decoding import worker
from charimg.stores import AsyncDiskMediaStore, DiskMediaStore

from .._async.world import AsyncWorld
from .._sync.world import LENA, World
from ..http.scripted import Chunks
from ..ingest.samples import png
from .hosts import HostileHost, Simulated, of

SHOTS = 27
_OFF = RetryPolicy.off()
_PATIENT = DownloadLimits(timeout=3600)


class _Body(Chunks):
    """A file, chunk by chunk: the server shall not be what is measured."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def __iter__(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            while chunk := file.read(64 * 1024):
                yield chunk


def _status(name: str) -> int:
    """Return a line of what Linux says about this process, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise SystemExit(f"no {name}")


def main(mode: str, path: Path, root: Path) -> None:
    # What it costs is told, not how busy the machine is.
    worker._WALL_SECONDS = worker._START_SECONDS = 3600
    host = HostileHost()
    with asyncio.Runner() as runner:
        if mode == "sync":
            client: Any = httpx.Client(transport=host)
            downloader: Any = Downloader(client=client, retries=_OFF, limits=_PATIENT)
            media: Any = DiskMediaStore(root)
            world: Any = World(Simulated(host), media=media, downloader=downloader)
            run: Callable[[Any], Any] = lambda result: result  # noqa: E731
        else:
            client = httpx.AsyncClient(transport=host)
            downloader = AsyncDownloader(client=client, retries=_OFF, limits=_PATIENT)
            media = AsyncDiskMediaStore(root)
            world = AsyncWorld(Simulated(host), media=media, downloader=downloader)
            run = lambda awaited: runner.run(_awaited(awaited))  # noqa: E731
        host.simulator.switches.shots = SHOTS
        run(world.link())
        host.answer = of(png())
        run(world.service.generate_reference(LENA, prompt="the prompt"))
        run(world.service.generate_portfolio(LENA))
        told: dict[str, Any] = {"idle": _status("VmRSS")}

        def bomb() -> httpx.Response:
            length = {"content-length": str(path.stat().st_size)}
            return httpx.Response(200, headers=length, stream=_Body(path))

        def interrupt() -> httpx.Response:
            raise KeyboardInterrupt

        def measured(name: str, work: Callable[[], Any]) -> None:
            Path("/proc/self/clear_refs").write_text("5")
            before = {image.key for image in _images(world, run)}
            work()
            images = [each for each in _images(world, run) if each.key not in before]
            stored = [media.locate(each.media) for each in images if each.media]
            told[name] = {
                "peak": _status("VmHWM"),
                "stored": len(stored),
                "drawn": sum(each.thumbnail_url is not None for each in stored),
                "refused": len(images) - len(stored),
            }

        def scene() -> None:
            try:
                run(world.service.generate_scene(LENA, "She waits."))
            except Exception as error:  # noqa: BLE001 - counted as refused
                told["error"] = str(error)

        def portfolio() -> None:
            try:
                run(world.service.generate_portfolio(LENA))
            except KeyboardInterrupt:
                told["interrupted"] = True

        host.answer = bomb
        measured("one", scene)
        measured("set", portfolio)
        host.answer = interrupt
        portfolio()
        host.answer = bomb
        measured("again", lambda: run(world.service.recover()))
    print(json.dumps(told))


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _images(world: Any, run: Callable[[Any], Any]) -> list[Any]:
    return list(run(world.metadata.list(LENA, limit=1000)).images)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
