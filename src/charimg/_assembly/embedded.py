"""Assembles the embedded default: files on disk and one SQLite database below a directory."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from attrs import frozen

from ..stores.disk import AsyncDiskMediaStore, DiskMediaStore
from ..stores.sqlite import (
    AsyncSqliteCharacterDirectory,
    AsyncSqliteGenerationLedger,
    AsyncSqliteMetadataRepository,
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
)

__all__ = [
    "DATABASE",
    "MEDIA",
    "AsyncEmbeddedStores",
    "EmbeddedStores",
    "async_embedded",
    "embedded",
]

DATABASE = "charimg.sqlite"
MEDIA = "media"


@frozen(kw_only=True)
class EmbeddedStores:
    """The four stores of the embedded default, and the database to close."""

    database: SqliteDatabase
    directory: SqliteCharacterDirectory
    media: DiskMediaStore
    metadata: SqliteMetadataRepository
    ledger: SqliteGenerationLedger


@frozen(kw_only=True)
class AsyncEmbeddedStores:
    """The async twin of `EmbeddedStores`."""

    database: SqliteDatabase
    directory: AsyncSqliteCharacterDirectory
    media: AsyncDiskMediaStore
    metadata: AsyncSqliteMetadataRepository
    ledger: AsyncSqliteGenerationLedger


def embedded(directory: str | PathLike[str], *, media_url: str | None = None) -> EmbeddedStores:
    """Open the stores below a directory, which is made if it is missing."""
    root = Path(directory)
    database = SqliteDatabase(root / DATABASE)
    return EmbeddedStores(
        database=database,
        directory=SqliteCharacterDirectory(database),
        media=DiskMediaStore(root / MEDIA, base_url=media_url),
        metadata=SqliteMetadataRepository(database),
        ledger=SqliteGenerationLedger(database),
    )


def async_embedded(
    directory: str | PathLike[str], *, media_url: str | None = None
) -> AsyncEmbeddedStores:
    """Open the async stores below a directory, which is made if it is missing."""
    root = Path(directory)
    database = SqliteDatabase(root / DATABASE)
    return AsyncEmbeddedStores(
        database=database,
        directory=AsyncSqliteCharacterDirectory(database),
        media=AsyncDiskMediaStore(root / MEDIA, base_url=media_url),
        metadata=AsyncSqliteMetadataRepository(database),
        ledger=AsyncSqliteGenerationLedger(database),
    )
