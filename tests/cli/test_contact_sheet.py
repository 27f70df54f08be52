from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from charimg.cli import contact_sheet
from charimg.cli.contact_sheet import write_contact_sheet
from charimg.models import CharacterImage, ImageMetrics, Media, Shot
from charimg.protocols import MediaStore


class Files:
    """Only as much of a media store as the sheet asks for."""

    def __init__(self, **files: bytes) -> None:
        self.files = files

    def open(self, key: str) -> Any:
        from contextlib import nullcontext

        return nullcontext(iter([self.files[key][:10], self.files[key][10:]]))


def _png(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, colour).save(data, format="PNG")
    return data.getvalue()


def _image(key: str, *, shot: str | None = None, stored: bool = True) -> CharacterImage:
    media = Media(id=key, key=key, filename="f.png", mime_type="image/png", size=1, sha256="0" * 64)
    return CharacterImage(
        key=key,
        character_id="c",
        kind="scene" if shot is None else "portfolioItem",
        status="succeeded" if stored else "failed",
        media=media if stored else None,
        metrics=ImageMetrics(shot=None if shot is None else Shot(name=shot)),
    )


def _drawn(images: list[CharacterImage], media: MediaStore, path: Path) -> Image.Image:
    write_contact_sheet(images, media, path)
    with Image.open(path) as opened:
        opened.load()
        return opened.copy()


def _near(pixel: Any) -> Any:
    """Return the colour of a thumbnail, which is lossy, as it was."""
    return tuple(min((0, 255), key=lambda full: abs(full - each)) for each in pixel)


def test_what_cannot_be_drawn_leaves_its_cell_empty(tmp_path: Path) -> None:
    media: Any = Files(broken=b"no image")
    sheet = _drawn([_image("broken")], media, tmp_path / "sheet.png")
    middle = contact_sheet._GAP + contact_sheet._CELL // 2
    assert sheet.getpixel((middle, middle)) == contact_sheet._BACKGROUND


def test_tiles_keep_their_proportions_and_failed_images_are_left_out(tmp_path: Path) -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    media: Any = Files(wide=_png(red, (800, 200)), small=_png(blue, (20, 20)))
    images = [_image("lost", stored=False), _image("wide"), _image("small", shot="50mm")]
    sheet = _drawn(images, media, tmp_path / "sheet.png")
    cell, gap = contact_sheet._CELL, contact_sheet._GAP
    centres = [
        sheet.getpixel((gap + place * (cell + gap) + cell // 2, gap + cell // 2))
        for place in range(3)
    ]
    assert centres[2] == contact_sheet._BACKGROUND
    assert [_near(each) for each in centres[:2]] == [red, blue]
    # Four times as wide as high, in the middle of its cell.
    assert _near(sheet.getpixel((gap + 2, gap + cell // 2))) == red
    assert sheet.getpixel((gap + cell // 2, gap + 2)) == contact_sheet._BACKGROUND


def test_a_long_caption_stays_in_its_cell(tmp_path: Path) -> None:
    media: Any = Files(one=_png((9, 9, 9), (20, 20)))
    long = _drawn([_image("one", shot="85mm VULNERABLE " * 9)], media, tmp_path / "long.png")
    cell, gap = contact_sheet._CELL, contact_sheet._GAP
    below = (gap, gap + cell, long.width, gap + cell + contact_sheet._CAPTION)
    written = [
        x
        for x in range(long.width - gap)
        if any(
            long.crop(below).getpixel((x, y)) != contact_sheet._BACKGROUND
            for y in range(contact_sheet._CAPTION)
        )
    ]
    assert written
    assert cell // 2 < max(written) <= cell


@pytest.mark.parametrize(("count", "rows"), [(0, 1), (6, 1), (7, 2)])
def test_the_sheet_grows_by_rows(tmp_path: Path, count: int, rows: int) -> None:
    media: Any = Files(**{f"k{number}": _png((9, 9, 9), (4, 4)) for number in range(count)})
    images = [_image(f"k{number}") for number in range(count)]
    sheet = _drawn(images, media, tmp_path / "sheet.png")
    step = contact_sheet._CELL + contact_sheet._CAPTION + contact_sheet._GAP
    assert sheet.height == rows * step + contact_sheet._GAP


def test_a_sheet_says_what_its_images_say(tmp_path: Path) -> None:
    from attrs import evolve

    from charimg._ingest.inspect import inspect
    from charimg._ingest.xmp import TRAINED
    from charimg.models import Provenance

    files: Any = Files(a=_png((200, 0, 0), (20, 20)), b=_png((0, 200, 0), (20, 20)))
    images = [_image("a"), _image("b")]
    found = Provenance(digital_source_type=TRAINED)
    said = evolve(images[0], metrics=ImageMetrics(provenance=found))
    for listed, expected in ((images, None), ([said, images[1]], TRAINED)):
        path = tmp_path / "sheet.png"
        write_contact_sheet(listed, files, path)
        with path.open("rb") as file:
            told = inspect(file, max_pixels=10**7).provenance
        assert (None if told is None else told.digital_source_type) == expected
