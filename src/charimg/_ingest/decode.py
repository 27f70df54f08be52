"""The thorough check with Pillow: the image is decoded whole. In this process for now."""

from __future__ import annotations

import importlib.util
from typing import IO

from ..errors import ConfigurationError, ErrorCode, ImageRejected
from .values import Inspection

__all__ = ["decode_check", "require_pillow"]


def require_pillow() -> None:
    """See to it that Pillow can be imported, without importing it.

    Raises:
        ConfigurationError: It is not installed.
    """
    if importlib.util.find_spec("PIL") is None:
        raise ConfigurationError(
            "decode=True needs Pillow. Install it with: pip install 'charimg[images]'"
        )


def decode_check(file: IO[bytes], inspection: Inspection) -> None:
    """Verify and decode an image that the built-in inspector has passed.

    Only the decoder of the type that the bytes show is tried. The number of pixels was capped by
    the inspector; Pillow's own ``MAX_IMAGE_PIXELS`` still holds, and is not touched because it
    belongs to the whole process.

    Args:
        file: Seekable; read from its beginning and left there.
        inspection: What the built-in inspector found; Pillow must see the same dimensions.

    Raises:
        ImageRejected: ``NOT_AN_IMAGE``, or ``TOO_MANY_PIXELS`` for Pillow's own limit.
    """
    from PIL import Image

    name = inspection.type.name
    try:
        # verify() leaves the image unusable, so it is opened twice.
        file.seek(0)
        Image.open(file, formats=[name]).verify()
        file.seek(0)
        with Image.open(file, formats=[name]) as image:
            image.load()
            size = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected(
            f"The {name} has more pixels than Pillow's MAX_IMAGE_PIXELS allows.",
            code=ErrorCode.TOO_MANY_PIXELS,
        ) from error
    except Exception as error:
        # Pillow's plugins raise OSError, SyntaxError, ValueError, struct.error and more.
        raise _broken(name, "it cannot be decoded") from error
    finally:
        file.seek(0)
    if size != (inspection.width, inspection.height):
        raise _broken(name, "its decoded size is not the one of its header")


def _broken(name: str, why: str) -> ImageRejected:
    return ImageRejected(f"The file begins like a {name}, but {why}.", code=ErrorCode.NOT_AN_IMAGE)
