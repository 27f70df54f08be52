"""Every image that is or holds something else comes in without that, and with the same pixels."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charimg._ingest import foreign
from charimg._ingest.inspect import _WALKS, inspect
from charimg._ingest.parts import Part, Role
from charimg._ingest.reader import Reader
from charimg._ingest.rewrite import rewrite
from charimg._ingest.sniff import HEAD, sniff
from charimg.errors import ErrorCode, ImageRejected

from ..figures import Figure
from .dressed import FOREIGN, KINDS, Dressed, dressed, plain_images, saved
from .samples import MANY, box, chunk, gif_extension, riff, segment

pytest.importorskip("PIL")

ALL = ("png", "jpeg", "webp", "gif", "avif")


def look(data: bytes, **options: Any) -> Any:
    file = io.BytesIO(data)
    found = inspect(file, max_pixels=MANY, formats=ALL, **options)
    assert file.tell() == 0
    return found


def cleaned(data: bytes) -> bytes:
    """Return what is stored of a file."""
    edits = look(data).edits
    out = io.BytesIO()
    rewrite(io.BytesIO(data), edits, out.write)
    assert len(out.getvalue()) == len(data) + sum(edit.grows for edit in edits)
    return out.getvalue()


def parts_of(data: bytes) -> list[Part]:
    """Return the parts of a file; they cover it."""
    kind = sniff(data[:HEAD])
    assert kind is not None
    parts = list(_WALKS[kind](Reader(io.BytesIO(data), len(data), kind, MANY)))
    at = 0
    for part in parts:
        assert part.offset == at
        at += part.length
    assert at == len(data)
    return parts


def roles(data: bytes) -> set[Role]:
    return {part.role for part in parts_of(data)}


def shown(data: bytes, kind: str, frames: int | None = None) -> tuple[Any, ...]:
    """Return all that is seen of an image: pixels of each frame, times, profile, orientation."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=[kind]) as image:
        seen = []
        for number in range(frames or getattr(image, "n_frames", 1)):
            image.seek(number)
            pixels = (image.mode, image.size, image.tobytes(), image.getpalette())
            seen.append((*pixels, image.info.get("duration"), image.info.get("transparency")))
        info = (image.info.get("loop"), image.info.get("icc_profile"), image.info.get("gamma"))
        return (*seen, *info, image.getexif().get(274))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_hides_in_an_image_is_left_out_and_nothing_else(kind: str, figure: Figure) -> None:
    tried: list[Dressed] = list(dressed(kind))
    for each in tried:
        found = look(each.data)
        assert found.cleaned, each.name
        after = cleaned(each.data)
        assert each.gone not in after, each.name
        # Nothing is left to do.
        assert look(after).edits == look(after).cleaned == (), each.name
        # A second picture is no frame.
        frames = 1 if each.place == "second picture" else None
        assert shown(after, kind) == shown(each.data, kind, frames), each.name
        assert shown(after, kind)[0][:4] == shown(each.plain, kind)[0][:4], each.name
        gone = roles(each.data) - roles(after)
        assert gone <= {Role.JUNK, Role.METADATA, Role.ORIENTATION}, each.name
        with pytest.raises(ImageRejected, match=r'foreign="clean"') as caught:
            look(each.data, foreign="refuse")
        assert caught.value.code == ErrorCode.NOT_AN_IMAGE
        assert found.cleaned[0] in str(caught.value)
        assert look(each.data, foreign="keep").edits == ()
    assert len(tried) > 100
    figure(f"images with something foreign, {kind}", f"{len(tried)} tried, all in, same pixels")


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_is_nothing_else_stays_as_it_is(kind: str) -> None:
    for data in plain_images(kind):
        found = look(data, foreign="refuse")
        assert found.edits == found.cleaned == ()
        assert found == look(data)
        assert {Role.STRUCTURE, Role.PIXELS} <= roles(data)
        assert Role.JUNK not in roles(data)


# Random ones

