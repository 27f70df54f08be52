"""Assembles the embedded default: files on disk and one SQLite database below a directory."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from attrs import frozen

from ._ingest.origins import DEFAULT_PORTS, FetchPolicy
from .errors import ConfigurationError, InvalidArgument
from .stores.disk import AsyncDiskMediaStore, DiskMediaStore
from .stores.sqlite import (
    AsyncSqliteCharacterDirectory,
    AsyncSqliteGenerationLedger,
    AsyncSqliteMetadataRepository,
    SqliteCharacterDirectory,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
)

__all__ = [
    "AsyncEmbeddedStores",
    "EmbeddedStores",
    "allowed_origins",
    "async_embedded",
    "data_directory",
    "embedded",
    "media_url",
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


def data_directory() -> Path:
    """Return the directory named by ``CHARIMG_DIR``, else ``./charimg-data``.

    Raises:
        ConfigurationError: It exists and is no directory.
    """
    path = Path(os.environ.get("CHARIMG_DIR") or "charimg-data")
    if path.exists() and not path.is_dir():
        raise ConfigurationError(
            f"CHARIMG_DIR names {str(path)!r}, which is not a directory. Point it to a directory "
            "that charimg may write to."
        )
    return path


def media_url() -> str | None:
    """Return what ``CHARIMG_MEDIA_URL`` says the media are served under, if anything."""
    return os.environ.get("CHARIMG_MEDIA_URL") or None


def allowed_origins() -> tuple[str, ...]:
    """Return the origins of ``CHARIMG_ALLOWED_ORIGINS``, which spaces stand between.

    Raises:
        ConfigurationError: One of them is no origin.
    """
    origins = tuple(os.environ.get("CHARIMG_ALLOWED_ORIGINS", "").split())
    try:
        FetchPolicy.checked(origins=origins, ports=DEFAULT_PORTS)
    except InvalidArgument as error:
        raise ConfigurationError(f"CHARIMG_ALLOWED_ORIGINS is wrong: {error}") from error
    return origins


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
