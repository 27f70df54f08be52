"""The page's own server over a simulated Character Library, all real, on loopback."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import uvicorn

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImage,
    CharacterReference,
    ImageKind,
    ImageMetrics,
    ImageStatus,
    JobPolicy,
    Media,
    RetryPolicy,
    Shot,
    Upload,
)
from charimg._assembly.embedded import EmbeddedStores, async_embedded, embedded
from charimg.testing import SimulatorServer, serve
from charimg.testing.server import listen
from charimg.testing.simulator.drawing import draw
from charimg.testing.simulator.shots import SHOTS
from charimg.web.standalone import MEDIA, Standalone

__all__ = ["MARA", "Studio", "studio_in"]

MARA = "mara-voss"
_JOB = JobPolicy(interval=0.05, growth=1.2, interval_max=0.2)
_SECONDS_TO_STOP = 30.0


class Studio:
    """One house with one character, Mara Voss.

    Attributes:
        url: Of the server.
        library: The simulated Character Library.
        stores: The sync half of the stores that the server uses, to put in and to look.
    """

    def __init__(self, url: str, library: SimulatorServer, stores: EmbeddedStores) -> None:
        self.url = url
        self.library = library
        self.stores = stores

    @property
    def counters(self) -> Any:
        return self.library.simulator.counters

    def switch(self, **changes: Any) -> None:
        """Turn failures and delays of the Character Library on or off."""
        self.library.simulator.switches.change(changes)

    def page_of(self, character_id: str = MARA) -> str:
        return f"{self.url}/screenplay/characters/{character_id}/images"

    def add_character(self, character_id: str, name: str, *, linked: bool = True) -> None:
        db_id = self.library.simulator.add_character(name=name) if linked else None
        self.stores.directory.put(
            CharacterReference(
                id=character_id,
                name=name,
                library_db_id=db_id,
                library_character_id=f"{character_id}-1" if linked else None,
                traits={"age": 34, "hair": "auburn, shoulder-length", "eyes": "grey-green"},
            )
        )

    def fill(self, number: int, *, files: int = 40, prompts: tuple[str, ...] = ()) -> list[str]:
        """Put in as many stored images as told, oldest first: one reference, the others shots.

        Beyond so many files they share them.
        """
        shared = [self._file(index) for index in range(min(files, number))]
        start = datetime(2026, 1, 1, tzinfo=UTC)
        ids = []
        for index in range(number):
            media, shot = shared[index % len(shared)]
            when = start + timedelta(seconds=index)
            image = CharacterImage(
                key=f"fill-{index:06d}",
                character_id=MARA,
                kind=ImageKind.PORTFOLIO_ITEM if index else ImageKind.REFERENCE,
                status=ImageStatus.SUCCEEDED,
                media=media,
                prompt=prompts[index % len(prompts)] if prompts else f"Prompt {index}.",
                metrics=ImageMetrics(
                    bytes=media.size,
                    sha256=media.sha256,
                    shot=shot if index else None,
                    master_since=None if index else when,
                ),
                created_at=when,
            )
            ids.append(self.stores.metadata.add(image).id)
        return ids

    def _file(self, index: int) -> tuple[Media, Shot]:
        shot = SHOTS[index % len(SHOTS)]
        drawn = draw("Mara Voss", shot.name, shot)
        upload = Upload(
            key=f"shared-{index:04d}",
            file=io.BytesIO(drawn.data),
            filename=f"shared-{index}{drawn.extension}",
            mime_type=drawn.mime_type,
            size=len(drawn.data),
            sha256=sha256(drawn.data).hexdigest(),
            width=drawn.width,
            height=drawn.height,
            alt=f"Mara Voss, {shot.name}",
        )
        return self.stores.media.save(upload), Shot(
            name=shot.name, lens_mm=shot.lens_mm, camera_azimuth_deg=shot.camera_azimuth_deg
        )


@contextmanager
def studio_in(directory: Path, **options: Any) -> Iterator[Studio]:
    """Run a studio whose files lie in a directory, with options of the workspace."""
    with serve() as library:
        service = _service(directory, library.url)
        app = Standalone(service, media_directory=directory / "media", **options)
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_level="error",
            access_log=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        listening, url = listen("127.0.0.1", 0, "The studio")
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listening]}, name="studio", daemon=True
        )
        stores = embedded(directory, media_url=MEDIA)
        thread.start()
        try:
            studio = Studio(url, library, stores)
            studio.add_character(MARA, "Mara Voss")
            yield studio
        finally:
            server.should_exit = True
            thread.join(_SECONDS_TO_STOP)
            listening.close()
            stores.database.close()


@asynccontextmanager
async def _service(directory: Path, url: str) -> AsyncIterator[AsyncCharacterImageService]:
    stores = async_embedded(directory, media_url=MEDIA)
    try:
        async with (
            AsyncCharacterLibrary(url) as library,
            # Without retries, so that a failing download is seen to fail.
            AsyncDownloader(retries=RetryPolicy.off()) as downloader,
            AsyncCharacterImageService(
                library=library,
                directory=stores.directory,
                media=stores.media,
                metadata=stores.metadata,
                ledger=stores.ledger,
                downloader=downloader,
                job_policy=_JOB,
            ) as service,
        ):
            yield service
    finally:
        stores.database.close()
