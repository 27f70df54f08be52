"""The services that are measured: both modes over the same parts, as a host would assemble them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    Downloader,
)
from charimg import stores as kinds

from .server import Library

__all__ = ["LENA", "async_service", "sync_service"]

LENA = "lena"


def _database(root: Path, library: Library) -> kinds.SqliteDatabase:
    root.mkdir(parents=True)
    database = kinds.SqliteDatabase(root / "charimg.sqlite")
    lena = CharacterReference(id=LENA, name="Lena", library_db_id=library.db_id)
    kinds.SqliteCharacterDirectory(database).put(lena)
    return database


@contextmanager
def sync_service(
    root: Path, library: Library, *, thumbnail_px: int, decode: bool
) -> Iterator[CharacterImageService]:
    """Open a blocking service on disk and SQLite below a new directory."""
    with ExitStack() as stack:
        database = stack.enter_context(_database(root, library))
        service = CharacterImageService(
            library=stack.enter_context(CharacterLibrary(library.url)),
            downloader=stack.enter_context(Downloader(decode=decode)),
            directory=kinds.SqliteCharacterDirectory(database),
            media=kinds.DiskMediaStore(root / "media", thumbnail_px=thumbnail_px),
            metadata=kinds.SqliteMetadataRepository(database),
            ledger=kinds.SqliteGenerationLedger(database),
        )
        yield stack.enter_context(service)


@contextmanager
def async_service(
    root: Path, library: Library, run: asyncio.Runner, *, thumbnail_px: int, decode: bool
) -> Iterator[AsyncCharacterImageService]:
    """Open its async twin, on the loop of a runner."""
    with _database(root, library) as database:

        async def opened(stack: AsyncExitStack) -> AsyncCharacterImageService:
            enter = stack.enter_async_context
            service = AsyncCharacterImageService(
                library=await enter(AsyncCharacterLibrary(library.url)),
                downloader=await enter(AsyncDownloader(decode=decode)),
                directory=kinds.AsyncSqliteCharacterDirectory(database),
                media=kinds.AsyncDiskMediaStore(root / "media", thumbnail_px=thumbnail_px),
                metadata=kinds.AsyncSqliteMetadataRepository(database),
                ledger=kinds.AsyncSqliteGenerationLedger(database),
            )
            return await enter(service)

        stack = AsyncExitStack()
        try:
            yield run.run(opened(stack))
        finally:
            run.run(stack.aclose())
