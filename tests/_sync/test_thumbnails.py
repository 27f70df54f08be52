# Generated from tests/_async/test_thumbnails.py by tools/unasync.py. Do not edit.
"""Thumbnails from the sandbox to the store: drawn with the check, and never in this process."""

from __future__ import annotations

import io
from typing import Any

import pytest

from charimg import Migration
from charimg._ingest.inspect import inspect
from charimg.stores import MemoryMediaStore
from charimg.stores import _uploads as uploads

from . import world as worlds
from .world import LENA

pytest.importorskip("PIL")

SIDE = 20


class Asked(list[Any]):
    """The uploads of which a store had a thumbnail drawn."""

    def __call__(self, file: Any, longest_side: int) -> bytes:
        self.append(file)
        return self.real(file, longest_side)

    real = staticmethod(uploads.draw_thumbnail)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    made = Asked()
    monkeypatch.setattr(uploads, "draw_thumbnail", made)
    return made


def drawn(media: MemoryMediaStore, **options: Any) -> tuple[worlds.World, Any]:
    """Return a world with one reference, and its image."""
    world = worlds.World(media=media, **options)
    world.link()
    result = world.service.generate_reference(LENA, prompt="one")
    return world, result.image


def side_of(media: MemoryMediaStore, image: Any) -> int:
    thumbnail = media.thumbnail(image.key)
    found = inspect(io.BytesIO(thumbnail), max_pixels=SIDE**2)
    return max(found.width, found.height)


def test_it_is_drawn_with_the_check(asked: Asked) -> None:
    media = MemoryMediaStore(thumbnail_px=SIDE)
    _, image = drawn(media)
    assert side_of(media, image) == SIDE
    assert image.media.thumbnail_url == f"memory:{image.key}?thumbnail"
    assert asked == []


def test_where_nothing_is_checked_the_store_has_it_drawn(asked: Asked) -> None:
    media = MemoryMediaStore(thumbnail_px=SIDE)
    world = worlds.World(media=media)
    world.service._parts.downloader._decoder = None
    world.link()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    assert side_of(media, image) == SIDE
    assert len(asked) == 1


class Wrapped:
    """A host's own store, which says what it likes of thumbnails, or nothing."""

    def __init__(self, **says: Any) -> None:
        self._store = MemoryMediaStore()
        self.saved: list[Any] = []
        vars(self).update(says)

    def __getattr__(self, name: str) -> Any:
        if name == "thumbnail_px":
            raise AttributeError(name)
        return getattr(self._store, name)

    def save(self, upload: Any, /) -> Any:
        self.saved.append(upload.thumbnail)
        return self._store.save(upload)


@pytest.mark.parametrize("says", [{}, {"thumbnail_px": 0}, {"thumbnail_px": "large"}])
def test_a_store_that_asks_for_none_gets_none(says: dict[str, Any], asked: Asked) -> None:
    media: Any = Wrapped(**says)
    _, image = drawn(media)
    assert media.saved == [None]
    assert image.media.thumbnail_url is None
    assert asked == []


def test_a_hosts_own_store_gets_the_size_that_it_asks_for() -> None:
    media: Any = Wrapped(thumbnail_px=SIDE)
    drawn(media)
    (thumbnail,) = media.saved
    found = inspect(io.BytesIO(thumbnail), max_pixels=SIDE**2)
    assert max(found.width, found.height) == SIDE


def test_a_file_that_comes_back_has_it_from_the_check(asked: Asked) -> None:
    media = MemoryMediaStore(thumbnail_px=SIDE)
    world, image = drawn(media)
    media.delete(image.key)
    world.service.bring_back(LENA, image.id)
    assert side_of(media, image) == SIDE
    assert asked == []


def test_a_copy_has_it_drawn(asked: Asked) -> None:
    world, image = drawn(MemoryMediaStore())
    media = MemoryMediaStore(thumbnail_px=SIDE)
    target = worlds.World()
    target.media = media
    world.media = world.options["media"]
    Migration(source=world, target=target).run()
    assert side_of(media, image) == SIDE
    assert len(asked) == 1
