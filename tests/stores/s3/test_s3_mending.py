"""What the store names when it lists, and how it puts a file in the place of another."""

from __future__ import annotations

from typing import Any

import pytest

from charimg.errors import MediaAltered
from charimg.stores import S3MediaStore
from charimg.testing.conformance.media import make_upload

from .test_s3_objects import KEY, SIDECAR, made, paths
from .test_s3_saving import home, image_bytes, read


@pytest.fixture
def store() -> S3MediaStore:
    return made()


def test_keys_are_named_once_and_objects_of_others_by_their_paths(store: S3MediaStore) -> None:
    for key in (KEY, "another"):
        store.save(make_upload(key, image_bytes()))
    # A save that was broken off has no sidecar yet, and is there all the same.
    store._bucket.put(f"half/{home(b'x', 'half').partition('/')[2]}/x.png", "half", b"x", {})
    for path in ("holiday.png", f"{KEY}/notes.txt"):
        store._bucket.put(path, KEY, b"sun", {})
    assert sorted(store.list_keys()) == sorted(
        ["another", "half", KEY, "./holiday.png", f"./{KEY}/notes.txt"]
    )


@pytest.mark.parametrize("content", [image_bytes(), b"no image"])
def test_a_thumbnail_is_missed_only_where_there_was_one(store: S3MediaStore, content: Any) -> None:
    media = store.save(make_upload(KEY, content))
    thumbnail = f"{home(content, KEY)}/_thumbnail.webp"
    has_one = thumbnail in paths(store)
    assert has_one == (content != b"no image")
    store._bucket.delete(thumbnail, KEY)
    assert store.has_renditions(media) != has_one
    assert store.replace(make_upload(KEY, content)) == media
    assert store.has_renditions(media)


def test_a_file_that_was_changed_is_put_in_place_and_the_old_one_goes(store: S3MediaStore) -> None:
    first = store.save(make_upload(KEY, b"first"))
    path = f"{home(b'first', KEY)}/{first.filename}"
    store._bucket.put(path, KEY, b"f1rst", {})
    with pytest.raises(MediaAltered):
        read(store, KEY)
    assert store.replace(make_upload(KEY, b"first")) == first
    assert read(store, KEY) == b"first"
    second = store.replace(make_upload(KEY, b"second"))
    assert store.get(KEY) == second
    assert paths(store) == sorted([SIDECAR, f"{home(b'second', KEY)}/{second.filename}"])