PAYLOADS = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([*FOREIGN.values()]),
    st.builds(
        lambda one, two: one + two, st.binary(max_size=9), st.sampled_from([*FOREIGN.values()])
    ),
)
TRAILERS = st.one_of(
    st.just(b""),
    st.just(b"\r\n"),
    st.binary(max_size=60),
    PAYLOADS,
    st.sampled_from(KINDS).map(lambda kind: saved(kind)),
)


def nothing_foreign(data: bytes) -> bool:
    """Look for every signature by itself, in the whole file."""
    seen = data.lower()
    found = (
        foreign._PDF.search(seen),
        foreign._MARKUP.search(seen),
        re.search(re.escape(foreign._ZIP_END), data),
        *(re.search(re.escape(each), seen) for each in foreign._ARCHIVES),
    )
    return not any(found)


def comes_in(kind: str, plain: bytes, data: bytes) -> None:
    after = cleaned(data)
    assert nothing_foreign(after)
    assert look(after).edits == ()
    assert shown(after, kind)[:-1] == shown(plain, kind)[:-1]
    parts_of(data)


def extra(name: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, bytes]]]:
    return st.lists(st.tuples(name, PAYLOADS), max_size=6)


def images(kind: str) -> st.SearchStrategy[bytes]:
    return st.deferred(lambda: st.sampled_from(plain_images(kind)))


@settings(max_examples=60)
@given(images("PNG"), extra(st.sampled_from([b"tEXt", b"prVt", b"teSt", b"tIME"])), TRAILERS)
def test_random_chunks_in_a_png(plain: bytes, chunks: list[Any], trailer: bytes) -> None:
    more = b"".join(chunk(name, data) for name, data in chunks)
    comes_in("PNG", plain, plain[:33] + more + plain[33:-12] + more + plain[-12:] + trailer)


PREFIXES = st.sampled_from(
    [b"", b"http://ns.adobe.com/xap/1.0/\0", b"Photoshop 3.0\0", b"JFXX\0", b"Ducky", b"FPXR\0"]
)
SEGMENTS = st.lists(
    st.tuples(st.sampled_from([0xE0, 0xE1, 0xE5, 0xED, 0xFE]), PREFIXES, PAYLOADS), max_size=6
)
BETWEEN = st.binary(max_size=20).map(lambda data: data.replace(b"\xff", b"\xff\0"))


@settings(max_examples=60)
@given(images("JPEG"), SEGMENTS, BETWEEN, TRAILERS)
def test_random_segments_in_a_jpeg(
    plain: bytes, segments: list[Any], between: bytes, trailer: bytes
) -> None:
    more = between.join(segment(code, prefix + data) for code, prefix, data in segments)
    scan = plain.index(b"\xff\xda")
    data = plain[:scan] + between + more + between + plain[scan:] + trailer
    comes_in("JPEG", plain, data)


@settings(max_examples=60)
@given(images("WEBP"), extra(st.sampled_from([b"XMP ", b"abcd", b"\0\0\0\0"])), TRAILERS)
def test_random_chunks_in_a_webp(plain: bytes, chunks: list[Any], trailer: bytes) -> None:
    data = plain[8:] + riff(*chunks)[12:]
    comes_in("WEBP", plain, b"RIFF" + (len(data)).to_bytes(4, "little") + data + trailer)


@settings(max_examples=60)
@given(images("GIF"), extra(st.sampled_from([0x01, 0xFE, 0xAB])), TRAILERS)
def test_random_extensions_in_a_gif(plain: bytes, blocks: list[Any], trailer: bytes) -> None:
    more = b"".join(gif_extension(label, *([data[:255]] if data else [])) for label, data in blocks)
    comes_in("GIF", plain, b"GIF89a" + plain[6:-1] + more + b";" + trailer)


@settings(max_examples=40)
@given(images("AVIF"), extra(st.sampled_from([b"free", b"skip", b"uuid"])), TRAILERS)
def test_random_boxes_behind_an_avif(plain: bytes, boxes: list[Any], trailer: bytes) -> None:
    more = b"".join(box(name, data) for name, data in boxes)
    comes_in("AVIF", plain, plain + more + trailer)
