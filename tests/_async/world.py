"""A service over stores and a simulated Character Library, for the tests of the service.

The stores are in memory unless `chosen` says otherwise: the same tests run over all combinations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from attrs import evolve

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImage,
    CharacterReference,
    ImageMetrics,
    Operation,
    RetryPolicy,
)
from charimg.stores import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
)
from charimg.testing import Simulator

from ..patience import FAST
from ..stores.payload.pictures import upload

URL = "http://library.test"
SMALL = 48
"""Pixels: what is drawn need not be looked at."""
# Ids of a host that counts: every directory can have them.
LENA, MAX, ZED = "1", "2", "3"
TRAITS = {"age": 34, "gender": "female", "hair": {"color": "auburn"}}


class Clock:
    """A wall clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class AsyncStores:
    """The stores that a world stands on, and what tests do to them from outside: in memory.

    Attributes:
        costs: How much more time a record takes than in memory, about; tests of many make do with
            so many fewer.
        strides: Of how many steps a crash is tried at one, in the suite and in the long series;
            in memory, every step is tried.
    """

    costs = 1
    strides = (1, 1)

    def __init__(self) -> None:
        self.clock = Clock()
        self.directory: Any = AsyncMemoryCharacterDirectory()
        self.media: Any = AsyncMemoryMediaStore()
        self.metadata: Any = AsyncMemoryMetadataRepository()
        self.ledger: Any = AsyncMemoryGenerationLedger(clock=self.clock)

    async def put(self, character: CharacterReference) -> None:
        """Put a character into the directory, or another in its place."""
        await self.directory.put(character)

    async def forget(self, character_id: str) -> None:
        """Take a character out of the directory."""
        await self.directory.remove(character_id)

    async def later(self, seconds: float) -> None:
        """Let time go by for the leases."""
        self.clock.now += seconds

    def keys(self) -> set[str]:
        """Return the keys of everything in the media store."""
        keys: set[str] = self.media.keys()
        return keys

    def spoil(self, key: str, change: Callable[[bytes], bytes | None]) -> None:
        """Change a stored file behind the store's back, or take it away."""
        files = getattr(self.media, "_sync", self.media)._files
        file = files.pop(key)
        changed = change(file.data)
        if changed is not None:
            files[key] = evolve(file, data=changed)

    async def unhook(self, image: CharacterImage) -> None:
        """Take the media away, and out of its record, as somebody in a CMS may."""
        await self.media.delete(image.key)
        await self.metadata.update(evolve(image, media=None))

    def take_away(self, path: Path) -> None:
        """Take one of the thumbnails away."""
        path.unlink()

    def thumbnails(self, key: str) -> list[Path]:
        """Return where the thumbnails of a stored file are."""
        return []


chosen: Callable[[], AsyncStores] = AsyncStores
"""What the next world stands on."""
thorough = False
"""Whether it is in the long series."""


class AsyncWorld:
    """Everything that one test needs; ``service`` is the thing under test."""

    def __init__(self, simulator: Simulator | None = None, **options: Any) -> None:
        self.stores = chosen()
        self.clock = self.stores.clock
        self.simulator = Simulator(base_url=URL) if simulator is None else simulator
        self.simulator.switches.width = SMALL
        self.directory = self.stores.directory
        self.media = self.stores.media
        self.metadata = self.stores.metadata
        self.ledger = self.stores.ledger
        self.told: list[Any] = []
        self.progress: list[Any] = []
        self.db_id = self.simulator.add_character(name="Lena Marlow")
        switches = self.simulator.switches
        self.shots: int = min(switches.shots, max(5, self.many(100)))
        switches.shots = self.shots
        self.options = options
        self.service = self.assemble()

    def assemble(self, simulator: Any = None, **changes: Any) -> AsyncCharacterImageService:
        """Put a service together over the world's own parts, but for those given."""
        transport = (self.simulator if simulator is None else simulator).transport()
        client = httpx.AsyncClient(transport=transport)
        parts: dict[str, Any] = {
            "library": AsyncCharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
            "downloader": AsyncDownloader(client=client, retries=RetryPolicy.off()),
            "directory": self.directory,
            "media": self.media,
            "metadata": self.metadata,
            "ledger": self.ledger,
            "hooks": (self.told.append,),
            "job_policy": FAST,
            **self.options,
            **changes,
        }
        return AsyncCharacterImageService(**parts)

    async def link(self, character_id: str = LENA, **changes: Any) -> CharacterReference:
        """Put the character into the directory, linked."""
        fields: dict[str, Any] = {
            "id": character_id,
            "name": "Lena Marlow",
            "library_db_id": self.db_id,
            "traits": TRAITS,
            **changes,
        }
        character = CharacterReference(**fields)
        await self.stores.put(character)
        return character

    async def record(self, **fields: Any) -> CharacterImage:
        """Add a record past the service.

        Where none can stand without a file, it is one that succeeded.
        """
        image = CharacterImage(character_id=LENA, **fields)
        if self.metadata.requires_media:
            file = upload(image.key, filename=f"{image.key}.png")
            image = evolve(
                image,
                media=await self.media.save(file),
                status="succeeded",
                error=None,
                metrics=ImageMetrics(sha256=file.sha256, bytes=file.size),
            )
        stored: CharacterImage = await self.metadata.add(image)
        return stored

    def many(self, number: int) -> int:
        """Return how many records a test of many takes."""
        return number // self.stores.costs

    @property
    def stride(self) -> int:
        """Of how many steps a crash is tried at one."""
        return self.stores.strides[thorough]

    @property
    def makes_good(self) -> str:
        """The repository's method that takes a failed image which a retry has brought in."""
        return "add" if self.metadata.requires_media else "update"

    def identity(self, image: CharacterImage) -> object:
        """Return what stays when a retry makes a failed image good: its id, too, if it has one."""
        return image.key if self.metadata.requires_media else (image.key, image.id)

    async def images(self, character_id: str = LENA) -> list[CharacterImage]:
        """Return every image of the character, newest first, as a fresh reader sees them."""
        return [image async for image in self.service.iter_images(character_id)]

    async def bytes_of(self, image: CharacterImage) -> bytes:
        """Return the stored file of an image."""
        assert image.media is not None
        async with self.media.open(image.media.key) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def check(self, character_id: str = LENA) -> None:
        """Check what must always hold of the stores after an operation or a recovery."""
        images = await self.images(character_id)
        keys = set()
        for image in images:
            if image.status != "succeeded":
                assert image.media is None
                assert image.error
                continue
            assert image.media is not None
            data = await self.bytes_of(image)
            assert hashlib.sha256(data).hexdigest() == image.media.sha256 == image.metrics.sha256
            assert image.media.size == len(data) == image.metrics.bytes
            keys.add(image.media.key)
        assert self.stores.keys() == keys, "no orphan media"
        assert len({image.key for image in images}) == len(images)

    async def operations(self, character_id: str = LENA) -> tuple[Operation, ...]:
        """Return the character's operations, newest first."""
        return (await self.service.list_operations(character_id)).operations

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """How many reference POSTs, reference DELETEs, set POSTs and scene POSTs arrived."""
        counters = self.simulator.counters
        return (
            counters.initial_image_posts,
            counters.reference_deletes,
            counters.set360_posts,
            counters.scene_posts,
        )
