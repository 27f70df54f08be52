"""The contracts can fail: each broken store is caught by the test that names its fault."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import evolve

import charimg.testing
from charimg.errors import ImageNotFound, LeaseLost, MediaNotFound, StorageError
from charimg.journal import Lease, Operation, OperationPage
from charimg.models import CharacterImage, CharacterReference, ImagePage, Media, Upload
from charimg.stores.memory import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryMediaStore,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import (
    CharacterDirectoryContract,
    GenerationLedgerContract,
    MediaStoreContract,
    MetadataRepositoryContract,
    run_contract,
)
from charimg.testing.conformance import Contract
from charimg.testing.conformance.base import expect, expect_equal, expect_raises


def suite_of(contract: type[Contract], make: Any) -> Any:
    return type("Suite", (contract,), {"make": lambda self: make(), "many": 60})()


def failures_of(contract: type[Contract], make: Any) -> dict[str, Exception]:
    return run_contract(suite_of(contract, make))


def caught(contract: type[Contract], make: Any, test: str) -> bool:
    """Tell whether that test alone catches it."""
    try:
        getattr(suite_of(contract, make), test)()
    except Exception:  # noqa: BLE001 - any failure catches it
        return True
    return False


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
        self._files[upload.key] = (media, upload.file.read())
        return media


class HalfVisible(MemoryMediaStore):
    def save(self, upload: Upload, /) -> Media:
        if super().get(upload.key) is None:
            media = Media(
                id="x",
                key=upload.key,
                filename=upload.filename,
                mime_type=upload.mime_type,
                size=upload.size,
            )
            self._files[upload.key] = (media, upload.file.read(100))
            saved = MemoryMediaStore().save(upload)
            upload.file.seek(0)
            self._files[upload.key] = (saved, upload.file.read())
        return self._files[upload.key][0]


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


class NoUrl(MemoryMediaStore):
    def locate(self, media: Media, /) -> Media:
        return media


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


@pytest.mark.parametrize(
    ("broken", "test"),
    [
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


class Hidden:
    """What a store no longer tells, but still has."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: list[str] = []

    def delete(self, key: str, /) -> bool:
        deleted: bool = super().delete(key)  # type: ignore[misc]
        self.hidden += [key] * deleted
        return deleted


class HidingMedia(Hidden, MemoryMediaStore):
    pass


class HidingRecords(Hidden, MemoryMetadataRepository):
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

    failed = {"test_nothing_is_left_underneath"} if broken is HidingMedia else set()
    assert set(run_contract(Suite())) == failed


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


class NoLease(MemoryGenerationLedger):
    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        self._leases.pop(character_id, None)
        return super().acquire(character_id, owner=owner, ttl=ttl)


class OneLease(MemoryGenerationLedger):
    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        lease = super().acquire("all", owner=owner, ttl=ttl)
        return evolve(lease, character_id=character_id)


class Eternal(MemoryGenerationLedger):
    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        return super().acquire(character_id, owner=owner, ttl=3600)


class FreshTokens(MemoryGenerationLedger):
    def release(self, lease: Lease, /) -> None:
        super().release(lease)
        self._tokens.clear()


class NoRenew(MemoryGenerationLedger):
    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        self._check(lease)
        return evolve(lease, expires_at=lease.expires_at.replace(year=2100))


class TakesBack(MemoryGenerationLedger):
    def renew(self, lease: Lease, /, *, ttl: float) -> Lease:
        self._leases[lease.character_id] = lease
        return super().renew(lease, ttl=ttl)


class StrictExpiry(MemoryGenerationLedger):
    def _check(self, lease: Lease) -> None:
        super()._check(lease)
        if self._leases[lease.character_id].expires_at <= self._now():
            raise LeaseLost("expired")


class BlindRelease(MemoryGenerationLedger):
    def release(self, lease: Lease, /) -> None:
        self._leases.pop(lease.character_id, None)


class ByValue(MemoryGenerationLedger):
    """Knows a lease by all of its fields, so a renewal orphans the older copy."""

    def _holds(self, lease: Lease) -> bool:
        return self._leases.get(lease.character_id) == lease


class NoRelease(MemoryGenerationLedger):
    def release(self, lease: Lease, /) -> None:
        pass


class Unfenced(MemoryGenerationLedger):
    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        self._operations[operation.id] = operation


class WritesFirst(MemoryGenerationLedger):
    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        self._operations[operation.id] = operation
        super().write(operation, lease=lease)


class Lossy(MemoryGenerationLedger):
    def get(self, operation_id: str, /) -> Operation | None:
        operation = super().get(operation_id)
        return None if operation is None else evolve(operation, baseline=())


class AppendOnly(MemoryGenerationLedger):
    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        if operation.id not in self._operations:
            super().write(operation, lease=lease)


class NoTombstones(MemoryGenerationLedger):
    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        found = super().unfinished(character_id)
        return tuple(each for each in found if each.state not in ("done", "failed"))


class YoungestFirst(MemoryGenerationLedger):
    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        return super().unfinished(character_id)[::-1]


class SloppyGet(MemoryGenerationLedger):
    def get(self, operation_id: str, /) -> Operation | None:
        return super().get(operation_id) or Operation(id=operation_id, kind="", character_id="")


