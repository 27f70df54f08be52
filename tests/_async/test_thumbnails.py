"""Thumbnails from the sandbox to the store: drawn with the check, and never in this process."""

from __future__ import annotations

import io
from typing import Any

import pytest

from charimg import AsyncMigration
from charimg._ingest.inspect import inspect
from charimg.stores import AsyncMemoryMediaStore
from charimg.stores import _uploads as uploads

from . import world as worlds
from .world import LENA

pytest.importorskip("PIL")
pytestmark = pytest.mark.anyio

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


async def drawn(media: AsyncMemoryMediaStore, **options: Any) -> tuple[worlds.AsyncWorld, Any]:
    """Return a world with one reference, and its image."""
    world = worlds.AsyncWorld(media=media, **options)
    await world.link()
    result = await world.service.generate_reference(LENA, prompt="one")
    return world, result.image


def side_of(media: AsyncMemoryMediaStore, image: Any) -> int:
    thumbnail = media.thumbnail(image.key)
    found = inspect(io.BytesIO(thumbnail), max_pixels=SIDE**2)
    return max(found.width, found.height)


async def test_it_is_drawn_with_the_check(asked: Asked) -> None:
    media = AsyncMemoryMediaStore(thumbnail_px=SIDE)
    _, image = await drawn(media)
    assert side_of(media, image) == SIDE
    assert image.media.thumbnail_url == f"memory:{image.key}?thumbnail"
    assert asked == []


async def test_where_nothing_is_checked_the_store_has_it_drawn(asked: Asked) -> None:
    media = AsyncMemoryMediaStore(thumbnail_px=SIDE)
    world = worlds.AsyncWorld(media=media)
    world.service._parts.downloader._decoder = None
    await world.link()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    assert side_of(media, image) == SIDE
    assert len(asked) == 1


class Wrapped:
    """A host's own store, which says what it likes of thumbnails, or nothing."""

    def __init__(self, **says: Any) -> None:
        self._store = AsyncMemoryMediaStore()
        self.saved: list[Any] = []
        vars(self).update(says)

    def __getattr__(self, name: str) -> Any:
        if name == "thumbnail_px":
            raise AttributeError(name)
        return getattr(self._store, name)

    async def save(self, upload: Any, /) -> Any:
        self.saved.append(upload.thumbnail)
        return await self._store.save(upload)


@pytest.mark.parametrize("says", [{}, {"thumbnail_px": 0}, {"thumbnail_px": "large"}])
async def test_a_store_that_asks_for_none_gets_none(says: dict[str, Any], asked: Asked) -> None:
    media: Any = Wrapped(**says)
    _, image = await drawn(media)
    assert media.saved == [None]
    assert image.media.thumbnail_url is None
    assert asked == []


async def test_a_hosts_own_store_gets_the_size_that_it_asks_for() -> None:
    media: Any = Wrapped(thumbnail_px=SIDE)
    await drawn(media)
    (thumbnail,) = media.saved
    found = inspect(io.BytesIO(thumbnail), max_pixels=SIDE**2)
    assert max(found.width, found.height) == SIDE


async def test_a_file_that_comes_back_has_it_from_the_check(asked: Asked) -> None:
    media = AsyncMemoryMediaStore(thumbnail_px=SIDE)
    world, image = await drawn(media)
    await media.delete(image.key)
    await world.service.bring_back(LENA, image.id)
    assert side_of(media, image) == SIDE
    assert asked == []


async def test_a_copy_has_it_drawn(asked: Asked) -> None:
    world, image = await drawn(AsyncMemoryMediaStore())
    media = AsyncMemoryMediaStore(thumbnail_px=SIDE)
    target = worlds.AsyncWorld()
    target.media = media
    world.media = world.options["media"]
    await AsyncMigration(source=world, target=target).run()
    assert side_of(media, image) == SIDE
    assert len(asked) == 1
