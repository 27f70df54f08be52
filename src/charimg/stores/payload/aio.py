"""The async stores in Payload, for asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from ..._arguments import checked
from ..._http.cms import CmsAnswer
from ...models import CharacterImage, CharacterReference, ImagePage, Media, Upload
from .._batches import Batches
from . import characters, files, records
from .answers import check_file
from .client import AsyncPayloadClient
from .steps import Site
from .sync import located

__all__ = [
    "AsyncPayloadCharacterDirectory",
    "AsyncPayloadMediaStore",
    "AsyncPayloadMetadataRepository",
]


@checked
class _Store:
    def __init__(self, client: AsyncPayloadClient) -> None:
        self._client = client

    @property
    def _site(self) -> Site:
        return self._client.site

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Make a store with a client of its own; see `AsyncPayloadClient.from_url`."""
        return cls(AsyncPayloadClient.from_url(url, **options))

    async def aclose(self) -> None:
        """Close the client; for a store made by `from_url`."""
        await self._client.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._client!r})"


@checked
class AsyncPayloadMediaStore(_Store):
    """The async twin of `PayloadMediaStore`."""

    concurrent_safe = False

    async def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`.

        Raises:
            InvalidArgument: The key cannot be part of a file name.
            StorageError: Payload refused the file or failed.
        """
        return await self._client.run(files.save(self._site, upload))

    @asynccontextmanager
    async def open(self, key: str, /) -> AsyncIterator[AsyncIterator[bytes]]:
        """See `MediaStore.open`."""
        request = await self._client.run(files.open_file(self._site, key))
        headers = self._site.headers(request.url)
        async with self._client.transport.open(request, headers) as (status, chunks):
            check_file(self._site.marked(CmsAnswer(status=status)), key)
            yield chunks

    async def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`. Reads the file for its hash."""
        return await self._client.run(files.get(self._site, key))

    async def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`.

        Raises:
            StorageConflict: A record still names the media; delete the record first.
        """
        return await self._client.run(files.delete(self._site, key))

    def list_keys(self) -> AsyncIterator[str]:
        """See `PayloadMediaStore.list_keys`."""
        last: list[Any] = [None]

        async def read() -> list[str]:
            keys, last[0] = await self._client.run(files.key_page(self._site, last[0]))
            return keys

        return Batches(read)

    async def has_renditions(self, media: Media, /) -> bool:
        """See `PayloadMediaStore.has_renditions`."""
        return await self._client.run(files.has_renditions(self._site, media))

    async def sha256_of(self, upload: Upload, /) -> str:
        """See `PayloadMediaStore.sha256_of`."""
        return await self._client.run(files.sha256_of(self._site, upload))

    async def replace(self, upload: Upload, /) -> Media:
        """See `PayloadMediaStore.replace`."""
        return await self._client.run(files.replace(self._site, upload))

    def locate(self, media: Media, /) -> Media:
        """See `MediaStore.locate`. A ``thumbnail_url`` that a record's media has is kept."""
        return located(self._site, media)


@checked
class AsyncPayloadMetadataRepository(_Store):
    """The async twin of `PayloadMetadataRepository`."""

    @property
    def requires_media(self) -> bool:
        """Whether the records' media is a required field."""
        return self._site.options.requires_media

    async def check(self, image: CharacterImage, /) -> None:
        """See `CheckingMetadataRepository.check`: whether Payload has the character."""
        await self._client.run(records.check(self._site, image))

    async def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`. A ``created_by`` that Payload refuses is left out."""
        return await self._client.run(records.add(self._site, image))

    async def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        return await self._client.run(records.get(self._site, image_id))

    async def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        return await self._client.run(records.update(self._site, image))

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
        """See `MetadataRepository.list`."""
        return await self._client.run(
            records.list_page(self._site, character_id, kind, status, limit, cursor)
        )

    async def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return await self._client.run(records.delete(self._site, image_id))

    async def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        return await self._client.run(records.character_ids(self._site))


@checked
class AsyncPayloadCharacterDirectory(_Store):
    """The async twin of `PayloadCharacterDirectory`."""

    async def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        return await self._client.run(characters.get(self._site, character_id))

    async def link(
        self, character_id: str, /, *, library_db_id: str, library_character_id: str | None
    ) -> CharacterReference:
        """See `LinkableCharacterDirectory.link`: both ids are written where `get` finds them."""
        return await self._client.run(
            characters.link(self._site, character_id, library_db_id, library_character_id)
        )

    async def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`: by a query on each of the fields."""
        return await self._client.run(characters.linked(self._site, library_db_id))

    async def list_all(self) -> tuple[CharacterReference, ...]:
        """See `ListableCharacterDirectory.list_all`."""
        return await self._client.run(characters.list_all(self._site))
