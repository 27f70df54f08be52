"""Thumbnails by their pixels: upright, sRGB, 8 bits, transparent where the image is."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest

from charimg._decoding import drawing
from charimg._decoding.colours import in_srgb
from charimg._decoding.protocol import Answer, Task
from charimg._decoding.turning import orientation

from ..ingest.samples import chunk

Image = pytest.importorskip("PIL.Image")
ImageCms = pytest.importorskip("PIL.ImageCms")

RED, GREEN, BLUE, WHITE, BLACK = (
    *((200, 0, 0), (0, 200, 0), (0, 0, 200)),
    *((255, 255, 255), (0, 0, 0)),
)
CORNERS = (RED, GREEN, BLUE, WHITE)
SIDE = 64


def saved(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def answered(data: bytes, name: str, *, check: bool, side: int = SIDE) -> Answer:
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    size = (width, height) if check else (0, 0)
    task = Task(
        name=name,
        width=size[0],
        height=size[1],
        max_pixels=width * height,
        size=len(data),
        side=side,
        seconds=20,
    )
    return drawing.decode(io.BytesIO(data), task, lambda pixels: None)


def thumbnail(data: bytes, name: str = "PNG", side: int = SIDE) -> Any:
    """Return the thumbnail, which is the same whether the image is checked or only drawn."""
    drawn = []
    for check in (True, False):
        answer = answered(data, name, check=check, side=side)
        assert answer.verdict == b"+"
        with Image.open(io.BytesIO(answer.thumbnail), formats=["WEBP"]) as image:
            image.load()
        assert not {"exif", "icc_profile", "xmp"} & set(image.info)
        drawn.append(image)
    for at in ((0, 0), (image.width - 1, image.height - 1)):
        near(drawn[0].getpixel(at), drawn[1].getpixel(at))
    return drawn[0]


def near(pixel: Any, wanted: Any, by: int = 12) -> None:
    """A WebP is lossy."""
    assert len(pixel) == len(wanted)
    assert all(abs(a - b) <= by for a, b in zip(pixel, wanted, strict=True)), (pixel, wanted)


def corners(image: Any) -> list[Any]:
    right, low = image.width - 4, image.height - 4
    return [image.getpixel(at) for at in ((3, 3), (right, 3), (3, low), (right, low))]


def quartered(width: int = 256, height: int = 128) -> Any:
    """Return an image with a colour in each corner."""
    image = Image.new("RGB", (width, height))
    for number, colour in enumerate(CORNERS):
        left, top = number % 2 * width // 2, number // 2 * height // 2
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


# Sizes and frames


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        *(((256, 128), (64, 32)), ((128, 256), (32, 64)), ((64, 64), (64, 64))),
        *(((63, 2), (63, 2)), ((1, 1), (1, 1)), ((1000, 1), (64, 1)), ((1, 1000), (1, 64))),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_it_fits_and_is_never_enlarged(size: Any, drawn: Any, kind: str) -> None:
    assert thumbnail(saved(Image.new("RGB", size), kind), kind).size == drawn


def test_an_edge_is_where_it_is_in_the_image() -> None:
    """The last block of a JPEG reaches beyond the picture."""
    image = Image.new("RGB", (801, 401), WHITE)
    image.paste(BLACK, (0, 390, 801, 401))
    drawn = thumbnail(saved(image, "JPEG", quality=95), "JPEG", 100)
    near(drawn.getpixel((50, 46)), WHITE)
    near(drawn.getpixel((50, 49)), BLACK, by=40)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_it_is_the_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (128, 128), each) for each in (RED, GREEN, BLUE)]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    near(thumbnail(data, kind).getpixel((30, 30))[:3], RED)


# Upright


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_it_is_upright(turn: int, kind: str) -> None:
    # Where each corner of the file is seen.
    seen = {
        1: (RED, GREEN, BLUE, WHITE),
        2: (GREEN, RED, WHITE, BLUE),
        3: (WHITE, BLUE, GREEN, RED),
        4: (BLUE, WHITE, RED, GREEN),
        5: (RED, BLUE, GREEN, WHITE),
        6: (BLUE, RED, WHITE, GREEN),
        7: (WHITE, GREEN, BLUE, RED),
        8: (GREEN, WHITE, RED, BLUE),
    }[turn]
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"quality": 95} if kind != "PNG" else {}
    drawn = thumbnail(saved(quartered(), kind, exif=exif, **options), kind)
    assert drawn.size == ((32, 64) if turn > 4 else (64, 32))
    for pixel, wanted in zip(corners(drawn), seen, strict=True):
        near(pixel, wanted, by=30)


def tiff(order: str, *entries: bytes, count: int | None = None, at: int = 8) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    count = len(entries) if count is None else count
    return mark + struct.pack(f"{order}IH", at, count) + b"".join(entries)


def entry(order: str, tag: int = 0x0112, kind: int = 3, values: int = 1, value: int = 6) -> bytes:
    return struct.pack(f"{order}HHIHH", tag, kind, values, value, 0)


@pytest.mark.parametrize("order", "<>")
def test_the_orientation_is_read_and_nothing_else(order: str) -> None:
    right = entry(order)
    # Whatever it says that it is long and wherever it says that it is.
    other = struct.pack(f"{order}HHII", 0xC000, 7, 2**32 - 1, 2**32 - 1)
    for found in (tiff(order, right), tiff(order, other, right), tiff(order, right, count=65535)):
        assert orientation(found) == orientation(b"Exif\0\0" + found) == 6
    for none in (
        b"",
        b"Exif\0\0",
        b"II+\0" + tiff(order, right)[4:],
        tiff(order, right)[:-3],
        tiff(order, right)[:9],
        tiff(order, right, at=2**32 - 1),
        tiff(order, other),
        tiff(order, entry(order, kind=4)),
        tiff(order, entry(order, values=2)),
    ):
        assert orientation(none) == 1


def test_an_orientation_that_there_is_not_turns_nothing() -> None:
    exif = b"Exif\0\0" + tiff("<", entry("<", value=9))
    near(corners(thumbnail(saved(quartered(), "PNG", exif=exif)))[0], RED)


# Colours


def png_of(colour: int, depth: int, rows: list[bytes], *more: bytes, width: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = (chunk(b"IHDR", head), *more, chunk(b"IDAT", data), chunk(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


def halves(left: bytes, right: bytes, pixels: int = 16) -> list[bytes]:
    return [left * pixels + right * pixels] * 2 * pixels


def sides(data: bytes, width: int = 32) -> tuple[Any, Any]:
    image = thumbnail(data)
    assert image.width == width
    return image.getpixel((width // 4, 8)), image.getpixel((width * 3 // 4, 8))


def test_16_bits_of_grey_are_8() -> None:
    rows = halves(words(0x40FF), words(0xC000))
    left, right = sides(png_of(0, 16, rows, width=32))
    near(left, (0x40,) * 3)
    near(right, (0xC0,) * 3)


def test_of_16_bits_exactly_the_transparent_grey_is_transparent() -> None:
    for other in (0x40FE, 0x41FF):
        rows = halves(words(0x40FF), words(other))
        left, right = sides(png_of(0, 16, rows, chunk(b"tRNS", words(0x40FF)), width=32))
        assert (left[3], right[3]) == (0, 255)
        near(right[:3], (other >> 8,) * 3)


def test_16_bits_of_colour_are_8() -> None:
    one, other = words(0x40FF, 0x8000, 0xC000), words(0xC000, 0x4000, 0x4000)
    left, right = sides(png_of(2, 16, halves(one, other), width=32))
    near(left, (0x40, 0x80, 0xC0))
    near(right, (0xC0, 0x40, 0x40))
    left, right = sides(png_of(2, 16, halves(one, other), chunk(b"tRNS", one), width=32))
    assert (left[3], right[3]) == (0, 255)
    near(right[:3], (0xC0, 0x40, 0x40))


def test_16_bits_with_alpha_are_8() -> None:
    rows = halves(words(0x8000, 0x4000), words(0x2000, 0xFFFF))
    left, right = sides(png_of(4, 16, rows, width=32))
    near((left[3], *right), (0x40, 0x20, 0x20, 0x20, 255))


@pytest.mark.parametrize(
    ("depth", "row"),
    [
        (1, b"\0" * 2 + b"\xff" * 2),
        *((depth, b"\x55" * 2 * depth + b"\xff" * 2 * depth) for depth in (2, 4)),
    ],
)
@pytest.mark.parametrize("keyed", [False, True])
def test_few_bits_of_grey_are_8(depth: int, row: bytes, keyed: bool) -> None:
    least = {1: 0, 2: 1, 4: 5}[depth]
    key = [chunk(b"tRNS", words(least))] if keyed else []
    left, right = sides(png_of(0, depth, [row] * 32, *key, width=32))
    if keyed:
        assert (left[3], right[3]) == (0, 255)
    else:
        near(left, (0 if depth == 1 else 0x55,) * 3)
    near(right[:3], WHITE)


def test_8_bits_of_grey_and_colour_can_have_a_transparent_one() -> None:
    key = chunk(b"tRNS", words(0x10))
    left, right = sides(png_of(0, 8, halves(b"\x10", b"\xc0"), key, width=32))
    assert (left[3], right[3]) == (0, 255)
    key = chunk(b"tRNS", words(*RED))
    left, right = sides(png_of(2, 8, halves(bytes(RED), bytes(BLUE)), key, width=32))
    assert (left[3], right[3]) == (0, 255)
    near(right[:3], BLUE)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_it_is_transparent_where_the_image_is(kind: str) -> None:
    image = Image.new("RGBA", (128, 128), (*RED, 255))
    image.paste((0, 0, 0, 0), (64, 0, 128, 128))
    drawn = thumbnail(saved(image, kind), kind)
    assert drawn.mode == "RGBA"
    near(drawn.getpixel((10, 30)), (*RED, 255))
    assert drawn.getpixel((50, 30))[3] == 0


@pytest.mark.parametrize("mode", ["LA", "PA"])
def test_grey_and_palettes_with_alpha(mode: str) -> None:
    image = Image.new("LA", (128, 128), (90, 255))
    image.paste((90, 0), (64, 0, 128, 128))
    data = saved(image.convert("RGBA").quantize(8) if mode == "PA" else image)
    drawn = thumbnail(data)
    near(drawn.getpixel((10, 30)), (90, 90, 90, 255))
    assert drawn.getpixel((50, 30))[3] == 0


def test_the_transparent_half_does_not_darken_the_edge() -> None:
    image = Image.new("RGBA", (130, 130), (255, 255, 255, 255))
    image.paste((0, 0, 0, 0), (72, 0, 130, 130))
    drawn = thumbnail(saved(image), side=10)
    edge = drawn.getpixel((5, 5))
    assert 60 < edge[3] < 200
    assert min(edge[:3]) > 200


def test_a_palette_is_drawn_in_its_colours() -> None:
    image = Image.new("P", (200, 100))
    image.putpalette([*RED, *BLUE])
    image.paste(1, (100, 0, 200, 100))
    drawn = thumbnail(saved(image))
    assert drawn.mode == "RGB"
    near(drawn.getpixel((10, 10)), RED)
    near(drawn.getpixel((60, 10)), BLUE)


@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_is_not_inverted(adobe: bool) -> None:
    data = saved(Image.new("CMYK", (128, 128), (0, 255, 255, 0)), "JPEG", quality=95)
    at = data.index(b"\xff\xee")
    assert data[at + 4 : at + 9] == b"Adobe"
    if not adobe:
        # Browsers take it the same way.
        length = int.from_bytes(data[at + 2 : at + 4])
        data = data[:at] + data[at + 2 + length :]
    near(thumbnail(data, "JPEG").getpixel((30, 30)), (255, 0, 0))


# Profiles


def profile(name: str) -> bytes:
    return bytes(ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes())


def swapped() -> bytes:
    """Return sRGB with the places of red and blue exchanged: what it changes is plain to see."""
    data = profile("sRGB")
    return data.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def grey() -> bytes:
    """Return a profile of linear grey: made by hand, for Pillow makes none."""
    tags = {
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061),
        b"kTRC": b"curv" + bytes(4) + struct.pack(">I", 0),
    }
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(data))
        body += data
    head = bytearray(128)
    head[:4] = struct.pack(">I", at + len(body))
    head[8:24] = b"\x02\x10\x00\x00mntrGRAYXYZ "
    head[36:40] = b"acsp"
    head[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(head) + table + body


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_profile_is_honoured(kind: str) -> None:
    image = Image.new("RGB", (128, 128), RED)
    data = saved(image, kind, icc_profile=swapped(), quality=95)
    near(thumbnail(data, kind).getpixel((30, 30)), BLUE, by=20)
    data = saved(image, kind, icc_profile=profile("sRGB"), quality=95)
    near(thumbnail(data, kind).getpixel((30, 30)), RED)


def test_a_profile_leaves_alpha_alone() -> None:
    image = Image.new("RGBA", (128, 128), (*RED, 100))
    near(thumbnail(saved(image, icc_profile=swapped())).getpixel((30, 30)), (*BLUE, 100), by=20)


def test_a_profile_of_grey() -> None:
    linear = 188
    """What half of the light is in sRGB."""
    image = Image.new("L", (128, 128), 128)
    near(thumbnail(saved(image, icc_profile=grey())).getpixel((30, 30)), (linear,) * 3)
    image = Image.new("LA", (128, 128), (128, 77))
    near(thumbnail(saved(image, icc_profile=grey())).getpixel((30, 30)), (*(linear,) * 3, 77))
    image = Image.new("L", (128, 128), 128)
    near(thumbnail(saved(image, icc_profile=swapped())).getpixel((30, 30)), (128,) * 3)


@pytest.mark.parametrize("wrong", [b"", b"no profile", profile("LAB"), grey()])
def test_a_profile_that_is_none_of_the_images_is_left_out(wrong: bytes) -> None:
    image = Image.new("RGB", (128, 128), RED)
    assert in_srgb(image, wrong).getpixel((3, 3)) == RED
    near(thumbnail(saved(image, icc_profile=wrong)).getpixel((30, 30)), RED)
    cmyk = Image.new("CMYK", (9, 9), (0, 255, 255, 0))
    assert in_srgb(cmyk, swapped()).getpixel((3, 3)) == (255, 0, 0)


def test_without_the_library_for_profiles_they_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any) -> None:
        raise ImportError

    told = swapped()
    monkeypatch.setattr(ImageCms, "ImageCmsProfile", fail)
    assert in_srgb(Image.new("RGB", (9, 9), RED), told).getpixel((3, 3)) == RED


# What fails


def test_an_image_without_a_thumbnail_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(drawing, "flattened", fail)
    data = saved(quartered())
    assert answered(data, "PNG", check=True) == Answer(b"+")
    assert answered(data, "PNG", check=False) == Answer(b"m")
    assert answered(data, "PNG", check=True, side=0) == Answer(b"+")


def test_other_modes_become_rgb() -> None:
    image = Image.new("YCbCr", (9, 9))
    assert drawing.flattened(image, "").mode == "RGB"
