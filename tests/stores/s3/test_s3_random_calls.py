"""Any sequence of calls: the S3 store answers as a dictionary of files does, in both modes.

Few sequences in the suite; with ``CHARIMG_SOAK`` as many as of the embedded stores.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from charimg.stores import AsyncS3MediaStore, S3MediaStore
from charimg.testing import MediaStoreMachine

from ...servers.s3 import S3Server


class TestS3Media(MediaStoreMachine):
    examples = 100 if os.environ.get("CHARIMG_SOAK") else 25

    @pytest.fixture(autouse=True)
    def _place(self, rclone_server: S3Server, prefix: str) -> None:
        self.url = rclone_server.url(prefix)

    def make(self) -> Any:
        return S3MediaStore.from_url(self.url)

    def reopen(self, made: Any) -> Any:
        return self.make()


class TestS3MediaOnAsyncio(TestS3Media):
    backend = "asyncio"

    def make(self) -> Any:
        return AsyncS3MediaStore.from_url(self.url)


class TestS3MediaOnTrio(TestS3MediaOnAsyncio):
    backend = "trio"


class TestS3MediaKnown(TestS3Media):
    """In the server that heeds conditions, by stores that have seen it."""

    @pytest.fixture(autouse=True)
    def _place(self, radosgw_server: S3Server, prefix: str) -> None:
        self.url = radosgw_server.url(prefix)

    def make(self) -> Any:
        made = S3MediaStore.from_url(self.url)
        made._bucket.heeds = True
        return made
