"""The thorough check: Pillow decodes the image whole, in another process, within limits."""

from __future__ import annotations

import importlib.util
from typing import IO, Self

from .._ingest.values import Inspection
from .._plain import logger
from ..errors import ConfigurationError, ErrorCode, ImageRejected
from .child import BROKEN, FINE, HEADER, MEMORY, SIZE
from .worker import Unavailable, Workers

__all__ = ["AsyncDecoder", "Decoder"]

_log = logger("charimg.download")

_CPU_SECONDS = 20
_WALL_SECONDS = 60.0
"""40 megapixels take 1 to 2 s; a busy machine needs longer without using more CPU time."""

_WORKERS = Workers()
_REASONS = {
    BROKEN: "it cannot be decoded",
    SIZE: "its decoded size is not the one of its header",
    MEMORY: "decoding it takes too much memory",
    b"": "decoding it crashed or took too long",
}


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
        there = importlib.util.find_spec("PIL") is not None
        if decode and not there:
            raise ConfigurationError(
                "decode=True needs Pillow. Install it with: pip install 'charimg[images]'"
            )
        wanted = there if decode is None else decode
        return cls(required=decode is True) if wanted else None

    def check(self, file: IO[bytes], inspection: Inspection) -> None:
        """Verify and decode an image that the built-in inspector has passed, all of its frames.

        Only the decoder of the type that the bytes show is tried.

        Args:
            file: Seekable; read from its beginning and left there.
            inspection: What the built-in inspector found; Pillow must see the same dimensions.

        Raises:
            ImageRejected: ``NOT_AN_IMAGE``.
            ConfigurationError: It is required, and no process can be started here.
        """
        name = inspection.type.name
        size = file.seek(0, 2)
        file.seek(0)
        width, height = inspection.width, inspection.height
        head = HEADER.pack(name.encode().ljust(5), width, height, size, _CPU_SECONDS)
        try:
            answer = _WORKERS.ask(head, file, _WALL_SECONDS)
        except Unavailable as error:
            self._unavailable(error)
            return
        finally:
            file.seek(0)
        if answer != FINE:
            why = _REASONS.get(answer, _REASONS[BROKEN])
            raise ImageRejected(
                f"The file begins like a {name}, but {why}.", code=ErrorCode.NOT_AN_IMAGE
            )

    def _unavailable(self, error: Unavailable) -> None:
        if self._required:
            raise ConfigurationError(
                f"decode=True needs a process of its own for Pillow. {error}"
            ) from error
        _log.warning("download.not_decoded", extra={"reason": str(error)})


class AsyncDecoder(Decoder):
    """The async twin of `Decoder`: a thread waits for the other process."""

    async def check(self, file: IO[bytes], inspection: Inspection) -> None:  # type: ignore[override]
        """See `Decoder.check`. A cancellation arrives when the image is done."""
        import anyio

        await anyio.to_thread.run_sync(super().check, file, inspection)
