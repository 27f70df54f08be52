"""Counts a body as it arrives, and refuses too much or too little of it."""

from __future__ import annotations

from ..errors import DownloadError, ErrorCode

__all__ = ["BodyMeter"]


class BodyMeter:
    """The measure of one body.

    Args:
        max_bytes: Cap on its size.
        expected_length: What ``Content-Length`` announced, if it was there.
        where: The redacted URL, for messages.

    Attributes:
        size: Bytes so far.

    Raises:
        DownloadError: The announced length exceeds the cap.
    """

    def __init__(self, *, max_bytes: int, expected_length: int | None, where: str) -> None:
        self._max_bytes = max_bytes
        self._expected = expected_length
        self._where = where
        self.size = 0
        if expected_length is not None and expected_length > max_bytes:
            raise self._too_large()

    def feed(self, chunk: bytes) -> None:
        """Count the next bytes.

        Raises:
            DownloadError: The body is larger than the cap, or than announced.
        """
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise self._too_large()
        if self._expected is not None and self.size > self._expected:
            raise self._mismatch()

    def finish(self) -> None:
        """Check the whole.

        Raises:
            DownloadError: The body is shorter than announced.
        """
        if self._expected is not None and self.size != self._expected:
            raise self._mismatch()

    def _too_large(self) -> DownloadError:
        return DownloadError(
            f"The file at {self._where} is larger than {self._max_bytes} bytes. Raise "
            "DownloadLimits.max_bytes if that is wanted.",
            code=ErrorCode.TOO_LARGE,
            status_code=200,
        )

    def _mismatch(self) -> DownloadError:
        return DownloadError(
            f"The file at {self._where} came with {self.size} bytes instead of the "
            f"{self._expected} that were announced.",
            code=ErrorCode.TRUNCATED,
            status_code=200,
            retryable=True,
        )
