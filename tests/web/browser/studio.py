"""A server of the images page over a simulated Character Library, all real, on loopback.

`in_this_process` is the quickest, and lets a test look into the stores; `on_command` is what a user
runs, and `on_host` one of the examples, which have the page behind a sign-in.
"""

from __future__ import annotations

import io
import json
import signal
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from attrs import define

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
    JobSeen,
    Media,
    Operation,
    OperationKind,
    OperationState,
    RetryPolicy,
    Shot,
    Upload,
)
from charimg._assembly.embedded import EmbeddedStores, async_embedded, embedded
from charimg._http.defaults import usual_tls
from charimg._ingest.naming import new_operation_id
from charimg.testing import SimulatedResponse, Simulator, serve
from charimg.testing.server import _application as simulated
from charimg.testing.simulator.drawing import Drawing, draw
from charimg.testing.simulator.shots import SHOTS
from charimg.web.standalone import MEDIA, Standalone

from ...cli.process import COMMAND, environment
from ...patience import until
from ...servers.hosts import host_process
from ...servers.http import answering, listening, url_of

MARA = "mara-voss"
TRAITS = {"age": 34, "gender": "woman", "hair": "auburn, shoulder-length", "eyes": "grey-green"}
_SOON = JobPolicy(interval=0.02, growth=1.2, interval_max=0.1)


class Library(Simulator):
    """Draws when it is let, and its time passes when a test says so.

    Attributes:
        now: Seconds; jobs run by them.
        free: Set unless drawings are held back.
    """

    def __init__(self) -> None:
        super().__init__(clock=lambda: self.now)
        self.now = 0.0
        self.free = threading.Event()
        self.free.set()

    def handle(self, method: str, url: str, *rest: Any) -> SimulatedResponse:
        """Answer a request."""
        if method == "POST" and "/generate-" in url:
            self.free.wait(60)
        return super().handle(method, url, *rest)


@define(kw_only=True)
class Studio:
    """One running server of the page, and the Character Library behind it.

    Attributes:
        url: Of the server.
        simulator: The Character Library.
        stores: The sync half of the stores that the server uses, to put in and to look.
        client: Asks the routes, signed in.
        prefix: Where the routes are mounted.
        character: Of whom the page is.
    """

    url: str
    simulator: Library
    stores: EmbeddedStores = None  # type: ignore[assignment]
    client: httpx.Client
    prefix: str = ""
    character: str = MARA

    @property
    def counters(self) -> Any:
        return self.simulator.counters

    def switch(self, **changes: Any) -> None:
        """Turn failures of the Character Library on or off."""
        self.simulator.switches.change(changes)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no generation begin to be drawn until the context ends."""
        self.simulator.free.clear()
        try:
            yield
        finally:
            self.simulator.free.set()

    def wait(self, seconds: float) -> None:
        """Let time pass on the Character Library, for a job that has begun."""
        until(lambda: self.simulator.posts("generate-360-set"))
        self.simulator.now += seconds

    def page_of(self, character_id: str | None = None) -> str:
        character = self.character if character_id is None else character_id
        return f"{self.url}{self.prefix}/screenplay/characters/{character}/images"

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask a route of the character for JSON."""
        url = f"{self.url}{self.prefix}/v1/characters/{self.character}/{path}"
        answer = self.client.request(method, url, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stranded(self) -> str:
        """Leave a portfolio behind whose job does not end, and that nobody waits for."""
        mara = self.stores.directory.get(MARA)
        assert mara is not None
        operation = Operation(
            id=new_operation_id(),
            kind=OperationKind.PORTFOLIO,
            character_id=MARA,
            library_db_id=mara.library_db_id,
            state=OperationState.RECEIVED,
            job_id="job_1",
            job_seen=JobSeen(status="processing", current=5, total=27),
            updated_at=datetime.now(UTC) - timedelta(hours=2),
        )
        lease = self.stores.ledger.acquire(MARA, owner="gone", ttl=60)
        self.stores.ledger.write(operation, lease=lease)
        self.stores.ledger.release(lease)
        return operation.id

    def images(self, **query: Any) -> list[Any]:
        """Return the images that the routes list."""
        listed: list[Any] = self.ask("GET", "images", params=query)["images"]
        return listed

    def add_character(self, character_id: str, name: str, *, linked: bool = True) -> None:
        db_id = self.simulator.add_character(name=name) if linked else None
        self.stores.directory.put(_character(character_id, name, db_id))

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
                    prompt_origin="reference" if index else None,
                    master_since=None if index else when,
                ),
                created_at=when,
            )
            ids.append(self.stores.metadata.add(image).id)
        return ids

    def _file(self, index: int) -> tuple[Media, Shot]:
        shot = SHOTS[index % len(SHOTS)]
        drawn = _drawn(index % len(SHOTS))
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


@lru_cache
def _drawn(shot: int) -> Drawing:
    return draw("Mara Voss", SHOTS[shot].name, SHOTS[shot])


def _character(character_id: str, name: str, db_id: str | None) -> CharacterReference:
    return CharacterReference(
        id=character_id,
        name=name,
        library_db_id=db_id,
        library_character_id=None if db_id is None else f"{character_id}-1",
        traits=TRAITS,
    )


@contextmanager
def in_this_process(directory: Path, **options: Any) -> Iterator[Studio]:
    """Run the server in a thread, with options of the workspace."""
    library = Library()
    theirs, ours = listening(), listening()
    library.base_url = url_of(theirs)
    service = _service(directory, library.base_url)
    app = Standalone(service, media_directory=directory / "media", **options)
    behind = simulated(library)

    async def both(scope: Any, receive: Any, send: Any) -> None:
        to_library = scope.get("server", [None, None])[1] == theirs.getsockname()[1]
        await (behind if to_library else app)(scope, receive, send)

    stores = embedded(directory, media_url=MEDIA)
    try:
        with (
            answering(both, theirs, ours, lifespan="on"),
            httpx.Client(timeout=60, trust_env=False, verify=usual_tls()) as client,
        ):
            studio = Studio(url=url_of(ours), simulator=library, stores=stores, client=client)
            studio.add_character(MARA, "Mara Voss")
            yield studio
            library.free.set()
    finally:
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
                job_policy=_SOON,
            ) as service,
        ):
            yield service
    finally:
        stores.database.close()


@contextmanager
def on_command(directory: Path) -> Iterator[Studio]:
    """Serve the page with ``charimg serve``."""
    with (
        serve(Library()) as library,
        httpx.Client(timeout=60, trust_env=False, verify=usual_tls()) as client,
    ):
        simulator = library.simulator
        assert isinstance(simulator, Library)
        stores = embedded(directory)
        try:
            db_id = simulator.add_character(name="Mara Voss")
            stores.directory.put(_character(MARA, "Mara Voss", db_id))
        finally:
            stores.database.close()
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", "--json", "--directory", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(CHARACTER_LIBRARY_API_URL=library.url),
        )
        try:
            yield Studio(url=_told_url(process), simulator=simulator, client=client)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


def _told_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        line = process.stdout.readline()
        assert line, "the server ended before it said where it is"
        lines.append(line)
    url: str = json.loads("".join(lines))["url"]
    return url


@contextmanager
def on_host(name: str, directory: Path) -> Iterator[Studio]:
    """Run one of the examples, which mount the page below a prefix and behind a sign-in."""
    with (
        serve(Library()) as library,
        host_process(name, library.url, directory) as host,
        host.signed_in() as client,
    ):
        simulator = library.simulator
        assert isinstance(simulator, Library)
        yield Studio(
            url=host.url, simulator=simulator, client=client, prefix="/studio", character="mara"
        )
