"""The backends: memory, disk, SQLite, PostgreSQL, S3, Payload CMS. For each mode, by hand.

Names load when they are first used, so importing one backend does not pay for another.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "disk": ("AsyncDiskMediaStore", "DiskMediaStore"),
    "memory": (
        "AsyncMemoryCharacterDirectory",
        "AsyncMemoryGenerationLedger",
        "AsyncMemoryMediaStore",
        "AsyncMemoryMetadataRepository",
        "MemoryCharacterDirectory",
        "MemoryGenerationLedger",
        "MemoryMediaStore",
        "MemoryMetadataRepository",
    ),
    "postgres": (
        "AsyncPostgresCharacterDirectory",
        "AsyncPostgresDatabase",
        "AsyncPostgresGenerationLedger",
        "AsyncPostgresMetadataRepository",
        "PostgresCharacterDirectory",
        "PostgresDatabase",
        "PostgresGenerationLedger",
        "PostgresMetadataRepository",
    ),
    "s3": ("AsyncS3MediaStore", "S3MediaStore"),
    "payload": (
        "AsyncPayloadCharacterDirectory",
        "AsyncPayloadClient",
        "AsyncPayloadMediaStore",
        "AsyncPayloadMetadataRepository",
        "PayloadCharacterDirectory",
        "PayloadClient",
        "PayloadMediaStore",
        "PayloadMetadataRepository",
        "PayloadOptions",
    ),
    "sqlite": (
        "AsyncSqliteCharacterDirectory",
        "AsyncSqliteGenerationLedger",
        "AsyncSqliteMetadataRepository",
        "SqliteCharacterDirectory",
        "SqliteDatabase",
        "SqliteGenerationLedger",
        "SqliteMetadataRepository",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
