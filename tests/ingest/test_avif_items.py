"""The parts of an AVIF: what its items claim, and what becomes of the rest."""

from __future__ import annotations

import struct

import pytest

from charimg._ingest.parts import Role
from charimg.errors import ImageRejected

from .samples import COLOUR_ITEM, FTYP, MDAT, PIXELS, avif, box, iinf, iloc, infe, ispe, meta
from .test_cleaning import cleaned, look, parts_of
from .test_parts import EVIL, tiff


def two_items(kind: bytes, rest: bytes, content: bytes, between: bytes = b"") -> bytes:
    """An AVIF whose second item lies behind its pixels."""
    items = iinf(infe(1, b"av01"), infe(2, kind, rest))

    def made(start: int) -> bytes:
        behind = start + len(PIXELS) + len(between)
        located = iloc((1, start, len(PIXELS)), (2, behind, len(content)))
        return FTYP + meta(ispe(), items=items, located=located)

    head = made(0)
    return made(len(head) + 8) + box(b"mdat", PIXELS, between, content)


NO_EXIF = b"\0\0\0\0MM\0*\0\0\0\x08" + bytes(6)
NO_XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


@pytest.mark.parametrize(
    ("kind", "rest", "content", "after"),
    [
        (b"Exif", b"\0", bytes(4) + tiff(6, text=EVIL), NO_EXIF.ljust(67, b"\0")),
        (b"mime", b"x\0application/rdf+xml\0", EVIL + b"." * 50, NO_XMP.ljust(75)),
        (b"mime", b"x\0application/rdf+xml\0", EVIL, b" " * 25),
        (b"mime", b"x\0text/plain\0", EVIL, bytes(25)),
        (b"abcd", b"\0", EVIL, bytes(25)),
    ],
)
def test_of_the_items_of_an_avif_the_place_stays(
    kind: bytes, rest: bytes, content: bytes, after: bytes
) -> None:
    assert cleaned(two_items(kind, rest, content)) == two_items(kind, rest, after)
    assert look(two_items(kind, rest, b"words")).edits == ()


@pytest.mark.parametrize("kind", [b"av01", b"grid", b"iovl", b"iden", b"tmap", b"sato"])
def test_coded_items_of_an_avif_are_pixels(kind: bytes) -> None:
    assert look(two_items(kind, b"\0", EVIL)).edits == ()


def test_bytes_of_no_item_become_zeros() -> None:
    data = two_items(b"Exif", b"\0", b"words", EVIL)
    assert cleaned(data) == two_items(b"Exif", b"\0", b"words", bytes(len(EVIL)))
    assert look(data).cleaned == ("bytes of no item with markup or a script (25 bytes)",)


def test_an_item_in_pieces_goes_as_a_whole() -> None:
    def pieces(one: bytes, two: bytes) -> bytes:
        items = iinf(infe(1, b"av01"), infe(2, b"Exif"))

        def made(start: int) -> bytes:
            at = start + len(PIXELS)
            extents = struct.pack(">HHH4I", 2, 0, 2, at, len(one), at + len(one) + 1, len(two))
            listed = struct.pack(">HHHII", 1, 0, 1, start, len(PIXELS)) + extents
            located = box(b"iloc", bytes(4), b"\x44\0\0\2", listed)
            return FTYP + meta(ispe(), items=items, located=located)

        head = made(0)
        return made(len(head) + 8) + box(b"mdat", PIXELS, one, b".", two)

    assert look(pieces(b"words", b"more")).edits == ()
    begin = NO_EXIF[:9]
    assert cleaned(pieces(b"some words", EVIL)) == pieces(begin + b"\0", bytes(25))
    assert cleaned(pieces(EVIL, b"some words")) == pieces(NO_EXIF.ljust(25, b"\0"), bytes(10))


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("sizes", [(4, 4, 0), (8, 8, 4), (4, 8, 8), (0, 4, 4)])
def test_places_of_every_form_are_read(version: int, sizes: tuple[int, int, int]) -> None:
    offset_size, length_size, base_size = sizes
    wide = "I" if version == 2 else "H"

    def located(start: int) -> bytes:
        base, offset = (start - 3, 3) if offset_size and base_size else (start, start)
        listed = struct.pack(">" + wide, 1) + (b"\0\0" if version else b"") + b"\0\0"
        listed += base.to_bytes(base_size) if base_size else b""
        listed += struct.pack(">H", 1) + (b"\0" * 4 if version else b"")
        listed += offset.to_bytes(offset_size) if offset_size else b""
        listed += len(PIXELS).to_bytes(length_size)
        head = bytes([offset_size << 4 | length_size, base_size << 4 | (4 if version else 0)])
        return box(b"iloc", bytes([version, 0, 0, 0]), head, struct.pack(">" + wide, 1), listed)

    start = len(FTYP + meta(ispe(), located=located(3))) + 8
    data = FTYP + meta(ispe(), located=located(start)) + MDAT
    assert look(data).edits == ()
    assert [part.length for part in parts_of(data) if part.role is Role.PIXELS] == [len(PIXELS)]
    later = FTYP + meta(ispe(), located=located(start + 1)) + MDAT
    with pytest.raises(ImageRejected, match="truncated"):
        look(later)


