"""Colours as a thumbnail has them: 8 bits, sRGB, and alpha where the image is transparent."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["flattened", "in_srgb"]

_GREY = "L", "LA"
_KEPT = ("RGB", "RGBA", "CMYK", *_GREY)

_SCALES = {"L;2": 85, "L;4": 17}
"""Few bits are spread over eight."""

_SPACES = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK"}


def flattened(image: Image, rawmode: str) -> Image:
    """Return an image of 8 bits, without a palette, whose transparency is a channel.

    Args:
        image: Decoded; it stays as it is.
        rawmode: How Pillow read the pixels.
    """
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode == "1":
        image = image.convert("L")
    key = image.info.get("transparency")
    exact = _of_8_bits(key, rawmode)
    if exact != key:
        image = image.copy()
        image.info["transparency"] = exact
    wanted = image.mode if image.mode in _KEPT else "RGB"
    if image.has_transparency_data:
        wanted = "LA" if image.mode in _GREY else "RGBA"
    return image if image.mode == wanted else image.convert(wanted)


def _of_8_bits(key: Any, rawmode: str) -> Any:
    """Return the transparent colour as the pixels have it; Pillow leaves it as the file has it."""
    if rawmode == "RGB;16B" and key is not None:
        return tuple(each >> 8 for each in key)
    return key * _SCALES[rawmode] if rawmode in _SCALES and key is not None else key


def _from_16_bits(image: Image) -> Image:
    """Return the high byte of each grey; what has exactly the transparent grey is transparent."""
    from PIL import Image, ImageChops

    data = image.tobytes("raw", "I;16")
    grey = Image.frombytes("L", image.size, data[1::2])
    key = image.info.get("transparency")
    if key is None:
        return grey
    low = Image.frombytes("L", image.size, data[::2])
    opaque = ImageChops.lighter(
        grey.point([255 * (value != key >> 8) for value in range(256)]),
        low.point([255 * (value != key & 255) for value in range(256)]),
    )
    return Image.merge("LA", (grey, opaque))


def in_srgb(image: Image, profile: object) -> Image:
    """Return an RGB or RGBA image as it looks on a screen.

    Args:
        image: As from `flattened`.
        profile: The ICC profile that came with it. One that means nothing, or something else than
            this image, is left out, as browsers do.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colours = image if alpha is None else image.convert(image.mode[:-1])
    drawn = _converted(colours, profile) if isinstance(profile, bytes) else None
    drawn = colours.convert("RGB") if drawn is None else drawn
    if alpha is not None:
        drawn.putalpha(alpha)
    return drawn


def _converted(image: Image, profile: bytes) -> Image | None:
    from PIL import ImageCms

    try:
        own: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _SPACES[own.profile.xcolor_space]
        if image.mode != mode and (image.mode, mode) != ("L", "RGB"):
            return None
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image.convert(mode), own, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, ImportError, KeyError, OSError, TypeError, ValueError):
        # Pillow may have been built without the library for profiles, too.
        return None
