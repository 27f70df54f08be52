"""GIF and AVIF, animations, and what hides inside an image."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg import DownloadLimits, InvalidArgument
from charimg._ingest import foreign
from charimg._ingest.inspect import inspect
from charimg.errors import ErrorCode, ImageRejected

from .samples import MANY, SCAN, SOS, chunk, drawn, ihdr, jpeg, png, riff, segment, sof, vp8, vp8x

ALL = ("png", "jpeg", "webp", "gif", "avif")


def look(data: bytes, max_pixels: int = MANY) -> tuple[str, int, int]:
    file = io.BytesIO(data)
    found = inspect(file, max_pixels=max_pixels, formats=ALL)
    assert file.tell() == 0
    return (found.type.mime_type, found.width, found.height)


def refusal(data: bytes, max_pixels: int = MANY) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        look(data, max_pixels)
    return caught.value


@pytest.mark.parametrize("formats", [(), ("svg",), "svg", ("png", "PNG")])
def test_formats_that_nobody_knows_are_refused(formats: Any) -> None:
    with pytest.raises(InvalidArgument, match="avif, gif, jpeg, png, webp"):
        DownloadLimits(formats=formats)
    assert DownloadLimits(formats="gif").formats == {"gif"}


# GIF


def frame(left: int = 0, top: int = 0, wide: int = 3, high: int = 2, *, bits: int = 2) -> bytes:
    placed = struct.pack("<HHHHB", left, top, wide, high, 0)
    return b"\x2c" + placed + bytes([bits]) + b"\x02\x44\x01\x00"


FRAME = frame()


def gif(*blocks: bytes, width: int = 3, height: int = 2, flags: int = 0x80) -> bytes:
    screen = struct.pack("<HHBBB", width, height, flags, 0, 0)
    return b"GIF89a" + screen + bytes(6 if flags & 0x80 else 0) + b"".join(blocks) + b";"


COMMENT = b"\x21\xfe\x05hello\x00"


@pytest.mark.parametrize(
    "data",
    [
        gif(FRAME),
        gif(COMMENT, FRAME, COMMENT),
        gif(FRAME * 5),
        gif(frame(1, 1, 2, 1, bits=8)),
        gif(FRAME[:9] + b"\x81" + bytes(12) + FRAME[10:], flags=0),
    ],
)
def test_gifs_pass_and_no_cut_does(data: bytes) -> None:
    assert look(data) == ("image/gif", 3, 2)
    for cut in range(6, len(data)):
        assert refusal(data[:cut]).code == ErrorCode.TRUNCATED


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gif(width=0), "zero"),
        (gif(), "without an image"),
        (gif(COMMENT), "without an image"),
        (gif(b"\x00"), "cannot stand there"),
        (gif(FRAME) + b"\0", "follows"),
        (gif(frame(wide=4)), "within its canvas"),
        (gif(frame(high=3)), "within its canvas"),
        (gif(frame(left=1)), "within its canvas"),
        (gif(frame(top=1)), "within its canvas"),
        (gif(frame(wide=0)), "within its canvas"),
        (gif(frame(high=0)), "within its canvas"),
        (gif(frame(bits=1)), "not valid"),
        (gif(frame(bits=9)), "not valid"),
    ],
)
def test_malformed_gifs_are_refused(data: bytes, why: str) -> None:
    error = refusal(data)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert why in str(error)


def test_a_table_is_there_only_where_it_is_announced() -> None:
    assert look(gif(FRAME, flags=0x07)) == ("image/gif", 3, 2)


def test_what_nobody_asked_for_is_refused() -> None:
    for data in (gif(FRAME), GOOD):
        with pytest.raises(ImageRejected, match="none of JPEG, PNG, WEBP"):
            inspect(io.BytesIO(data), max_pixels=MANY)


def test_floods_of_tiny_parts_are_refused() -> None:
    many = 100_001
    for data in (
        gif(b"\x21\xfe\x00" * many, FRAME),
        FTYP + box(b"free") * many + GOOD[len(FTYP) :],
        FTYP + meta(box(b"pixi") * many, ispe()) + MDAT,
    ):
        assert "more than 100000 parts" in str(refusal(data))


def test_all_frames_of_an_animation_count() -> None:
    assert look(gif(FRAME * 4), 24) == ("image/gif", 3, 2)
    assert refusal(gif(FRAME * 4), 23).code == ErrorCode.TOO_MANY_PIXELS
    animated = b"\x89PNG\r\n\x1a\n" + ihdr() + chunk(b"acTL", bytes(8))
    animated += chunk(b"fcTL", bytes(26)) * 4 + png()[8 + 25 :]
    assert look(animated, 24) == ("image/png", 3, 2)
    error = refusal(animated, 23)
    assert error.code == ErrorCode.TOO_MANY_PIXELS
    assert "4 frames" in str(error)


# AVIF


def box(name: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", len(data) + 8, name) + data


def ispe(width: int = 3, height: int = 2) -> bytes:
    return box(b"ispe", bytes(4), struct.pack(">II", width, height))


HANDLER = box(b"hdlr", bytes(8), b"pict", bytes(13))
FTYP = box(b"ftyp", b"avif", bytes(4), b"avifmif1")
MDAT = box(b"mdat", b"\x12\x00pixels")


def meta(*properties: bytes, handler: bytes = HANDLER) -> bytes:
    listed = box(b"iprp", box(b"ipco", *properties), box(b"ipma", bytes(4)))
    return box(b"meta", bytes(4), handler, box(b"pitm", bytes(6)), listed)


GOOD = FTYP + meta(ispe(), box(b"pixi", bytes(8)), ispe(1, 1)) + MDAT


def test_avifs_pass_and_no_cut_does() -> None:
    assert look(GOOD) == ("image/avif", 3, 2)
    assert look(FTYP + box(b"free", bytes(9)) + GOOD[len(FTYP) :]) == ("image/avif", 3, 2)
    assert look(GOOD + box(b"free", bytes(9))) == ("image/avif", 3, 2)
    for cut in range(12, len(GOOD)):
        assert refusal(GOOD[:cut]).code == ErrorCode.TRUNCATED


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (GOOD + b"PK\x03\x04", "truncated"),
        (GOOD + box(b"moov"), "cannot stand there"),
        (GOOD + meta(ispe()), "cannot stand there"),
        (FTYP + meta(ispe()) + b"\0\0\0\0mdat", "plain size"),
        (FTYP + meta(ispe()) + b"\0\0\0\1mdat", "plain size"),
        (FTYP + MDAT, "truncated"),
        (FTYP + meta(ispe()), "truncated"),
        (FTYP + meta() + MDAT, "no still image"),
        (FTYP + meta(ispe(), handler=b"") + MDAT, "no still image"),
        (FTYP + meta(ispe(), handler=HANDLER.replace(b"pict", b"vide")) + MDAT, "no still image"),
        (FTYP + meta(ispe(0, 2)) + MDAT, "zero"),
        (FTYP + meta(box(b"ispe", bytes(4))) + MDAT, "dimensions"),
        (FTYP + meta(b"\0\0\0\x07abc") + MDAT, "boxes is not valid"),
        (FTYP + meta(b"\0\0\xff\xffispe") + MDAT, "boxes is not valid"),
        (FTYP + box(b"meta", bytes(1024 * 1024 + 1)) + MDAT, "too long"),
    ],
)
def test_malformed_avifs_are_refused(data: bytes, why: str) -> None:
    assert why in str(refusal(data))


def test_the_largest_item_of_an_avif_is_its_size() -> None:
    sizes = [(20, 1), (9, 3), (5, 5), (1, 20)]
    for turned in (sizes, sizes[::-1]):
        data = FTYP + meta(*(ispe(*each) for each in turned)) + MDAT
        assert look(data) == ("image/avif", 9, 3)


def test_the_description_of_an_avif_may_have_so_many_bytes() -> None:
    rest = 1024 * 1024 - len(meta(ispe(), box(b"free"))) + 8
    assert look(FTYP + meta(ispe(), box(b"free", bytes(rest))) + MDAT) == ("image/avif", 3, 2)
    longer = FTYP + meta(ispe(), box(b"free", bytes(rest + 1))) + MDAT
    assert "too long" in str(refusal(longer))


def test_the_pixels_of_an_avif_are_capped() -> None:
    big = FTYP + meta(ispe(1, 1), ispe(200, 100)) + MDAT
    assert look(big, 20_000) == ("image/avif", 200, 100)
    assert refusal(big, 19_999).code == ErrorCode.TOO_MANY_PIXELS


@given(st.sampled_from([b"GIF89a", gif(FRAME)[:-1], FTYP, GOOD]), st.binary(max_size=300))
def test_random_bytes_behind_a_good_beginning_raise_nothing_else(head: bytes, tail: bytes) -> None:
    with suppress(ImageRejected):
        look(head + tail)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("AVIF", {}),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
        ("GIF", {}),
        ("GIF", {"comment": b"drawn"}),
    ],
)
def test_drawn_images_pass_and_every_cut_is_refused(kind: str, options: dict[str, Any]) -> None:
    data = drawn(kind, (61, 47), **options)
    assert look(data) == (f"image/{kind.lower()}", 61, 47)
    codes = {refusal(data[: len(data) * cut // 100]).code for cut in range(5, 100)}
    assert codes == {ErrorCode.TRUNCATED}


# What hides inside


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("a.txt", "hidden")
    return out.getvalue()


def hidden_in(payload: bytes) -> list[bytes]:
    """Whole images whose metadata hold the payload, one of each container."""
    return [
        b"\x89PNG\r\n\x1a\n" + ihdr() + chunk(b"tEXt", b"Comment\0" + payload) + png()[8 + 25 :],
        b"\xff\xd8" + segment(0xFE, payload) + sof() + SOS + SCAN + b"\xff\xd9",
        riff(vp8x(), vp8(), (b"XMP ", payload)),
        gif(b"\x21\xfe" + bytes([len(payload)]) + payload + b"\0", FRAME),
        FTYP + box(b"free", payload) + GOOD[len(FTYP) :],
    ]


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (b"%PDF-1.7\n%...", "a PDF"),
        (b"<script>alert(1)</script>", "markup"),
        (b"<SCRIPT src=//evil.test>", "markup"),
        (b"<html><body>", "markup"),
        (b"<svg onload=alert(1)>", "markup"),
        (b"<x xmlns='http://www.w3.org/2000/svg'>", "markup"),
        (b"<!DOCTYPE html><p>", "markup"),
        (b"<iframe src=x>", "markup"),
        (b"<hta:application id=x>", "markup"),
        (b"<?php system($_GET[0]);", "markup"),
        (b"x __HALT_COMPILER(); ?>", "markup"),
        (b"Rar!\x1a\x07\x01\x00", "an archive"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "an archive"),
        (archive(), "a ZIP archive"),
    ],
)
def test_what_hides_inside_an_image_is_found(payload: bytes, what: str) -> None:
    for data in hidden_in(payload):
        error = refusal(data)
        assert error.code == ErrorCode.NOT_AN_IMAGE
        assert what in str(error)


@pytest.mark.parametrize(
    "payload",
    [
        b"<lora:detail:0.8>, portrait, <scripted>",
        b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta><rdf:RDF/></x:xmpmeta>",
        b"<svg\x80\x81\x82\x83\x84",
        b"<html",
        b"%PDF-x",
        b"PK\x03\x04 PK\x05\x06",
    ],
)
def test_harmless_metadata_pass(payload: bytes) -> None:
    for data in hidden_in(payload):
        assert look(data)[1:] == (3, 2)


def test_what_lies_across_two_blocks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    data = hidden_in(b"z" * 100 + b"<script>alert(1)</script>")[0]
    for block in range(50, 90):
        monkeypatch.setattr(foreign, "_BLOCK", block)
        assert "markup" in str(refusal(data))


def test_a_header_that_opens_a_comment_for_a_script_is_found() -> None:
    length = struct.unpack(">H", b"/*")[0] - 2
    script = b"*/=alert(1);/*"
    jpeg_and_script = b"\xff\xd8" + segment(0xE0, b"JFIF\0" + bytes(length - 5))
    tail = sof() + SOS + SCAN + b"\xff\xd9"
    assert "a script" in str(refusal(jpeg_and_script + segment(0xFE, script) + tail))
    assert look(jpeg_and_script + segment(0xFE, b"a comment */ of words") + tail)[1:] == (3, 2)
    wide = struct.unpack("<H", b"/*")[0]
    hidden = b"\x21\xfe" + bytes([len(script)]) + script + b"\0"
    assert "a script" in str(refusal(gif(hidden, FRAME, width=wide)))
    assert look(gif(hidden, FRAME))[1:] == (3, 2)
    assert look(jpeg()[:2] + segment(0xFE, script) + jpeg()[2:])[1:] == (3, 2)
