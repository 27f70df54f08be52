"""Any sequence of calls of a media store, against a dictionary of files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ...errors import MediaNotFound
from ...models import Media
from .base import expect, expect_equal, expect_raises
from .media import BrokenFile, FileHooks

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["media_machine"]


def media_machine(hooks: FileHooks) -> type[RuleBasedStateMachine]:
    """Return the state machine of one media store's suite."""
    from hypothesis import strategies as st
    from hypothesis.stateful import RuleBasedStateMachine, rule

    # Few keys, so that each is saved, removed and saved again.
    keys = st.integers(0, 3)
    seeds = st.binary(min_size=1, max_size=40)

    class MediaMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.stack = ExitStack()
            self.store: Any
            self.reopen: Callable[[], Any]
            self.store, self.reopen = self.stack.enter_context(hooks.opened_twice())
            self.prefix = hooks.unique("m")
            self.files: dict[str, tuple[Media, bytes]] = {}

        def teardown(self) -> None:
            self.stack.close()

        def key(self, number: int) -> str:
            return f"{self.prefix}-{number:03}"

        @rule(number=keys, seed=seeds)
        def save(self, number: int, seed: bytes) -> None:
            key = self.key(number)
            upload = hooks.upload(key, hooks.content(seed))
            content = upload.file.read()
            upload.file.seek(0)
            media = self.store.save(upload)
            expect(not upload.file.closed, "the caller closes the file")
            if key in self.files:
                expect_equal(
                    _plain(media), self.files[key][0], "a known key returns the first media"
                )
                return
            expect_equal(
                (media.key, media.size, media.sha256, media.filename, media.mime_type),
                (key, len(content), upload.sha256, upload.filename, upload.mime_type),
                "save returns what was saved",
            )
            self.files[key] = (_plain(media), content)

        @rule(number=keys)
        def save_what_breaks_off(self, number: int) -> None:
            key = self.key(number)
            upload = hooks.upload(key, source=BrokenFile)
            if key in self.files:
                # The store may see that the key is there before it reads.
                with suppress(Exception):
                    self.store.save(upload)
            else:
                with expect_raises(Exception, "a save whose source breaks off fails"):
                    self.store.save(upload)
            self.look(number)

        @rule(number=keys)
        def look(self, number: int) -> None:
            key = self.key(number)
            if key not in self.files:
                expect(self.store.get(key) is None, "get returns None where nothing is")
                with (
                    expect_raises(MediaNotFound, "open raises MediaNotFound where nothing is"),
                    ExitStack() as opened,
                ):
                    opened.enter_context(self.store.open(key))
                return
            media, content = self.files[key]
            found = self.store.get(key)
            expect(found is not None, "get returns what was saved")
            expect_equal(_plain(found), media, "get returns what save returned")
            expect(self.store.locate(found).url, "locate fills in the URL")
            with self.store.open(key) as chunks:
                expect_equal(
                    b"".join(chunks), content, "open gives the bytes that were saved first"
                )

        @rule(number=keys)
        def delete(self, number: int) -> None:
            key = self.key(number)
            was_there = self.files.pop(key, None) is not None
            answer = self.store.delete(key)
            # A broken save may have left something, and that counts.
            expect(type(answer) is bool, "delete returns True or False")
            expect(answer or not was_there, "delete tells that something was there")
            expect(self.store.delete(key) is False, "a second delete finds nothing")
            self.look(number)

        @rule()
        def restart(self) -> None:
            self.store = self.reopen()

    return MediaMachine


def _plain(media: Media) -> Media:
    return evolve(media, url=None, thumbnail_url=None)
