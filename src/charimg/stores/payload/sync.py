"""The sync stores in Payload."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from attrs import evolve

from ..._arguments import checked
from ..._http.cms import CmsAnswer
from ...models import CharacterImage, CharacterReference, ImagePage, Media, Upload
from . import characters, files, records, wire
from .answers import check_file
from .client import PayloadClient
from .steps import Site

__all__ = ["PayloadCharacterDirectory", "PayloadMediaStore", "PayloadMetadataRepository", "located"]


@checked
class _Store:
    def __init__(self, client: PayloadClient) -> None:
        self._client = client

    @property
    def _site(self) -> Site:
        return self._client.site

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Make a store with a client of its own; see `PayloadClient.from_url`."""
        return cls(PayloadClient.from_url(url, **options))

    def close(self) -> None:
        """Close the client; for a store made by `from_url`."""
        self._client.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._client!r})"


@checked
class PayloadMediaStore(_Store):
    """A `MediaStore` in an upload collection of Payload.

    A file is found by its name, which carries the key; no field of charimg's is needed. Payload may
    transcode a file, so the hash is read back from what it stored.

    Args:
        client: The connection. Whoever made it closes it.
    """

    concurrent_safe = False

    def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`.

        Raises:
            InvalidArgument: The key cannot be part of a file name.
            StorageError: Payload refused the file or failed.
        """
        return self._client.run(files.save(self._site, upload))

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """See `MediaStore.open`."""
        request = self._client.run(files.open_file(self._site, key))
        headers = self._site.headers(request.url)
        with self._client.transport.open(request, headers) as (status, chunks):
            check_file(self._site.marked(CmsAnswer(status=status)), key)
            yield chunks

    def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`. Reads the file for its hash."""
        return self._client.run(files.get(self._site, key))

    def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`.

        Raises:
            StorageConflict: A record still names the media; delete the record first.
        """
        return self._client.run(files.delete(self._site, key))

    def list_keys(self) -> Iterator[str]:
        """See `ListableMediaStore.list_keys`. Uploads of others are in the collection, too."""
        keys, last = self._client.run(files.key_page(self._site, None))
        while keys:
            yield from keys
            keys, last = self._client.run(files.key_page(self._site, last))

    def has_renditions(self, media: Media, /) -> bool:
        """See `RepairableMediaStore.has_renditions`."""
        return self._client.run(files.has_renditions(self._site, media))

    def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`. Payload is given the file for a moment."""
        return self._client.run(files.sha256_of(self._site, upload))

    def replace(self, upload: Upload, /) -> Media:
        """See `RepairableMediaStore.replace`. The document stays; its file gets a new name.

        Raises:
            InvalidArgument: The key cannot be part of a file name.
            StorageError: As `save`.
        """
        return self._client.run(files.replace(self._site, upload))

    def locate(self, media: Media, /) -> Media:
        """See `MediaStore.locate`. A ``thumbnail_url`` that a record's media has is kept."""
        return located(self._site, media)


def located(site: Site, media: Media) -> Media:
    """Return the media with its URL."""
    return evolve(media, url=wire.file_url(media.filename, site.options, site.base_url))


@checked
class PayloadMetadataRepository(_Store):
    """A `MetadataRepository` in a collection of Payload; media are joined in when read.

    Args:
        client: The connection. Whoever made it closes it.
    """

    @property
    def requires_media(self) -> bool:
        """Whether the records' media is a required field."""
        return self._site.options.requires_media

    def check(self, image: CharacterImage, /) -> None:
        """See `CheckingMetadataRepository.check`: whether Payload has the character."""
        self._client.run(records.check(self._site, image))

    def add(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.add`. A ``created_by`` that Payload refuses is left out."""
        return self._client.run(records.add(self._site, image))

    def get(self, image_id: str, /) -> CharacterImage | None:
        """See `MetadataRepository.get`."""
        return self._client.run(records.get(self._site, image_id))

    def update(self, image: CharacterImage, /) -> CharacterImage:
        """See `MetadataRepository.update`."""
        return self._client.run(records.update(self._site, image))

    def list(
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
        return self._client.run(
            records.list_page(self._site, character_id, kind, status, limit, cursor)
        )

    def delete(self, image_id: str, /) -> bool:
        """See `MetadataRepository.delete`."""
        return self._client.run(records.delete(self._site, image_id))

    def character_ids(self) -> tuple[str, ...]:
        """See `ListableMetadataRepository.character_ids`."""
        return self._client.run(records.character_ids(self._site))


@checked
class PayloadCharacterDirectory(_Store):
    """A `CharacterDirectory` over the host's own collection of characters.

    It reads them, and keeps the link to the Character Library; nobody is added or deleted.

    Args:
        client: The connection. Whoever made it closes it.
    """

    def get(self, character_id: str, /) -> CharacterReference | None:
        """See `CharacterDirectory.get`."""
        return self._client.run(characters.get(self._site, character_id))

    def link(
        self, character_id: str, /, *, library_db_id: str, library_character_id: str | None
    ) -> CharacterReference:
        """See `LinkableCharacterDirectory.link`: both ids are written where `get` finds them."""
        return self._client.run(
            characters.link(self._site, character_id, library_db_id, library_character_id)
        )

    def linked(self, library_db_id: str, /) -> tuple[CharacterReference, ...]:
        """See `SearchableCharacterDirectory.linked`: by a query on each of the fields."""
        return self._client.run(characters.linked(self._site, library_db_id))

    def list_all(self) -> tuple[CharacterReference, ...]:
        """See `ListableCharacterDirectory.list_all`."""
        return self._client.run(characters.list_all(self._site))
