"""The contract of `CharacterDirectory`."""

from __future__ import annotations

from typing import ClassVar

from ...models import CharacterReference
from .base import Contract, expect, expect_equal

__all__ = ["CharacterDirectoryContract"]


class CharacterDirectoryContract(Contract):
    """`make` returns a directory that knows the `characters`, and may know others.

    Attributes:
        characters: What the tests look up. Override it where the host's characters cannot hold
            these values; keep one that is linked and one that is not.
    """

    characters: ClassVar[tuple[CharacterReference, ...]] = (
        CharacterReference(
            id="contract-linked",
            name="Мира O'Neil “the fox”",
            library_db_id="0123456789abcdef01234567",
            library_character_id="mira-oneil",
            traits={"age": 34, "hair": {"color": "auburn", "length": None}, "marks": ["a", "b"]},
        ),
        CharacterReference(id="contract-unlinked", name="Tom"),
    )

    def test_get_returns_the_character(self) -> None:
        """``get``: Return the character."""
        with self.opened() as directory:
            for character in self.characters:
                expect_equal(
                    directory.get(character.id), character, "get returns the character, whole"
                )

    def test_get_returns_none_when_there_is_none(self) -> None:
        """``get``: or ``None`` when there is none. Never raises for a missing id."""
        with self.opened() as directory:
            for missing in (self.unique(), "", "../x", "'; --", "0" * 24, "ж" * 300):
                expect(
                    directory.get(missing) is None,
                    f"get returns None for a missing id, whatever it is ({missing[:20]!r})",
                )
