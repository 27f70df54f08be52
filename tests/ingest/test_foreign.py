"""The quick search for foreign signatures finds what a plain one finds."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import foreign
from charimg._ingest.foreign import Search
from charimg._ingest.parts import Part, Role

SIGNATURES = (
    b"<script src=x>",
    b"<html >body",
    b"<svg xmlns",
    b"<iframe>next",
    b"<hta:application id=a",
    b"<?php echo",
    b"<!doctype html>",
    b"%pdf-1.7",
    b"//www.w3.org/2000/svg",
    b"__halt_compiler();",
    b"<img src=x onerror=alert(1)>",
    b"<img/onerror=alert(1) src>",
    b"<img alt='>' src=\"x\"onerror\n= alert(1)>",
    b"<body onload=alert(1)>",
    b"<video><source onerror=alert(1)>",
    b"rar!\x1a\x07",
    b"7z\xbc\xaf\x27\x1c",
    b"PK\5\6\0\0\0\0",
)


def find(data: bytes, head: bytes = b"image" * 4) -> str | None:
    """Search a part that follows a head, and is followed by something."""
    file = io.BytesIO(head + data + b"<script src=x>")
    search = Search(file)
    file.seek(3)
    try:
        return search.within(Part(len(head), len(data), Role.METADATA, "text"))
    finally:
        assert file.tell() == 3


def plain(data: bytes) -> bool:
    """Look for each by itself, in the whole file at once."""
    seen = data.lower()
    return (
        foreign._PDF.search(seen) is not None
        or foreign._MARKUP.search(seen) is not None
        or any(each in seen for each in foreign._ARCHIVES)
        or b"PK\5\6\0\0\0\0" in data
    )


def mixed(text: bytes, seed: int) -> bytes:
    """Return it in upper and lower case at random."""
    chance = random.Random(seed)
    return b"".join(
        bytes([byte]).upper() if chance.random() < 0.5 else bytes([byte]) for byte in text
    )


def cut(text: bytes, places: tuple[int, int]) -> bytes:
    first, last = sorted(place % (len(text) + 1) for place in places)
    return text[first:last]


PARTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(SIGNATURES),
    st.builds(mixed, st.sampled_from(SIGNATURES), st.integers()),
    st.builds(cut, st.sampled_from(SIGNATURES), st.tuples(st.integers(0), st.integers(0))),
    st.integers(0, 300).map(lambda count: b"\0" * count),
)


@given(st.lists(PARTS, max_size=12).map(b"".join))
def test_the_quick_search_finds_what_a_plain_one_finds(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign, "_BLOCK", 256)
        assert (find(data) is not None) == plain(data)


@pytest.mark.parametrize("text", SIGNATURES)
def test_every_signature_is_found_on_the_border_of_two_blocks(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_BLOCK", 256)
    for place in range(230, 260):
        data = b"." * place + mixed(text, place) + b"." * 300
        assert find(data) is not None, (text, place)


def test_the_first_byte_and_the_last_count_too() -> None:
    for data, found in (
        (b"<script src=x>", "markup or a script"),
        (b"%pdf-1.7", "a PDF"),
        (b"PK\5\6\0\0\0\0", "a ZIP archive"),
    ):
        assert find(data) == found
        assert find(data[:-1]) is None or data[:-1] == b"<script src=x"


def test_the_end_of_a_comment_means_something_where_one_was_begun() -> None:
    data = b"<scripted> */=alert(1);/*"
    for head, found in ((b"ab/*", None), (b"abcd/*", "a script"), (b"abcdef/*", "a script")):
        assert find(data, head.ljust(20, b".")) == found


def test_what_begins_like_a_signature_is_none() -> None:
    data = b"<scripted> %pdf-x rar! 7z __halt_compiler <svgx //www.w3.org/2000/ PK\5\6 PK\3\4"
    # As in a prompt.
    data += b" <img src=x> one=1 <image> <body> of style, on = <form\xff onload=3"
    assert find(data) is None


def test_a_handler_is_found_behind_long_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_BLOCK", 256)
    data = b"<img src='" + b"a" * 700 + b"' onerror=alert(1)>"
    assert find(data) == "markup or a script"


def test_a_zip_is_found_however_long_its_comment_is() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "hidden")
        file.comment = b"." * 65_535
    assert find(b"." * 100 + out.getvalue()) == "a ZIP archive"


@pytest.mark.parametrize("text", [b"<img ", b"<img a on", b"<script", b"<form on"])
def test_whoever_begins_tags_without_end_keeps_nobody_busy(text: bytes) -> None:
    assert find(text * 10_000) is None
    # 64 MiB of the first would take minutes else.
    assert find(text * 10_001) == "markup or a script"
    file = io.BytesIO(text * 10_001)
    search = Search(file)
    half = len(text) * 5_000
    assert search.within(Part(0, half, Role.METADATA, "text")) is None
    assert search.within(Part(half, half + len(text), Role.METADATA, "text")) is not None


@pytest.mark.parametrize("tag", foreign._TAGS)
def test_every_tag_with_a_handler_is_found(tag: bytes) -> None:
    assert find(b"a <" + tag + b" x=1 onload=alert(1)>") == "markup or a script"
    assert find(b"a <" + tag + b" x=1>, onload=") == "markup or a script"
    assert find(b"a <" + tag + b"s onload=alert(1)>") is None
