"""A label gets into a file, beside what is there, and the pixels stay bit for bit."""

from __future__ import annotations

import io
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg._ingest.inspect import inspect
from charimg._ingest.renditions import label_bytes, label_of
from charimg._ingest.rewrite import rewrite
from charimg._ingest.xmp import AI, TRAINED, Label, Unreadable, labelled, read_packet
from charimg.models import Provenance

from ..figures import Figure
from .dressed import dressed, plain_images, saved
from .samples import (
    MANY,
    anmf,
    avif,
    chunk,
    flagged,
    gif,
    jpeg,
    png,
    riff,
    segment,
    vp8,
    vp8l,
    vp8x,
)
from .test_cleaning import cleaned
from .test_provenance import (
    ALL,
    CAPTURED,
    PARAMETERS,
    SOURCE,
    TYPED,
    XMP_NAME,
    credentials,
    in_every_container,
    international,
    jpeg_with,
    packet,
    png_with,
    said,
    webp_with,
)
from .test_wellformed import program

LABEL = Label("charimg 1.2.3", "Character Library")
SAID = Provenance(digital_source_type=TRAINED, tool="charimg 1.2.3")
KINDS = ("PNG", "JPEG", "WEBP", "AVIF")
WRAPPED = b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>%s<?xpacket end="w"?>'
OTHER = packet("<xmp:CreatorTool>Painter</xmp:CreatorTool><xmp:Rating>5</xmp:Rating>")


def look(data: bytes, label: Label | None = LABEL, **options: Any) -> Any:
    return inspect(io.BytesIO(data), max_pixels=MANY, formats=ALL, label=label, **options)


def written(data: bytes, label: Label = LABEL, **options: Any) -> bytes:
    """Return what is stored of a file; it says what was announced."""
    found, out = look(data, label, **options), io.BytesIO()
    rewrite(io.BytesIO(data), found.edits, out.write)
    stored = out.getvalue()
    assert len(stored) == len(data) + sum(edit.grows for edit in found.edits)
    again = inspect(io.BytesIO(stored), max_pixels=MANY, formats=ALL, foreign="refuse")
    expected = found.provenance and _without_mark(found.provenance)
    assert again.provenance == expected
    return stored


def _without_mark(found: Provenance) -> Provenance:
    return Provenance(
        digital_source_type=found.digital_source_type,
        tool=found.tool,
        credentials=found.credentials,
        generator=found.generator,
    )


def pixels(data: bytes) -> Any:
    """Return all that is seen: size, mode, every frame, palette and transparency."""
    from PIL import Image, ImageSequence

    with Image.open(io.BytesIO(data)) as image:
        frames = [(frame.mode, frame.tobytes()) for frame in ImageSequence.Iterator(image)]
        seen = (image.size, frames, image.info.get("transparency"), image.info.get("icc_profile"))
        return *seen, image.getexif().get(274), image.info.get("duration")


# What is said


def test_a_label_says_who_drew_and_with_what() -> None:
    found = look(png())
    assert found.provenance == Provenance(
        digital_source_type=TRAINED, tool="charimg 1.2.3", marked="label"
    )
    assert found.unlabelled is None
    values = read_packet(labelled(LABEL)).values
    assert values == {
        "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ DigitalSourceType": TRAINED,
        "http://ns.adobe.com/xap/1.0/ CreatorTool": "charimg 1.2.3",
        "http://ns.adobe.com/photoshop/1.0/ Credit": "Character Library",
        "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ AISystemUsed": "Character Library",
    }
    assert TRAINED.encode() in labelled(LABEL)


def test_nobody_is_named_who_is_not_known() -> None:
    text = labelled(Label("charimg 1.2.3"))
    assert b"Credit" not in text
    assert b"AISystemUsed" not in text


