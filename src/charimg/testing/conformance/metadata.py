"""The contract of `MetadataRepository`."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any, ClassVar

from attrs import evolve

from ..._offers import offers
from ...capabilities import BatchingMetadataRepository
from ...errors import ImageNotFound, InvalidArgument
from ...models import CharacterImage, ImageMetrics
from .base import expect, expect_equal, expect_raises
from .metadata_versions import VersionChecks
from .records import BEGIN, RecordHooks, same

__all__ = ["MetadataRepositoryContract"]


def _keys(images: Any) -> list[str]:
    return [image.key for image in images]


def _flat(pages: list[list[str]]) -> list[str]:
    return [key for page in pages for key in page]


class MetadataRepositoryContract(RecordHooks, VersionChecks):
    """`make` returns a metadata repository.

    Attributes:
        many: How many records the longest listing holds. More than any limit that the backend
            might cut silently; 1,001 proves the most and takes the longest.
    """

    many: ClassVar[int] = 120

    def _fill(self, repository: Any, character_id: str, count: int) -> list[CharacterImage]:
        """Add records, three per minute, and return them as they must be listed."""
        images = [
            repository.add(self._image(self.unique(), character_id, minute=number // 3))
            for number in range(count)
        ]
        return sorted(
            images, key=lambda image: (image.created_at, self.order(image.id)), reverse=True
        )

    def _pages(self, repository: Any, character_id: str, **options: Any) -> list[list[str]]:
        pages: list[list[str]] = []
        cursor = None
        while True:
            page = repository.list(character_id, cursor=cursor, **options)
            pages.append(_keys(page.images))
            cursor = page.next_cursor
            if cursor is None:
                return pages
            expect(len(pages) < 1_000, "a listing ends: next_cursor is None on the last page")

    def test_add_returns_the_record_as_stored(self) -> None:
        """``add``: Write a new record and return it as stored (with the repository's id)."""
        with self.opened_twice() as (repository, reopen):
            image = self._image(self.unique(), self.character())
            stored = repository.add(image)
            expect(isinstance(stored.id, str) and stored.id, "the record has an id")
            expect_equal(same(stored), same(image), "add returns every field as given")
            expect_equal(repository.get(stored.id), stored, "get returns the record, whole")
            expect_equal(reopen().get(stored.id), stored, "a restart loses nothing")
            expect(stored.updated_at.tzinfo is not None, "times are timezone-aware")

    def test_a_record_without_media(self) -> None:
        """``requires_media``: Whether a record cannot stand without media."""
        with self.opened() as repository:
            expect(type(repository.requires_media) is bool, "requires_media is True or False")
            if repository.requires_media:
                return
            image = self._image(
                self.unique(),
                self.character(),
                status="failed",
                media=None,
                error="The server answered 404.",
                metrics=ImageMetrics(),
                created_by=None,
                external_id=None,
                source_url=None,
            )
            stored = repository.add(image)
            expect_equal(same(repository.get(stored.id)), same(image), "it is kept as it is")

    def test_urls_are_not_stored(self) -> None:
        """``Media.url``: Derived when read, never stored."""
        with self.opened() as repository:
            key, url, other = self.unique(), "https://old.example/1", "https://old.example/2"
            media = self.media(key, url=url, thumbnail_url=other)
            stored = repository.add(self._image(key, self.character(), media=media))
            for image in (
                stored,
                repository.get(stored.id),
                repository.update(stored.with_media(media)),
                repository.get(stored.id),
            ):
                expect(image.media.url != url, "url is not stored")
                expect(image.media.thumbnail_url != other, "thumbnail_url is not stored")

    def test_newer_kinds_and_statuses_are_kept(self) -> None:
        """``ImageKind``: Open: newer kinds are kept as they are."""
        if self.closed_values:
            return
        with self.opened() as repository:
            image = self._image(self.unique(), self.character(), kind="hologram", status="archived")
            stored = repository.get(repository.add(image).id)
            expect_equal((stored.kind, stored.status), ("hologram", "archived"), "they are kept")

    def test_add_is_idempotent_by_key(self) -> None:
        """``add``: a key that is already there returns the first record unchanged."""
        with self.opened() as repository:
            image = self._image(self.unique(), self.character())
            first = repository.add(image)
            other = evolve(image, prompt="other", kind="scene", error="other")
            expect_equal(repository.add(other), first, "a known key returns the first record")
            expect_equal(repository.get(first.id), first, "the first record stays unchanged")
            page = repository.list(image.character_id)
            expect_equal((len(page.images), page.total), (1, 1), "there is one record per key")

    def test_add_many(self) -> None:
        """``add_many``, where it is offered: For each image what ``add`` would have returned."""
        with self.opened_twice() as (repository, reopen):
            if not offers(repository, BatchingMetadataRepository):
                return
            character = self.character()
            first = repository.add(self._image(self.unique(), character))
            new = [self._image(self.unique(), character, minute=minute) for minute in (3, 1, 2)]
            again = [evolve(first, prompt="other"), evolve(new[0], prompt="other")]
            stored = repository.add_many([*new[:1], *again, *new[1:]])
            expected = [new[0], first, *new]
            expect_equal(
                [same(image) for image in stored], [same(image) for image in expected], "in order"
            )
            for image in stored:
                expect_equal(reopen().get(image.id), image, "what it returns is what is stored")
            expect_equal(repository.list(character).total, 4, "there is one record per key")
            expect_equal(tuple(repository.add_many([])), (), "nothing at all is no error")

    def test_add_many_is_all_or_none(self) -> None:
        """``add_many``, where it is offered: all of them, or none when it raises."""
        with self.opened() as repository:
            if not offers(repository, BatchingMetadataRepository):
                return
            character = self.character()
            images = [self._image(self.unique(), character) for _ in range(3)]
            images[1] = evolve(images[1], kind="no text for a database: \0 \ud800")
            written = 3
            try:
                repository.add_many(images)
            except Exception:  # noqa: BLE001 - whatever it raises
                written = 0
            expect_equal(repository.list(character).total, written, "all of them or none")

    def test_get_of_nothing(self) -> None:
        """``get``: Return the record, or ``None``."""
        with self.opened() as repository:
            expect(repository.get(self.unique()) is None, "get returns None for no record")

    def test_update_replaces(self) -> None:
        """``update``: Replace the record that has ``image.id``; key and created_at stay."""
        with self.opened_twice() as (repository, reopen):
            stored = repository.add(self._image(self.unique(), self.character()))
            other = repository.add(self._image(self.unique(), stored.character_id))
            changed = self._image(
                self.unique(),
                stored.character_id,
                minute=9,
                id=stored.id,
                kind="scene",
                status="failed",
                prompt="new",
                error="new",
                created_by=None,
                metrics=ImageMetrics(bytes=7),
            )
            expected = evolve(changed, key=stored.key, created_at=stored.created_at)
            updated = repository.update(changed)
            expect_equal(updated.id, stored.id, "the id stays")
            expect_equal(updated.key, stored.key, "the key stays")
            expect_equal(updated.created_at, stored.created_at, "created_at stays")
            expect_equal(same(updated), same(expected), "everything else is replaced")
            expect_equal(repository.get(stored.id), updated, "get returns the new record")
            expect_equal(reopen().get(stored.id), updated, "a restart loses no update")
            expect_equal(repository.get(other.id), other, "other records stay")
            page = repository.list(stored.character_id)
            expect_equal(page.total, 2, "an update adds no record")

    def test_update_of_nothing(self) -> None:
        """``update``: ImageNotFound: There is no such record."""
        with self.opened() as repository:
            image = self._image(self.unique(), self.character())
            with expect_raises(ImageNotFound, "update raises ImageNotFound for no record"):
                repository.update(image)
            expect_equal(repository.list(image.character_id).total, 0, "and writes nothing")

    def test_delete_removes(self) -> None:
        """``delete``: Remove the record. Idempotent: returns whether it was there."""
        with self.opened_twice() as (repository, reopen):
            image = self._image(self.unique(), self.character())
            stored = repository.add(image)
            other = repository.add(self._image(self.unique(), image.character_id))
            expect(repository.delete(stored.id) is True, "delete returns True for a record")
            expect(repository.get(stored.id) is None, "a deleted record is gone")
            expect(reopen().get(stored.id) is None, "a deleted record is gone after a restart")
            expect(repository.delete(stored.id) is False, "delete returns False for no record")
            page = repository.list(image.character_id)
            expect_equal((_keys(page.images), page.total), ([other.key], 1), "others stay")
            again = repository.add(image)
            expect_equal(same(again), same(image), "a deleted key can be added again")

    def test_there_is_one_row_underneath(self) -> None:
        """``add``: Idempotent by ``image.key``. ``delete``: Remove the record."""
        with self.opened() as repository:
            image = self._image(self.unique(), self.character())
            stored = repository.add(image)
            if self.rows(image.key) is None:
                return
            repository.add(image)
            expect_equal(self.rows(image.key), 1, "a key that is added twice is one row")
            repository.update(evolve(stored, prompt="new"))
            expect_equal(self.rows(image.key), 1, "an update adds no row")
            repository.delete(stored.id)
            expect_equal(self.rows(image.key), 0, "a delete leaves no row behind")

    def test_list_is_newest_first(self) -> None:
        """``list``: newest first by ``(created_at, id)``; records of one moment have an order."""
        with self.opened() as repository:
            character = self.character()
            expected = self._fill(repository, character, 10)
            self._fill(repository, self.character(), 2)
            page = repository.list(character)
            expect_equal(_keys(page.images), _keys(expected), "newest first by (created_at, id)")
            expect_equal(list(page.images), expected, "a listing holds whole records")
            expect_equal(page.total, 10, "total counts the character's records")
            expect(page.next_cursor is None, "next_cursor is None on the last page")

    def test_list_orders_times_of_any_zone(self) -> None:
        """``list``: by the moment, however its time zone or its digits are written."""
        with self.opened() as repository:
            character = self.character()
            begin = BEGIN.replace(microsecond=0)
            zones = [timezone(timedelta(hours=hours)) for hours in (5, 0, -5, 3, 0)]
            moments = [
                (begin + timedelta(milliseconds=later)).astimezone(zone)
                for later, zone in zip((0, 1, 10, 100, 1000), zones, strict=True)
            ]
            keys = [
                repository.add(self._image(self.unique(), character, created_at=moment)).key
                for moment in moments
            ]
            listed = repository.list(character).images
            expect_equal(_keys(listed), keys[::-1], "newest first, to the millisecond")
            expect_equal(
                [image.created_at for image in listed], moments[::-1], "moments are kept exactly"
            )

    def test_list_of_nobody(self) -> None:
        """``list``: one page of a character's records: none, when there are none."""
        with self.opened() as repository:
            page = repository.list(self.unique())
            expect_equal(
                (tuple(page.images), page.next_cursor, page.total), ((), None, 0), "an empty page"
            )

    def test_list_filters(self) -> None:
        """``list``: ``kind`` and ``status`` filter, and ``total`` counts what they leave."""
        with self.opened() as repository:
            character = self.character()
            for number, (kind, status) in enumerate(
                [("reference", "succeeded"), ("scene", "failed"), ("scene", "succeeded")] * 2
            ):
                repository.add(
                    self._image(
                        self.unique(), character, minute=number, kind=kind, status=status, error="x"
                    )
                )
            for options, count in (
                ({"kind": "scene"}, 4),
                ({"status": "succeeded"}, 4),
                ({"kind": "scene", "status": "failed"}, 2),
                ({"kind": "hologram"}, 0),
            ):
                whole = repository.list(character, **options)
                expect_equal((len(whole.images), whole.total), (count, count), f"only {options}")
                for image in whole.images:
                    for name, value in options.items():
                        expect_equal(getattr(image, name), value, f"only {options}")
                if count:
                    part = repository.list(character, limit=1, **options)
                    expect_equal(part.total, count, "total counts all pages")
                    pages = self._pages(repository, character, limit=1, **options)
                    expect_equal(_flat(pages), _keys(whole.images), "pages keep the filters")

    def test_pages_have_no_gap_and_no_double(self) -> None:
        """``list``: ``limit`` is honoured exactly; ``next_cursor`` is ``None`` on the last page."""
        with self.opened() as repository:
            character = self.character()
            expected = _keys(self._fill(repository, character, 10))
            for limit in (1, 3, 5, 9, 10, 11):
                pages = self._pages(repository, character, limit=limit)
                expect_equal(_flat(pages), expected, f"pages of {limit}: no gap, no double")
                sizes = [len(page) for page in pages]
                full, rest = divmod(10, limit)
                expect_equal(
                    sizes, [limit] * full + [rest] * bool(rest), f"pages of {limit} are full"
                )

    def test_pages_hold_while_others_write(self) -> None:
        """``list``: records added or removed between two calls neither repeat nor hide others."""
        with self.opened() as repository:
            character = self.character()
            images = self._fill(repository, character, 10)
            expected = _keys(images)
            first = repository.list(character, limit=4)
            repository.add(self._image(self.unique(), character, minute=100))
            # One that was listed, the one the cursor stands on, and one that is still to come.
            for index in (0, 3, 6):
                repository.delete(images[index].id)
            second = repository.list(character, limit=100, cursor=first.next_cursor)
            expect_equal(
                _keys(second.images),
                [*expected[4:6], *expected[7:]],
                "what was added or removed meanwhile neither repeats nor hides others",
            )
            expect_equal(second.total, 8, "total is of now")

    def test_a_limit_is_never_cut(self) -> None:
        """``list``: ``limit`` is honoured exactly (1 to 1,000), never silently cut."""
        with self.opened() as repository:
            character = self.character()
            expected = _keys(self._fill(repository, character, self.many))
            page = repository.list(character, limit=1_000)
            expect_equal(len(page.images), min(self.many, 1_000), "a limit of 1,000 gives so many")
            expect_equal(page.total, self.many, "total counts them all")
            pages = self._pages(repository, character, limit=1_000)
            expect_equal(_flat(pages), expected, "and the next page gives the rest")
            page = repository.list(character)
            expect_equal(len(page.images), 50, "the default limit is 50")

    def test_bad_limits_are_refused(self) -> None:
        """``list``: 1 to 1,000."""
        with self.opened() as repository:
            for limit in (0, -1, 1_001):
                with expect_raises(InvalidArgument, f"a limit of {limit} is refused"):
                    repository.list(self.unique(), limit=limit)

    def test_foreign_cursors_are_refused(self) -> None:
        """``list``: InvalidArgument: The cursor is not one of this repository's."""
        with self.opened() as repository:
            for cursor in ("", "garbage", "e30", "WzEsMl0", "ж", "0" * 500):
                with expect_raises(InvalidArgument, f"a foreign cursor is refused ({cursor[:9]})"):
                    repository.list(self.unique(), cursor=cursor)