class OldestOperationsFirst(MemoryGenerationLedger):
    def list(self, *args: Any, **options: Any) -> OperationPage:
        page = super().list(*args, **options)
        return evolve(page, operations=page.operations[::-1])


class OneOperationPage(MemoryGenerationLedger):
    def list(self, *args: Any, limit: int = 50, cursor: str | None = None) -> OperationPage:
        return super().list(*args, limit=1_000)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (NoLease, "test_a_held_lease_is_not_given_twice"),
        (OneLease, "test_leases_are_per_character"),
        (Eternal, "test_an_expired_lease_can_be_taken"),
        (FreshTokens, "test_tokens_grow_for_ever"),
        (NoRenew, "test_renew_extends"),
        (TakesBack, "test_renew_of_a_lost_lease"),
        (StrictExpiry, "test_an_expired_lease_that_nobody_took_still_holds"),
        (BlindRelease, "test_release_of_a_lost_lease"),
        (ByValue, "test_release_of_a_renewed_lease"),
        (NoRelease, "test_release_gives_the_lease_up"),
        (NoRelease, "test_write_with_a_lease_that_was_given_up"),
        (Unfenced, "test_write_with_a_lost_lease"),
        (WritesFirst, "test_write_with_a_lost_lease"),
        (WritesFirst, "test_write_with_a_lease_that_was_given_up"),
        (Lossy, "test_write_keeps_everything"),
        (AppendOnly, "test_write_replaces"),
        (NoTombstones, "test_unfinished"),
        (YoungestFirst, "test_unfinished"),
        (SloppyGet, "test_get_of_nothing"),
        (OldestOperationsFirst, "test_list_is_newest_first"),
        (OneOperationPage, "test_list_is_newest_first"),
        (OneOperationPage, "test_bad_pages_are_refused"),
    ],
)
def test_broken_ledgers(broken: Any, test: str) -> None:
    assert caught(GenerationLedgerContract, broken, test)


def test_a_failure_says_which_rule_was_broken() -> None:
    expect(1, "is well")
    with pytest.raises(AssertionError, match=r"^The contract says: two is one\n.*: +1\n.*: +2$"):
        expect_equal(2, 1, "two is one")
    with (
        pytest.raises(AssertionError, match=r"raises\n.*LeaseLost\n.*no error"),
        expect_raises(LeaseLost, "it raises"),
    ):
        pass
    with (
        pytest.raises(AssertionError, match=r"raises\n.*LeaseLost\n.*ValueError: no"),
        expect_raises(LeaseLost, "it raises"),
    ):
        raise ValueError("no")


def test_make_must_be_defined() -> None:
    failures = run_contract(CharacterDirectoryContract())
    assert len(failures) == 2
    for error in failures.values():
        assert isinstance(error, NotImplementedError)
        assert "CharacterDirectoryContract must define make()" in str(error)


def test_a_forgotten_backend_is_told() -> None:
    failures = failures_of(CharacterDirectoryContract, AsyncMemoryCharacterDirectory)
    assert all("set backend = 'asyncio'" in str(error) for error in failures.values())
    assert failures


class Tracked(AsyncMemoryMediaStore):
    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    async def aclose(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_stores_are_made_and_closed_inside_the_loop(backend: str) -> None:
    made: list[Tracked] = []

    class Suite(MediaStoreContract):
        async def make(self) -> Tracked:
            made.append(Tracked())
            return made[-1]

        async def reopen(self, first: Any) -> Tracked:
            made.append(Tracked())
            made[-1]._sync = first._sync
            return made[-1]

        async def dispose(self, store: Any) -> None:
            await store.aclose()

    suite = Suite()
    suite.backend = backend  # type: ignore[misc]
    suite.test_get_returns_what_was_saved()
    assert [store.closed for store in made] == [1, 1]


def test_a_test_that_fails_disposes_too() -> None:
    closed = []

    class Suite(MediaStoreContract):
        def make(self) -> Any:
            return NoUrl()

        def dispose(self, store: Any) -> None:
            closed.append(store)

    with pytest.raises(AssertionError):
        Suite().test_locate_fills_in_the_url()
    assert len(closed) == 1


def test_an_async_store_that_ends_early_is_seen_through_the_view() -> None:
    class Empty(AsyncMemoryMediaStore):
        async def save(self, upload: Upload, /) -> Media:
            media = await super().save(upload)
            self._sync._files[upload.key] = (media, b"")
            return media

    class Suite(MediaStoreContract):
        backend = "trio"

        def make(self) -> Any:
            return Empty()

    with pytest.raises(AssertionError, match=re.escape("in order")):
        Suite().test_save_stores_the_file()


def test_sources_of_the_suite() -> None:
    from charimg.testing.conformance.media import BrokenFile, make_upload

    upload = make_upload("k", b"x" * 3000, source=BrokenFile)
    assert upload.file.read(5000) == b"x" * 1000
    for size in (5000, -1, None):
        with pytest.raises(OSError, match="broke off"):
            upload.file.read(size)  # type: ignore[arg-type]
    assert isinstance(upload.file, io.BytesIO)


def test_names_of_testing_load_when_they_are_used() -> None:
    assert charimg.testing.run_contract is run_contract
    assert {"Simulator", "Switches", "serve"} <= set(dir(charimg.testing))
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = charimg.testing.Nonsense
