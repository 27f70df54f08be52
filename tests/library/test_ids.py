from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._library import ids
from charimg.errors import InvalidArgument, InvalidPrompt
from charimg.models import SceneType

from .helpers import DB_ID, JOB_ID

BAD_OBJECT_IDS = [
    "",
    "lena-marlow",
    DB_ID[:-1],
    DB_ID + "0",
    DB_ID + "\n",
    f" {DB_ID}",
    "z" * 24,
    "../" + DB_ID[3:],
    "٠" * 24,
    None,
    7,
    DB_ID.encode(),
]


@pytest.mark.parametrize("good", [DB_ID, DB_ID.upper()])
def test_an_object_id_passes_unchanged(good: str) -> None:
    assert ids.check_object_id(good) is good
    assert ids.check_media_id(good) is good


@pytest.mark.parametrize("bad", BAD_OBJECT_IDS)
def test_a_bad_character_id_is_explained(bad: object) -> None:
    with pytest.raises(InvalidArgument, match="library_db_id") as caught:
        ids.check_object_id(bad)
    text = str(caught.value)
    assert "library_character_id" in text
    assert "24-hex" in text
    assert "find_characters" in text


@pytest.mark.parametrize("bad", BAD_OBJECT_IDS)
def test_a_bad_media_id_is_refused(bad: object) -> None:
    with pytest.raises(InvalidArgument, match="media id"):
        ids.check_media_id(bad)


def test_a_bad_id_is_shown_short_and_on_one_line() -> None:
    with pytest.raises(InvalidArgument) as caught:
        ids.check_object_id("é\n" + "x" * 5000)
    assert "\n" not in str(caught.value)
    assert "é" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("good", [JOB_ID, "x", "A_b-9", "a" * 64])
def test_a_job_id_passes_unchanged(good: str) -> None:
    assert ids.check_job_id(good) is good
    assert ids.is_job_id(good)


@pytest.mark.parametrize("bad", ["", "a b", "../x", "a/b", "a" * 65, "é", "x\n", "%2e", None, 5])
def test_a_bad_job_id_is_refused(bad: object) -> None:
    with pytest.raises(InvalidArgument, match="job id"):
        ids.check_job_id(bad)


@pytest.mark.parametrize("listed", [*SceneType, *(each.value for each in SceneType)])
def test_listed_scene_types_pass(listed: str) -> None:
    assert ids.check_scene_type(listed) == str(listed)


@pytest.mark.parametrize("bad", ["portrait", "", "Dialogue", None])
def test_an_unlisted_scene_type_is_refused(bad: object) -> None:
    with pytest.raises(InvalidArgument, match="paid for") as caught:
        ids.check_scene_type(bad)
    assert "dialogue, action, emotional, establishing" in str(caught.value)


@pytest.mark.parametrize("bad", ["", " ", "\n\t ", "\u3000", None, 5, b"text"])
def test_a_blank_text_is_refused(bad: object) -> None:
    with pytest.raises(InvalidPrompt, match="scene context is empty or blank"):
        ids.check_text(bad, "scene context")


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_a_text_passes_unchanged(text: str) -> None:
    assert ids.check_text(text, "prompt") is text


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("Lena Marlow", "lena-marlow-"),
        ("Zoë", "zoe-"),
        ("李小龍", "character-"),
        ("-", "character-"),
    ],
)
def test_a_made_slug_is_readable(name: str, start: str) -> None:
    assert ids.unique_character_id(name).startswith(start)


@given(st.text())
def test_a_made_slug_is_plain_and_unique(name: str) -> None:
    first, second = ids.unique_character_id(name), ids.unique_character_id(name)
    assert first != second
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", first)
    assert len(first) <= 49
