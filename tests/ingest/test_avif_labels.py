"""A label in an AVIF moves what lies behind the description, and every item stays what it is."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from charimg._ingest.parts import Role

from .samples import (
    COLOUR_ITEM,
    FTYP,
    MDAT,
    PIXELS,
    avif,
    box,
    iinf,
    iloc,
    infe,
    ispe,
    meta,
)
from .test_cleaning import parts_of
from .test_labels import SAID, look, said, written
from .test_provenance import SOURCE, credentials

KIND = "it is an AVIF of a kind that takes no label"
OWN = "it is an AVIF with XMP or content credentials, which stay as they are"


def items(data: bytes) -> list[tuple[str, bytes]]:
    """Return what the items of a file hold, but for XMP."""
    return [
        (part.name, data[part.offset : part.offset + part.length])
        for part in parts_of(data)
        if part.role is Role.PIXELS or part.name == "EXIF"
    ]


def check(data: bytes) -> bytes:
    """Label a file, and see to it that its items stay."""
    stored = written(data)
    assert said(stored) == SAID
    assert items(stored) == items(data)
    assert look(stored).edits == ()
    return stored


def placed(located: bytes, **options: bytes) -> bytes:
    return FTYP + meta(ispe(), located=located, **options) + MDAT


def locations(
    start: int, version: int, sizes: tuple[int, int, int], *, method: int = 0, length: int = 8
) -> bytes:
    """Where the pixels lie, in every form in which that can be said."""
    offset_size, length_size, base_size = sizes
    wide = 4 if version == 2 else 2
    base, offset = (start - 3, 3) if base_size else (0, start)
    if not offset_size:
        base, offset = start, 0
    entry = (1).to_bytes(wide) + (struct.pack(">H", method) if version else b"") + b"\0\0"
    entry += base.to_bytes(base_size) + b"\0\1" + (b"\0" * 4 if version else b"")
    entry += offset.to_bytes(offset_size) + length.to_bytes(length_size)
    head = bytes([offset_size << 4 | length_size, base_size << 4 | (4 if version else 0)])
    return box(b"iloc", bytes([version, 0, 0, 0]), head, (1).to_bytes(wide), entry)


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize("sizes", [(4, 4, 0), (8, 8, 4), (4, 8, 8)])
def test_places_of_every_form_are_moved(version: int, sizes: tuple[int, int, int]) -> None:
    start = len(placed(locations(3, version, sizes))) - len(PIXELS)
    check(placed(locations(start, version, sizes)))


@pytest.mark.parametrize("sizes", [(4, 4, 4), (4, 4, 0)])
def test_the_place_of_a_label_is_whole_in_one_of_two_numbers(sizes: tuple[int, int, int]) -> None:
    start = len(placed(locations(3, 1, sizes))) - len(PIXELS)
    stored = check(placed(locations(start, 1, sizes)))
    place = struct.pack(">I", stored.rindex(b"mdat") + 4)
    pieces, index = b"\0\1", bytes(4)
    whole = place + pieces + index + bytes(4) if sizes[2] else pieces + index + place
    assert whole in stored[: stored.index(PIXELS)]


def test_items_of_either_form_are_added() -> None:
    entry = box(b"infe", b"\3\0\0\0", struct.pack(">IH", 1, 0), b"av01", b"\0")
    wide = box(b"iinf", b"\1\0\0\0", struct.pack(">I", 1), entry)
    start = len(placed(iloc((1, 0, 0)), items=wide)) - len(PIXELS)
    check(placed(iloc((1, start, len(PIXELS))), items=wide))


@pytest.mark.parametrize("version", [0, 1])
def test_references_of_either_form_are_added(version: int) -> None:
    numbers = struct.pack(">IHI" if version else ">HHH", 2, 1, 1)
    known = box(b"iref", bytes([version, 0, 0, 0]), box(b"auxl", numbers))
    stored = check(FTYP + meta(ispe(), more=known) + MDAT)
    assert stored.count(b"iref") == 1
    described = struct.pack(">IHI" if version else ">HHH", 2, 1, 0)
    assert box(b"cdsc", described) in stored


def test_without_references_they_are_made() -> None:
    stored = check(avif())
    assert box(b"iref", bytes(4), box(b"cdsc", struct.pack(">HHH", 2, 1, 0))) in stored
    wide = box(b"pitm", b"\1\0\0\0", struct.pack(">I", 1))
    narrow = box(b"pitm", bytes(6))
    data = avif().replace(narrow, wide)
    data = data.replace(struct.pack(">I4s", len(meta(ispe())), b"meta"), b"SIZE")
    data = data.replace(b"SIZE", struct.pack(">I4s", len(meta(ispe())) + 2, b"meta"))
    start = len(data) - len(PIXELS)
    data = data.replace(iloc((1, start - 2, len(PIXELS))), iloc((1, start, len(PIXELS))))
    assert box(b"cdsc", struct.pack(">HHH", 2, 1, 1)) in check(data)


def test_an_item_in_the_description_stays_where_it_is() -> None:
    located = locations(0, 1, (4, 4, 0), method=1)
    data = FTYP + meta(ispe(), located=located, more=box(b"idat", PIXELS))
    check(data)


def test_what_lies_before_the_description_does_not_move() -> None:
    located = iloc((1, len(FTYP) + 8, len(PIXELS)))
    check(FTYP + MDAT + meta(ispe(), located=located))


def test_what_is_cut_behind_it_is_not_counted() -> None:
    assert check(avif() + b"<script>alert(1)</script>") == check(avif())
    free = struct.pack(">I4sQ", 1, b"free", 20) + bytes(4)
    check(avif() + free)
    located = iloc((1, len(avif()) - len(PIXELS) + len(free), len(PIXELS)))
    check(FTYP + free + meta(ispe(), located=located) + MDAT)


def test_the_ids_of_items_are_not_taken_twice() -> None:
    start = len(placed(iloc((1, 0, 0), (9, 0, 1)))) - len(PIXELS)
    stored = check(placed(iloc((1, start, len(PIXELS)), (9, start, 1))))
    assert struct.pack(">HH4s", 10, 0, b"mime") in stored


def settled(made: Callable[[int], bytes]) -> bytes:
    """Return a file whose last bytes are the pixels, made with the knowledge of where they are."""
    return made(len(made(1000)) - len(PIXELS))


def _two(start: int) -> bytes:
    """A second piece that lies in other items, by whatever number."""
    pieces = struct.pack(">HHHHII", 1, 0, 0, 1, start, 8) + struct.pack(">HHHHII", 2, 2, 0, 1, 0, 1)
    return placed(box(b"iloc", b"\1\0\0\0", b"\x44\0\0\2", pieces))


def _listing(items: bytes = COLOUR_ITEM, more: bytes = b"") -> Callable[[int], bytes]:
    return lambda start: placed(iloc((1, start, len(PIXELS))), items=items, more=more)


INTRICATE: dict[str, Callable[[int], bytes]] = {
    "numbers without bytes": lambda start: placed(locations(start, 0, (0, 4, 4))),
    "up to the end": lambda start: placed(iloc((1, start, 0))),
    "within the description": lambda start: placed(iloc((1, start, 8), (2, len(FTYP) + 30, 1))),
    "in other items": _two,
    "no id is left": _listing(iinf(infe(1, b"av01"), infe(0xFFFF, b"Exif"))),
    "an entry of another form": _listing(
        iinf(infe(1, b"av01"), box(b"infe", bytes(4), b"\0\2\0\0Exif\0\0\0"))
    ),
    "groups": _listing(more=box(b"grpl")),
    "a box twice": _listing(more=COLOUR_ITEM),
    "places that do not fill their box": lambda start: placed(
        box(b"iloc", iloc((1, start, 8))[8:], b"\0")
    ),
    "an offset that is too large": lambda start: (
        FTYP + MDAT + placed(iloc((1, start, 8), (2, 2**32 - 1, 1)))[len(FTYP) :]
    ),
}


@pytest.mark.parametrize("name", INTRICATE)
def test_what_is_intricate_is_left_alone(name: str) -> None:
    found = look(settled(INTRICATE[name]))
    assert found.unlabelled == KIND
    assert found.edits == ()


def test_a_description_of_another_length_is_left_alone() -> None:
    inner = meta(ispe(), located=iloc((1, 0, 0)))[8:]
    start = len(FTYP) + 16 + len(inner) + 8
    inner = meta(ispe(), located=iloc((1, start, len(PIXELS))))[8:]
    long = struct.pack(">I4sQ", 1, b"meta", 16 + len(inner)) + inner
    assert look(FTYP + long + MDAT).unlabelled == KIND


def test_behind_what_follows_the_image_nothing_is_added() -> None:
    assert look(avif() + b"trailer", foreign="keep").unlabelled == KIND


def test_xmp_and_credentials_stay_as_they_are() -> None:
    store = box(b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), credentials())
    found = look(avif() + store, sign=True)
    assert found.unlabelled == OWN
    assert found.provenance.credentials
    two = iinf(infe(1, b"av01"), infe(2, b"mime", b"\0application/rdf+xml\0"))
    start = len(placed(iloc((1, 0, 0), (2, 0, 0)), items=two)) - len(PIXELS)
    end = start + len(PIXELS)
    located = iloc((1, start, len(PIXELS)), (2, end, len(SOURCE)))
    data = FTYP + meta(ispe(), located=located, items=two) + box(b"mdat", PIXELS, SOURCE)
    assert look(data).unlabelled == OWN
    assert (said(data) or SAID).digital_source_type == SAID.digital_source_type
