"""The backends: memory, disk, SQLite, PostgreSQL, S3, Payload CMS. For each mode, by hand.

Names load when they are first used, so importing one backend does not pay for another.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .disk import AsyncDiskMediaStore as AsyncDiskMediaStore
    from .disk import DiskMediaStore as DiskMediaStore
    from .memory import AsyncMemoryCharacterDirectory as AsyncMemoryCharacterDirectory
    from .memory import AsyncMemoryGenerationLedger as AsyncMemoryGenerationLedger
    from .memory import AsyncMemoryMediaStore as AsyncMemoryMediaStore
    from .memory import AsyncMemoryMetadataRepository as AsyncMemoryMetadataRepository
    from .memory import MemoryCharacterDirectory as MemoryCharacterDirectory
    from .memory import MemoryGenerationLedger as MemoryGenerationLedger
    from .memory import MemoryMediaStore as MemoryMediaStore
    from .memory import MemoryMetadataRepository as MemoryMetadataRepository
    from .payload import AsyncPayloadCharacterDirectory as AsyncPayloadCharacterDirectory
    from .payload import AsyncPayloadClient as AsyncPayloadClient
    from .payload import AsyncPayloadMediaStore as AsyncPayloadMediaStore
    from .payload import AsyncPayloadMetadataRepository as AsyncPayloadMetadataRepository
    from .payload import PayloadCharacterDirectory as PayloadCharacterDirectory
    from .payload import PayloadClient as PayloadClient
    from .payload import PayloadMediaStore as PayloadMediaStore
    from .payload import PayloadMetadataRepository as PayloadMetadataRepository
    from .payload import PayloadOptions as PayloadOptions
    from .postgres import AsyncPostgresCharacterDirectory as AsyncPostgresCharacterDirectory
    from .postgres import AsyncPostgresDatabase as AsyncPostgresDatabase
    from .postgres import AsyncPostgresGenerationLedger as AsyncPostgresGenerationLedger
    from .postgres import AsyncPostgresMetadataRepository as AsyncPostgresMetadataRepository
    from .postgres import PostgresCharacterDirectory as PostgresCharacterDirectory
    from .postgres import PostgresDatabase as PostgresDatabase
    from .postgres import PostgresGenerationLedger as PostgresGenerationLedger
    from .postgres import PostgresMetadataRepository as PostgresMetadataRepository
    from .s3 import AsyncS3MediaStore as AsyncS3MediaStore
    from .s3 import S3MediaStore as S3MediaStore
    from .sqlite import AsyncSqliteCharacterDirectory as AsyncSqliteCharacterDirectory
    from .sqlite import AsyncSqliteGenerationLedger as AsyncSqliteGenerationLedger
    from .sqlite import AsyncSqliteMetadataRepository as AsyncSqliteMetadataRepository
    from .sqlite import SqliteCharacterDirectory as SqliteCharacterDirectory
    from .sqlite import SqliteDatabase as SqliteDatabase
    from .sqlite import SqliteGenerationLedger as SqliteGenerationLedger
    from .sqlite import SqliteMetadataRepository as SqliteMetadataRepository

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

__all__ = [
    "AsyncDiskMediaStore",
    "AsyncMemoryCharacterDirectory",
    "AsyncMemoryGenerationLedger",
    "AsyncMemoryMediaStore",
    "AsyncMemoryMetadataRepository",
    "AsyncPayloadCharacterDirectory",
    "AsyncPayloadClient",
    "AsyncPayloadMediaStore",
    "AsyncPayloadMetadataRepository",
    "AsyncPostgresCharacterDirectory",
    "AsyncPostgresDatabase",
    "AsyncPostgresGenerationLedger",
    "AsyncPostgresMetadataRepository",
    "AsyncS3MediaStore",
    "AsyncSqliteCharacterDirectory",
    "AsyncSqliteGenerationLedger",
    "AsyncSqliteMetadataRepository",
    "DiskMediaStore",
    "MemoryCharacterDirectory",
    "MemoryGenerationLedger",
    "MemoryMediaStore",
    "MemoryMetadataRepository",
    "PayloadCharacterDirectory",
    "PayloadClient",
    "PayloadMediaStore",
    "PayloadMetadataRepository",
    "PayloadOptions",
    "PostgresCharacterDirectory",
    "PostgresDatabase",
    "PostgresGenerationLedger",
    "PostgresMetadataRepository",
    "S3MediaStore",
    "SqliteCharacterDirectory",
    "SqliteDatabase",
    "SqliteGenerationLedger",
    "SqliteMetadataRepository",
]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
