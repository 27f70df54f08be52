"""The Payload stores keep the contracts, with each kind of id, on SQLite, PostgreSQL and MongoDB.

The suite has SQLite with both kinds of ids, and MongoDB; the long series has PostgreSQL and the
second MongoDB.

ObjectIds come from Payload's own adapter for MongoDB. What speaks MongoDB's protocol to it keeps
its documents in SQLite: the ids and the adapter's queries are proven here, not MongoDB's engine.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve
from tests.servers.payload import PayloadServer

from charimg.models import CharacterReference, Media, Upload
from charimg.stores import (
    AsyncPayloadCharacterDirectory,
    AsyncPayloadClient,
    AsyncPayloadMediaStore,
    AsyncPayloadMetadataRepository,
    PayloadCharacterDirectory,
    PayloadClient,
    PayloadMediaStore,
    PayloadMetadataRepository,
    PayloadOptions,
)
from charimg.testing import (
    CharacterDirectoryContract,
    MediaStoreContract,
    MetadataRepositoryContract,
)
from charimg.testing.conformance.media import FileHooks
from charimg.testing.conformance.records import RecordHooks

from .pictures import png, upload


class _OnPayload:
    """Gives every test a client of its own to a server of its kind."""

    store: Any
    kind = "sqlite"
    backend: str | None = None
    options: PayloadOptions | None = None

    @pytest.fixture(autouse=True)
    def _server(self, payload_of: Callable[[str], PayloadServer]) -> Iterator[None]:
        self.server = payload_of(self.kind)
        self.clients: dict[int, Any] = {}
        with PayloadClient(self.server.url, api_key=self.server.api_key) as self.client:
            yield

    def make(self) -> Any:
        client = PayloadClient if self.backend is None else AsyncPayloadClient
        made = client(self.server.url, api_key=self.server.api_key, options=self.options)
        store = self.store(made)
        self.clients[id(store)] = made
        return store

    def reopen(self, made: Any) -> Any:
        return self.make()

    def dispose(self, made: Any) -> Any:
        client = self.clients.pop(id(made))
        return client.close() if self.backend is None else client.aclose()


class _Files(_OnPayload, FileHooks):
    """What Payload takes as a file."""

    def content(self, seed: bytes) -> bytes:
        return png(seed)

    def upload(
        self,
        key: str,
        content: bytes | None = None,
        *,
        source: Callable[[bytes], io.BytesIO] = io.BytesIO,
    ) -> Upload:
        content = super().upload(key).file.read() if content is None else content
        return upload(key, content, source=source)

    def underneath(self, key: str) -> list[str]:
        query = f"/media?depth=0&limit=0&where[filename][contains]={key}"
        documents = self.server.ask("GET", query)["docs"]
        files = [path.name for path in self.server.files.iterdir() if key in path.name]
        return [each["filename"] for each in documents] + files


class TestMedia(_Files, MediaStoreContract):
    store = PayloadMediaStore


class TestMediaOnAsyncio(TestMedia):
    backend = "asyncio"
    store = AsyncPayloadMediaStore


class TestMediaOnTrio(TestMediaOnAsyncio):
    backend = "trio"


class TestMediaInUuids(TestMedia):
    kind = "sqlite-uuid"


@pytest.mark.long
class TestMediaInPostgres(TestMedia):
    kind = "postgres"


@pytest.mark.long
class TestMediaInPostgresUuidsOnAsyncio(TestMediaOnAsyncio):
    kind = "postgres-uuid"


class TestMediaInMongo(TestMedia):
    kind = "mongo"


@pytest.mark.long
class TestMediaInMongoOnTrio(TestMediaOnTrio):
    kind = "mongo-keyed"


class _Records(_OnPayload, RecordHooks):
    """What Payload takes as a record."""

    closed_values = True

    @pytest.fixture(autouse=True)
    def _no_files(self, _server: None) -> None:
        self.saved: dict[str, Media] = {}

    def character(self) -> str:
        return self.server.character()

    def media(self, key: str, **urls: str) -> Media:
        # One file for all records of a test, or of a sequence of calls.
        group = key.rpartition("-")[0]
        if group not in self.saved:
            self.saved[group] = PayloadMediaStore(self.client).save(upload(key))
        saved = self.saved[group]
        name = saved.filename.removesuffix(".png")
        located = evolve(
            saved, url=f"{self.server.url}/api/media/file/{name}.png", thumbnail_url=None
        )
        return evolve(located, **urls)

    def rows(self, key: str) -> int:
        where = f"where[media][equals]={self.media(key).id}"
        query = f"/character-image-metadata?depth=0&limit=0&{where}"
        documents = self.server.ask("GET", query)["docs"]
        return sum(each["metrics"]["key"] == key for each in documents)

    def order(self, image_id: str) -> Any:
        return int(image_id) if self.kind in ("sqlite", "postgres") else image_id


class TestMetadata(_Records, MetadataRepositoryContract):
    store = PayloadMetadataRepository
    many = 51


class TestMetadataOnAsyncio(TestMetadata):
    backend = "asyncio"
    store = AsyncPayloadMetadataRepository


class _Loose:
    """A collection whose records take any kind and status, and stand without media."""

    closed_values = False
    options = PayloadOptions(requires_media=False, kinds=None, statuses=None)


class TestMetadataInUuids(_Loose, TestMetadata):
    kind = "sqlite-uuid"


@pytest.mark.long
class TestMetadataInPostgres(TestMetadata):
    kind = "postgres"


@pytest.mark.long
class TestMetadataInPostgresUuidsOnTrio(TestMetadataOnAsyncio):
    kind = "postgres-uuid"
    backend = "trio"


class TestMetadataInMongo(TestMetadata):
    kind = "mongo"


@pytest.mark.long
class TestMetadataInMongoOnAsyncio(_Loose, TestMetadataOnAsyncio):
    kind = "mongo-keyed"


class TestDirectory(_OnPayload, CharacterDirectoryContract):
    store = PayloadCharacterDirectory

    @pytest.fixture(autouse=True)
    def _characters(self, _server: None) -> None:
        found = []
        for each in CharacterDirectoryContract.characters:
            identity = self.server.character(
                each.name,
                libraryIntegration={
                    "libraryDbId": each.library_db_id,
                    "libraryCharacterId": each.library_character_id,
                },
                generationMetadata={"bamlData": each.traits or None},
            )
            found.append(evolve(each, id=identity))
        self.characters: tuple[CharacterReference, ...] = tuple(found)  # type: ignore[misc]


class TestDirectoryOnAsyncio(TestDirectory):
    backend = "asyncio"
    store = AsyncPayloadCharacterDirectory


@pytest.mark.long
class TestDirectoryInPostgres(TestDirectory):
    kind = "postgres"


@pytest.mark.long
class TestDirectoryInPostgresUuidsOnTrio(TestDirectoryOnAsyncio):
    kind = "postgres-uuid"
    backend = "trio"


class TestDirectoryInMongo(TestDirectory):
    kind = "mongo"


@pytest.mark.long
class TestDirectoryInMongoOnAsyncio(TestDirectoryOnAsyncio):
    kind = "mongo-keyed"
