"""All four stores in memory: for tests, demonstrations and scripts that keep nothing.

Everything is gone when the process ends. One lock per store makes them safe for several threads.
They hold copies, so nothing that a caller changes later reaches them.
"""

from __future__ import annotations

from .directory import AsyncMemoryCharacterDirectory, MemoryCharacterDirectory
from .ledger import AsyncMemoryGenerationLedger, MemoryGenerationLedger
from .media import AsyncMemoryMediaStore, MemoryMediaStore
from .metadata import AsyncMemoryMetadataRepository, MemoryMetadataRepository

__all__ = [
    "AsyncMemoryCharacterDirectory",
    "AsyncMemoryGenerationLedger",
    "AsyncMemoryMediaStore",
    "AsyncMemoryMetadataRepository",
    "MemoryCharacterDirectory",
    "MemoryGenerationLedger",
    "MemoryMediaStore",
    "MemoryMetadataRepository",
]
