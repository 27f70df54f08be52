"""A contact sheet: every stored image as a thumbnail with a caption, in one PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from .._decoding import draw_thumbnail
from .._ingest.label import says_so
from .._ingest.renditions import label_bytes
from .._ingest.xmp import Label
from ..models import CharacterImage
from ..protocols import MediaStore

__all__ = ["write_contact_sheet"]

_COLUMNS = 6
_CELL = 192
_CAPTION = 22
_GAP = 8
_FONT_SIZE = 11
_BACKGROUND = (24, 24, 27)
_INK = (228, 228, 231)


def _caption(image: CharacterImage) -> str:
    return image.kind if image.metrics.shot is None else image.metrics.shot.name


def write_contact_sheet(images: Sequence[CharacterImage], media: MediaStore, path: Path) -> None:
    """Draw the images, in the given order, into a PNG.

    Args:
        images: Records; those without media are left out.
        media: Where their files are.
        path: The PNG to write.
    """
    from PIL import Image, ImageDraw, ImageFont

    stored = [(image, image.media) for image in images if image.media is not None]
    rows = -(-len(stored) // _COLUMNS)
    step_x, step_y = _CELL + _GAP, _CELL + _CAPTION + _GAP
    size = (_COLUMNS * step_x + _GAP, max(rows, 1) * step_y + _GAP)
    sheet = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=_FONT_SIZE)
    for place, (image, file) in enumerate(stored):
        left = _GAP + place % _COLUMNS * step_x
        top = _GAP + place // _COLUMNS * step_y
        with media.open(file.key) as chunks:
            whole = io.BytesIO(b"".join(chunks))
        # Files that came from elsewhere are decoded in another process.
        if thumb := draw_thumbnail(whole, _CELL):
            with Image.open(io.BytesIO(thumb), formats=["WEBP"]) as opened:
                thumbnail = opened.convert("RGB")
            offset = ((_CELL - thumbnail.width) // 2, (_CELL - thumbnail.height) // 2)
            sheet.paste(thumbnail, (left + offset[0], top + offset[1]))
        text = _caption(image)
        while draw.textlength(text, font=font) > _CELL:
            text = text[:-2] + "…"
        draw.text((left, top + _CELL + 4), text, fill=_INK, font=font)
    drawn = io.BytesIO()
    sheet.save(drawn, format="PNG")
    data = drawn.getvalue()
    if any(says_so(image.metrics.provenance) for image, _ in stored):
        data = label_bytes(data, Label(f"charimg {__version__}"))
    path.write_bytes(data)
