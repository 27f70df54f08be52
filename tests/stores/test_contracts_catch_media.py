"""The contracts can fail: each broken media store or directory is caught by its test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import evolve

from charimg.errors import MediaNotFound, StorageError
from charimg.models import CharacterReference, Media, Upload
from charimg.stores.memory import MemoryCharacterDirectory, MemoryMediaStore
from charimg.stores.memory.media import _File
from charimg.testing import CharacterDirectoryContract, MediaStoreContract, run_contract

from .catching import Hidden, NoUrl, caught, failures_of


class Forgetful(MemoryCharacterDirectory):
    def get(self, character_id: str, /) -> CharacterReference | None:
        character = super().get(character_id)
        return None if character is None else evolve(character, traits={})


class Raising(MemoryCharacterDirectory):
    def get(self, character_id: str, /) -> CharacterReference | None:
        return self._characters[character_id]


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Forgetful, "test_get_returns_the_character"),
        (Raising, "test_get_returns_none_when_there_is_none"),
    ],
)
def test_broken_directories(broken: Any, test: str) -> None:
    characters = CharacterDirectoryContract.characters
    failures = failures_of(CharacterDirectoryContract, lambda: broken(characters))
    assert set(failures) == {test}


class Overwriting(MemoryMediaStore):
    def save(self, upload: Upload, /) -> Media:
        self.delete(upload.key)
        return super().save(upload)


class FirstMediaLastBytes(MemoryMediaStore):
    def save(self, upload: Upload, /) -> Media:
        media = super().save(upload)
        upload.file.seek(0)
        self._files[upload.key] = evolve(self._files[upload.key], data=upload.file.read())
        return media


class HalfVisible(MemoryMediaStore):
    """Shows half a file until somebody has looked at it."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = threading.Event()

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        try:
            with super().open(key) as chunks:
                yield chunks
        finally:
            self._looked.set()

    def save(self, upload: Upload, /) -> Media:
        if super().get(upload.key) is None:
            media = Media(
                id="x",
                key=upload.key,
                filename=upload.filename,
                mime_type=upload.mime_type,
                size=upload.size,
            )
            half = _File(media=media, data=upload.file.read(100), thumbnail=b"")
            self._files[upload.key] = half
            saved = MemoryMediaStore().save(upload)
            self._looked.wait(600)
            upload.file.seek(0)
            self._files[upload.key] = evolve(half, media=saved, data=upload.file.read())
        return self._files[upload.key].media


class Closing(MemoryMediaStore):
    def save(self, upload: Upload, /) -> Media:
        with upload.file:
            return super().save(upload)


class LateMiss(MemoryMediaStore):
    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        def chunks() -> Iterator[bytes]:
            yield from self._chunks(key)

        yield chunks()


class EagerMiss(MemoryMediaStore):
    def open(self, key: str, /) -> Any:
        self._chunks(key)
        return super().open(key)


class WrongMiss(MemoryMediaStore):
    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        try:
            chunks = self._chunks(key)
        except MediaNotFound as error:
            raise StorageError("gone") from error
        yield chunks


class Backwards(MemoryMediaStore):
    def _chunks(self, key: str) -> Iterator[bytes]:
        return iter(list(super()._chunks(key))[::-1])


class NeverDeleting(MemoryMediaStore):
    def delete(self, key: str, /) -> bool:
        return self.get(key) is not None


class DeletingTwice(MemoryMediaStore):
    def delete(self, key: str, /) -> bool:
        super().delete(key)
        return True


class Tombstoned(MemoryMediaStore):
    def save(self, upload: Upload, /) -> Media:
        if upload.key in getattr(self, "dead", ()):
            raise StorageError("dead")
        return super().save(upload)

    def delete(self, key: str, /) -> bool:
        self.dead = {*getattr(self, "dead", ()), key}
        return super().delete(key)


class OneUrl(MemoryMediaStore):
    def locate(self, media: Media, /) -> Media:
        return evolve(media, url="memory:all")


class LooksUp(MemoryMediaStore):
    def locate(self, media: Media, /) -> Media:
        stored = self.get(media.key)
        return media if stored is None else super().locate(stored)


