"""The contract of `MediaStore`."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from attrs import evolve

from ...errors import MediaNotFound
from ...models import Media, Upload
from .base import Contract, expect, expect_equal, expect_raises

__all__ = ["BrokenFile", "FileHooks", "MediaStoreContract", "make_upload"]

# Several chunks of any usual size, and every byte value.
_CONTENT = bytes(range(256)) * 4096 + b"the end"
_OTHER = b"other bytes"


class BrokenFile(io.BytesIO):
    """A source that fails after its first bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to 1,000 bytes, once."""
        if size is None or size < 0 or self.tell() >= 1000:
            raise OSError("the source broke off")
        return super().read(min(size, 1000))


class _SlowFile(io.BytesIO):
    """A source that takes its time, so that others can look meanwhile."""

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(0.01)
        return super().read(size)


def make_upload(
    key: str,
    content: bytes = _CONTENT,
    *,
    source: Callable[[bytes], io.BytesIO] = io.BytesIO,
) -> Upload:
    """Return an upload of such bytes. They are no image: a store may not care."""
    return Upload(
        key=key,
        file=source(content),
        filename=f"reference-{key}.png",
        mime_type="image/png",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        width=640,
        height=None,
        alt="Reference image of “Мира”",
    )


def _bytes(store: Any, key: str) -> bytes:
    with store.open(key) as chunks:
        return b"".join(chunks)


def _unsigned(media: Media) -> Media:
    """Return the media without the queries of its URLs: a signature has its time in it."""
    thumbnail = media.thumbnail_url
    return evolve(
        media,
        url=(media.url or "").partition("?")[0],
        thumbnail_url=None if thumbnail is None else thumbnail.partition("?")[0],
    )


def _plain(media: Media | None) -> Media | None:
    return None if media is None else evolve(media, url=None, thumbnail_url=None)


class FileHooks(Contract):
    """What the suites ask of the host about its files."""

    def content(self, seed: bytes) -> bytes:
        """Return the bytes of a file, others for every seed. Default: the seed, which is no image.

        Override it where the store takes only real images.
        """
        return seed

    def upload(
        self,
        key: str,
        content: bytes | None = None,
        *,
        source: Callable[[bytes], io.BytesIO] = io.BytesIO,
    ) -> Upload:
        """Return an upload. Override it where the store finds out width and height by itself."""
        content = self.content(_CONTENT) if content is None else content
        return make_upload(key, content, source=source)

    def underneath(self, key: str) -> Collection[str] | None:  # noqa: ARG002 - for overrides
        """Return the names of all that the backend holds for the key, found without the store.

        Default: ``None``, not given; then no test looks underneath. Give it, and what a store hides
        from its own methods is seen, too: a file that a delete or a broken save left behind.
        """
        return None


class MediaStoreContract(FileHooks):
    """`make` returns a media store."""

    def _expect_absent(self, store: Any, key: str, when: str) -> None:
        expect(store.get(key) is None, f"get returns None {when}")
        with expect_raises(MediaNotFound, f"open raises MediaNotFound {when}"), store.open(key):
            pass

    def test_save_stores_the_file(self) -> None:
        """``save``: Store a file. ``open``: the stored bytes as chunks, in order."""
        with self.opened() as store:
            upload = self.upload(self.unique())
            media = store.save(upload)
            for name in ("key", "filename", "mime_type", "size", "width", "height", "alt"):
                expect_equal(getattr(media, name), getattr(upload, name), f"save keeps {name}")
            expect_equal(media.sha256, upload.sha256, "sha256 is of the bytes as stored")
            expect(media.id and isinstance(media.id, str), "the store gives the media an id")
            with store.open(upload.key) as chunks:
                parts = list(chunks)
            expect(all(type(part) is bytes and part for part in parts), "open gives bytes")
            expect(
                b"".join(parts) == self.content(_CONTENT), "open gives the stored bytes, in order"
            )

    def test_get_returns_what_was_saved(self) -> None:
        """``get``: Return the media."""
        with self.opened_twice() as (store, reopen):
            upload = self.upload(self.unique())
            media = _plain(store.save(upload))
            expect_equal(_plain(store.get(upload.key)), media, "get returns what save returned")
            again = reopen()
            expect_equal(_plain(again.get(upload.key)), media, "a restart loses nothing")
            expect(_bytes(again, upload.key) == self.content(_CONTENT), "a restart loses no bytes")

    def test_nothing_is_there_before(self) -> None:
        """``get``: or ``None``. ``open``: MediaNotFound (on entering)."""
        with self.opened() as store:
            key = self.unique()
            self._expect_absent(store, key, "when nothing is stored under the key")
            store.open(key)  # Only entering may fail.

    def test_save_is_idempotent_by_key(self) -> None:
        """``save``: a key that is stored returns the first media and leaves its bytes alone."""
        with self.opened() as store:
            upload = self.upload(self.unique())
            first = _plain(store.save(upload))
            second = evolve(
                self.upload(upload.key, self.content(_OTHER)), mime_type="image/webp", alt="other"
            )
            expect_equal(_plain(store.save(second)), first, "a stored key returns the first media")
            expect_equal(_plain(store.get(upload.key)), first, "the first media stays")
            expect(
                _bytes(store, upload.key) == self.content(_CONTENT),
                "the first bytes are left alone",
            )

    def test_a_broken_save_stores_nothing(self) -> None:
        """``save``: whole or not at all; nothing is visible under the key. A later one works."""
        with self.opened() as store:
            key = self.unique()
            # Which error is not said: the source failed, not the store.
            with expect_raises(Exception, "save fails when its source does"):
                store.save(self.upload(key, source=BrokenFile))
            self._expect_absent(store, key, "after a broken save")
            store.save(self.upload(key))
            expect(_bytes(store, key) == self.content(_CONTENT), "a save after a broken one works")

    def test_delete_after_a_broken_save(self) -> None:
        """``delete``: and what a broken save may have left under the key."""
        with self.opened() as store:
            key = self.unique()
            with expect_raises(Exception, "save fails when its source does"):
                store.save(self.upload(key, source=BrokenFile))
            store.delete(key)
            expect(store.delete(key) is False, "a second delete finds nothing")
            self._expect_absent(store, key, "after a broken save and a delete")

    def test_nothing_is_left_underneath(self) -> None:
        """``delete``: Remove the file, its renditions, and what a broken save may have left."""
        with self.opened() as store:
            key = self.unique()
            store.save(self.upload(key))
            if self.underneath(key) is None:
                return
            expect(self.underneath(key), "underneath finds what was saved")
            store.delete(key)
            expect_equal(list(self.underneath(key) or ()), [], "a delete leaves nothing behind")
            with expect_raises(Exception, "save fails when its source does"):
                store.save(self.upload(key, source=BrokenFile))
            store.delete(key)
            expect_equal(
                list(self.underneath(key) or ()), [], "nor does a broken save, once deleted"
            )

    def test_the_caller_closes_the_file(self) -> None:
        """``save``: The caller keeps ``upload.file`` open until this returns and closes it."""
        with self.opened() as store:
            upload = self.upload(self.unique())
            store.save(upload)
            expect(not upload.file.closed, "save leaves upload.file open for the caller")

    def test_a_reader_may_leave_early(self) -> None:
        """``open``: a context: whoever leaves it needs no more chunks, and may open it again."""
        with self.opened() as store:
            upload = self.upload(self.unique())
            store.save(upload)
            with store.open(upload.key) as chunks, store.open(upload.key) as others:
                expect(self.content(_CONTENT).startswith(next(chunks)), "chunks come in order")
                expect(
                    b"".join(others) == self.content(_CONTENT),
                    "two readers do not disturb each other",
                )
            expect(_bytes(store, upload.key) == self.content(_CONTENT), "a reader may leave early")

    def test_delete_removes(self) -> None:
        """``delete``: Remove the file. Idempotent: returns whether something was there."""
        with self.opened_twice() as (store, reopen):
            key, other = self.unique(), self.unique()
            store.save(self.upload(key))
            store.save(self.upload(other))
            expect(store.delete(key) is True, "delete returns True when something was there")
            self._expect_absent(store, key, "after a delete")
            self._expect_absent(reopen(), key, "after a delete and a restart")
            expect(store.delete(key) is False, "delete returns False when nothing was there")
            expect(_bytes(store, other) == self.content(_CONTENT), "other media stay")

    def test_delete_of_nothing(self) -> None:
        """``delete``: Idempotent."""
        with self.opened() as store:
            expect(store.delete(self.unique()) is False, "deleting nothing returns False")

    def test_a_deleted_key_is_free(self) -> None:
        """``save``: idempotent by what *is* stored, not by what was."""
        with self.opened() as store:
            key = self.unique()
            store.save(self.upload(key))
            store.delete(key)
            media = store.save(self.upload(key, self.content(_OTHER)))
            expect_equal(media.size, len(self.content(_OTHER)), "a deleted key takes new bytes")
            expect(_bytes(store, key) == self.content(_OTHER), "a deleted key holds the new bytes")

    def test_locate_fills_in_the_url(self) -> None:
        """``locate``: the media with ``url`` and ``thumbnail_url`` filled in, without any I/O."""
        with self.opened() as store:
            upload = self.upload(self.unique())
            saved = store.save(upload)
            located = store.locate(saved)
            expect(isinstance(located.url, str) and located.url, "locate fills in the url")
            expect(
                located.thumbnail_url is None or isinstance(located.thumbnail_url, str),
                "thumbnail_url is a URL, or None when there is none",
            )
            expect_equal(_plain(located), _plain(saved), "locate changes nothing else")
            recorded = _plain(store.get(upload.key))
            place = _unsigned(located)
            again = _unsigned(store.locate(recorded))
            expect_equal(again, place, "a media read from a record will do")
            store.delete(upload.key)
            again = _unsigned(store.locate(recorded))
            expect_equal(again, place, "locate does not look at what is stored")

    def test_urls_differ(self) -> None:
        """``Media.key``: unique per image, so two media are two files."""
        with self.opened() as store:
            urls = {store.locate(store.save(self.upload(self.unique()))).url for _ in range(3)}
            expect_equal(len(urls), 3, "different media have different URLs")

    def test_saves_at_once(self) -> None:
        """``concurrent_safe``: Whether `save` may run in several threads (tasks) at once."""
        with self.opened() as store:
            expect(type(store.concurrent_safe) is bool, "concurrent_safe is True or False")
            if not store.concurrent_safe:
                return
            same, keys = self.unique(), [self.unique() for _ in range(4)]
            contents = [self.content(_CONTENT + bytes([number])) for number in range(4)]
            with ThreadPoolExecutor(8) as pool:
                each = [
                    pool.submit(store.save, self.upload(key, content, source=_SlowFile))
                    for key, content in zip(keys, contents, strict=True)
                ]
                all_same = [
                    pool.submit(store.save, self.upload(same, content, source=_SlowFile))
                    for content in contents
                ]
            for key, content, future in zip(keys, contents, each, strict=True):
                future.result()
                expect(_bytes(store, key) == content, "saves at once do not mix")
            winners = {future.result().sha256 for future in all_same}
            expect_equal(len(winners), 1, "of saves of one key at once, one is the first")
            digest = hashlib.sha256(_bytes(store, same)).hexdigest()
            expect_equal({digest}, winners, "the bytes are those of the media returned")

    def test_a_reader_never_sees_half_a_file(self) -> None:
        """``save``: A reader never sees half a file."""
        with self.opened() as store:
            if not store.concurrent_safe:
                return
            key, content = self.unique(), self.content(_CONTENT)
            with ThreadPoolExecutor(1) as pool:
                saving = pool.submit(store.save, self.upload(key, source=_SlowFile))
                while not saving.done():
                    media = store.get(key)
                    expect(
                        media is None
                        or (media.size, _bytes(store, key)) == (len(content), content),
                        "what is visible during a save is whole",
                    )
                    time.sleep(0.001)
                saving.result()

    def test_list_keys_names_what_is_stored(self) -> None:
        """``list_keys``: Give the key of everything stored. Only of a store that has it."""
        with self.opened_twice() as (store, reopen):
            if not hasattr(store, "list_keys"):
                return
            kept, gone = {self.unique() for _ in range(3)}, self.unique()
            for key in (*kept, gone):
                store.save(self.upload(key))
            store.delete(gone)
            for again in (store, reopen()):
                listed = set(again.list_keys())
                expect(kept <= listed, "list_keys names every stored key")
                expect(gone not in listed, "list_keys names nothing that was deleted")

    def test_replace_puts_a_file_in_place(self) -> None:
        """``replace``: Store a file in place of whatever is under its key, or save it."""
        with self.opened_twice() as (store, reopen):
            if not hasattr(store, "replace"):
                return
            key, new = self.unique(), self.unique()
            store.save(self.upload(key))
            other = self.upload(key, self.content(_OTHER))
            for upload in (other, self.upload(new, self.content(_OTHER))):
                media = _plain(store.replace(upload))
                expect_equal(media and media.sha256, upload.sha256, "replace stores the new file")
                expect_equal(store.sha256_of(upload), media and media.sha256, "as sha256_of said")
                for again in (store, reopen()):
                    expect_equal(_plain(again.get(upload.key)), media, "get returns the new media")
                    expect(
                        _bytes(again, upload.key) == self.content(_OTHER), "open gives its bytes"
                    )
                expect(store.has_renditions(store.get(upload.key)), "its renditions are there")
            store.delete(key)
            self._expect_absent(store, key, "after a replace and a delete")
            expect_equal(list(self.underneath(key) or ()), [], "nothing of either file is left")

    def test_a_broken_replace_leaves_what_was_there(self) -> None:
        """``replace``: It could not be stored; what was there stays."""
        with self.opened() as store:
            if not hasattr(store, "replace"):
                return
            key = self.unique()
            store.save(self.upload(key))
            with expect_raises(Exception, "replace fails when its source does"):
                store.replace(self.upload(key, self.content(_OTHER * 1000), source=BrokenFile))
            expect(_bytes(store, key) == self.content(_CONTENT), "what was there stays")
