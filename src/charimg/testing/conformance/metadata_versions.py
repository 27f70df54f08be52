"""What the contract of `VersionedMetadataRepository` adds to that of any repository."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..._offers import offers
from ...capabilities import VersionedMetadataRepository
from ...models import CharacterImage
from ...stores._documents import load_page
from .base import Contract, expect, expect_equal

__all__ = ["VersionChecks"]

_FORM = re.compile("[A-Za-z0-9_-]{1,100}")


class VersionChecks(Contract):
    """Tests that a repository without versions passes."""

    if TYPE_CHECKING:

        def character(self) -> str:
            """See `RecordHooks`."""
            ...

        def _image(self, key: str, character_id: str, **changes: Any) -> CharacterImage: ...

    def test_every_change_gives_another_version(self) -> None:
        """``list_stored``: another version whenever a page would show anything else."""
        with self.opened_twice() as (repository, reopen):
            if not offers(repository, VersionedMetadataRepository):
                return
            character = self.character()
            seen = [repository.list_stored(character).version]

            def changed(what: str) -> None:
                version = repository.list_stored(character).version
                expect(_FORM.fullmatch(version), "a version has 1 to 100 letters, digits, - and _")
                expect(version not in seen, f"{what} gives a version that never was there before")
                again = reopen().list_stored(character).version
                expect_equal(again, version, "without a change the version stays")
                seen.append(version)

            first = repository.add(self._image(self.unique(), character))
            changed("a new record")
            second = repository.add(self._image(self.unique(), character, kind="scene"))
            changed("a new record of another kind")
            repository.update(evolve(first, prompt="other"))
            changed("a change of one field")
            repository.update(evolve(first, kind="scene"))
            changed("a change of the kind")
            repository.delete(second.id)
            changed("a deletion")
            repository.delete(first.id)
            changed("the deletion of the last record")

    def test_stored_pages_are_those_of_the_listing(self) -> None:
        """``list_stored``: Return the page that `list` gives, as it is kept, and its version."""
        with self.opened() as repository:
            if not offers(repository, VersionedMetadataRepository):
                return
            character = self.character()
            for minute in range(3):
                kind = ("scene", "reference")[minute % 2]
                repository.add(self._image(self.unique(), character, minute=minute, kind=kind))
            pages: list[dict[str, Any]] = [{}, {"kind": "scene"}, {"status": "failed"}]
            pages += [{"limit": 2}, {"limit": 2, "cursor": repository.list(character, limit=2)}]
            for asked in pages:
                if "cursor" in asked:
                    asked["cursor"] = asked["cursor"].next_cursor
                stored = repository.list_stored(character, **asked)
                expect_equal(
                    load_page(stored), repository.list(character, **asked), f"the page {asked}"
                )
                again = repository.list_stored(character, unless=["x", stored.version], **asked)
                expect(again.records is None, "nothing is read of a version that is known")
                expect_equal(again.version, stored.version, "the version is told all the same")