class NotReally(MemoryMediaStore):
    """Says that saves may run at once, and mixes them."""

    current: Upload

    def save(self, upload: Upload, /) -> Media:
        self.current = upload
        upload.file.read(1)
        return super().save(evolve(self.current, key=upload.key))


class Unlisted(MemoryMediaStore):
    def list_keys(self) -> Iterator[str]:
        return iter(())


class ListingTheDead(MemoryMediaStore):
    def delete(self, key: str, /) -> bool:
        self.dead = {*getattr(self, "dead", ()), key}
        return super().delete(key)

    def list_keys(self) -> Iterator[str]:
        return iter(self.keys() | getattr(self, "dead", set()))


class Keeping(MemoryMediaStore):
    def replace(self, upload: Upload, /) -> Media:
        return self.save(upload)


class Guessing(MemoryMediaStore):
    def sha256_of(self, upload: Upload, /) -> str:
        return upload.sha256[::-1]


class Bare(MemoryMediaStore):
    def has_renditions(self, media: Media, /) -> bool:
        return False


class DroppingFirst(MemoryMediaStore):
    def replace(self, upload: Upload, /) -> Media:
        self.delete(upload.key)
        return self.save(upload)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (Unlisted, "test_list_keys_names_what_is_stored"),
        (ListingTheDead, "test_list_keys_names_what_is_stored"),
        (Keeping, "test_replace_puts_a_file_in_place"),
        (Guessing, "test_replace_puts_a_file_in_place"),
        (Bare, "test_replace_puts_a_file_in_place"),
        (DroppingFirst, "test_a_broken_replace_leaves_what_was_there"),
        (Overwriting, "test_save_is_idempotent_by_key"),
        (FirstMediaLastBytes, "test_save_is_idempotent_by_key"),
        (HalfVisible, "test_a_broken_save_stores_nothing"),
        (HalfVisible, "test_a_reader_never_sees_half_a_file"),
        (Closing, "test_the_caller_closes_the_file"),
        (LateMiss, "test_nothing_is_there_before"),
        (EagerMiss, "test_nothing_is_there_before"),
        (WrongMiss, "test_nothing_is_there_before"),
        (Backwards, "test_save_stores_the_file"),
        (NeverDeleting, "test_delete_removes"),
        (DeletingTwice, "test_delete_of_nothing"),
        (DeletingTwice, "test_delete_after_a_broken_save"),
        (Tombstoned, "test_a_deleted_key_is_free"),
        (NoUrl, "test_locate_fills_in_the_url"),
        (LooksUp, "test_locate_fills_in_the_url"),
        (OneUrl, "test_urls_differ"),
        (NotReally, "test_saves_at_once"),
    ],
)
def test_broken_media_stores(broken: Any, test: str) -> None:
    assert caught(MediaStoreContract, broken, test)


class OneAtATime(MemoryMediaStore):
    concurrent_safe = False


def test_a_store_that_saves_one_at_a_time_is_fine() -> None:
    assert failures_of(MediaStoreContract, OneAtATime) == {}


class WithTheBarePort:
    """A store that can neither list nor repair."""

    concurrent_safe = True

    def __init__(self) -> None:
        store = MemoryMediaStore()
        self.save, self.open, self.get = store.save, store.open, store.get
        self.delete, self.locate = store.delete, store.locate


def test_a_store_need_not_list_nor_repair() -> None:
    assert failures_of(MediaStoreContract, WithTheBarePort) == {}


class HidingMedia(Hidden, MemoryMediaStore):
    pass


@pytest.mark.parametrize("broken", [HidingMedia, MemoryMediaStore])
def test_a_file_that_is_left_behind_is_seen_underneath(broken: Any) -> None:
    class Suite(MediaStoreContract):
        def make(self) -> Any:
            self.store = broken()
            return self.store

        def underneath(self, key: str) -> list[str]:
            there = [*self.store._files, *getattr(self.store, "hidden", [])]
            return [name for name in there if name == key]

    seen = {"test_nothing_is_left_underneath", "test_replace_puts_a_file_in_place"}
    assert set(run_contract(Suite())) == (seen if broken is HidingMedia else set())
