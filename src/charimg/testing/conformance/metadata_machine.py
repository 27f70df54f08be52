"""Any sequence of calls of a metadata repository, against a list of records."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..._offers import offers
from ...capabilities import BatchingMetadataRepository, VersionedMetadataRepository
from ...errors import ImageNotFound
from ...models import CharacterImage, ImagePage
from ...stores._documents import load_image
from .base import expect, expect_equal, expect_raises
from .records import RecordHooks, make_image, same

if TYPE_CHECKING:
    from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["metadata_machine"]

_KINDS = ("reference", "portfolioItem", "scene")
_STATUSES = ("succeeded", "failed")
_PROMPT = ' "ü"\n😀 '


class _Table:
    """What the repository must hold, and a check of every answer."""

    def __init__(self, hooks: RecordHooks) -> None:
        self._hooks = hooks
        self.stored: dict[str, CharacterImage] = {}
        self.gone: dict[str, CharacterImage] = {}

    def place(self, image: CharacterImage) -> tuple[Any, ...]:
        return (image.created_at, self._hooks.order(image.id))

    def add(self, image: CharacterImage, answer: CharacterImage) -> None:
        expect_equal(same(answer), same(image), "add returns the record as given")
        expect(answer.id not in self.stored, "a new record has an id of its own")
        again = self.gone.pop(answer.id, None)
        expect(
            again is None or again.key == image.key or self._hooks.reuses_ids,
            "an id is not given again, unless for the same key",
        )
        self.stored[answer.id] = answer

    def listed(self, character: str, filters: dict[str, str]) -> list[CharacterImage]:
        found = [
            image
            for image in self.stored.values()
            if image.character_id == character
            and all(getattr(image, name) == value for name, value in filters.items())
        ]
        return sorted(found, key=self.place, reverse=True)

    def check_page(
        self,
        page: ImagePage,
        character: str,
        filters: dict[str, str],
        *,
        limit: int,
        after: tuple[Any, ...] | None = None,
    ) -> tuple[Any, ...] | None:
        """Compare a page with the table; return where the next one begins."""
        whole = self.listed(character, filters)
        rest = [image for image in whole if after is None or self.place(image) < after]
        expect_equal(page.images, tuple(rest[:limit]), "a page holds what comes next, whole")
        expect_equal(page.total, len(whole), "total counts what the filters leave")
        expect_equal(
            page.next_cursor is not None, len(rest) > limit, "there is a cursor if more comes"
        )
        return None if page.next_cursor is None else self.place(rest[limit - 1])


def metadata_machine(hooks: RecordHooks) -> type[RuleBasedStateMachine]:
    """Return the state machine of one repository's suite."""
    from hypothesis import strategies as st
    from hypothesis.stateful import (
        RuleBasedStateMachine,
        initialize,
        invariant,
        precondition,
        rule,
    )

    which = st.integers(0, 6)
    statuses = st.sampled_from(_STATUSES)
    kinds = st.sampled_from(_KINDS)
    filters = st.fixed_dictionaries({}, optional={"kind": kinds, "status": statuses})
    limits = st.integers(1, 3)
    # Few moments, so that many records share one; a millisecond is the least that counts.
    moments = st.integers(0, 3)
    events = st.sampled_from(("add", "delete", "update", "restart"))
    prompts = st.sampled_from(("", "a", _PROMPT))

    class MetadataMachine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.stack = ExitStack()
            self.repository: Any
            self.reopen: Callable[[], Any]
            self.repository, self.reopen = self.stack.enter_context(hooks.opened_twice())
            self.table = _Table(hooks)
            self.prefix = hooks.unique("m")
            self.count = 0
            self.versions: dict[tuple[str, str], Any] = {}

        def teardown(self) -> None:
            self.stack.close()

        def one(self, number: int) -> CharacterImage:
            """Return one of the stored records."""
            return list(self.table.stored.values())[number % len(self.table.stored)]

        def some(self) -> bool:
            return bool(self.table.stored)

        @initialize(records=st.lists(st.tuples(kinds, statuses, moments), min_size=2, max_size=7))
        def begin(self, records: Any) -> None:
            # With enough to page through: calls alone seldom add so many.
            self.characters = (hooks.character(), hooks.character())
            for kind, status, moment in records:
                self.add_one(self.characters[0], kind, status, "", moment)

        @rule(second=st.booleans(), kind=kinds, status=statuses, prompt=prompts, moment=moments)
        def add(self, second: bool, kind: str, status: str, prompt: str, moment: int) -> None:
            self.add_one(self.characters[second], kind, status, prompt, moment)

        @precondition(lambda self: offers(self.repository, BatchingMetadataRepository))
        @rule(records=st.lists(st.tuples(kinds, statuses, moments), max_size=4), number=which)
        def add_many(self, records: Any, number: int) -> None:
            new = [
                self.new(self.characters[0], kind, status, "", moment)
                for kind, status, moment in records
            ]
            known = [self.one(number)] if self.some() else []
            # Some are there already, and each comes twice.
            given = [*new, *(evolve(each, prompt="again") for each in known), *new]
            answers = list(self.repository.add_many(given))
            there = len(new) + len(known)
            expect_equal(answers[len(new) : there], known, "a known key returns the first record")
            expect_equal(answers[there:], answers[: len(new)], "also where it comes twice")
            for image, answer in zip(new, answers, strict=False):
                self.table.add(image, answer)

        def add_one(self, character: str, kind: str, status: str, prompt: str, moment: int) -> None:
            image = self.new(character, kind, status, prompt, moment)
            self.table.add(image, self.repository.add(image))

        def new(
            self, character: str, kind: str, status: str, prompt: str, moment: int
        ) -> CharacterImage:
            self.count += 1
            key = f"{self.prefix}-{self.count:04}"
            without = status == "failed" and not self.repository.requires_media
            image = make_image(
                key,
                character,
                kind=kind,
                status=status,
                prompt=prompt,
                media=None if without else hooks.media(key),
            )
            created_at = image.created_at + timedelta(milliseconds=moment)
            return evolve(image, created_at=created_at, updated_at=created_at)

        @precondition(some)
        @rule(number=which, prompt=prompts, kind=kinds)
        def add_again(self, number: int, prompt: str, kind: str) -> None:
            first = self.one(number)
            again = self.repository.add(evolve(first, prompt=prompt, kind=kind))
            expect_equal(again, first, "a known key returns the first record, unchanged")

        @precondition(lambda self: self.table.gone)
        @rule(number=which)
        def add_what_is_gone(self, number: int) -> None:
            image = list(self.table.gone.values())[number % len(self.table.gone)]
            del self.table.gone[image.id]
            image = evolve(image, id=image.key, prompt="again")
            self.table.add(image, self.repository.add(image))

        @precondition(some)
        @rule(number=which)
        def get(self, number: int) -> None:
            image = self.one(number)
            expect_equal(self.repository.get(image.id), image, "get returns the record, whole")

        @precondition(lambda self: self.table.gone)
        @rule(number=which)
        def use_what_is_gone(self, number: int) -> None:
            image = list(self.table.gone.values())[number % len(self.table.gone)]
            expect(self.repository.get(image.id) is None, "a deleted record is gone")
            expect(self.repository.delete(image.id) is False, "delete tells that nothing was there")
            with expect_raises(ImageNotFound, "update raises ImageNotFound for no record"):
                self.repository.update(image)

        @precondition(some)
        @rule(number=which, kind=kinds, status=statuses, prompt=prompts, moment=moments)
        def update(self, number: int, kind: str, status: str, prompt: str, moment: int) -> None:
            first = self.one(number)
            changed = evolve(
                first,
                key=f"{first.key}-x",
                kind=kind,
                status=status,
                prompt=prompt,
                created_at=first.created_at + timedelta(hours=moment),
            )
            self.update_one(first, changed)

        def update_one(self, first: CharacterImage, changed: CharacterImage) -> None:
            expected = evolve(changed, key=first.key, created_at=first.created_at)
            answer = self.repository.update(changed)
            expect_equal(answer.id, first.id, "the id stays")
            expect_equal(same(answer), same(expected), "all but id, key and created_at is replaced")
            self.table.stored[first.id] = answer

        @precondition(some)
        @rule(number=which)
        def delete(self, number: int) -> None:
            self.delete_one(self.one(number))

        def delete_one(self, image: CharacterImage) -> None:
            expect(self.repository.delete(image.id) is True, "delete tells that it was there")
            self.table.gone[image.id] = self.table.stored.pop(image.id)

        @rule(second=st.booleans(), chosen=filters)
        def list(self, second: bool, chosen: dict[str, str]) -> None:
            character = self.characters[second]
            page = self.repository.list(character, **chosen)
            self.table.check_page(page, character, chosen, limit=50)

        @rule(chosen=filters, limit=limits, meanwhile=st.lists(events, max_size=4))
        def page_through(self, chosen: dict[str, str], limit: int, meanwhile: Any) -> None:
            character = self.characters[0]
            page = self.repository.list(character, limit=limit, **chosen)
            place = self.table.check_page(page, character, chosen, limit=limit)
            while place is not None:
                if meanwhile:
                    self.happen(meanwhile.pop(0), page.images[-1])
                page = self.repository.list(
                    character, limit=limit, cursor=page.next_cursor, **chosen
                )
                place = self.table.check_page(page, character, chosen, limit=limit, after=place)

        def happen(self, event: str, last: CharacterImage) -> None:
            """Let something happen between two pages."""
            if event == "add":
                self.add_one(last.character_id, last.kind, last.status, "", 1)
            elif event == "restart":
                self.repository = self.reopen()
            elif event == "update":
                kind = _KINDS[last.kind == _KINDS[0]]
                self.update_one(last, evolve(last, kind=kind))
            else:
                self.delete_one(last)

        @rule()
        def restart(self) -> None:
            self.repository = self.reopen()

        @precondition(lambda self: offers(self.repository, VersionedMetadataRepository))
        @invariant()
        def a_version_means_one_listing(self) -> None:
            for character in self.characters:
                page = self.repository.list_stored(character)
                read = [load_image(*each) for each in page.records]
                expect_equal(read, self.table.listed(character, {}), "what is stored is the record")
                seen = self.versions.setdefault((character, page.version), read)
                expect_equal(seen, read, "a version stands for one listing, whatever came between")
                again = self.repository.list_stored(character, limit=1, unless=[page.version])
                expect_equal(
                    (again.version, again.records),
                    (page.version, None),
                    "nothing is read of a version that is known",
                )

    return MetadataMachine
