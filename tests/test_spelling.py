"""The stored JSON of an image is recognised as what reading and writing it would give."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from charimg import CharacterImage, ImageMetrics, Media, StorageError, to_json
from charimg._spelling import recognised
from charimg.stores._documents import dump, load

from .test_json import images


def stored(image: CharacterImage) -> str:
    if image.media is not None:
        image = image.with_media(evolve(image.media, url=None, thumbnail_url=None))
    return dump(image, what="it")


@given(images)
def test_every_image_is_recognised(image: CharacterImage) -> None:
    text = stored(image)
    parts = recognised(text)
    assert parts is not None
    assert parts.source_url == image.source_url
    if image.media is None:
        assert (parts.before, parts.media) == (text, None)
    else:
        assert parts.media == evolve(image.media, url=None, thumbnail_url=None)
        urls = '"url":null,"thumbnailUrl":null'
        assert f'{parts.before}"size"{parts.between}{urls}{parts.after}' == text


SNIPPETS = st.sampled_from(
    [
        *'{}[]",:\\ -+.0179eEuabnté\x7f\n',
        "null",
        "true",
        "00",
        "\\u00e9",
        "\\u0041",
        "\\ud800",
        "1e5",
    ]
)


@given(images, st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), SNIPPETS), max_size=3))
def test_what_is_recognised_would_be_written_so(image: CharacterImage, changes: Any) -> None:
    text = stored(image)
    for where, length, snippet in changes:
        place = int(where * len(text))
        text = f"{text[:place]}{snippet}{text[place + length :]}"
    if recognised(text) is not None:
        assert dump(load(CharacterImage, text, what="it"), what="it") == text


IMAGE = CharacterImage(
    key="k",
    character_id="c",
    kind="scene",
    status="succeeded",
    prompt='\x7f\x1f\b\f\n\r\t"\\/é😀\ud800',
    media=Media(id="m", key="k", filename="f", mime_type="image/png", size=7),
    metrics=ImageMetrics(generation_ms=-0.0, download_ms=1e-7, storing_ms=1e300, cleaned=("a", "")),
)


def test_every_kind_of_escape_is_recognised() -> None:
    assert recognised(stored(IMAGE)) is not None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("prompt", '"\\u0041"'),
        ("prompt", '"\\u000a"'),
        ("prompt", '"\\/"'),
        ("prompt", '"é"'),
        ("prompt", '"\\u00E9"'),
        ("prompt", "null"),
        ("size", "7.0"),
        ("size", "-0"),
        ("size", "true"),
        ("generationMs", "5"),
        ("generationMs", "5.50"),
        ("generationMs", "1e5"),
        ("generationMs", "1e999"),
        ("createdAt", '"2026-02-30T00:00:00.000Z"'),
        ("createdAt", '"2026-01-01T00:00:00Z"'),
        ("createdAt", '"2026-01-01T00:00:00.000+00:00"'),
        ("url", '"https://old.example"'),
        ("cleaned", '["a", "b"]'),
        ("error", 'null,"later":1'),
    ],
)
def test_another_spelling_is_not(field: str, text: str) -> None:
    assert recognised(spelt(field, text)) is None


def spelt(field: str, text: str) -> str:
    """Return the image's text with another value of a field."""
    whole = stored(IMAGE)
    place = whole.index(f'"{field}":') + len(field) + 3
    _, end = json.JSONDecoder().raw_decode(whole, place)
    return f"{whole[:place]}{text}{whole[end:]}"


@pytest.mark.parametrize("text", ["", "{}", None, b"{}", f" {stored(IMAGE)}", f"{stored(IMAGE)}\n"])
def test_no_image_is_not(text: Any) -> None:
    assert recognised(text) is None


def test_the_spellings_are_other_ones() -> None:
    assert load(CharacterImage, spelt("prompt", '"\\u0041"'), what="it").prompt == "A"
    assert to_json(load(CharacterImage, spelt("size", "7"), what="it"))["media"]["size"] == 7
    with pytest.raises(StorageError):
        load(CharacterImage, spelt("createdAt", '"2026-02-30T00:00:00.000Z"'), what="it")