@given(st.text(min_size=1, max_size=100))
def test_any_prompt_can_be_told(prompt: str) -> None:
    prompt = prompt.encode("utf-8", "replace").decode()
    text = labelled(Label("charimg", "x", prompt))
    told = read_packet(text).values.get(
        "http://iptc.org/std/Iptc4xmpExt/2008-02-29/ AIPromptInformation"
    )
    kept = "".join(char for char in prompt if char in "\t\n\r" or char >= " ")
    if kept == prompt and not set(prompt) & {"\ufffe", "\uffff"}:
        assert told == prompt.strip()


def test_a_prompt_never_looks_like_something_else() -> None:
    hostile = [each.decode("latin-1") for each in _payloads()]
    label = Label("charimg", "x", "\n".join(hostile))
    # `written` refuses what is foreign.
    assert said(written(png(), label)) is not None


def _payloads() -> list[bytes]:
    from .dressed import FOREIGN

    return [*FOREIGN.values(), b"*/=1;alert(1)"]


def test_a_prompt_of_many_pages_is_left_out() -> None:
    assert b"AIPromptInformation" in labelled(Label("charimg", "x", "p" * 32 * 1024))
    assert b"AIPromptInformation" not in labelled(Label("charimg", "x", "p" * (32 * 1024 + 1)))
    assert b"AIPromptInformation" not in labelled(Label("charimg", "x", ""))


# Where it gets


@pytest.mark.parametrize(
    "data",
    [
        png(),
        jpeg(),
        jpeg_with(),
        riff(vp8()),
        riff(vp8l()),
        riff(vp8x(), vp8()),
        riff(vp8x(), vp8(size=41)),
        riff(vp8x(), vp8(), (b"XMP ", OTHER)),
        riff(vp8(), (b"XMP ", OTHER)),
        webp_with((b"XMP ", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")),
        webp_with((b"XMP ", b"<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/>")),
        png_with(international(b"XML:com.adobe.xmp", OTHER)),
        png_with(international(b"XML:com.adobe.xmp", OTHER, packed=True)),
        jpeg_with(segment(0xE1, XMP_NAME + OTHER)),
    ],
)
def test_a_label_gets_into_every_kind_of_file(data: bytes) -> None:
    stored = written(data)
    assert (said(stored) or TYPED).digital_source_type == TRAINED
    # Once it is there, nothing is left to do.
    assert look(stored).edits == ()
    assert look(stored).unlabelled is None
    assert look(stored).provenance.marked is None


def test_the_places_are_those_where_readers_look() -> None:
    assert written(png())[37:41] == b"iTXt"
    jfif, exif = segment(0xE0, b"JFIF\0\1\1" + bytes(7)), segment(0xE1, b"Exif\0\0MM\0*" + bytes(6))
    stored = written(jpeg_with(jfif, exif, segment(0xFE, b"words")))
    assert stored.startswith(b"\xff\xd8" + jfif + exif + b"\xff\xe1")
    assert stored[2 + len(jfif + exif) + 4 :].startswith(XMP_NAME)
    webp = written(riff(vp8l()))
    assert webp[12:16] == b"VP8X"
    assert webp[20] == 0x04
    assert webp.index(b"XMP ") > webp.index(b"VP8L")
    assert int.from_bytes(webp[4:8], "little") + 8 == len(webp)


def test_transparency_is_announced() -> None:
    # The bits beside it belong to the height.
    assert written(riff(vp8l(3, 16_000)))[20:24] == b"\x04\0\0\0"
    name, data = vp8l()
    transparent = (name, data[:4] + bytes([data[4] | 0x10]) + data[5:])
    assert written(riff(transparent))[20] == 0x14


def test_what_there_is_stays_byte_by_byte() -> None:
    stored = written(webp_with((b"XMP ", OTHER)))
    end = OTHER.index(b"</r:RDF>")
    assert OTHER[:end] in stored
    assert OTHER[end:] in stored
    assert said(stored) == Provenance(digital_source_type=TRAINED, tool="Painter")
    assert look(webp_with((b"XMP ", OTHER))).provenance.tool == "Painter"


@pytest.mark.parametrize("name", ["rdf:RDF", "RDF"])
def test_a_packet_that_says_nothing_is_replaced(name: str) -> None:
    space = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    prefix = b":rdf" if ":" in name else b""
    opened = b"<%s xmlns%s='%s'" % (name.encode(), prefix, space)
    around = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>%s</x:xmpmeta>"
    at_once = around % (opened + b"/>")
    assert labelled(LABEL, at_once) == labelled(LABEL)
    empty = around % (opened + b"></%s >" % name.encode())
    assert read_packet(labelled(LABEL, empty)).source_type == TRAINED
    for each in (at_once, empty):
        stored = written(png_with(international(b"XML:com.adobe.xmp", each)))
        assert look(stored).edits == ()


def test_the_label_is_of_the_same_thing() -> None:
    about = OTHER.replace(b'r:about=""', b'r:about="uuid:&lt;1&gt;"')
    assert b'rdf:about="uuid:&#60;1&#62;"' in labelled(LABEL, about)
    assert read_packet(labelled(LABEL, about)).about == "uuid:<1>"


# What is left alone


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (gif(b"\x2c" + bytes(4) + b"\3\0\2\0\0\2\2\x44\1\0"), "no label is written into a GIF"),
        (webp_with((b"XMP ", b"broken <")), "its XMP cannot be read"),
        (webp_with((b"XMP ", SOURCE.decode().encode("utf-16"))), "its XMP cannot be read"),
        (
            jpeg_with(segment(0xE1, XMP_NAME + OTHER + b"<!--" + b"x" * 64_700 + b"-->")),
            "leaves no room",
        ),
        (
            webp_with((b"XMP ", packet(attributes=f'iptc:DigitalSourceType="{CAPTURED}"'))),
            "another source",
        ),
        *((data, "content credentials") for data in in_every_container(credentials()).values()),
    ],
)
def test_what_is_better_left_alone_is_told(data: bytes, why: str) -> None:
    found = look(data)
    assert found.edits == ()
    assert why in found.unlabelled
    assert label_bytes(data, LABEL) == data
    unasked = look(data, None)
    assert unasked.unlabelled is None
    assert unasked.provenance == found.provenance


