# Generated from tests/_async/world.py by tools/unasync.py. Do not edit.
"""A service over memory stores and a simulated Character Library, for the tests of the service."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx

from charimg import (
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
    JobPolicy,
    Operation,
    RetryPolicy,
)
from charimg.stores import (
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import Simulator

URL = "http://library.test"
LENA = "lena"
TRAITS = {"age": 34, "gender": "female", "hair": {"color": "auburn"}}
FAST = JobPolicy(interval=0.001, interval_max=0.002, deadline=5, stall=5, cancel_grace=0)


class Clock:
    """A wall clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class World:
    """Everything that one test needs; ``service`` is the thing under test."""

    def __init__(self, simulator: Simulator | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.simulator = Simulator(base_url=URL) if simulator is None else simulator
        self.directory = MemoryCharacterDirectory()
        self.media = MemoryMediaStore()
        self.metadata = MemoryMetadataRepository()
        self.ledger = MemoryGenerationLedger(clock=self.clock)
        self.told: list[Any] = []
        self.progress: list[Any] = []
        self.db_id = self.simulator.add_character(name="Lena Marlow")
        self.options = options
        self.service = self.assemble()

    def assemble(self, simulator: Any = None, **changes: Any) -> CharacterImageService:
        """Put a service together over the world's own parts, but for those given."""
        transport = (self.simulator if simulator is None else simulator).transport()
        client = httpx.Client(transport=transport)
        parts: dict[str, Any] = {
            "library": CharacterLibrary(URL, client=client, retries=RetryPolicy.off()),
            "downloader": Downloader(client=client, retries=RetryPolicy.off()),
            "directory": self.directory,
            "media": self.media,
            "metadata": self.metadata,
            "ledger": self.ledger,
            "hooks": (self.told.append,),
            "job_policy": FAST,
            **self.options,
            **changes,
        }
        return CharacterImageService(**parts)

    def link(self, character_id: str = LENA, **changes: Any) -> CharacterReference:
        """Put the character into the directory, linked."""
        fields: dict[str, Any] = {
            "id": character_id,
            "name": "Lena Marlow",
            "library_db_id": self.db_id,
            "traits": TRAITS,
            **changes,
        }
        character = CharacterReference(**fields)
        self.directory.put(character)
        return character

    def images(self, character_id: str = LENA) -> list[CharacterImage]:
        """Return every record of the character, newest first, as a fresh reader sees them."""
        return [image for image in self.service.iter_images(character_id)]

    def bytes_of(self, image: CharacterImage) -> bytes:
        """Return the stored file of an image."""
        assert image.media is not None
        with self.media.open(image.media.key) as chunks:
            return b"".join([chunk for chunk in chunks])

    def check(self, character_id: str = LENA) -> None:
        """Check what must always hold of the stores after an operation or a recovery."""
        images = self.images(character_id)
        keys = set()
        for image in images:
            if image.status != "succeeded":
                assert image.media is None
                assert image.error
                continue
            assert image.media is not None
            data = self.bytes_of(image)
            assert hashlib.sha256(data).hexdigest() == image.media.sha256 == image.metrics.sha256
            assert image.media.size == len(data) == image.metrics.bytes
            keys.add(image.media.key)
        assert self.media.keys() == keys, "no orphan media"
        assert len({image.key for image in images}) == len(images)

    def operations(self, character_id: str = LENA) -> tuple[Operation, ...]:
        """Return the character's operations, newest first."""
        return (self.service.list_operations(character_id)).operations

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
