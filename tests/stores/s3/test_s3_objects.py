"""The order of the requests, over a bucket in memory: what another process sees in between."""

from __future__ import annotations

import pytest
from obstore.store import MemoryStore

from charimg.stores import S3MediaStore
from charimg.stores.s3.bucket import Bucket
from charimg.testing.conformance.media import make_upload

from .test_s3_saving import image_bytes

KEY = "k-order"


class Broke(BaseException):
    """The process is gone."""


@pytest.fixture
def store() -> S3MediaStore:
    made = S3MediaStore("images", region="us-east-1")
    made._bucket._store = MemoryStore()  # type: ignore[assignment]
    return made


def paths(store: S3MediaStore) -> list[str]:
    return sorted(store._bucket.list("", KEY))


@pytest.mark.parametrize("content", [b"no image", image_bytes()])
def test_a_deletion_takes_the_image_out_of_sight_before_anything_else(
    store: S3MediaStore, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Should the process die then, nobody sees half a medium, and the next deletion finds it."""
    store.save(make_upload(KEY, content))
    whole = paths(store)
    real = Bucket.delete

    def once(self: Bucket, path: str, key: str) -> None:
        real(self, path, key)
        raise Broke

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "delete", once)
        with pytest.raises(Broke):
            store.delete(KEY)
    assert paths(store) == [path for path in whole if path != f"{KEY}/_media.json"]
    assert store.get(KEY) is None
    assert store.delete(KEY) is True
    assert paths(store) == []
    assert store.delete(KEY) is False