def test_over_credentials_a_label_is_written_where_they_are_signed_anew() -> None:
    for data in in_every_container(credentials()).values():
        found = look(data, sign=True)
        assert found.unlabelled is None
        assert found.provenance.credentials
        assert found.provenance.marked == "label"


@pytest.mark.parametrize("how", ["<t:provenance>{}</t:provenance>", "t:provenance='{}'"])
def test_credentials_that_are_kept_elsewhere_are_not_broken_either(how: str) -> None:
    told = how.format("https://manifests.test/1.c2pa")
    space = "xmlns:t='http://purl.org/dc/terms/'"
    there = packet(told, space) if told.startswith("<") else packet(attributes=f"{space} {told}")
    files = (
        png_with(international(b"XML:com.adobe.xmp", there)),
        jpeg_with(segment(0xE1, XMP_NAME + there)),
        webp_with((b"XMP ", there)),
    )
    for data in files:
        found = look(data)
        assert found.provenance.credentials
        assert found.edits == ()
        assert found.unlabelled is not None
        assert look(data, sign=True).provenance.marked == "label"


def test_further_pictures_are_not_moved() -> None:
    index = segment(0xE2, b"MPF\0MM\0*" + bytes(20))
    data = jpeg_with(index) + jpeg()
    assert "further pictures" in look(data, foreign="keep").unlabelled
    # Left out, they do not matter.
    assert said(written(data)) == SAID


def test_padding_makes_room() -> None:
    begun = b"<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?>" + OTHER
    full = begun + b" " * (65_502 - len(begun) - 19) + b"<?xpacket end='w'?>"
    stored = written(jpeg_with(segment(0xE1, XMP_NAME + full)))
    assert len(stored) < len(full)
    assert said(stored) == Provenance(digital_source_type=TRAINED, tool="Painter")


