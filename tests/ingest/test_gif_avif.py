"""The containers of GIF and AVIF, and the frames of animations."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg import DownloadLimits, InvalidArgument
from charimg._ingest.inspect import inspect
from charimg._ingest.reader import Reader
from charimg.errors import ErrorCode, ImageRejected

from .samples import (
    FRAME,
    FTYP,
    HANDLER,
    MANY,
    MDAT,
    avif,
    box,
    chunk,
    drawn,
    frame,
    gif,
    ihdr,
    iinf,
    iloc,
    infe,
    ispe,
    meta,
    png,
)
from .test_cleaning import cleaned, shown

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
        (gif(), "without an image"),
        (gif(COMMENT), "without an image"),
        (gif(b"\x00", FRAME), "cannot stand there"),
        (gif(COMMENT, b"\x01", FRAME), "cannot stand there"),
        (gif(FRAME, b"\0<script>"), "cannot stand there"),
        (gif(frame(wide=0)), "not valid"),
        (gif(frame(high=0)), "not valid"),
        (gif(frame(bits=1)), "not valid"),
        (gif(frame(bits=9)), "not valid"),
    ],
)
def test_malformed_gifs_are_refused(data: bytes, why: str) -> None:
    error = refusal(data)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert why in str(error)


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (gif(FRAME, width=0, height=0), (3, 2)),
        (gif(frame(wide=4)), (4, 2)),
        (gif(frame(high=3)), (3, 3)),
        (gif(frame(left=1)), (4, 2)),
        (gif(frame(top=1)), (3, 3)),
        # The first one says how large it is; what the others need counts.
        (gif(FRAME, frame(left=5)), (3, 2)),
    ],
)
def test_a_frame_may_widen_the_canvas(data: bytes, size: tuple[int, int]) -> None:
    assert look(data) == ("image/gif", *size)


def test_a_canvas_counts_as_far_as_it_is_widened() -> None:
    wide = gif(FRAME, frame(left=5))
    assert look(wide, 32) == ("image/gif", 3, 2)
    assert refusal(wide, 31).code == ErrorCode.TOO_MANY_PIXELS
    assert refusal(gif(FRAME), 5).code == ErrorCode.TOO_MANY_PIXELS


@pytest.mark.parametrize("strays", [b"\0", b"\0" * 70_000])
def test_zeros_between_blocks_are_left_out(strays: bytes) -> None:
    data = gif(COMMENT, strays, COMMENT, strays, FRAME, strays, FRAME, strays)
    assert cleaned(data) == gif(COMMENT, COMMENT, FRAME, FRAME)
    told = f"zeros between blocks ({4 * len(strays):,} bytes in 4 parts)"
    assert inspect(io.BytesIO(data), max_pixels=MANY, formats=ALL).cleaned == (told,)
    assert refusal(gif(FRAME)[:-1] + strays).code == ErrorCode.TRUNCATED


@pytest.mark.parametrize("length", [1, 100, 255])
@pytest.mark.parametrize("more", range(0, 5000, 617))
def test_blocks_are_counted_across_what_is_looked_at_in_one_go(length: int, more: int) -> None:
    block = bytes([length]) + b"\7" * length
    blocks = block * (5000 // length) + bytes([1 + more % 200]) * (2 + more % 200)
    data = gif(b"\x21\xfe" + blocks + b"\0", FRAME[:11] + blocks + b"\0")
    assert look(data) == ("image/gif", 3, 2)
    assert cleaned(data) == data
    assert refusal(data[:-2]).code == ErrorCode.TRUNCATED
    assert refusal(data[:-1]).code == ErrorCode.TRUNCATED


def test_blocks_of_a_byte_are_not_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    use = Reader._use
    monkeypatch.setattr(Reader, "_use", lambda self, n: (calls.append(n), use(self, n)))
    data = gif(FRAME[:11] + b"\1x" * 100_000 + b"\0")
    assert look(data) == ("image/gif", 3, 2)
    assert len(calls) < 100


def test_pillow_sees_the_same_gif() -> None:
    pytest.importorskip("PIL")
    plain = drawn("GIF", (30, 20))
    for odd in (plain[:6] + bytes(4) + plain[10:], plain[:-1] + b"\0\0" + plain[-1:]):
        assert shown(cleaned(odd), "GIF") == shown(odd, "GIF") == shown(plain, "GIF")
        assert look(odd) == ("image/gif", 30, 20)


def test_a_table_is_there_only_where_it_is_announced() -> None:
    assert look(gif(FRAME, flags=0x07)) == ("image/gif", 3, 2)


def test_what_nobody_asked_for_is_refused() -> None:
    with pytest.raises(ImageRejected, match=r'is a GIF, .* AVIF, JPEG, PNG, WEBP\. Add "gif" to'):
        inspect(io.BytesIO(gif(FRAME)), max_pixels=MANY)
    with pytest.raises(ImageRejected, match="none of JPEG, PNG"):
        inspect(io.BytesIO(b"<html>"), max_pixels=MANY, formats=("png", "jpeg"))
    with pytest.raises(ImageRejected, match=r'an AVIF, and what is accepted is PNG\. Add "avif"'):
        inspect(io.BytesIO(GOOD), max_pixels=MANY, formats=("png",))


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


GOOD = avif(ispe(), box(b"pixi", bytes(8)), ispe(1, 1))


def test_avifs_pass_and_no_cut_does() -> None:
    assert look(GOOD) == ("image/avif", 3, 2)
    assert look(GOOD + box(b"free", bytes(9))) == ("image/avif", 3, 2)
    for cut in range(12, len(GOOD)):
        assert refusal(GOOD[:cut]).code == ErrorCode.TRUNCATED


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (FTYP + b"\0\0\0\0meta", "plain size"),
        (FTYP + b"\0\0\0\7free" + bytes(9), "plain size"),
        (FTYP + b"\0\0\0\1free\0\0\0\0\0\0\0\x0f" + bytes(9), "plain size"),
        (FTYP + MDAT, "truncated"),
        (FTYP + meta(ispe()), "truncated"),
        (FTYP + box(b"abcd", bytes(9))[:-1], "truncated"),
        (FTYP + meta(ispe(), located=b"") + MDAT, "no still image"),
        (FTYP + meta(ispe(), items=b"") + MDAT, "no still image"),
        (FTYP + meta(ispe(), items=iinf(infe(1, b"Exif"))) + MDAT, "no still image"),
        (FTYP + meta(ispe(), items=iinf(infe(1, b"abcd"))) + MDAT, "no still image"),
        (FTYP + meta(ispe(), items=iinf(infe(2, b"av01"))) + MDAT, "no still image"),
        (FTYP + meta(ispe(), items=iinf(box(b"infe", b"\2"))) + MDAT, "description is not valid"),
        (FTYP + meta(ispe(), located=iloc((1, 0, 9))[:-1]) + MDAT, "boxes is not valid"),
        (FTYP + meta(ispe(), located=box(b"iloc", bytes(4))) + MDAT, "description is not valid"),
        (
            FTYP + meta(ispe(), located=box(b"iloc", bytes(4), b"\x44\0\0\1")) + MDAT,
            "description is not valid",
        ),
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
        data = avif(*(ispe(*each) for each in turned))
        assert look(data) == ("image/avif", 9, 3)


def test_the_description_of_an_avif_may_have_so_many_bytes() -> None:
    rest = 1024 * 1024 - len(meta(ispe(), box(b"free"))) + 8
    assert look(avif(ispe(), box(b"free", bytes(rest)))) == ("image/avif", 3, 2)
    longer = FTYP + meta(ispe(), box(b"free", bytes(rest + 1))) + MDAT
    assert "too long" in str(refusal(longer))


def test_the_pixels_of_an_avif_are_capped() -> None:
    big = avif(ispe(1, 1), ispe(200, 100))
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
