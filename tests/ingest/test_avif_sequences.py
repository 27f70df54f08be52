"""An AVIF that moves is an image, too; its tracks tell where the frames are."""

from __future__ import annotations

import io
import struct
import sys
from collections import Counter
from typing import Any

import pytest

from charimg._ingest.inspect import inspect
from charimg._ingest.parts import Role
from charimg.errors import ErrorCode, ImageRejected

from .samples import MANY, MDAT, PIXELS, avif, box, iinf, iloc, infe, ispe, meta
from .test_cleaning import cleaned, look, parts_of, roles, shown
from .test_labels import LABEL

KIND = "it is an AVIF of a kind that takes no label"
STILL = box(b"ftyp", b"avif", bytes(4), b"avifmif1")
BOTH = box(b"ftyp", b"avis", bytes(4), b"avifavismsf1")
MOVING = box(b"ftyp", b"avis", bytes(4), b"avismsf1")
XMP = infe(1, b"mime", b"\0application/rdf+xml\0")
EVIL = b"<svg onload=x> and more"


def table(name: bytes, *rows: bytes) -> bytes:
    return box(name, bytes(4), struct.pack(">I", len(rows)), *rows)


def sizes(*each: int, same: int = 0) -> bytes:
    rest = b"" if same else b"".join(struct.pack(">I", size) for size in each)
    count = each[0] if same else len(each)
    return box(b"stsz", bytes(4), struct.pack(">II", same, count), rest)


def track(
    *places: int,
    runs: tuple[tuple[int, int], ...] = ((1, 2),),
    samples: bytes = sizes(3, 5),
    handler: bytes = b"pict",
    size: tuple[int, int] = (3, 2),
    wide: bool = False,
    more: bytes = b"",
) -> bytes:
    """A track whose chunks lie at these places."""
    form, name = (">Q", b"co64") if wide else (">I", b"stco")
    listed = box(
        b"stbl",
        box(b"stsd", bytes(8)),
        table(b"stsc", *(struct.pack(">III", *run, 1) for run in runs)),
        samples,
        table(name, *(struct.pack(form, place) for place in places)),
    )
    head = box(b"tkhd", bytes(76), struct.pack(">II", *(side << 16 for side in size)))
    media = box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(13)), box(b"minf", listed))
    return box(b"trak", head, media, more)


def sequence(*tracks: Any, begun: bytes = MOVING, data: bytes = PIXELS) -> bytes:
    """A file with tracks; each is told where the data lie."""

    def made(place: int) -> bytes:
        return begun + box(b"moov", box(b"mvhd", bytes(8)), *(each(place) for each in tracks))

    return made(len(made(0)) + 8) + box(b"mdat", data)


PLAIN = sequence(track)


def refusal(data: bytes, max_pixels: int = MANY) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        inspect(io.BytesIO(data), max_pixels=max_pixels)
    return caught.value


def pixels(data: bytes) -> bytes:
    return b"".join(
        data[part.offset : part.offset + part.length]
        for part in parts_of(data)
        if part.role is Role.PIXELS
    )


def test_frames_are_pixels_wherever_tables_say_that_they_lie() -> None:
    eight = {"samples": sizes(8, same=1)}
    for made in (
        PLAIN,
        sequence(lambda at: track(at, wide=True)),
        sequence(lambda at: track(at, at + 3, runs=((1, 1),))),
        sequence(lambda at: track(at, at + 2, at + 4, runs=((1, 2), (3, 4)), **eight)),
        # More room in the chunks than there are samples.
        sequence(lambda at: track(at, at + 8, runs=((1, 9),), **eight)),
        sequence(lambda at: track(at, handler=b"vide")),
        sequence(track, lambda at: track(at, handler=b"auxv", size=(0, 0))),
    ):
        found = look(made)
        assert (found.type.name, found.width, found.height) == ("AVIF", 3, 2)
        assert (pixels(made), found.edits) == (PIXELS, ())


def test_what_no_picture_claims_is_searched() -> None:
    sound = sequence(track, lambda at: track(at + 8, handler=b"soun"), data=PIXELS + EVIL)
    assert cleaned(sound) == sound.replace(EVIL, bytes(len(EVIL)))
    for inside in (box(b"udta", EVIL), box(b"hdlr", bytes(8), b"pict", bytes(12), EVIL)):
        odd = sequence(lambda at, more=inside: track(at, more=more))
        assert len(cleaned(odd)) == len(odd)
        assert EVIL not in cleaned(odd)
        assert pixels(cleaned(odd)) == PIXELS


def test_a_track_has_metadata_of_its_own() -> None:
    def made(at: int) -> bytes:
        own = box(b"meta", bytes(4), iinf(XMP), iloc((1, at + 8, len(EVIL))))
        return track(at, more=own)

    data = sequence(made, data=PIXELS + EVIL)
    assert Role.METADATA in roles(data)
    assert look(data).cleaned == (f"XMP with markup or a script ({len(EVIL)} bytes)",)
    assert EVIL not in cleaned(data)


