"""A store in each real server, below a prefix of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from charimg.stores import S3MediaStore
from charimg.stores.s3.bucket import Bucket

from ...servers.proxy import Proxy, proxying
from ...servers.s3 import BUCKET, S3Server, credentials

SERVERS = ("rclone", "radosgw")


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> S3Server:
    """Each of the servers."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test uses."""
    return f"t-{secrets.token_hex(6)}"


@pytest.fixture
def proxy(radosgw_server: S3Server) -> Iterator[Proxy]:
    """A proxy before the strict server."""
    with proxying(radosgw_server.port) as made:
        yield made


@pytest.fixture(params=[None, True], ids=["new", "known"])
def heeds(request: pytest.FixtureRequest) -> bool | None:
    """What a store in the strict server knows of it: nothing yet, or that it heeds conditions."""
    known: bool | None = request.param
    return known


@pytest.fixture
def through(
    proxy: Proxy, radosgw_server: S3Server, prefix: str, heeds: bool | None
) -> Callable[..., S3MediaStore]:
    """Make a store that speaks through the proxy."""

    def make(**parameters: Any) -> S3MediaStore:
        url = radosgw_server.url(prefix, endpoint=proxy.endpoint)
        store = S3MediaStore.from_url(url, **{"retries": 0, "timeout": 600.0, **parameters})
        store._bucket.heeds = heeds
        return store

    return make


@pytest.fixture
def store(server: S3Server, prefix: str) -> S3MediaStore:
    """A store in each server."""
    return S3MediaStore.from_url(server.url(prefix))


@pytest.fixture
def strict(radosgw_server: S3Server, prefix: str) -> S3MediaStore:
    """A store in the strict server; of the same prefix as one that `through` makes."""
    return S3MediaStore.from_url(radosgw_server.url(prefix))


def under(server: S3Server) -> Bucket:
    """Look at the server itself."""
    return Bucket(
        BUCKET,
        endpoint=server.endpoint,
        region="us-east-1",
        checksum="none",
        timeout=600,
        retries=0,
        credential_provider=None,
    )


def objects(server: S3Server, prefix: str) -> dict[str, int]:
    """Return the objects below a prefix, the prefix cut off, with their sizes."""
    found = under(server).list(prefix, "")
    return {path.removeprefix(f"{prefix}/"): size for path, size in found.items()}
