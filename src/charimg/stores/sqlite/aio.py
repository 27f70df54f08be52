"""The async stores: the sync ones in worker threads, for asyncio and trio.

A cancelled call runs to its end before the cancellation goes on, so writes keep their order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from ...capabilities import StoredPage
from ...journal import Lease, Operation, OperationPage
from ...models import CharacterImage, CharacterReference, ImagePage
from .._leases import agive_back
from .._threads import in_thread
from .database import SqliteDatabase
from .directory import SqliteCharacterDirectory
from .ledger import SqliteGenerationLedger
from .metadata import SqliteMetadataRepository

__all__ = [
    "AsyncSqliteCharacterDirectory",
    "AsyncSqliteGenerationLedger",
    "AsyncSqliteMetadataRepository",
]


class AsyncSqliteCharacterDirectory:
    """The async twin of `SqliteCharacterDirectory`."""

    _in_threads = True

    def __init__(self, database: SqliteDatabase) -> None:
        self._sync = SqliteCharacterDirectory(database)

    async def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        return await in_thread(lambda: self._sync.get(character_id))

    async def put(self, character: CharacterReference, /) -> None:
        """See `SqliteCharacterDirectory.put`."""
        await in_thread(lambda: self._sync.put(character))

    async def list_all(self) -> tuple[CharacterReference, ...]:
        """See `SqliteCharacterDirectory.list_all`."""
        return await in_thread(self._sync.list_all)

    async def totals(self) -> tuple[int, int]:
        """See `SqliteCharacterDirectory.totals`."""
        return await in_thread(self._sync.totals)

    async def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        return await in_thread(lambda: self._sync.linked(library_db_id))

    async def remove(self, character_id: str, /) -> bool:
        """See `SqliteCharacterDirectory.remove`."""
        return await in_thread(lambda: self._sync.remove(character_id))

    async def link(
        self,
        character_id: str,
        /,
        *,
        library_db_id: str | None,
        library_character_id: str | None = None,
    ) -> CharacterReference:
        """See `SqliteCharacterDirectory.link`."""
        return await in_thread(
            lambda: self._sync.link(
                character_id,
                library_db_id=library_db_id,
                library_character_id=library_character_id,
            )
        )


class AsyncSqliteMetadataRepository:
    """The async twin of `SqliteMetadataRepository`."""

    _in_threads = True

    requires_media = False

    def __init__(self, database: SqliteDatabase) -> None:
        self._sync = SqliteMetadataRepository(database)

    async def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        return await in_thread(lambda: self._sync.add(image))

    async def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        return await in_thread(lambda: self._sync.add_many(images))

    async def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        return await in_thread(lambda: self._sync.get(image_id))

    async def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        return await in_thread(lambda: self._sync.update(image))

    async def list(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ImagePage:
        """See `SqliteMetadataRepository.list`."""
        return await in_thread(
            lambda: self._sync.list(
                character_id, kind=kind, status=status, limit=limit, cursor=cursor
            )
        )

    async def list_stored(
        self,
        character_id: str,
        /,
        *,
        kind: str | None = None,
        status: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        unless: Collection[str] = (),
    ) -> StoredPage:
        """See `SqliteMetadataRepository.list_stored`."""
        return await in_thread(
            lambda: self._sync.list_stored(
                character_id, kind=kind, status=status, limit=limit, cursor=cursor, unless=unless
            )
        )

    async def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return await in_thread(lambda: self._sync.delete(image_id))

    async def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        return await in_thread(self._sync.character_ids)


class AsyncSqliteGenerationLedger:
    """The async twin of `SqliteGenerationLedger`."""

    def __init__(self, database: SqliteDatabase, *, clock: Callable[[], float] = time.time) -> None:
        self._sync = SqliteGenerationLedger(database, clock=clock)

    async def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `SqliteGenerationLedger.acquire`."""
        taken: list[Lease] = []
        try:
            await in_thread(
                lambda: taken.append(self._sync.acquire(character_id, owner=owner, ttl=ttl))
            )
        except BaseException:
            await agive_back(taken, self.release)
            raise
        return taken[0]

    async def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `SqliteGenerationLedger.renew`."""
        return await in_thread(lambda: self._sync.renew(lease, ttl=ttl))

    async def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        await in_thread(lambda: self._sync.release(lease))

    async def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `SqliteGenerationLedger.write`."""
        await in_thread(lambda: self._sync.write(operation, lease=lease))

    async def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        return await in_thread(lambda: self._sync.get(operation_id))

    async def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        return await in_thread(lambda: self._sync.unfinished(character_id))

    async def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `SqliteGenerationLedger.list`."""
        return await in_thread(lambda: self._sync.list(character_id, limit=limit, cursor=cursor))