def test_what_follows_a_sequence_is_a_trailer() -> None:
    for tail in (b"\n", box(b"moov", b"more"), PLAIN):
        assert cleaned(PLAIN + tail) == PLAIN


def test_a_sequence_needs_its_tracks_and_a_still_image_none() -> None:
    image = avif()[len(STILL) :]
    assert refusal(MOVING + image).code == ErrorCode.TRUNCATED
    assert refusal(BOTH + PLAIN[len(MOVING) :]).code == ErrorCode.TRUNCATED
    still = avif()
    assert cleaned(still + PLAIN[len(MOVING) :]) == still


def test_the_brand_that_comes_first_says_how_large_it_is() -> None:
    inner = meta(ispe(7, 5), located=iloc((1, 0, 8)))
    both = sequence(track, begun=BOTH + inner)
    assert (look(both).width, look(both).height) == (3, 2)
    for major, size in ((b"avif", (7, 5)), (b"mif1", (3, 2))):
        other = both.replace(b"ftypavis", b"ftyp" + major)
        assert (look(other).width, look(other).height) == size


@pytest.mark.parametrize(
    ("major", "named", "accepted"),
    [
        (b"avis", b"", True),
        (b"mif1", b"avis", True),
        (b"msf1", b"xxxxyyyyavis", True),
        (b"mif1", b"heicmif1", False),
        (b"heic", b"avis", False),
    ],
)
def test_the_type_may_stand_behind_a_more_general_one(
    major: bytes, named: bytes, accepted: bool
) -> None:
    data = sequence(track, begun=box(b"ftyp", major, bytes(4), named))
    if accepted:
        assert look(data).type.name == "AVIF"
    else:
        assert "none of AVIF, JPEG, PNG, WEBP" in str(refusal(data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (sequence(), "its tracks hold no image"),
        (sequence(lambda at: track(at, handler=b"soun")), "its tracks hold no image"),
        (sequence(lambda at: track(at, samples=b"")), "tracks is not valid"),
        (sequence(lambda at: track(at, samples=sizes(3, 5)[:-2])), "boxes is not valid"),
        (sequence(lambda at: track(at, size=(0, 2))), "zero"),
        (sequence(lambda at: box(b"trak", box(b"mdia", bytes(4)))), "boxes is not valid"),
        (
            sequence(lambda at: track(at, more=box(b"free", bytes(1024 * 1024)))),
            "description is too long",
        ),
    ],
)
def test_tracks_that_make_no_sense_are_refused(data: bytes, why: str) -> None:
    error = refusal(data)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert why in str(error)


def test_a_sequence_that_is_cut_is_refused() -> None:
    for cut in range(12, len(PLAIN)):
        assert refusal(PLAIN[:cut]).code == ErrorCode.TRUNCATED


def test_its_frames_count_together() -> None:
    assert inspect(io.BytesIO(PLAIN), max_pixels=12)
    assert refusal(PLAIN, 11).code == ErrorCode.TOO_MANY_PIXELS
    many = sequence(lambda at: track(at, samples=sizes(2**32 - 1, same=1)))
    assert refusal(many).code == ErrorCode.TOO_MANY_PIXELS


def test_a_sequence_takes_no_label() -> None:
    for data in (PLAIN, sequence(track, begun=BOTH + meta(ispe(), located=iloc((1, 0, 8))))):
        found = look(data, label=LABEL)
        assert (found.unlabelled, found.edits) == (KIND, ())


def test_many_boxes_and_places_do_not_multiply() -> None:
    def calls(many: int) -> int:
        places = box(b"iloc", bytes(4), b"\0\0", struct.pack(">H3H", 1, 1, 0, many))
        data = STILL + meta(ispe(), located=places) + MDAT + box(b"free") * many
        counted = Counter[str]()
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, given: counted.update([event]))
        try:
            assert look(data).edits == ()
        finally:
            sys.setprofile(before)
        return counted.total()

    # Twice as many of both: four times the work, if each met each.
    assert calls(2_000) < 3 * calls(1_000)


def test_boxes_within_boxes_have_an_end() -> None:
    deep = b""
    for _ in range(5_000):
        deep = box(b"trak", deep)
    error = refusal(MOVING + box(b"moov", deep) + MDAT)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert "too deep in each other" in str(error)


def test_a_drawn_sequence_stays_the_same() -> None:
    image = pytest.importorskip("PIL.Image")
    shades = [image.effect_noise((32, 24), 20 * n).convert("RGB") for n in (1, 2, 3)]
    out = io.BytesIO()
    shades[0].save(
        out, "AVIF", save_all=True, append_images=shades[1:], duration=[40, 50, 60], speed=10
    )
    data = out.getvalue()
    assert cleaned(data) == data
    assert cleaned(data + b"\r\n") == data
    assert shown(cleaned(data.replace(b"ftypavis", b"ftypmif1")), "AVIF")