def test_much_room_takes_no_square_of_the_time() -> None:
    def cost(length: int) -> float:
        room = b" " * length
        full = OTHER.replace(b"</r:RDF>", room + b"</r:RDF>")
        begun = time.process_time()
        with pytest.raises(Unreadable):
            labelled(LABEL, full, length)
        return time.process_time() - begun

    short, long = (min(cost(length) for _ in range(5)) for length in (4_000, 64_000))
    # The square would be 256 times as much.
    assert long < 64 * short


@pytest.mark.parametrize("more", [0, 1])
def test_the_room_of_a_jpeg_is_used_to_its_last_byte(more: int) -> None:
    full = 0xFFFF - 2 - len(XMP_NAME)
    free = full - len(labelled(LABEL, OTHER + b"<!---->"))
    found = look(jpeg_with(segment(0xE1, XMP_NAME + OTHER + b"<!--%s-->" % (b"x" * (free + more)))))
    if more:
        assert found.unlabelled == "its XMP leaves no room for a label"
    else:
        assert len(found.edits[0].data) == 2 + 0xFFFF


def test_a_broken_packet_is_no_reason_to_fail() -> None:
    with pytest.raises(Unreadable):
        labelled(LABEL, b"<x>")
    with pytest.raises(Unreadable):
        labelled(LABEL, most=100)


# With cleaning


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cleaned_is_labelled_in_one_go(kind: str) -> None:
    pytest.importorskip("PIL")
    tried = 0
    for each in dressed(kind):
        if look(each.data).unlabelled is not None:
            assert "MPF" in each.name or (kind == "AVIF" and b"rdf+xml" in each.data), each.name
            continue
        stored = written(each.data)
        assert pixels(stored) == pixels(cleaned(each.data)), each.name
        assert (said(stored) or TYPED).digital_source_type == TRAINED, each.name
        tried += 1
    assert tried > 50


def test_xmp_that_is_left_out_makes_place_for_a_label() -> None:
    page = OTHER + b"<!-- <script>alert(1)</script> -->"
    stored = written(riff(vp8x(), vp8(), (b"XMP ", page)) + b"trailer")
    assert said(stored) == SAID
    assert stored.count(b"XMP ") == 1
    assert int.from_bytes(stored[4:8], "little") + 8 == len(stored)
    assert said(written(png_with(international(b"XML:com.adobe.xmp", page)))) == SAID


def test_a_label_gets_between_what_is_cut_to_both_sides_of_it() -> None:
    page = b"<script>alert(1)</script>"
    still = riff(vp8x(), vp8(), (b"ABCD", page)) + b"trailer"
    assert written(still) == written(riff(vp8x(), vp8()))
    frames = anmf(vp8(), (b"ABCD", page))
    moving = riff(flagged(2), (b"ANIM", bytes(6)), frames)
    assert written(moving + b"trailer") == written(moving)
    exif = segment(
        0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0" + bytes(4) + page
    )
    junk = jpeg_with(exif, b"\0\0\0", segment(0xFE, page))
    assert written(junk) == written(jpeg_with(exif))
    assert said(written(png_with(chunk(b"tEXt", b"Comment\0" + page)))) == SAID


