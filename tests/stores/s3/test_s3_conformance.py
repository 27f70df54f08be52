"""The S3 store keeps the contract of a media store, in each real server and each mode."""

from __future__ import annotations

from typing import Any

import pytest

from charimg.stores import AsyncS3MediaStore, S3MediaStore
from charimg.testing import MediaStoreContract

from ...servers.s3 import S3Server
from .conftest import objects


class TestS3Media(MediaStoreContract):
    @pytest.fixture(autouse=True)
    def _place(self, server: S3Server, prefix: str) -> None:
        self.url = server.url(prefix)
        self.server = server
        self.prefix = prefix

    def make(self) -> Any:
        return S3MediaStore.from_url(self.url)

    def reopen(self, made: Any) -> Any:
        return self.make()

    def underneath(self, key: str) -> list[str]:
        return [name for name in objects(self.server, self.prefix) if key in name]


class TestS3MediaOnAsyncio(TestS3Media):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncS3MediaStore.from_url(self.url)


class TestS3MediaOnTrio(TestS3MediaOnAsyncio):
    backend = "trio"


class TestS3MediaKnown(TestS3Media):
    """In the strict server, by a store that has seen that it heeds conditions."""

    @pytest.fixture
    def server(self, radosgw_server: S3Server) -> S3Server:
        return radosgw_server

    kind: Any = S3MediaStore

    def make(self) -> Any:
        made = self.kind.from_url(self.url)
        made._bucket.heeds = True
        return made


class TestS3MediaKnownOnAsyncio(TestS3MediaKnown):
    backend = "asyncio"
    kind = AsyncS3MediaStore
