"""One story of a character over combinations that the suite of the service does not run over.

See `test_service_suite` for the others. What a store may choose, ids and URLs, is left out of the
answers; the rest is compared with what the story must say.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen

from charimg import (
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    CharimgError,
    Downloader,
    ImageNotFound,
    ReferencePolicy,
    RetryPolicy,
)
from charimg.stores import (
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
    PayloadCharacterDirectory,
    PayloadClient,
    PayloadMediaStore,
    PayloadMetadataRepository,
    S3MediaStore,
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
)
from charimg.testing import Simulator

from ..patience import FAST
from ..servers.payload import PayloadServer, mongo
from ..servers.s3 import S3Server, credentials

URL = "http://library.test"


@frozen
class Stores:
    """One combination, and the id of its character."""

    directory: Any
    media: Any
    metadata: Any
    ledger: Any
    character: str = "mara"


class Setting:
    """Makes a combination for the character with an id on the Character Library."""

    def __init__(self, request: pytest.FixtureRequest, work: Path, stack: ExitStack) -> None:
        self.request = request
        self.work = work
        self.stack = stack

    def memory(self, db_id: str) -> Stores:
        return Stores(
            MemoryCharacterDirectory([mara(db_id)]),
            MemoryMediaStore(),
            MemoryMetadataRepository(),
            MemoryGenerationLedger(),
        )

    def s3_and_sqlite(self, db_id: str) -> Stores:
        return self.on_sqlite(db_id, self.bucket())

    def payload_on_mongo(self, db_id: str) -> Stores:
        work = self.work / "payload"
        work.mkdir()
        server = PayloadServer(work, database=self.stack.enter_context(mongo()))
        self.stack.callback(server.kill)
        server.start()
        cms = self.stack.enter_context(PayloadClient(server.url, api_key=server.api_key))
        database = self.stack.enter_context(SqliteDatabase(self.work / "ledger.sqlite"))
        character = server.character("Mara", libraryIntegration={"libraryDbId": db_id})
        assert re.fullmatch(r"[0-9a-f]{24}", character)
        return Stores(
            PayloadCharacterDirectory(cms),
            PayloadMediaStore(cms),
            PayloadMetadataRepository(cms),
            SqliteGenerationLedger(database),
            character,
        )

    def bucket(self) -> S3MediaStore:
        credentials(self.request.getfixturevalue("monkeypatch"))
        server: S3Server = self.request.getfixturevalue("rclone_server")
        return S3MediaStore.from_url(server.url(f"story-{secrets.token_hex(6)}"))

    def on_sqlite(self, db_id: str, media: Any) -> Stores:
        database = self.stack.enter_context(SqliteDatabase(self.work / "charimg.sqlite"))
        directory = SqliteCharacterDirectory(database)
        directory.put(mara(db_id))
        return Stores(
            directory,
            media,
            SqliteMetadataRepository(database),
            SqliteGenerationLedger(database),
        )


def mara(db_id: str) -> CharacterReference:
    return CharacterReference(id="mara", name="Mara", library_db_id=db_id)


@pytest.fixture
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    with ExitStack() as stack:
        yield Setting(request, tmp_path, stack)


class Story:
    """The service over the stores, and what it has answered so far."""

    def __init__(self, stores: Stores, simulator: Simulator) -> None:
        client = httpx.Client(transport=simulator.transport())
        self.stores = stores
        self.who = stores.character
        self.switches = simulator.switches
        self.simulator = simulator
        self.service = CharacterImageService(
            library=CharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
            downloader=Downloader(client=client, retries=RetryPolicy.off()),
            directory=stores.directory,
            media=stores.media,
            metadata=stores.metadata,
            ledger=stores.ledger,
            job_policy=FAST,
        )

    def check(self, image: CharacterImage) -> tuple[str, str, str]:
        """Check that the image is wholly there; return what every combination says of it."""
        read = self.service.get_image(self.who, image.id)
        assert read.media is not None
        assert read.media.url
        assert read.character_id == self.who
        with self.stores.media.open(read.media.key) as chunks:
            content = b"".join(chunks)
        assert hashlib.sha256(content).hexdigest() == read.metrics.sha256
        assert len(content) == read.media.size == read.metrics.bytes
        return str(read.kind), str(read.status), read.prompt

    def check_gone(self, image: CharacterImage) -> None:
        """Check that neither the record nor the file is there."""
        assert image.media is not None
        assert self.stores.media.get(image.media.key) is None
        with pytest.raises(ImageNotFound):
            self.service.get_image(self.who, image.id)

    def pages(self, limit: int, **filters: Any) -> tuple[list[int], int, dict[str, int]]:
        """Return the sizes of all pages, the total, and how many there are of each kind."""
        images: list[CharacterImage] = []
        sizes, cursor = [], None
        while True:
            page = self.service.list_images(self.who, limit=limit, cursor=cursor, **filters)
            sizes.append(len(page.images))
            images += page.images
            cursor = page.next_cursor
            if cursor is None:
                break
        moments = [image.created_at for image in images]
        assert moments == sorted(moments, reverse=True)
        assert len({image.id for image in images}) == len(images)
        for image in images:
            if image.status == "succeeded":
                self.check(image)
        return sizes, page.total, dict(Counter(str(image.kind) for image in images))

    def tell(self) -> Iterator[tuple[str, Any]]:
        service, who = self.service, self.who
        first = service.generate_reference(who, prompt="One.")
        yield "a reference", (self.check(first.image), first.removed)
        second = service.generate_reference(who, prompt="Two.")
        yield "in its place", (self.check(second.image), second.removed, second.warnings)
        self.check_gone(first.image)

        self.switches.shots = 4
        self.switches.file_errors = 1
        portfolio = service.generate_portfolio(who)
        yield "a portfolio", (len(portfolio.images), len(portfolio.failures))
        [failed] = service.list_images(who, status="failed").images
        yield "of it failed", (failed.kind, failed.media, bool(failed.error))
        yield "retried", self.check(service.retry_ingestion(who, failed.id).image)[:2]
        yield "failed now", self.pages(2, status="failed")

        scene = service.generate_scene(who, "Mara reads a map.").image
        yield "a scene", self.check(scene)
        yield "pages", self.pages(4)
        yield "portfolio pages", self.pages(3, kind="portfolioItem")

        yield "deleted", service.delete_image(who, scene.id).removed
        self.check_gone(scene)
        yield "no scene", self.pages(50)

        third = service.generate_reference(
            who, prompt="Three.", policy=ReferencePolicy.KEEP_HISTORY
        )
        yield "history", (third.removed, self.pages(1, kind="reference"))
        restored = service.restore_reference(who, second.image.id)
        assert restored.id == second.image.id
        yield "restored", self.check(restored)

        self.switches.lost_answers = 1
        with pytest.raises(CharimgError):
            service.generate_scene(who, "Mara waits.")
        posts = self.simulator.counters.scene_posts
        report = service.recover()
        yield "recovered", [(str(each.kind), str(each.outcome)) for each in report.operations]
        assert self.simulator.counters.scene_posts == posts
        yield "recovered again", service.recover().operations
        yield "all", self.pages(50)

        yield "all deleted", service.delete_all_images(who).removed
        yield "none", self.pages(50)


EXPECTED: dict[str, Any] = {
    "a reference": (("reference", "succeeded", "One."), 0),
    "in its place": (("reference", "succeeded", "Two."), 1, ()),
    "a portfolio": (3, 1),
    "of it failed": ("portfolioItem", None, True),
    "retried": ("portfolioItem", "succeeded"),
    "failed now": ([0], 0, {}),
    "a scene": ("scene", "succeeded", "Mara reads a map."),
    "pages": ([4, 2], 6, {"reference": 1, "portfolioItem": 4, "scene": 1}),
    "portfolio pages": ([3, 1], 4, {"portfolioItem": 4}),
    "deleted": 1,
    "no scene": ([5], 5, {"reference": 1, "portfolioItem": 4}),
    "history": (0, ([1, 1], 2, {"reference": 2})),
    "restored": ("reference", "succeeded", "Two."),
    "recovered": [("scene", "adopted")],
    "recovered again": (),
    "all": ([7], 7, {"reference": 2, "portfolioItem": 4, "scene": 1}),
    "all deleted": 7,
    "none": ([0], 0, {}),
}
COMBINATIONS = ("memory", "s3_and_sqlite", "payload_on_mongo")


@pytest.mark.parametrize("name", COMBINATIONS)
def test_every_combination_gives_the_same_answers(name: str, setting: Setting) -> None:
    simulator = Simulator(base_url=URL)
    simulator.switches.width = 48
    stores = getattr(setting, name)(simulator.add_character(name="Mara"))
    answers = dict(Story(stores, simulator).tell())
    assert answers == EXPECTED
