"""The quick search for foreign signatures finds what a plain one finds."""

from __future__ import annotations

import io
import random
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import foreign
from charimg._ingest.foreign import find_foreign

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
)


def plain(data: bytes) -> bool:
    """Look for each by itself, in the whole file at once."""
    seen = data.lower()
    return (
        foreign._PDF.search(seen) is not None
        or foreign._MARKUP.search(seen) is not None
        or any(each in seen for each in foreign._ARCHIVES)
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
        # No comment in a length or a width: that search is another.
        data = b"image" * 4 + data
        assert (find_foreign(io.BytesIO(data), len(data)) is not None) == plain(data)


@pytest.mark.parametrize("text", SIGNATURES)
def test_every_signature_is_found_on_the_border_of_two_blocks(
    text: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "_BLOCK", 256)
    for place in range(230, 260):
        data = b"." * place + mixed(text, place) + b"." * 300
        assert find_foreign(io.BytesIO(data), len(data)) is not None, (text, place)


def test_the_first_byte_counts_too() -> None:
    for data, found in ((b"<script src=x>", "markup or a script"), (b"%pdf-1.7", "a PDF")):
        assert find_foreign(io.BytesIO(data), len(data)) == found
    end = b"PK\x05\x06" + bytes(18)
    assert find_foreign(io.BytesIO(end), len(end)) == "a ZIP archive"


def test_the_end_of_a_comment_means_something_where_one_was_begun() -> None:
    data = b"<scripted> */=alert(1);/*"
    for head, found in ((b"ab/*", None), (b"abcd/*", "a script"), (b"abcdef/*", "a script")):
        file = head.ljust(20, b".") + data
        assert find_foreign(io.BytesIO(file), len(file)) == found


def test_what_begins_like_a_signature_is_none() -> None:
    data = b"image" * 4 + b"<scripted> %pdf-x rar! 7z __halt_compiler <svgx //www.w3.org/2000/"
    # As in a prompt.
    data += b" <img src=x> one=1 <image> <body> of style, on = <form\xff onload=3"
    assert find_foreign(io.BytesIO(data), len(data)) is None


def test_a_handler_is_found_behind_long_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "_BLOCK", 256)
    data = b"image" * 4 + b"<img src='" + b"a" * 700 + b"' onerror=alert(1)>"
    assert find_foreign(io.BytesIO(data), len(data)) == "markup or a script"


@pytest.mark.parametrize("length", [0, 65_535, 66_560 - 22])
def test_a_zip_is_found_however_long_its_comment_is(length: int) -> None:
    """The specification has 65,535 bytes at most; some readers go further back than that."""
    end = b"PK\x05\x06" + bytes(16) + struct.pack("<H", min(length, 65_535))
    data = b"image" * 4 + end + b"." * length
    assert zipfile.is_zipfile(io.BytesIO(data)) or length > 65_536
    assert find_foreign(io.BytesIO(data), len(data)) == "a ZIP archive"
    data += b"." * (66_560 - 22 - length + 1)
    assert find_foreign(io.BytesIO(data), len(data)) is None