def test_items_of_either_form_are_read() -> None:
    entry = box(b"infe", b"\3\0\0\0", struct.pack(">IH", 1, 0), b"av01", b"\0")
    items = box(b"iinf", b"\1\0\0\0", struct.pack(">I", 1), entry)
    start = len(FTYP + meta(ispe(), items=items, located=iloc((1, 0, 0)))) + 8
    data = FTYP + meta(ispe(), items=items, located=iloc((1, start, len(PIXELS)))) + MDAT
    assert look(data).edits == ()


def test_an_item_may_lie_in_the_description() -> None:
    def made(content: bytes, method: int = 1) -> bytes:
        listed = struct.pack(">HHHHII", 1, method, 0, 1, 0, len(PIXELS))
        located = box(b"iloc", b"\1\0\0\0", b"\x44\0\0\1", listed)
        return FTYP + meta(ispe(), located=located, more=box(b"idat", PIXELS, content))

    assert look(made(b"")).edits == ()
    assert cleaned(made(EVIL)) == made(bytes(len(EVIL)))
    assert [part.length for part in parts_of(made(EVIL)) if part.role is Role.PIXELS] == [8]
    # In other items: nobody can say where.
    with pytest.raises(ImageRejected, match="no still image"):
        look(made(b"", method=2))
    listed = struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(PIXELS))
    nowhere = FTYP + meta(ispe(), located=box(b"iloc", b"\1\0\0\0", b"\x44\0\0\1", listed))
    with pytest.raises(ImageRejected, match="no still image"):
        look(nowhere + MDAT)


def test_data_without_a_length_go_to_the_end() -> None:
    start = len(FTYP) + len(meta(ispe(), located=iloc((1, 0, 0)))) + 8
    data = FTYP + meta(ispe(), located=iloc((1, start, 0))) + MDAT
    assert look(data).edits == ()
    data = FTYP + meta(ispe()) + b"\0\0\0\0mdat" + PIXELS
    assert look(data).edits == ()
    assert cleaned(data + EVIL) == data + bytes(len(EVIL))
    large = FTYP + meta(ispe(), located=iloc((1, start + 8, len(PIXELS))))
    large += struct.pack(">I4sQ", 1, b"mdat", 16 + len(PIXELS)) + PIXELS
    assert look(large).edits == ()


def test_what_pixels_and_metadata_both_claim_is_not_touched() -> None:
    """An item of metadata over the pixels: whoever blanked it would change them."""
    items = iinf(infe(1, b"av01"), infe(2, b"Exif"), infe(3, b"av01"))

    def made(start: int, *more: tuple[int, int, int]) -> bytes:
        places = [(item, start + at, length) for item, at, length in more]
        return FTYP + meta(ispe(), items=items, located=iloc(*places))

    evil = len(EVIL)
    for places in (
        [(1, 0, evil), (2, 0, evil), (3, 0, evil)],
        [(1, 0, evil), (2, 2, 10), (3, 2, 5)],
        [(1, 0, 9), (2, 5, 10), (3, 9, evil - 9)],
        [(1, 4, evil - 4), (2, 0, 10), (3, 0, 4)],
        [(1, 0, evil), (2, 0, evil + 9), (3, evil, 9)],
    ):
        head = made(0, *places)
        data = made(len(head) + 8, *places) + box(b"mdat", EVIL + bytes(9))
        assert look(data).edits == (), places


def test_padding_that_an_item_claims_is_no_padding() -> None:
    for name in (b"free", b"uuid", b"abcd"):
        start = len(FTYP) + len(meta(ispe(), located=iloc((1, 0, 0)))) + 8
        data = FTYP + meta(ispe(), located=iloc((1, start, 30))) + box(name, EVIL, bytes(5))
        assert look(data).edits == (), name
        assert Role.PIXELS in {part.role for part in parts_of(data)}
    inside = box(b"free", EVIL, bytes(5))
    place = len(FTYP) + len(meta(ispe(), located=iloc((1, 0, 0))))
    data = FTYP + meta(ispe(), located=iloc((1, place + 8, 30)), more=inside)
    assert look(data).edits == ()
    # Even where it claims the name of the handler.
    handler = box(b"hdlr", bytes(8), b"pict", bytes(12), EVIL + b"\0")
    place = data.index(b"hdlr") + 4
    data = FTYP + meta(ispe(), handler=handler, located=iloc((1, place, 20)))
    assert look(data).edits == ()


def test_what_stands_in_the_description_keeps_its_place() -> None:
    handler = box(b"hdlr", bytes(8), b"pict", bytes(12), EVIL)
    blank = box(b"hdlr", bytes(8), b"pict", bytes(12), bytes(len(EVIL)))
    shift = len(handler) - len(box(b"hdlr", bytes(8), b"pict", bytes(13)))
    start = len(FTYP) + len(meta(ispe(), located=iloc((1, 0, 0)))) + 8 + shift

    def made(name: bytes) -> bytes:
        return FTYP + meta(ispe(), handler=name, located=iloc((1, start, len(PIXELS)))) + MDAT

    assert cleaned(made(handler)) == made(blank)
    start += len(EVIL) + 8 - shift
    for name in (b"uuid", b"free", b"abcd"):
        more = box(name, EVIL)
        located = iloc((1, start, len(PIXELS)))
        data = FTYP + meta(ispe(), located=located, more=more) + MDAT
        after = box(b"free", bytes(len(EVIL)))
        assert cleaned(data) == FTYP + meta(ispe(), located=located, more=after) + MDAT


