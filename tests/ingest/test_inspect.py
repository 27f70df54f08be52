from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import reader as module
from charimg._ingest.inspect import inspect
from charimg._ingest.sniff import AVIF, GIF, HEAD, JPEG, PNG, WEBP, sniff
from charimg.errors import ErrorCode, ImageRejected

from .samples import (
    HAND_MADE,
    MANY,
    SCAN,
    SOS,
    anmf,
    chunk,
    drawn,
    ihdr,
    jpeg,
    png,
    riff,
    segment,
    sof,
    vp8,
    vp8l,
    vp8x,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
IDAT = chunk(b"IDAT", zlib.compress(b"\0\0\0\0"))
IEND = chunk(b"IEND")
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def look(data: bytes, max_pixels: int = MANY) -> tuple[str, int, int]:
    file = io.BytesIO(data)
    found = inspect(file, max_pixels=max_pixels)
    assert file.tell() == 0
    return (found.type.mime_type, found.width, found.height)


def refusal(data: bytes, max_pixels: int = MANY) -> ImageRejected:
    file = io.BytesIO(data)
    with pytest.raises(ImageRejected) as caught:
        inspect(file, max_pixels=max_pixels)
    assert file.tell() == 0
    assert not caught.value.retryable
    return caught.value


def code(data: bytes, max_pixels: int = MANY) -> str:
    return refusal(data, max_pixels).code


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (HAND_MADE["png"], PNG),
        (HAND_MADE["jpeg"], JPEG),
        (HAND_MADE["webp-lossy"], WEBP),
        (b"GIF89a" + b"\0" * 20, GIF),
        (b"GIF88a" + b"\0" * 20, None),
        (b"GIF87a" + b"\0" * 20, GIF),
        (b"XIFF\0\0\0\0WEBP", None),
        (b"\0\0\0\x20ftypavif", AVIF),
        (b"\0\0\0\x20ftypavis", AVIF),
        (b"\0\0\0\x20ftypmif1\0\0\0\0miafavif", AVIF),
        (b"\0\0\0\x14ftypmif1\0\0\0\0miafavif", None),
        (b"\0\0\0\x20ftypmif1\0\0\0\0miafheic", None),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
        (b"%PDF-1.7 and more", None),
        (b"<!doctype html><html>", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_the_first_bytes_tell_the_type(data: bytes, expected: object) -> None:
    assert sniff(data[:HEAD]) == expected


@given(st.binary(max_size=20))
def test_sniffing_never_raises(head: bytes) -> None:
    assert sniff(head) in (None, PNG, JPEG, WEBP, GIF, AVIF)


@pytest.mark.parametrize("name", HAND_MADE)
def test_hand_made_files_pass(name: str) -> None:
    mime = "image/" + name.split("-")[0]
    assert look(HAND_MADE[name]) == (mime, 3, 2)


@pytest.mark.parametrize(
    ("kind", "options", "mime"),
    [
        ("PNG", {}, "image/png"),
        ("JPEG", {}, "image/jpeg"),
        ("JPEG", {"progressive": True, "quality": 95}, "image/jpeg"),
        ("JPEG", {"restart_marker_blocks": 2}, "image/jpeg"),
        ("WEBP", {}, "image/webp"),
        ("WEBP", {"lossless": True}, "image/webp"),
        ("WEBP", {"exif": b"Exif\0\0abc"}, "image/webp"),
    ],
)
def test_drawn_images_pass_and_every_cut_is_refused(
    kind: str, options: dict[str, Any], mime: str
) -> None:
    pytest.importorskip("PIL")
    data = drawn(kind, (61, 47), **options)
    assert look(data) == (mime, 61, 47)
    refused = [code(data[: len(data) * cut // 100]) for cut in range(100)]
    assert set(refused) <= {ErrorCode.TRUNCATED, ErrorCode.NOT_AN_IMAGE}
    # Only what is too short to have a type is not called truncated.
    assert set(refused[5:]) == {ErrorCode.TRUNCATED}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_passes(mode: str) -> None:
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new(mode, (5, 4)).save(out, "PNG")
    assert look(out.getvalue()) == ("image/png", 5, 4)


@pytest.mark.parametrize("name", [name for name in HAND_MADE if name != "png-noise"])
def test_a_cut_at_any_byte_is_refused(name: str) -> None:
    data = HAND_MADE[name]
    for cut in range(len(data)):
        expected = ErrorCode.NOT_AN_IMAGE if sniff(data[:cut]) is None else ErrorCode.TRUNCATED
        assert code(data[:cut]) == expected, cut


@pytest.mark.parametrize(
    "data",
    [
        png(200, 100),
        jpeg(200, 100),
        riff(vp8(200, 100)),
        riff(vp8l(200, 100)),
        riff(vp8x(200, 100)),
    ],
)
def test_pixels_are_capped_from_the_header(data: bytes) -> None:
    error = refusal(data, 19_999)
    assert error.code == ErrorCode.TOO_MANY_PIXELS
    assert "200 × 100" in str(error)
    # Before anything behind the header is looked at.
    assert code(data[: len(data) // 2 + 17][:60], 19_999) == ErrorCode.TOO_MANY_PIXELS


def test_the_cap_itself_is_allowed() -> None:
    assert look(png(200, 100), 20_000) == ("image/png", 200, 100)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_and_nothing_else_is_raised(data: bytes) -> None:
    refusal(data)


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n" + ihdr(), SOI + sof(), SOI + sof() + SOS, SOI]),
    st.binary(max_size=300),
)
def test_random_bytes_behind_a_good_beginning_raise_nothing_else(head: bytes, tail: bytes) -> None:
    with suppress(ImageRejected):
        look(head + tail)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_random_bytes_in_a_riff_raise_nothing_else(data: bytes, announced: int) -> None:
    with suppress(ImageRejected):
        look(b"RIFF" + struct.pack("<I", announced) + b"WEBP" + data)


@given(
    st.sampled_from(sorted(HAND_MADE)).filter(lambda name: name.startswith("png")),
    st.data(),
)
def test_a_flipped_bit_in_a_png_is_refused(name: str, data: st.DataObject) -> None:
    image = bytearray(HAND_MADE[name])
    image[data.draw(st.integers(0, len(image) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    refusal(bytes(image))


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        (IDAT + IEND, "header"),
        (ihdr(0, 2) + IDAT + IEND, "zero"),
        (ihdr(2, 0) + IDAT + IEND, "zero"),
        (ihdr(3, 2, 3, 2, 0, 0, 0) + IDAT + IEND, "header"),
        (ihdr(3, 2, 8, 5, 0, 0, 0) + IDAT + IEND, "header"),
        (ihdr(3, 2, 8, 2, 1, 0, 0) + IDAT + IEND, "header"),
        (ihdr(3, 2, 8, 2, 0, 1, 0) + IDAT + IEND, "header"),
        (ihdr(3, 2, 8, 2, 0, 0, 2) + IDAT + IEND, "header"),
        (ihdr()[:-1] + b"\0" + IDAT + IEND, "checksum"),
        (ihdr() + ihdr() + IDAT + IEND, "chunks"),
        (ihdr() + chunk(b"12 4") + IDAT + IEND, "chunks"),
        (ihdr() + b"\x80\0\0\0IDAT", "chunks"),
        (ihdr() + IDAT[:-1] + b"\0" + IEND, "checksum"),
        (ihdr() + IEND, "without"),
        (ihdr() + IDAT + chunk(b"IEND", b"x"), "without"),
        (ihdr(3, 2, 8, 3, 0, 0, 0) + IDAT + IEND, "without"),
    ],
)
def test_malformed_pngs_are_refused(chunks: bytes, why: str) -> None:
    error = refusal(SIGNATURE + chunks)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert why in str(error)


DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}
"""By colour type: the PNG specification, table 12."""


@pytest.mark.parametrize("colour", range(8))
def test_pngs_have_the_depths_of_the_specification(colour: int) -> None:
    for depth in range(20):
        data = ihdr(3, 2, depth, colour, 0, 0, 0) + chunk(b"PLTE", b"abc") + IDAT + IEND
        if depth in DEPTHS.get(colour, ()):
            assert look(SIGNATURE + data) == ("image/png", 3, 2)
        else:
            assert "header" in str(refusal(SIGNATURE + data))


def test_what_is_no_header_is_none_whatever_its_checksum_says() -> None:
    data = ihdr().replace(b"IHDR", b"IHDX") + IDAT + IEND
    assert "does not begin with its header" in str(refusal(SIGNATURE + data))


def test_the_longest_chunk_is_cut_and_a_longer_one_is_none() -> None:
    assert code(SIGNATURE + ihdr() + b"\x7f\xff\xff\xffIDAT") == ErrorCode.TRUNCATED
    assert code(SIGNATURE + ihdr() + b"\x80\x00\x00\x00IDAT") == ErrorCode.NOT_AN_IMAGE


def test_a_palette_and_interlacing_pass() -> None:
    data = ihdr(3, 2, 8, 3, 0, 0, 1) + chunk(b"PLTE", b"abc") + IDAT + IEND
    assert look(SIGNATURE + data) == ("image/png", 3, 2)


GOOD_TAIL = SOS + SCAN + EOI


@pytest.mark.parametrize(
    ("segments", "why"),
    [
        (b"\xff\xbf" + sof() + GOOD_TAIL, "marker"),
        (b"\xff\x02" + sof() + GOOD_TAIL, "marker"),
        (b"\xff\xd8" + sof() + GOOD_TAIL, "marker"),
        (b"\xff\xc8" + sof() + GOOD_TAIL, "marker"),
        (b"\xff\xe0\0\x01" + sof() + GOOD_TAIL, "segments"),
        (sof() + sof() + GOOD_TAIL, "more than one"),
        (sof() + SOS + SCAN + sof() + GOOD_TAIL, "more than one"),
        (segment(0xC0, b"\x08\0\x01"), "header"),
        (segment(0xC0, b"\x07\0\x01\0\x01\x01abc"), "header"),
        (segment(0xC0, b"\x08\0\x01\0\x01\x02abcabc"), "header"),
        (segment(0xC0, b"\x08\0\x01\0\x01\x03abc"), "header"),
        (sof(0, 2) + GOOD_TAIL, "zero"),
        (sof(3, 0) + GOOD_TAIL, "zero"),
        (GOOD_TAIL, "before its header"),
        (sof() + EOI, "without"),
        (EOI, "without"),
    ],
)
def test_malformed_jpegs_are_refused(segments: bytes, why: str) -> None:
    error = refusal(SOI + segments)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert why in str(error)


@pytest.mark.parametrize(
    ("codes", "coding"),
    [
        ((0xC3,), "lossless"),
        ((0xC9, 0xCA), "arithmetic"),
        ((0xCB,), "lossless arithmetic"),
        ((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF), "hierarchical"),
    ],
)
def test_what_browsers_do_not_show_is_refused_by_its_name(codes: list[int], coding: str) -> None:
    for code in codes:
        error = refusal(SOI + sof(code=code) + GOOD_TAIL)
        assert error.code == ErrorCode.NOT_AN_IMAGE
        assert f"like a JPEG, but with {coding} coding, which browsers do not show" in str(error)


@pytest.mark.parametrize("frame", [0xC0, 0xC1, 0xC2])
def test_jpegs_of_several_scans_pass(frame: int) -> None:
    scans = (segment(0xC4, b"table") + SOS + SCAN) * 3
    assert look(SOI + sof(code=frame) + scans + EOI) == ("image/jpeg", 3, 2)


SEGMENTS = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xFF)}
"""Tables, conditions, parameters, application data, extensions, comments: ITU-T T.81, table B.1."""


STRAY = {0, 1, *range(0xD0, 0xD8)}
"""Without a segment: what seems to be one stands between segments."""


def test_jpegs_hold_the_segments_of_the_specification() -> None:
    after = b"\x01\x01\x00\x00\x3f\x00"
    for marker in range(0xFF):
        data = SOI + segment(marker, b"data") + sof() + GOOD_TAIL
        if marker in SEGMENTS | STRAY:
            assert look(data) == ("image/jpeg", 3, 2)
        else:
            refusal(data)
        # Nothing but the marker of a scan begins one.
        data = SOI + sof() + segment(marker, after) + SCAN + EOI
        if marker != 0xDA:
            refusal(data)


@pytest.mark.parametrize("precision", [7, 8, 12, 16])
@pytest.mark.parametrize("components", range(6))
def test_jpegs_have_the_components_that_browsers_show(precision: int, components: int) -> None:
    header = struct.pack(">BHHB", precision, 2, 3, components) + b"\x01\x11\x00" * components
    data = SOI + segment(0xC0, header) + GOOD_TAIL
    if precision in (8, 12) and components in (1, 3, 4):
        assert look(data) == ("image/jpeg", 3, 2)
    else:
        assert "header is not valid" in str(refusal(data))


@pytest.mark.parametrize("length", [0, 1])
def test_a_segment_that_is_shorter_than_its_own_length_is_none(length: int) -> None:
    data = SOI + b"\xff\xe0" + length.to_bytes(2) + b"\xff\xe0" * 2 + sof() + GOOD_TAIL
    assert "one of its segments is not valid" in str(refusal(data))


@pytest.mark.parametrize("shift", range(-3, 4))
@pytest.mark.parametrize("fill", [0, 1, 2])
def test_a_marker_on_the_border_of_two_blocks_is_found(shift: int, fill: int) -> None:
    head = SOI + sof() + SOS
    scan = b"\x11" * (module._BLOCK + shift) + b"\xff" * fill
    assert look(head + scan + EOI) == ("image/jpeg", 3, 2)
    assert code(head + scan + EOI[:1]) == ErrorCode.TRUNCATED
    assert code(head + scan + b"\xff\xd0") == ErrorCode.TRUNCATED
    assert code(head + scan) == ErrorCode.TRUNCATED


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (riff((b"EXIF", b"abc")), "no image"),
        (riff(vp8x()), "no image"),
        (riff(vp8x(), (b"ANIM", b"abcdef")), "no image"),
        (riff(vp8x(), anmf(vp8()), vp8()), "a still one and an animation"),
        (riff(anmf(vp8())), "no image"),
        (riff(vp8x(), anmf()), "frames is not valid"),
        (riff(vp8x(), (b"ANMF", b"x" * 15)), "frames is not valid"),
        (riff(vp8x(), anmf(vp8(), vp8l())), "frames is not valid"),
        (riff(vp8x(), anmf(vp8(2, 2))), "frames is not valid"),
        (riff(vp8x(), anmf(vp8(), left=2)), "within its canvas"),
        (riff(vp8x(), anmf(vp8(), top=2)), "within its canvas"),
        (riff(vp8x(), anmf(vp8(4, 2), wide=4)), "within its canvas"),
        (riff(vp8x(), anmf(vp8(3, 3), high=3)), "within its canvas"),
        (riff(vp8x(), (b"ANMF", anmf(vp8())[1][:-4])), "longer than its frame"),
        (riff(vp8x(), vp8(), vp8()), "more than one"),
        (riff(vp8(), vp8l()), "more than one"),
        (riff((b"EXIF", b"abc"), vp8()), "more than one"),
        (riff(vp8(), vp8x()), "header"),
        (riff((b"VP8X", b"short")), "header"),
        (riff(vp8x(4, 4), vp8()), "canvas"),
        (riff(vp8(0, 2)), "zero"),
        (riff(vp8(3, 0)), "zero"),
        (riff((b"VP8 ", b"x" * 9)), "image is not valid"),
        (riff((b"VP8L", b"x" * 4)), "image is not valid"),
        (riff((b"VP8L", b"x" * 40)), "image is not valid"),
        (riff((b"VP8L", b"\x2f\0\0\0\x20" + b"x" * 40)), "image is not valid"),
        (riff((b"VP8L", b"\x2e" + vp8l()[1][1:])), "image is not valid"),
        (riff((b"VP8 ", b"\x01" + vp8()[1][1:])), "image is not valid"),
        (riff((b"VP8 ", vp8()[1][:3] + b"abc" + vp8()[1][6:])), "image is not valid"),
        (riff((b"VP8 ", vp8()[1][:-2])), "image is not valid"),
        (b"RIFF\x10\0\0\0WEBPVP8 \xff\0\0\0" + b"x" * 4, "longer"),
    ],
)
def test_malformed_webps_are_refused(data: bytes, why: str) -> None:
    error = refusal(data)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert why in str(error)


def test_an_empty_webp_ends_where_its_first_chunk_should_begin() -> None:
    assert code(riff()) == ErrorCode.TRUNCATED


def test_the_smallest_webps_pass() -> None:
    assert look(riff(vp8l(1, 1, size=6))) == ("image/webp", 1, 1)
    assert look(riff(vp8l(1, 1, size=5))) == ("image/webp", 1, 1)
    assert look(riff(vp8(1, 1, size=10))) == ("image/webp", 1, 1)
    assert look(riff(vp8l(16384, 1), (b"XMP ", b"abc"))) == ("image/webp", 16384, 1)
    assert look(riff(vp8(16383, 2))) == ("image/webp", 16383, 2)


def test_the_bits_above_a_lossy_size_only_scale_the_display() -> None:
    assert look(riff(vp8(0x4000 | 3, 0xC000 | 2))) == ("image/webp", 3, 2)


@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE + ihdr() + chunk(b"teSt") * 20 + IDAT + IEND,
        SOI + segment(0xFE, b"") * 20 + sof() + GOOD_TAIL,
        riff(vp8(), *[(b"XMP ", b"")] * 20),
    ],
)
def test_floods_of_tiny_parts_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(data)[1:] == (3, 2)
    monkeypatch.setattr(module, "_MAX_PARTS", 20)
    error = refusal(data)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert "more than 20 parts" in str(error)


PARTS = 100_000


@pytest.mark.parametrize(
    ("head", "part", "tail", "others"),
    [
        (SIGNATURE + ihdr(), chunk(b"teSt"), IDAT + IEND, 2),
        (SOI + sof(), segment(0xFE, b""), SOS + SCAN + EOI, 3),
    ],
)
def test_so_many_parts_pass_and_no_more(head: bytes, part: bytes, tail: bytes, others: int) -> None:
    assert look(head + part * (PARTS - others) + tail)[1:] == (3, 2)
    error = refusal(head + part * (PARTS - others + 1) + tail)
    assert f"more than {PARTS} parts" in str(error)
