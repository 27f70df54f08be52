"""What a file says of where it comes from is found, whoever wrote it, and never more than that."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charimg._ingest import provenance as reading
from charimg._ingest.inspect import inspect
from charimg._ingest.xmp import TRAINED
from charimg.models import Provenance

from .samples import MANY, SCAN, SOS, box, chunk, ihdr, png, riff, segment, sof, vp8, vp8x

ALL = ("png", "jpeg", "webp", "gif", "avif")
CAPTURED = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
PARAMETERS = "a lighthouse\nNegative prompt: fog\nSteps: 20, Sampler: Euler a, CFG scale: 7"
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {}}})
XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"


def said(data: bytes, **options: Any) -> Provenance | None:
    """Return what a file says, as it would be stored."""
    file = io.BytesIO(data)
    found = inspect(file, max_pixels=MANY, formats=ALL, **options)
    assert file.tell() == 0
    return found.provenance


def packet(content: str = "", attributes: str = "") -> bytes:
    spaces = (
        'xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        'xmlns:iptc="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
    )
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<r:Description r:about="" {spaces} {attributes}>{content}</r:Description>'
        "</r:RDF></x:xmpmeta>"
    ).encode()


SOURCE = packet(f"<iptc:DigitalSourceType>{TRAINED}</iptc:DigitalSourceType>")
TYPED = Provenance(digital_source_type=TRAINED)


def png_with(*chunks: bytes) -> bytes:
    plain = png()
    return plain[:33] + b"".join(chunks) + plain[33:]


def international(keyword: bytes, text: bytes, *, packed: bool = False) -> bytes:
    text = zlib.compress(text) if packed else text
    return chunk(b"iTXt", keyword + b"\0" + bytes([packed, 0]) + b"de\0words\0" + text)


def jpeg_with(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + sof() + SOS + SCAN + b"\xff\xd9"


def webp_with(*chunks: tuple[bytes, bytes]) -> bytes:
    return riff(vp8x(), vp8(), *chunks)


def tiff(*entries: tuple[int, bytes], order: str = ">", nested: bool = True) -> bytes:
    """EXIF with texts; those of tags from 0x9000 on in the directory for more."""
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "I", 8)
    outer = [entry for entry in entries if entry[0] < 0x9000 or not nested]
    inner = [entry for entry in entries if entry not in outer]
    count = len(outer) + bool(inner)
    at = 8 + 2 + 12 * count + 4
    below = at
    at += 2 + 12 * len(inner) + 4 if inner else 0
    texts = b""
    directories = []
    for listed in (outer, inner):
        rows = b""
        for tag, text in listed:
            rows += struct.pack(order + "HHII", tag, 7, len(text), at + len(texts))
            texts += text
        directories.append(rows)
    if inner:
        directories[0] += struct.pack(order + "HHII", 0x8769, 4, 1, below)
    data = head + struct.pack(order + "H", count) + directories[0] + bytes(4)
    if inner:
        data += struct.pack(order + "H", len(inner)) + directories[1] + bytes(4)
    return data + texts


def credentials(*source_types: str) -> bytes:
    """The beginning of a manifest store, and in it texts as CBOR writes them."""
    texts = b"".join(
        b"qdigitalSourceType\x78" + bytes([len(text)]) + text.encode() + b"eother"
        for text in source_types
    )
    return box(b"jumb", box(b"jumd", b"c2pa"), texts)


def in_every_container(store: bytes) -> dict[str, bytes]:
    half = len(store) // 2
    app11 = struct.pack(">2sHI", b"JP", 1, 1) + store[:8]
    return {
        "PNG": png_with(chunk(b"caBX", store)),
        "JPEG": jpeg_with(
            segment(0xEB, app11 + store[8:half]),
            segment(0xEB, struct.pack(">2sHI", b"JP", 1, 2) + store[:8] + store[half:]),
        ),
        "WEBP": webp_with((b"C2PA", store)),
    }


# Nothing, and what says nothing


@pytest.mark.parametrize(
    "data",
    [
        png(),
        jpeg_with(),
        webp_with(),
        png_with(chunk(b"tEXt", b"Comment\0parameters")),
        png_with(chunk(b"tEXt", b"prompt\0a lighthouse")),
        png_with(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x"))),
        png_with(chunk(b"eXIf", tiff((0x9286, b"ASCII\0\0\0Steps of a stair")))),
        png_with(chunk(b"eXIf", b"neither order")),
        png_with(chunk(b"eXIf", b"MM\0*\0\0\xff\xff")),
        png_with(chunk(b"iTXt", b"XML:com.adobe.xmp")),
        png_with(international(b"Description", SOURCE)),
        webp_with((b"XMP ", packet("<xmp:CreatorTool/>"))),
    ],
)
def test_most_files_say_nothing(data: bytes) -> None:
    assert said(data) is None


# XMP


@pytest.mark.parametrize(
    "data",
    [
        png_with(international(b"XML:com.adobe.xmp", SOURCE)),
        png_with(international(b"XML:com.adobe.xmp", SOURCE, packed=True)),
        jpeg_with(segment(0xE1, XMP_NAME + SOURCE)),
        webp_with((b"XMP ", SOURCE + b"\0\0")),
    ],
)
def test_a_source_type_is_found_in_each_container(data: bytes) -> None:
    assert said(data) == TYPED


@pytest.mark.parametrize(
    "text",
    [
        packet(attributes=f'iptc:DigitalSourceType="{TRAINED}"'),
        packet(attributes=f'iptc:DigitalSourceType="{TRAINED}"')[36:-12],
        packet(f"<iptc:DigitalSourceType>{TRAINED}</iptc:DigitalSourceType>")[36:-12],
        packet(f'<iptc:DigitalSourceType r:resource="{TRAINED}"/>'),
        packet(f"<iptc:DigitalSourceType>\n {TRAINED}\n</iptc:DigitalSourceType>"),
        packet(
            "<iptc:DigitalSourceType>"
            + TRAINED.replace("trained", "<![CDATA[trained]]>")
            + "</iptc:DigitalSourceType>"
        ),
    ],
)
def test_a_source_type_is_found_in_each_spelling(text: bytes) -> None:
    assert said(png_with(international(b"XML:com.adobe.xmp", text))) == TYPED


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no XML",
        packet()[:-4],
        SOURCE.decode().encode("utf-16"),
        b'<!DOCTYPE x [<!ENTITY a "b">]>' + SOURCE,
        b'<!DOCTYPE x SYSTEM "http://elsewhere/">' + SOURCE,
        b"<x>" + SOURCE.replace(b"22-rdf-syntax-ns", b"23-other") + b"</x>",
        # Deeper than a property, and behind the descriptions.
        packet(
            f"<xmp:Thing><iptc:DigitalSourceType>{TRAINED}</iptc:DigitalSourceType></xmp:Thing>"
        ),
        packet().replace(
            b"</x:xmpmeta>",
            b'<a><b><iptc:DigitalSourceType xmlns:iptc="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
            + TRAINED.encode()
            + b"</iptc:DigitalSourceType></b></a></x:xmpmeta>",
        ),
    ],
)
def test_a_packet_that_cannot_be_read_says_nothing(text: bytes) -> None:
    assert said(webp_with((b"XMP ", text))) is None
    # Where nothing is looked for, a document type is read no further either.
    assert said(webp_with((b"XMP ", text)), foreign="keep") is None


def test_entities_do_not_grow() -> None:
    bombs = "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE x [<!ENTITY b0 "b">{bombs}]><x>&b11;</x>'.encode()
    assert said(webp_with((b"XMP ", text)), foreign="keep") is None


def test_a_tool_is_found_and_cut() -> None:
    text = packet(f"<xmp:CreatorTool>{'t' * 5000}</xmp:CreatorTool>")
    assert said(webp_with((b"XMP ", text))) == Provenance(tool="t" * 200)


def test_the_first_packet_counts() -> None:
    other = packet(attributes=f'iptc:DigitalSourceType="{CAPTURED}"')
    assert said(webp_with((b"XMP ", SOURCE), (b"XMP ", other))) == TYPED
    both = [international(b"XML:com.adobe.xmp", each) for each in (SOURCE, other)]
    assert said(png_with(*both)) == TYPED


def test_a_second_segment_of_xmp_is_no_packet() -> None:
    more = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + SOURCE)
    assert said(jpeg_with(more)) is None
    assert said(jpeg_with(more, segment(0xE1, XMP_NAME + SOURCE))) == TYPED


@pytest.mark.parametrize("packed", [False, True])
def test_only_so_much_of_a_packet_is_read(packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    name = b"XML:com.adobe.xmp"
    monkeypatch.setattr(reading, "_MOST_XMP", 3000)
    full = SOURCE.ljust(3000)
    assert said(webp_with((b"XMP ", full))) == TYPED
    assert said(webp_with((b"XMP ", full + b" "))) is None
    if not packed:
        whole = full[: -len(international(name, b"")) + 12]
        assert said(png_with(international(name, whole))) == TYPED
        assert said(png_with(international(name, whole + b" "))) is None
    assert said(png_with(international(name, SOURCE + b" " * 2000, packed=packed))) == TYPED
    assert said(png_with(international(name, SOURCE + b" " * 4000, packed=packed))) is None
    assert said(webp_with((b"XMP ", SOURCE + b" " * 4000))) is None


@pytest.mark.parametrize("broken", [b"\1\0\0\0nothing packed", b"\1\7\0\0" + zlib.compress(SOURCE)])
def test_a_text_that_cannot_be_unpacked_says_nothing(broken: bytes) -> None:
    assert said(png_with(chunk(b"iTXt", b"XML:com.adobe.xmp\0" + broken))) is None


# Parameters of generators


@pytest.mark.parametrize(
    "made",
    [
        chunk(b"tEXt", b"parameters\0" + PARAMETERS.encode()),
        chunk(b"zTXt", b"parameters\0\0" + zlib.compress(PARAMETERS.encode())),
        international(b"parameters", PARAMETERS.encode()),
    ],
)
def test_parameters_of_a1111_are_found_in_png(made: bytes) -> None:
    assert said(png_with(made)) == Provenance(generator="a1111")


@pytest.mark.parametrize("keyword", [b"prompt", b"workflow"])
def test_a_graph_of_comfyui_is_found_in_png(keyword: bytes) -> None:
    comfyui = Provenance(generator="comfyui")
    assert said(png_with(chunk(b"tEXt", keyword + b"\0" + GRAPH.encode()))) == comfyui
    assert said(png_with(international(keyword, GRAPH.encode()))) == comfyui


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-be", "utf-16-le"])
def test_parameters_of_a1111_are_found_in_exif(order: str, encoding: str) -> None:
    code = b"ASCII\0\0\0" if encoding == "ascii" else b"UNICODE\0"
    exif = tiff((0x9286, code + PARAMETERS.encode(encoding)), order=order)
    a1111 = Provenance(generator="a1111")
    assert said(jpeg_with(segment(0xE1, b"Exif\0\0" + exif))) == a1111
    assert said(webp_with((b"EXIF", exif))) == a1111
    assert said(webp_with((b"EXIF", b"Exif\0\0" + exif))) == a1111
    assert said(png_with(chunk(b"eXIf", exif))) == a1111


@pytest.mark.parametrize("tag", [0x010F, 0x0110])
def test_a_graph_of_comfyui_is_found_in_exif(tag: int) -> None:
    exif = tiff((0x0100, b"x"), (tag, b"workflow:" + GRAPH.encode()))
    assert said(webp_with((b"EXIF", exif))) == Provenance(generator="comfyui")
    camera = tiff((tag, b"Nikon"), (0x9286, b"ASCII\0\0\0words"))
    assert said(webp_with((b"EXIF", camera))) is None


def test_a_directory_that_leads_to_itself_ends() -> None:
    around = b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x8769, 4, 1, 8, 0)
    assert said(webp_with((b"EXIF", around))) is None


def test_the_first_generator_counts() -> None:
    made = [
        chunk(b"tEXt", b"parameters\0" + PARAMETERS.encode()),
        chunk(b"tEXt", b"prompt\0" + GRAPH.encode()),
    ]
    assert said(png_with(*made)) == Provenance(generator="a1111")


def test_only_so_many_entries_and_generators_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exif = tiff((0x0100, b"x"), (0x0110, b"prompt:" + GRAPH.encode()))
    monkeypatch.setattr(reading, "_MOST_ENTRIES", 2)
    assert said(webp_with((b"EXIF", exif))) == Provenance(generator="comfyui")
    monkeypatch.setattr(reading, "_MOST_ENTRIES", 1)
    assert said(webp_with((b"EXIF", exif))) is None
    monkeypatch.setattr(reading, "_MOST_GENERATORS", 1)
    page = b"parameters\0<script>alert(1)</script>"
    graph = chunk(b"tEXt", b"prompt\0" + GRAPH.encode())
    # The one that is remembered goes.
    assert said(png_with(chunk(b"tEXt", page), graph)) is None


# Content credentials


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_content_credentials_are_found(kind: str) -> None:
    data = in_every_container(credentials())[kind]
    assert said(data) == Provenance(credentials=True)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_source_type_of_content_credentials_is_that_of_the_last_action(kind: str) -> None:
    data = in_every_container(credentials(CAPTURED, TRAINED))[kind]
    assert said(data) == Provenance(credentials=True, digital_source_type=TRAINED)


def test_xmp_goes_before_content_credentials() -> None:
    other = packet(attributes=f'iptc:DigitalSourceType="{CAPTURED}"')
    data = webp_with((b"XMP ", other), (b"C2PA", credentials(TRAINED)))
    assert said(data) == Provenance(credentials=True, digital_source_type=CAPTURED)


def test_only_so_much_of_content_credentials_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = Provenance(credentials=True, digital_source_type=TRAINED)
    store = credentials(TRAINED)
    both = webp_with((b"C2PA", credentials()), (b"C2PA", store))
    assert said(both) == signed
    # As far as the first, and not as far as what the second says.
    monkeypatch.setattr(reading, "_MOST_CREDENTIALS", len(credentials()) + 30)
    assert said(both) == Provenance(credentials=True)
    monkeypatch.setattr(reading, "_MOST_CREDENTIALS", 20)
    assert said(webp_with((b"C2PA", store))) == Provenance(credentials=True)


# What is left out says nothing


def test_what_is_left_out_does_not_count() -> None:
    page = b"<script>alert(1)</script>"
    parameters = chunk(b"tEXt", b"parameters\0" + page + PARAMETERS.encode())
    data = png_with(parameters, international(b"XML:com.adobe.xmp", SOURCE + b"<!--" + page))
    assert said(data) is None
    kept = said(data, foreign="keep")
    assert kept == Provenance(generator="a1111")


# Whatever comes


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"caBX"]),
            st.sampled_from(
                [b"", b"parameters\0", b"prompt\0", b"XML:com.adobe.xmp\0", b"MM\0*\0\0\0\x08"]
            ),
            st.binary(max_size=60),
        ),
        max_size=4,
    )
)
def test_no_bytes_upset_the_reading(chunks: list[tuple[bytes, bytes, bytes]]) -> None:
    found = said(png_with(*(chunk(name, begun + rest) for name, begun, rest in chunks)))
    assert found is None or isinstance(found, Provenance)
    assert ihdr() in png()
