"""Draws the simulated images: one figure before a studio backdrop, different per prompt and shot.

Pillow draws them when it is there; without it a plain PNG of the same colours is written.
"""

from __future__ import annotations

import hashlib
import io
import math
import struct
import zlib
from functools import lru_cache
from typing import Any

from attrs import evolve, frozen

from .shots import ReferenceShot

__all__ = ["Drawing", "draw"]

WIDTH, HEIGHT = 384, 512
_SCALES = {"cu": 1.75, "mcu": 1.3, "3q": 0.95, "full": 0.68, "hands": 2.1}


@frozen(kw_only=True)
class Drawing:
    """An encoded image."""

    data: bytes
    mime_type: str
    extension: str
    width: int
    height: int


class _Pen:
    """Draws what is measured for WIDTH x HEIGHT onto an image of another size."""

    def __init__(self, pen: Any, scale: float) -> None:
        self._pen = pen
        self._scale = scale

    def _box(self, box: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(each * self._scale for each in box)

    def ellipse(self, box: tuple[float, ...], fill: Any) -> None:
        self._pen.ellipse(self._box(box), fill)

    def rectangle(self, box: tuple[float, ...], fill: Any) -> None:
        self._pen.rectangle(self._box(box), fill)

    def rounded_rectangle(self, box: tuple[float, ...], radius: float, fill: Any) -> None:
        self._pen.rounded_rectangle(self._box(box), radius * self._scale, fill)

    def arc(self, box: tuple[float, ...], ends: tuple[int, int], fill: Any, width: float) -> None:
        self._pen.arc(self._box(box), *ends, fill=fill, width=max(1, round(width * self._scale)))

    def text(self, at: tuple[float, ...], text: str, fill: Any) -> None:
        self._pen.text(self._box(at), text, fill=fill)


@frozen(kw_only=True)
class _Palette:
    backdrop: tuple[int, int, int]
    coat: tuple[int, int, int]
    hair: tuple[int, int, int]
    skin: tuple[int, int, int]

    @classmethod
    def of(cls, text: str) -> _Palette:
        digest = _mark(text)

        def tone(index: int, low: int, high: int) -> tuple[int, int, int]:
            red, green, blue = (low + digest[index + n] * (high - low) // 255 for n in range(3))
            return (red, green, blue)

        light = digest[12] / 255
        skin = (round(120 + 115 * light), round(80 + 110 * light), round(60 + 100 * light))
        return cls(
            backdrop=tone(0, 90, 190), coat=tone(3, 30, 150), hair=tone(6, 20, 120), skin=skin
        )


@lru_cache(maxsize=256)
def draw(
    prompt: str,
    caption: str,
    shot: ReferenceShot | None = None,
    form: str = "JPEG",
    setting: str = "",
    width: int = WIDTH,
) -> Drawing:
    """Return the image of a prompt, for one shot, with a caption.

    Args:
        prompt: Decides the colours.
        caption: Written below, e.g. ``Reference`` or the shot's name; decides the light.
        shot: Decides crop, turn and height of the camera.
        form: ``JPEG``, ``WEBP`` or ``PNG``; without Pillow it is always ``PNG``.
        setting: Decides the backdrop; by default the prompt does.
        width: Pixels; the height is four thirds of it.
    """
    palette = _Palette.of(prompt)
    if setting:
        palette = evolve(palette, backdrop=_Palette.of(setting).backdrop)
    size = (width, width * HEIGHT // WIDTH)
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        return _plain(palette, caption, *size)
    image = Image.new("RGB", size, palette.backdrop)
    pen = _Pen(ImageDraw.Draw(image), width / WIDTH)
    _backdrop(pen, palette, caption)
    _figure(pen, palette, shot)
    pen.rectangle((0, HEIGHT - 34, WIDTH, HEIGHT), fill=(18, 18, 20))
    pen.text((12, HEIGHT - 25), caption, fill=(235, 235, 235))
    file = io.BytesIO()
    image.save(file, form, quality=82)
    extension = {"JPEG": ".jpg", "WEBP": ".webp", "PNG": ".png"}[form]
    return Drawing(
        data=file.getvalue(),
        mime_type=f"image/{form.lower()}",
        extension=extension,
        width=size[0],
        height=size[1],
    )


def _mark(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _backdrop(pen: _Pen, palette: _Palette, caption: str) -> None:
    """Paint a studio backdrop whose lamp stands at another place for every caption."""
    mark = _mark(caption)
    x, y = WIDTH * mark[0] / 255, HEIGHT * 0.7 * mark[1] / 255
    for step in range(24):
        glow = 0.6 + 0.03 * step
        red, green, blue = (min(255, round(tone * glow)) for tone in palette.backdrop)
        radius = 660 * (1 - step / 24)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(red, green, blue))


def _figure(pen: _Pen, palette: _Palette, shot: ReferenceShot | None) -> None:
    azimuth = 0.0 if shot is None else math.radians(shot.camera_azimuth_deg)
    elevation = 0 if shot is None else shot.camera_elevation_deg
    scale = 1.0 if shot is None else _SCALES.get(shot.crop, 1.0)
    turn, facing = math.sin(azimuth), math.cos(azimuth)
    middle = WIDTH / 2 + 20 * turn
    head_y = 150 + 60 * (scale - 1) + elevation * 2
    radius = 52 * scale
    shoulder = 105 * scale * (0.55 + 0.45 * abs(facing))
    top = head_y + radius * 1.35
    if shot is not None and shot.crop == "hands":
        for side in (-1, 1):
            x = middle + side * 80
            pen.ellipse((x - 55, 200, x + 55, 330), fill=palette.skin)
            for finger in range(4):
                left = x - 50 + finger * 26
                pen.rounded_rectangle(
                    (left, 130 - 12 * (finger % 2), left + 20, 240), 9, palette.skin
                )
        return
    if shot is not None and shot.pose == "t_pose":
        pen.rounded_rectangle((20, top, WIDTH - 20, top + 30 * scale), 12, palette.coat)
    pen.rounded_rectangle(
        (middle - shoulder, top, middle + shoulder, HEIGHT + 60), 40 * scale, palette.coat
    )
    pen.rectangle(
        (middle - 18 * scale, head_y + radius * 0.7, middle + 18 * scale, top + 8), palette.skin
    )
    pen.ellipse(
        (middle - radius * 1.08, head_y - radius * 1.3, middle + radius * 1.08, head_y + radius),
        fill=palette.hair,
    )
    if facing < -0.5:
        return
    face = middle + radius * 0.35 * turn
    wide = radius * 0.82 * (0.7 + 0.3 * abs(facing))
    pen.ellipse(
        (face - wide, head_y - radius * 0.95, face + wide, head_y + radius * 1.15), palette.skin
    )
    eyes = (-1, 1) if abs(turn) < 0.9 else (0,)
    _features(pen, face + radius * 0.25 * turn, head_y, scale, shot, eyes)


def _features(
    pen: _Pen,
    x: float,
    y: float,
    scale: float,
    shot: ReferenceShot | None,
    eyes: tuple[int, ...],
) -> None:
    for side in eyes:
        eye = x + side * 18 * scale
        pen.ellipse(
            (eye - 6 * scale, y - 6 * scale, eye + 6 * scale, y + 4 * scale), (245, 245, 245)
        )
        pen.ellipse((eye - 3 * scale, y - 4 * scale, eye + 3 * scale, y + 2 * scale), (30, 30, 35))
    bend = {"determined": 0, "concerned": -8, "vulnerable": -5, "thoughtful": 3}.get(
        "" if shot is None else shot.expression, 8
    )
    start, end = (20, 160) if bend >= 0 else (200, 340)
    height = max(2, abs(bend)) * scale
    box = (x - 16 * scale, y + 32 * scale - height, x + 16 * scale, y + 32 * scale + height)
    pen.arc(box, (start, end), (110, 40, 40), max(2, round(3 * scale)))


def _plain(palette: _Palette, caption: str, width: int, height: int) -> Drawing:
    """Return a two-coloured PNG, written without any library (RFC 2083).

    Eight bands of six squares each: the caption decides which square has which colour.
    """
    mark = int.from_bytes(_mark(caption))
    colours = (bytes(palette.backdrop) * (width // 6), bytes(palette.coat) * (width // 6))
    rows = b""
    for band in range(8):
        row = b"".join(colours[mark >> (band * 6 + column) & 1] for column in range(6))
        rows += (b"\0" + row) * (height // 8)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return Drawing(data=data, mime_type="image/png", extension=".png", width=width, height=height)
