"""Every embedded backend, in both modes, keeps the contracts; and the contracts can fail."""

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


class TestAsyncMemoryDirectory(CharacterDirectoryContract):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncMemoryCharacterDirectory(self.characters)


class TestMemoryMedia(MediaStoreContract):
    def make(self) -> Any:
        return MemoryMediaStore()


class TestAsyncMemoryMedia(MediaStoreContract):
    backend = "trio"

    def make(self) -> Any:
        return AsyncMemoryMediaStore()


class TestMemoryMetadata(MetadataRepositoryContract):
    many = 1_001

    def make(self) -> Any:
        return MemoryMetadataRepository()


class TestAsyncMemoryMetadata(MetadataRepositoryContract):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncMemoryMetadataRepository()


class _Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class TestMemoryLedger(GenerationLedgerContract):
    def make(self) -> Any:
        self.clock = _Clock()
        return MemoryGenerationLedger(clock=self.clock)

    def advance(self, seconds: float) -> None:
        self.clock.now += seconds


class TestAsyncMemoryLedger(GenerationLedgerContract):
    backend = "trio"

    def make(self) -> Any:
        return AsyncMemoryGenerationLedger()


class TestDiskMedia(MediaStoreContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "media"

    def make(self) -> Any:
        return DiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return DiskMediaStore(self.directory)


class TestAsyncDiskMediaOnAsyncio(TestDiskMedia):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncDiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return AsyncDiskMediaStore(self.directory)


class TestAsyncDiskMediaOnTrio(TestAsyncDiskMediaOnAsyncio):
    backend = "trio"
