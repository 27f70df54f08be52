"""The parts of each container: what they are, what stays of them, and what goes along."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import rewrite as module
from charimg._ingest.exif import ENOUGH, upright_only
from charimg._ingest.inspect import inspect
from charimg._ingest.parts import Role
from charimg._ingest.rewrite import Edit, rewrite
from charimg.errors import ImageRejected

from .samples import (
    FRAME,
    MANY,
    SCAN,
    SOS,
    anmf,
    avif,
    box,
    chunk,
    flagged,
    gif,
    gif_extension,
    ihdr,
    jpeg,
    png,
    riff,
    segment,
    sof,
    vp8,
)
from .test_cleaning import cleaned, look, parts_of

EVIL = b"<script>alert(1)</script>"
SOI, TAIL = b"\xff\xd8", sof() + SOS + SCAN + b"\xff\xd9"
JUMBF = b"\0\0\0\x20jumb" + EVIL
XMP = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"


def name_of(data: bytes) -> str:
    """Return the name of the one part that is left out."""
    (told,) = look(data).cleaned
    return str(told.partition(" with ")[0])


def tiff(orientation: int, order: str = ">", more: int = 1, text: bytes = b"") -> bytes:
    """EXIF with an orientation behind another entry."""
    head = b"MM\0*" if order == ">" else b"II*\0"
    entries = struct.pack(order + "HHII", 256, 3, 1, 0) * more
    entries += struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    return head + struct.pack(order + "IH", 8, more + 1) + entries + bytes(4) + text


def role_of(data: bytes, name: str) -> Role:
    return next(part.role for part in parts_of(data) if part.name == name)


# EXIF


@pytest.mark.parametrize("order", [">", "<"])
@pytest.mark.parametrize("orientation", range(10))
def test_of_exif_the_orientation_stays(order: str, orientation: int) -> None:
    upright = upright_only(tiff(orientation, order, text=EVIL))
    assert upright == upright_only(tiff(orientation, order, more=3))
    if 2 <= orientation <= 8:
        assert upright == tiff(orientation, more=0)
        assert upright_only(upright) == upright
    else:
        assert upright == b""


@pytest.mark.parametrize("order", [">", "<"])
def test_an_orientation_in_a_wide_number_stays_one(order: str) -> None:
    def wide(order: str) -> bytes:
        long = struct.pack(order + "HHII", 274, 4, 1, 6)
        short = struct.pack(order + "HHIHH", 274, 3, 1, 6, 0)
        return tiff(6, order, more=0).replace(short, long)

    assert upright_only(wide(order) + EVIL) == wide(">")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MM\0*",
        b"MM\0*\0\0\0\x08",
        b"II*\0" + tiff(6)[4:],
        b"XX\0*" + tiff(6)[4:],
        b"MM\0*\xff\xff\xff\xff" + tiff(6)[8:],
        tiff(6)[:-14],
        # Another type, or another tag.
        tiff(6).replace(struct.pack(">HH", 274, 3), struct.pack(">HH", 274, 4)),
        tiff(6).replace(struct.pack(">HH", 274, 3), struct.pack(">HH", 275, 3)),
    ],
)
def test_exif_that_says_nothing_of_it_is_upright(data: bytes) -> None:
    assert upright_only(data) == b""


@given(st.binary(max_size=60))
def test_no_exif_upsets_anybody(data: bytes) -> None:
    for start in (b"", b"MM\0*", b"II*\0\x08\0\0\0"):
        assert len(upright_only(start + data)) in (0, 26)


# The rewriter


@given(
    st.binary(max_size=60),
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9), st.binary(max_size=5)), max_size=5),
    st.integers(1, 9),
)
def test_a_file_is_copied_with_its_changes(data: bytes, steps: list[Any], block: int) -> None:
    at, edits, expected = 0, [], b""
    for gap, length, more in steps:
        start = at + gap
        if start + length > len(data):
            break
        fill = len(more)
        edits.append(Edit(start, length, more, fill, b" "))
        expected += data[at:start] + more + b" " * fill
        at = start + length
    expected += data[at:]
    out = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        rewrite(io.BytesIO(data), edits[::-1], out.write)
    assert out.getvalue() == expected
    assert len(expected) == len(data) + sum(edit.grows for edit in edits)


def test_no_block_is_larger_than_it_need_be() -> None:
    longest = 0

    def write(data: bytes) -> None:
        nonlocal longest
        longest = max(longest, len(data))

    rewrite(io.BytesIO(bytes(1_000_000)), [Edit(5, 900_000, fill=900_000)], write)
    assert longest <= 256 * 1024


# Words


def test_the_words_are_few_whatever_the_file_holds() -> None:
    names = [bytes([97 + n % 26, 97 + n // 26, 65, 97]) for n in range(400)]
    data = png()[:33] + b"".join(chunk(name, EVIL) for name in names) + png()[33:]
    assert look(data).cleaned == (
        "unknown chunk with markup or a script (14,800 bytes in 400 parts)",
    )
    assert look(png() + b"\n").cleaned == ("trailer (1 byte)",)
    assert look(png() + b"\r\n").cleaned == ("trailer (2 bytes)",)
    assert look(png() + bytes(1234)).cleaned == ("trailer (1,234 bytes)",)


def test_what_lies_side_by_side_goes_in_one() -> None:
    comment = segment(0xFE, EVIL)
    data = SOI + comment * 3 + segment(0xFE, b"words") + comment + TAIL + b"\n"
    found = look(data)
    assert [(edit.offset, edit.length) for edit in found.edits] == [
        (2, 3 * len(comment)),
        (2 + 3 * len(comment) + 9, len(comment)),
        (len(data) - 1, 1),
    ]
    assert found.cleaned[0].endswith(" bytes in 4 parts)")


def test_each_kind_has_its_name() -> None:
    for name in (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"hIST", b"sPLT"):
        data = png()[:33] + chunk(name, EVIL) + png()[33:]
        assert name_of(data) == f"{name.decode()} chunk"
    for code, name in (
        (0xE0, "APP0 segment"),
        (0xEF, "APP15 segment"),
        (0xF0, "unknown segment"),
        (0xFD, "unknown segment"),
        (0xFE, "comment"),
    ):
        assert name_of(SOI + segment(code, EVIL) + TAIL) == name


def test_a_beginning_means_something_in_its_own_segment_alone() -> None:
    for code, begin in (
        (0xFE, b"JFIF\0\1\2\1\0\x48\0\x48\0\0"),
        (0xE5, b"Adobe\0\x64\0\0\0\0\2"),
        (0xE5, b"Exif\0\0" + tiff(6)),
        (0xE5, XMP),
        (0xE5, b"ICC_PROFILE\0\1\1"),
        (0xE5, b"Photoshop 3.0\0"),
        (0xE5, b"JP\0\1\0\0\0\1" + JUMBF),
    ):
        data = SOI + segment(code, begin + EVIL) + TAIL
        assert cleaned(data) == SOI + TAIL
        assert name_of(data) == ("comment" if code == 0xFE else "APP5 segment")
    other = segment(0xE5, b"MPF\0MM\0*") + segment(0xE2, b"FPXR\0")
    assert cleaned(SOI + other + TAIL + b"\n") == SOI + other + TAIL


@pytest.mark.parametrize("code", [0xC4, 0xCC, 0xDB, 0xDC, 0xDD])
def test_tables_of_a_jpeg_stay(code: int) -> None:
    data = SOI + segment(code, EVIL) + TAIL
    assert look(data).edits == ()
    assert role_of(data, "tables") is Role.STRUCTURE


# Content credentials

CREDENTIALS = [
    (png(), lambda data: png()[:33] + chunk(b"caBX", data) + png()[33:]),
    (jpeg(), lambda data: jpeg()[:2] + segment(0xEB, b"JP\0\1\0\0\0\1" + data) + jpeg()[2:]),
    (
        riff(flagged(0), vp8()),
        lambda data: riff(flagged(0), vp8(), (b"C2PA", data)),
    ),
    (
        gif(FRAME),
        lambda data: gif(gif_extension(0xFF, b"C2PA_GIF\1\0\0", data), FRAME),
    ),
    (
        avif(),
        lambda data: avif() + box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), data),
    ),
]


@pytest.mark.parametrize(("plain", "build"), CREDENTIALS)
def test_content_credentials_stay_and_the_record_says_when_they_no_longer_fit(
    plain: bytes, build: Any
) -> None:
    data = build(JUMBF)
    assert role_of(data, "content credentials") is Role.CREDENTIALS
    assert look(data).edits == look(data).cleaned == ()
    assert look(build(b"\0\0\0\x20jumb"), foreign="refuse").edits == ()
    assert cleaned(data + b"\n") == data
    assert look(data + b"\n").cleaned == (
        "trailer (1 byte)",
        "the content credentials stay, and no longer match the file",
    )


@pytest.mark.parametrize(("plain", "build"), CREDENTIALS[:4])
def test_what_is_only_called_so_is_searched(plain: bytes, build: Any) -> None:
    data = build(b"\0\0\0\x20nope" + EVIL)
    assert len(look(data).cleaned) == 1
    assert cleaned(data) == plain


def test_credentials_in_another_chunk_are_none() -> None:
    plain = riff(flagged(0), vp8())
    assert cleaned(riff(flagged(0), vp8(), (b"abcd", JUMBF))) == plain
    assert cleaned(png()[:33] + chunk(b"prVt", JUMBF) + png()[33:]) == png()


def test_another_box_with_an_id_is_searched() -> None:
    assert cleaned(avif() + box(b"uuid", bytes(16), EVIL)) == avif()


# PNG


def test_what_a_png_needs_is_kept_and_what_is_too_long_for_it_is_searched() -> None:
    longest = {
        b"PLTE": 768, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4, b"bKGD": 6,
        b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"pHYs": 9, b"acTL": 8, b"fcTL": 26,
    }  # fmt: skip
    for name, length in longest.items():
        for more, role in ((0, Role.COLOUR), (1, Role.METADATA)):
            data = png()[:33] + chunk(name, bytes(length + more)) + png()[33:]
            assert role_of(data, f"{name.decode()} chunk") is role, name
        fits = chunk(name, b"x" * length)
        data = png()[:33] + chunk(name, b"x" * length + EVIL) + png()[33:]
        assert cleaned(data) == png()[:33] + fits + png()[33:], name
    # Nobody can tell how long a profile may be.
    data = png()[:33] + chunk(b"iCCP", b"name\0\0" + EVIL) + png()[33:]
    assert look(data).edits == ()
    with pytest.raises(ImageRejected, match="iCCP chunk with markup"):
        look(data, foreign="refuse")


def test_the_frames_of_an_animated_png_are_pixels() -> None:
    data = png()[:33] + chunk(b"fdAT", EVIL) + png()[33:]
    assert look(data).edits == ()
    assert look(data, foreign="refuse").edits == ()


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_of_the_exif_of_a_png_the_orientation_stays(prefix: bytes) -> None:
    data = png()[:33] + chunk(b"eXIf", prefix + tiff(6, text=EVIL)) + png()[33:]
    assert cleaned(data) == png()[:33] + chunk(b"eXIf", tiff(6, more=0)) + png()[33:]
    data = png()[:33] + chunk(b"eXIf", prefix + tiff(1, text=EVIL)) + png()[33:]
    assert cleaned(data) == png()
    data = png()[:33] + chunk(b"eXIf", tiff(6, text=bytes(ENOUGH) + EVIL)) + png()[33:]
    assert cleaned(data) == png()[:33] + chunk(b"eXIf", tiff(6, more=0)) + png()[33:]


# JPEG


@pytest.mark.parametrize(
    ("data", "after"),
    [
        (b"JFIF\0\1\2\1\0\x48\0\x48\1\1" + EVIL, b"JFIF\0\1\1\1\0\x48\0\x48\0\0"),
        (b"JFIF\0" + EVIL, b"JFIF\0\1\1" + EVIL[2:7] + b"\0\0"),
        (b"JFIF\0\1\2%PDF-1.7", b"JFIF\0\1\1%PDF-\0\0"),
    ],
)
def test_of_jfif_the_shape_of_a_pixel_stays(data: bytes, after: bytes) -> None:
    assert cleaned(SOI + segment(0xE0, data) + TAIL) == SOI + segment(0xE0, after) + TAIL
    whole = SOI + segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\1\1abc") + TAIL
    assert look(whole).edits == ()


def test_of_an_adobe_segment_the_transform_stays() -> None:
    adobe = b"Adobe\0\x64\x80\0\0\0\2"
    for data in (adobe, adobe + b"words"):
        assert look(SOI + segment(0xEE, data) + TAIL).edits == ()
    after = SOI + segment(0xEE, b"Adobe\0\x64\0\0\0\0\2") + TAIL
    assert cleaned(SOI + segment(0xEE, adobe + EVIL) + TAIL) == after
    # Not Adobe's.
    assert cleaned(SOI + segment(0xEE, EVIL) + TAIL) == SOI + TAIL


def test_of_the_exif_of_a_jpeg_the_orientation_stays() -> None:
    data = SOI + segment(0xE1, b"Exif\0\0" + tiff(8, "<", text=EVIL)) + TAIL
    assert cleaned(data) == SOI + segment(0xE1, b"Exif\0\0" + tiff(8, more=0)) + TAIL
    assert look(data).cleaned == ("EXIF with markup or a script (73 bytes)",)
    data = SOI + segment(0xE1, b"Exif\0\0" + tiff(1, text=EVIL)) + TAIL
    assert cleaned(data) == SOI + TAIL


def test_a_profile_of_a_jpeg_is_kept() -> None:
    data = SOI + segment(0xE2, b"ICC_PROFILE\0\1\1" + EVIL) + TAIL
    assert look(data).edits == ()
    assert role_of(data, "ICC profile") is Role.COLOUR


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (segment(0xE1, XMP + b"a"), segment(0xE1, XMP_MORE + EVIL)),
        (segment(0xE1, XMP + EVIL), segment(0xE1, XMP_MORE + b"a")),
        (segment(0xED, b"Photoshop 3.0\0a"), segment(0xED, b"Photoshop 3.0\0" + EVIL)),
    ],
)
def test_what_belongs_together_goes_together(one: bytes, other: bytes) -> None:
    harmless = segment(0xFE, b"words") + segment(0xE5, b"Photoshop 3.0\0")
    assert cleaned(SOI + one + harmless + other + TAIL) == SOI + harmless + TAIL


def test_the_index_of_pictures_goes_with_them() -> None:
    index = segment(0xE2, b"MPF\0MM\0*")
    plain = SOI + TAIL
    assert look(SOI + index + TAIL).edits == ()
    assert cleaned(SOI + index + TAIL + plain) == plain
    told = look(SOI + index + TAIL + plain).cleaned
    assert told == (f"later pictures ({len(plain)} bytes)", "index of pictures (12 bytes)")
    assert look(plain + plain).cleaned == (f"trailer ({len(plain)} bytes)",)


@pytest.mark.parametrize(
    "between",
    [b"\0", b"words", b"\xff\0", b"\xff\xff\0", b"\xff\x01", b"\xff\xd0", b"x\xff\xd7\xff\0y"],
)
def test_what_stands_between_segments_is_left_out(between: bytes) -> None:
    comment = segment(0xFE, b"words")
    for data in (SOI + comment + between + TAIL, SOI + sof() + between + TAIL[len(sof()) :]):
        assert cleaned(data) in (SOI + comment + TAIL, SOI + TAIL)
        assert look(data).cleaned[0].startswith("bytes between segments (")


@pytest.mark.parametrize("fill", [1, 2, 70_000])
def test_fill_bytes_are_the_segments_own(fill: int) -> None:
    data = SOI + b"\xff" * fill + segment(0xFE, b"words") + b"\xff" * fill + TAIL
    assert look(data).edits == ()
    # With the segment they go.
    data = SOI + b"\xff" * fill + segment(0xFE, EVIL) + b"\xff" * fill + TAIL
    assert cleaned(data) == SOI + b"\xff" * fill + TAIL


def test_a_script_that_begins_in_a_length_is_found() -> None:
    length = struct.unpack(">H", b"/*")[0] - 2
    opening = segment(0xE0, b"JFIF\0" + bytes(length - 5))
    script = segment(0xFE, b"*/=alert(1);/*")
    assert cleaned(SOI + opening + script + TAIL) == SOI + opening + TAIL
    words = segment(0xFE, b"a comment */ of words")
    assert look(SOI + opening + words + TAIL).edits == ()
    assert look(SOI + script + TAIL).edits == ()
    wide = struct.unpack("<H", b"/*")[0]
    hidden = gif_extension(0xFE, b"*/=alert(1);/*")
    assert cleaned(gif(hidden, FRAME, width=wide)) == gif(FRAME, width=wide)
    assert look(gif(hidden, FRAME)).edits == ()


# WebP


def test_the_headers_of_a_webp_tell_what_is_left() -> None:
    exif, xmp = (b"EXIF", tiff(1, text=EVIL)), (b"XMP ", EVIL)
    everything = 0x2C | 0x10
    both = riff(flagged(everything), (b"ICCP", b"a"), vp8(), exif, xmp)
    assert cleaned(both) == riff(flagged(0x30), (b"ICCP", b"a"), vp8())
    one = riff(flagged(everything), vp8(), (b"EXIF", tiff(1)), xmp)
    assert cleaned(one) == riff(flagged(0x38), vp8(), (b"EXIF", tiff(1)))
    turned = riff(flagged(everything), vp8(), (b"EXIF", b"Exif\0\0" + tiff(6, text=EVIL)), xmp)
    assert cleaned(turned) == riff(flagged(0x38), vp8(), (b"EXIF", tiff(6, more=0)))
    assert cleaned(both + EVIL) == cleaned(both)
    # Nothing but the trailer: the headers are right as they are.
    assert len(look(riff(flagged(0x10), vp8()) + EVIL).edits) == 1
    # Nothing was announced.
    assert cleaned(riff(vp8(), xmp)) == riff(vp8())
    # All of a name go, or the flag would lie.
    twice = riff(flagged(0x04), vp8(), (b"XMP ", b"words"), xmp)
    assert cleaned(twice) == riff(flagged(0), vp8())


def test_what_hides_in_a_frame_of_a_webp_becomes_zeros() -> None:
    def animation(*chunks: tuple[bytes, bytes]) -> bytes:
        return riff(flagged(2), (b"ANIM", bytes(6)), anmf(vp8(), *chunks), anmf(vp8()))

    assert look(animation((b"abcd", b"words"))).edits == ()
    assert cleaned(animation((b"abcd", EVIL))) == animation((bytes(4), bytes(len(EVIL))))
    assert role_of(animation(), "pixels") is Role.PIXELS
    odd = riff(flagged(2), (b"ANMF", anmf(vp8())[1] + b"\0"))
    with pytest.raises(ImageRejected, match="one of its frames is not valid"):
        look(odd)


def test_a_chunk_of_a_webp_ends_where_its_container_does() -> None:
    plain = riff(flagged(0), vp8(), (b"abcd", b"words"))
    end = len(plain) - 8
    for wrong in (1, 2, 8, 15):
        shorter = b"RIFF" + (end - wrong).to_bytes(4, "little") + plain[8:]
        with pytest.raises(ImageRejected, match="longer than the file"):
            look(shorter + bytes(20))


def test_a_frame_of_a_webp_lies_within_its_canvas() -> None:
    def animation(left: int, top: int) -> bytes:
        return riff(flagged(2, 9, 8), anmf(vp8(), left=left, top=top))

    assert look(animation(6, 6)).edits == ()
    for place in ((8, 0), (0, 8), (8, 8)):
        with pytest.raises(ImageRejected, match="within its canvas"):
            look(animation(*place))


def test_transparency_of_a_webp_is_pixels() -> None:
    data = riff(flagged(0x10), (b"ALPH", EVIL), vp8())
    assert look(data).edits == ()
    data = riff(flagged(0), (b"ANIM", bytes(6) + EVIL), vp8())
    assert cleaned(data) == riff(flagged(0), vp8())
    data = riff(flagged(0), (b"ICCP", EVIL), vp8())
    assert look(data).edits == ()


# GIF


def test_how_a_gif_is_shown_stays() -> None:
    control = gif_extension(0xF9, b"\5\1\0\2")
    loop = gif_extension(0xFF, b"NETSCAPE2.0", b"\1\3\0")
    plain = gif(loop, control, FRAME)
    assert look(plain).edits == ()
    hidden = gif(
        gif_extension(0xFF, b"NETSCAPE2.0", b"\1\3\0", EVIL),
        gif_extension(0xF9, b"\5\1\0\2", EVIL),
        FRAME,
    )
    assert cleaned(hidden) == plain
    # None that anybody obeys.
    for extension in (
        gif_extension(0xF9, b"\5\1\0", EVIL),
        gif_extension(0xFF, b"NETSCAPE2.0", b"\2\3\0", EVIL),
        gif_extension(0xFF, b"NETSCAPE2.1", b"\1\3\0", EVIL),
        gif_extension(0xFF, b"short", EVIL),
        gif_extension(0xFF, b"XMP DataXMP", EVIL),
        gif_extension(0x01, EVIL),
    ):
        assert cleaned(gif(extension, FRAME)) == gif(FRAME)
    profile = gif(gif_extension(0xFF, b"ICCRGBG1012", EVIL), FRAME)
    assert look(profile).edits == ()
    assert role_of(profile, "ICC profile") is Role.COLOUR


# All of them


def test_what_is_kept_as_it_is_is_not_even_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    from charimg._ingest.foreign import Search

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Search, "within", never)
    data = png()[:33] + chunk(b"tEXt", EVIL) + png()[33:] + EVIL
    found = inspect(io.BytesIO(data), max_pixels=MANY, foreign="keep")
    assert (found.edits, found.cleaned) == ((), ())
    # Nor are pixels.
    only = b"\x89PNG\r\n\x1a\n" + ihdr() + png()[33:]
    assert inspect(io.BytesIO(only), max_pixels=MANY).edits == ()
