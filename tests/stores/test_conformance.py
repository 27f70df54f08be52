"""The backends in memory and on disk keep the contracts, in both modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from charimg.stores.disk import AsyncDiskMediaStore, DiskMediaStore
from charimg.stores.memory import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import (
    CharacterDirectoryContract,
    GenerationLedgerContract,
    MediaStoreContract,
    MetadataRepositoryContract,
)


class TestMemoryDirectory(CharacterDirectoryContract):
    def make(self) -> Any:
        return MemoryCharacterDirectory(self.characters)


class TestMemoryDirectoryOnAsyncio(CharacterDirectoryContract):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncMemoryCharacterDirectory(self.characters)


class TestMemoryDirectoryOnTrio(TestMemoryDirectoryOnAsyncio):
    backend = "trio"


class TestMemoryMedia(MediaStoreContract):
    def make(self) -> Any:
        self.made = MemoryMediaStore()
        return self.made

    def underneath(self, key: str) -> list[str]:
        return [each for each in self.made._files if each == key]


class TestMemoryMediaOnAsyncio(TestMemoryMedia):
    backend = "asyncio"

    def make(self) -> Any:
        made = AsyncMemoryMediaStore()
        self.made = made._sync
        return made


class TestMemoryMediaOnTrio(TestMemoryMediaOnAsyncio):
    backend = "trio"


class TestMemoryMetadata(MetadataRepositoryContract):
    many = 1_001

    def make(self) -> Any:
        self.made = MemoryMetadataRepository()
        return self.made

    def rows(self, key: str) -> int:
        return sum(image.key == key for image in self.made._images.values())


class TestMemoryMetadataOnAsyncio(TestMemoryMetadata):
    backend = "asyncio"
    many = 60

    def make(self) -> Any:
        made = AsyncMemoryMetadataRepository()
        self.made = made._sync
        return made


class TestMemoryMetadataOnTrio(TestMemoryMetadataOnAsyncio):
    backend = "trio"


class TestMemoryLedger(GenerationLedgerContract):
    now = 1_700_000_000.0

    def make(self) -> Any:
        return MemoryGenerationLedger(clock=lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds


class TestMemoryLedgerOnAsyncio(TestMemoryLedger):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncMemoryGenerationLedger(clock=lambda: self.now)


class TestMemoryLedgerOnTrio(TestMemoryLedgerOnAsyncio):
    backend = "trio"


class TestDiskMedia(MediaStoreContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "media"

    def make(self) -> Any:
        return DiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return DiskMediaStore(self.directory)

    def underneath(self, key: str) -> list[str]:
        return [
            path.name
            for path in self.directory.rglob("*")
            if path.is_file() and (key in str(path) or ".incoming" in path.parts)
        ]


class TestDiskMediaOnAsyncio(TestDiskMedia):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncDiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return AsyncDiskMediaStore(self.directory)


class TestDiskMediaOnTrio(TestDiskMediaOnAsyncio):
    backend = "trio"