# Pixels


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_stay(kind: str) -> None:
    pytest.importorskip("PIL")
    for data in plain_images(kind):
        if kind == "AVIF" and b"rdf+xml" in data:
            continue
        stored = written(data)
        assert stored != data
        assert pixels(stored) == pixels(data)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_pixels_of_any_image_stay(data: st.DataObject) -> None:
    image_module = pytest.importorskip("PIL.Image")
    kind = data.draw(st.sampled_from(KINDS))
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    mode = data.draw(st.sampled_from(["RGB", "L"] if kind == "JPEG" else ["RGB", "RGBA"]))
    bands = image_module.new(mode, size).getbands()
    raw = data.draw(st.binary(min_size=16, max_size=64))
    length = size[0] * size[1] * len(bands)
    image = image_module.frombytes(mode, size, (raw * (length // len(raw) + 1))[:length])
    options: dict[str, Any] = {}
    if kind == "WEBP":
        options["lossless"] = data.draw(st.booleans())
    if data.draw(st.booleans()):
        options["exif"] = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    if kind in ("JPEG", "WEBP") and data.draw(st.booleans()):
        options["xmp"] = OTHER
    drawn = saved(kind, image, **options)
    label = Label("charimg", data.draw(st.text(max_size=9)), data.draw(st.text(max_size=99)))
    stored = written(drawn, label)
    assert (said(stored) or Provenance()).digital_source_type == TRAINED
    assert pixels(stored) == pixels(drawn)


# Renditions


def test_a_rendition_says_what_its_image_says() -> None:
    stored = written(png())
    label = label_of(io.BytesIO(stored), "charimg 2")
    assert label == Label("charimg 2")
    assert said(label_bytes(riff(vp8()), Label("charimg 2"))) == Provenance(
        digital_source_type=TRAINED, tool="charimg 2"
    )
    assert label_of(io.BytesIO(png()), "charimg 2") is None
    taken = packet(attributes=f'iptc:DigitalSourceType="{CAPTURED}"')
    assert label_of(io.BytesIO(webp_with((b"XMP ", taken))), "charimg 2") is None
    for data in (jpeg_with(), png(), avif()):
        assert (said(label_bytes(data, LABEL)) or TYPED) == SAID
    assert label_of(io.BytesIO(b"no image"), "charimg 2") is None
    assert label_bytes(b"no image", LABEL) == b"no image"
    composite = packet(attributes=f'iptc:DigitalSourceType="{AI[1]}"')
    assert label_of(io.BytesIO(webp_with((b"XMP ", composite))), "charimg 2") is not None
    signed = in_every_container(credentials(TRAINED))["PNG"]
    assert label_of(io.BytesIO(signed), "charimg 2") is not None


# Others read it


def test_exiftool_reads_the_label_from_every_kind_of_file(tmp_path: Path, figure: Figure) -> None:
    pytest.importorskip("PIL")
    exiftool = program("exiftool", "libimage-exiftool-perl")
    label = Label("charimg 1.2.3", "Character Library", 'a <lighthouse> & "fog" — 50%')
    number = 0
    for kind in KINDS:
        for data in [
            *plain_images(kind),
            saved(kind),
            *([] if kind == "PNG" else [saved(kind, xmp=WRAPPED % OTHER)]),
        ]:
            found = look(data, label)
            if found.unlabelled is None:
                suffix = {"JPEG": "jpg"}.get(kind, kind.lower())
                (tmp_path / f"{number}.{suffix}").write_bytes(written(data, label))
                number += 1
    told = subprocess.run(
        [exiftool, "-json", "-G1", "-a", "-validate", "-warning", "-XMP:all", str(tmp_path)],
        capture_output=True,
        check=True,
    )
    read = json.loads(told.stdout)
    assert len(read) == number > 12
    for each in read:
        assert each["XMP-iptcExt:DigitalSourceType"] == TRAINED
        assert each["XMP-xmp:CreatorTool"] in ("charimg 1.2.3", "Painter")
        assert each["XMP-photoshop:Credit"] == "Character Library"
        assert each["XMP-iptcExt:AISystemUsed"] == "Character Library"
        assert each["XMP-iptcExt:AIPromptInformation"] == label.prompt
        assert not any("XMP" in str(each.get(key)) for key in each if key.endswith("Warning"))
        if each["XMP-xmp:CreatorTool"] == "Painter":
            assert each["XMP-xmp:Rating"] == 5
    figure("labelled files that exiftool reads", f"{number} tried, label in all")


def test_parameters_stay_beside_a_label() -> None:
    stored = written(png_with(chunk(b"tEXt", b"parameters\0" + PARAMETERS.encode())))
    assert said(stored) == Provenance(
        digital_source_type=TRAINED, tool="charimg 1.2.3", generator="a1111"
    )