def test_a_second_beginning_is_none() -> None:
    evil = box(b"ftyp", b"avif", EVIL)
    start = len(FTYP) + len(evil) + len(meta(ispe(), located=iloc((1, 0, 0)))) + 8
    described = meta(ispe(), located=iloc((1, start, len(PIXELS))))
    free = struct.pack(">I4s", len(evil), b"free") + bytes(len(evil) - 8)
    assert cleaned(FTYP + evil + described + MDAT) == FTYP + free + described + MDAT


def test_a_second_description_is_none() -> None:
    start = len(FTYP) + 2 * len(meta(ispe(), located=iloc((1, 0, 0)))) + 8
    one = meta(ispe(), located=iloc((1, start, len(PIXELS))))
    data = FTYP + one + one + MDAT
    free = struct.pack(">I4s", len(one), b"free") + bytes(len(one) - 8)
    assert cleaned(data) == FTYP + one + free + MDAT
    assert look(data).cleaned == (f"unknown box ({len(one)} bytes)",)


@pytest.mark.parametrize("tail", [b"\n", bytes(7), bytes(100), b"\0\0\0\x09free", b"PK\3\4" * 9])
def test_whatever_follows_the_items_of_an_avif_is_a_trailer(tail: bytes) -> None:
    assert cleaned(avif() + tail) == avif()


def test_data_that_end_too_early_are_truncated_even_behind_the_items() -> None:
    data = FTYP + meta(ispe()) + box(b"mdat", PIXELS, b"more")
    assert look(data).edits == ()
    with pytest.raises(ImageRejected, match="truncated"):
        look(data[:-1])
    assert COLOUR_ITEM in data


@pytest.mark.parametrize("kind", [b"av01", b"Exif"])
@pytest.mark.parametrize("claim", [(0, 3), (4, 4), (6, 10), (0, 60)])
def test_whoever_claims_the_head_of_a_box_gets_it(kind: bytes, claim: tuple[int, int]) -> None:
    items = iinf(infe(1, b"av01"), infe(2, kind))
    head = len(FTYP) + len(meta(ispe(), items=items, located=iloc((1, 0, 0), (2, 0, 0))))
    padding = box(b"free", EVIL, bytes(40))

    def made(inside: bytes) -> bytes:
        place = head + len(padding) + 8
        located = iloc((1, place, len(PIXELS)), (2, head + claim[0], claim[1]))
        return FTYP + meta(ispe(), items=items, located=located) + inside + MDAT

    data = made(padding)
    after = cleaned(data)
    assert look(after).edits == ()
    assert len(after) == len(data)
    if kind == b"av01":
        start = head + claim[0]
        assert after[start : start + claim[1]] == data[start : start + claim[1]]
    assert after[head : head + 8] == data[head : head + 8]


def test_what_harms_nobody_stays_behind_an_avif() -> None:
    for name in (b"free", b"skip", b"wide", b"mdat", b"uuid"):
        assert look(avif() + box(name, bytes(16), b"words")).edits == (), name
        assert cleaned(avif() + box(name, bytes(16), EVIL)) == avif(), name
    with pytest.raises(ImageRejected, match="truncated"):
        look(avif() + box(b"mdat", b"words")[:-1])


def test_padding_side_by_side_stays_padding() -> None:
    head = len(FTYP + meta(ispe(), located=iloc((1, 0, 0))))
    one, two = box(b"free", EVIL), box(b"skip", EVIL)
    place = head + len(one) + len(two) + 8
    described = FTYP + meta(ispe(), located=iloc((1, place, len(PIXELS))))
    blank = box(b"free", bytes(len(EVIL)))
    assert cleaned(described + one + two + MDAT) == described + blank + blank + MDAT


def test_properties_of_an_avif_stay() -> None:
    data = avif(ispe(), box(b"auxC", EVIL))
    assert look(data).edits == ()
    with pytest.raises(ImageRejected, match="header with markup"):
        look(data, foreign="refuse")


def test_claims_are_told_apart_and_in_order() -> None:
    items = iinf(infe(1, b"av01"), infe(2, b"Exif"), infe(3, b"av01"))
    content = b"pixels" + b"EXIF data" + b"more pixels"

    def made(start: int) -> bytes:
        located = iloc((1, start, 6), (2, start + 6, 9), (3, start + 15, 11))
        return FTYP + meta(ispe(), items=items, located=located)

    data = made(len(made(0)) + 8) + box(b"mdat", content)
    named = [(part.name, part.length) for part in parts_of(data)]
    assert named[-4:] == [("header", 8), ("pixels", 6), ("EXIF", 9), ("pixels", 11)]
