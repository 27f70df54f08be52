"""The thorough check, and thumbnails: Pillow decodes in another process, within limits.

The host's own process never decodes a file that came from elsewhere.
"""

from __future__ import annotations

from typing import IO, Self

from .._ingest.values import Inspection
from .._plain import logger
from ..errors import ConfigurationError, ErrorCode, ImageRejected
from .protocol import FINE, MOST_SIDE, Task, reason
from .thumbnails import draw_thumbnail, genuine, has_pillow
from .worker import Unavailable, ask

__all__ = ["AsyncDecoder", "Decoder", "draw_thumbnail"]

_log = logger("charimg.download")


class Decoder:
    """Decodes images in another process.

    Args:
        required: Whether it is an error that no such process can be started here.
    """

    def __init__(self, *, required: bool) -> None:
        self._required = required

    @classmethod
    def chosen(cls, decode: bool | None) -> Self | None:
        """Return a decoder, or ``None``: not wanted, or not insisted on and no Pillow there.

        Raises:
            ConfigurationError: It is insisted on, and Pillow is not installed.
        """
        there = has_pillow()
        if decode and not there:
            raise ConfigurationError(
                "decode=True needs Pillow. Install it with: pip install 'charimg[images]'"
            )
        wanted = there if decode is None else decode
        return cls(required=decode is True) if wanted else None

    def check(
        self, file: IO[bytes], inspection: Inspection, *, thumbnail_px: int = 0
    ) -> bytes | None:
        """Verify and decode an image that the built-in inspector has passed, all of its frames.

        Only the decoder of the type that the bytes show is tried.

        Args:
            file: Seekable; read from its beginning and left there.
            inspection: What the built-in inspector found; Pillow must see the same dimensions.
            thumbnail_px: The longest side of a thumbnail, which is drawn on the way; 0 for none.

        Returns:
            The thumbnail, a WebP; empty if it could not be drawn; ``None`` if nobody tried.

        Raises:
            ImageRejected: ``NOT_AN_IMAGE``.
            ConfigurationError: It is required, and no process can be started here.
        """
        name = inspection.type.name
        task = Task(
            name=name,
            width=inspection.width,
            height=inspection.height,
            size=file.seek(0, 2),
            side=min(thumbnail_px, MOST_SIDE),
        )
        try:
            answer = ask(task, file)
        except Unavailable as error:
            self._unavailable(error)
            return None
        finally:
            file.seek(0)
        if answer.verdict != FINE:
            why = reason(answer)
            raise ImageRejected(
                f"The file begins like {inspection.type.a_name}, but {why}",
                code=ErrorCode.NOT_AN_IMAGE,
            )
        return genuine(answer.thumbnail, thumbnail_px) if thumbnail_px else None

    def _unavailable(self, error: Unavailable) -> None:
        if self._required:
            raise ConfigurationError(
                f"decode=True needs a process of its own for Pillow. {error}"
            ) from error
        _log.warning("download.not_decoded", extra={"reason": str(error)})


class AsyncDecoder(Decoder):
    """The async twin of `Decoder`: a thread waits for the other process."""

    async def check(  # type: ignore[override]
        self, file: IO[bytes], inspection: Inspection, *, thumbnail_px: int = 0
    ) -> bytes | None:
        """See `Decoder.check`. A cancellation arrives when the image is done."""
        import anyio

        check = super().check
        return await anyio.to_thread.run_sync(
            lambda: check(file, inspection, thumbnail_px=thumbnail_px)
        )
