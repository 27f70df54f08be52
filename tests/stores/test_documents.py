"""Records that are read again."""

from __future__ import annotations

import pytest

from charimg import CharacterImage, StorageError
from charimg.stores._documents import dump, load_image


def test_a_text_that_was_read_lately_is_not_read_again() -> None:
    made = CharacterImage(key="read-again", character_id="c", kind="scene", status="succeeded")
    text = dump(made, what="it")
    again = "".join(list(text))
    assert again is not text
    assert load_image("read-again", text) is load_image("read-again", again)


def test_a_text_that_has_changed_is() -> None:
    made = CharacterImage(key="changed", character_id="c", kind="scene", status="succeeded")
    text = dump(made, what="it")
    assert load_image("changed", text).status == "succeeded"
    assert load_image("changed", text.replace("succeeded", "failed")).status == "failed"


def test_damage_is_told_each_time() -> None:
    for _ in range(2):
        with pytest.raises(StorageError, match="the record 'broken': it is no JSON"):
            load_image("broken", "{")
