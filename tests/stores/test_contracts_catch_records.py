"""The contracts can fail: each broken repository is caught by the test that names its fault."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg.errors import ImageNotFound, StorageError
from charimg.models import CharacterImage, ImagePage
from charimg.stores.memory import MemoryMetadataRepository
from charimg.testing import MetadataRepositoryContract, run_contract

from .catching import Hidden, caught, failures_of


class Stripping(MemoryMetadataRepository):
    def add(self, image: CharacterImage, /) -> CharacterImage:
        return super().add(evolve(image, prompt=image.prompt.strip()))


class Replacing(MemoryMetadataRepository):
    def add(self, image: CharacterImage, /) -> CharacterImage:
        self.delete(image.key)
        return super().add(image)


class Doubling(MemoryMetadataRepository):
    count = 0

    def add(self, image: CharacterImage, /) -> CharacterImage:
        self.count += 1
        image = evolve(image, id=f"{image.key}/{self.count}")
        self._images[image.id] = image
        return image


class KeepingUrls(MemoryMetadataRepository):
    def get(self, image_id: str, /) -> CharacterImage | None:
        image = super().get(image_id)
        if image is None or image.media is None:
            return image
        return image.with_media(evolve(image.media, url="https://old.example/1"))


class ClosedKinds(MemoryMetadataRepository):
    def add(self, image: CharacterImage, /) -> CharacterImage:
        known = ("reference", "portfolioItem", "scene")
        return super().add(evolve(image, kind=image.kind if image.kind in known else "scene"))


class Upserting(MemoryMetadataRepository):
    def update(self, image: CharacterImage, /) -> CharacterImage:
        try:
            return super().update(image)
        except ImageNotFound:
            return self.add(image)


class Rekeying(MemoryMetadataRepository):
    def update(self, image: CharacterImage, /) -> CharacterImage:
        super().update(image)
        self._images[image.id] = image
        return image


class Merging(MemoryMetadataRepository):
    def update(self, image: CharacterImage, /) -> CharacterImage:
        first = self.get(image.id)
        created_by = None if first is None else first.created_by
        return super().update(evolve(image, created_by=created_by))


class OldestFirst(MemoryMetadataRepository):
    def list(self, *args: Any, **options: Any) -> ImagePage:
        page = super().list(*args, **options)
        return evolve(page, images=page.images[::-1])


class Everybody(MemoryMetadataRepository):
    def list(self, character_id: str, /, **options: Any) -> ImagePage:
        everybody = MemoryMetadataRepository()
        for image in self._images.values():
            everybody.add(evolve(image, character_id=character_id))
        return everybody.list(character_id, **options)


class NeverEmpty(MemoryMetadataRepository):
    def list(self, *args: Any, **options: Any) -> ImagePage:
        page = super().list(*args, **options)
        return evolve(page, total=max(page.total, 1))


class TextOrder(MemoryMetadataRepository):
    def list(self, *args: Any, **options: Any) -> ImagePage:
        page = super().list(*args, **options)
        by_text = sorted(page.images, key=lambda image: image.created_at.isoformat(), reverse=True)
        return evolve(page, images=tuple(by_text))


class Unfiltered(MemoryMetadataRepository):
    def list(self, *args: Any, status: str | None = None, **options: Any) -> ImagePage:
        return super().list(*args, **options)


class TotalOfThePage(MemoryMetadataRepository):
    def list(self, *args: Any, **options: Any) -> ImagePage:
        page = super().list(*args, **options)
        return evolve(page, total=len(page.images))


class Offsets(MemoryMetadataRepository):
    """Pages by offset: what is added meanwhile repeats others, what is removed hides others."""

    def list(
        self, *args: Any, limit: int = 50, cursor: str | None = None, **options: Any
    ) -> ImagePage:
        if cursor is not None and not cursor.isascii():
            super().list(*args, cursor=cursor)
        page = super().list(*args, limit=1_000, **options)
        start = int(cursor or "0")
        end = start + limit
        following = str(end) if end < page.total else None
        return evolve(page, images=page.images[start:end], next_cursor=following)


class CursorTooMany(MemoryMetadataRepository):
    def list(self, *args: Any, limit: int = 50, **options: Any) -> ImagePage:
        page = super().list(*args, limit=limit, **options)
        if page.next_cursor is None and len(page.images) == limit:
            last = page.images[-1]
            return evolve(page, next_cursor=Place.of(last))
        return page


class Place:
    @staticmethod
    def of(image: CharacterImage) -> str:
        from charimg.stores._pages import encode_cursor
        from charimg.stores.memory.metadata import _place

        return encode_cursor(*_place(image))


class Capped(MemoryMetadataRepository):
    def list(self, *args: Any, limit: int = 50, **options: Any) -> ImagePage:
        return super().list(*args, limit=min(max(limit, 1), 50), **options)


class AnyCursor(MemoryMetadataRepository):
    def list(self, *args: Any, cursor: str | None = None, **options: Any) -> ImagePage:
        return super().list(*args, cursor=cursor or None, **options)


class NoDelete(MemoryMetadataRepository):
    def delete(self, image_id: str, /) -> bool:
        return self.get(image_id) is not None


class Sloppy(MemoryMetadataRepository):
    def get(self, image_id: str, /) -> CharacterImage | None:
        return super().get(image_id) or next(iter(self._images.values()), self.nothing())

    def nothing(self) -> CharacterImage:
        return CharacterImage(key="", character_id="", kind="", status="")


class Seconds(MemoryMetadataRepository):
    def add(self, image: CharacterImage, /) -> CharacterImage:
        return super().add(evolve(image, created_at=image.created_at.replace(microsecond=0)))


class MediaOnly(MemoryMetadataRepository):
    """Says that it can hold a record without media, and cannot."""

    def add(self, image: CharacterImage, /) -> CharacterImage:
        if image.media is None:
            raise StorageError("media is required")
        return super().add(image)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Stripping, "test_add_returns_the_record_as_stored"),
        (Replacing, "test_add_is_idempotent_by_key"),
        (Doubling, "test_add_is_idempotent_by_key"),
        (KeepingUrls, "test_urls_are_not_stored"),
        (ClosedKinds, "test_newer_kinds_and_statuses_are_kept"),
        (Upserting, "test_update_of_nothing"),
        (Rekeying, "test_update_replaces"),
        (Merging, "test_update_replaces"),
        (OldestFirst, "test_list_is_newest_first"),
        (OldestFirst, "test_pages_have_no_gap_and_no_double"),
        (Everybody, "test_list_is_newest_first"),
        (NeverEmpty, "test_list_of_nobody"),
        (Unfiltered, "test_list_filters"),
        (TotalOfThePage, "test_list_filters"),
        (Offsets, "test_pages_hold_while_others_write"),
        (CursorTooMany, "test_pages_have_no_gap_and_no_double"),
        (Capped, "test_a_limit_is_never_cut"),
        (Capped, "test_bad_limits_are_refused"),
        (AnyCursor, "test_foreign_cursors_are_refused"),
        (NoDelete, "test_delete_removes"),
        (Sloppy, "test_get_of_nothing"),
        (Seconds, "test_list_orders_times_of_any_zone"),
        (TextOrder, "test_list_orders_times_of_any_zone"),
        (MediaOnly, "test_a_record_without_media"),
    ],
)
def test_broken_repositories(broken: Any, test: str) -> None:
    assert caught(MetadataRepositoryContract, broken, test)


def test_a_repository_of_fixed_kinds_that_says_so_is_fine() -> None:
    class Suite(MetadataRepositoryContract):
        closed_values = True

        def make(self) -> Any:
            return ClosedKinds()

    assert run_contract(Suite()) == {}


class HidingRecords(Hidden, MemoryMetadataRepository):
    pass


@pytest.mark.parametrize("broken", [HidingRecords, MemoryMetadataRepository])
def test_a_row_that_is_left_behind_is_seen_underneath(broken: Any) -> None:
    class Suite(MetadataRepositoryContract):
        def make(self) -> Any:
            self.store = broken()
            return self.store

        def rows(self, key: str) -> int:
            return [*self.store._images, *getattr(self.store, "hidden", [])].count(key)

    failed = {"test_there_is_one_row_underneath"} if broken is HidingRecords else set()
    assert set(run_contract(Suite())) == failed


class NeedsMedia(MediaOnly):
    requires_media = True


def test_a_repository_that_needs_media_and_says_so_is_fine() -> None:
    assert failures_of(MetadataRepositoryContract, NeedsMedia) == {}
