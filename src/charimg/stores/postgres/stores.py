"""The async stores: the same programs on the async database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

from ..._arguments import checked
from ...capabilities import StoredPage
from ...errors import InvalidArgument
from ...journal import Lease, Operation, OperationPage
from ...models import CharacterImage, CharacterReference, ImagePage
from .._leases import agive_back
from . import directory, ledger, metadata
from .aio import AsyncPostgresDatabase
from .statements import Program

__all__ = [
    "AsyncPostgresCharacterDirectory",
    "AsyncPostgresGenerationLedger",
    "AsyncPostgresMetadataRepository",
]

T = TypeVar("T")


async def _found(database: AsyncPostgresDatabase, program: Program[T | None]) -> T | None:
    try:
        return await database.run(program, atomic=False)
    except InvalidArgument:
        # No text that PostgreSQL can hold, so nothing was ever written under it.
        return None


@checked
class AsyncPostgresCharacterDirectory:
    """The async twin of `PostgresCharacterDirectory`."""

    def __init__(self, database: AsyncPostgresDatabase) -> None:
        self._database = database

    async def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        return await _found(self._database, directory.get(character_id))

    async def put(self, character: CharacterReference, /) -> None:
        """See `PostgresCharacterDirectory.put`."""
        await self._database.run(directory.put(character), atomic=False)

    async def list_all(self) -> tuple[CharacterReference, ...]:
        """See `PostgresCharacterDirectory.list_all`."""
        return await self._database.run(directory.list_all(), atomic=False)

    async def totals(self) -> tuple[int, int]:
        """See `PostgresCharacterDirectory.totals`."""
        return await self._database.run(directory.totals(), atomic=False)

    async def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`."""
        return await self._database.run(directory.linked(library_db_id), atomic=False)

    async def remove(self, character_id: str, /) -> bool:
        """See `PostgresCharacterDirectory.remove`."""
        return await self._database.run(directory.remove(character_id), atomic=False)

    async def link(
        self,
        character_id: str,
        /,
        *,
        library_db_id: str | None,
        library_character_id: str | None = None,
    ) -> CharacterReference:
        """See `PostgresCharacterDirectory.link`."""
        program = directory.link(character_id, library_db_id, library_character_id)
        return await self._database.run(program, atomic=False)


@checked
class AsyncPostgresMetadataRepository:
    """The async twin of `PostgresMetadataRepository`."""

    requires_media = False

    def __init__(self, database: AsyncPostgresDatabase) -> None:
        self._database = database

    async def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`."""
        return await self._database.run(metadata.add(image), atomic=False)

    async def add_many(self, images: Sequence[CharacterImage], /) -> tuple[CharacterImage, ...]:
        """See `BatchingMetadataRepository.add_many`."""
        return await self._database.run(metadata.add_many(images))

    async def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        return await _found(self._database, metadata.get(image_id))

    async def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        return await self._database.run(metadata.update(image))

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
        """See `PostgresMetadataRepository.list`."""
        program = metadata.page(character_id, kind=kind, status=status, limit=limit, cursor=cursor)
        return await self._database.run(program, atomic=False)

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
        """See `PostgresMetadataRepository.list_stored`."""
        program = metadata.stored_page(
            character_id, kind=kind, status=status, limit=limit, cursor=cursor, unless=unless
        )
        return await self._database.run(program, atomic=False)

    async def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return await self._database.run(metadata.delete(image_id), atomic=False)

    async def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        return await self._database.run(metadata.character_ids(), atomic=False)


@checked
class AsyncPostgresGenerationLedger:
    """The async twin of `PostgresGenerationLedger`."""

    def __init__(self, database: AsyncPostgresDatabase) -> None:
        self._database = database

    async def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        """See `PostgresGenerationLedger.acquire`."""
        taken: list[Lease] = []
        try:
            program = ledger.acquire(character_id, owner, ttl, taken)
            return await self._database.run(program, atomic=False, commits=True)
        except BaseException:
            await agive_back(taken, self.release)
            raise

    async def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        """See `PostgresGenerationLedger.renew`."""
        return await self._database.run(ledger.renew(lease, ttl), atomic=False, commits=True)

    async def release(self, lease: Lease, /) -> None:
        """See `GenerationLedger.release`."""
        await self._database.run(ledger.release(lease), atomic=False, commits=True)

    async def write(self, operation: Operation, /, *, lease: Lease) -> None:
        """See `PostgresGenerationLedger.write`."""
        await self._database.run(ledger.write(operation, lease), commits=True)

    async def get(self, operation_id: str, /) -> Operation | None:
        """See `GenerationLedger.get`."""
        return await _found(self._database, ledger.get(operation_id))

    async def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        """See `GenerationLedger.unfinished`."""
        return await self._database.run(ledger.unfinished(character_id), atomic=False)

    async def list(
        self, character_id: str, /, *, limit: int = 50, cursor: str | None = None
    ) -> OperationPage:
        """See `PostgresGenerationLedger.list`."""
        program = ledger.page(character_id, limit=limit, cursor=cursor)
        return await self._database.run(program, atomic=False)
