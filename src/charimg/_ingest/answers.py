"""What the head of an answer to a download means. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import frozen

from ..errors import DownloadError, ErrorCode
from .urls import next_url, redact

__all__ = ["Body", "Redirect", "read_head"]

_REDIRECTS = (301, 302, 303, 307, 308)
_RETRYABLE = (408, 425, 429)
_LENGTH = re.compile(r"[0-9]{1,18}")


@frozen(kw_only=True)
class Body:
    """The file follows.

    Attributes:
        expected_length: Its size in bytes, when the server announced it.
        self_delimiting: Whether a cut connection would be noticed. ``False`` for a body that ends
            with its connection: then only the image itself tells whether it is whole.
    """

    expected_length: int | None
    self_delimiting: bool


@frozen(kw_only=True)
class Redirect:
    """The file is elsewhere.

    Attributes:
        url: The checked absolute URL.
    """

    url: str


def read_head(url: str, status: int, headers: Mapping[str, str]) -> Body | Redirect:
    """Decide what to do with an answer before its body is read.

    Args:
        url: The checked URL that was asked.
        status: Only 200 brings a file.
        headers: By lower-case name.

    Raises:
        DownloadError: ``BAD_STATUS`` (retryable for 408, 425, 429 and 5xx), ``URL_REFUSED`` for a
            redirect that may not be followed, ``NOT_AN_IMAGE`` for a content encoding.
    """
    if status in _REDIRECTS and "location" in headers:
        return Redirect(url=next_url(url, headers["location"]))
    if status != 200:
        retryable = status in _RETRYABLE or 500 <= status <= 599
        advice = "Try again later." if retryable else "The file may be gone."
        raise DownloadError(
            f"{redact(url)} answered with status {status} instead of 200. {advice}",
            code=ErrorCode.BAD_STATUS,
            status_code=status,
            retryable=retryable,
        )
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise DownloadError(
            f"{redact(url)} sends the file compressed although plain bytes were asked for.",
            code=ErrorCode.NOT_AN_IMAGE,
            status_code=status,
        )
    # A chunked body carries its own lengths, and they go before the header (RFC 9112, 6.3).
    if "transfer-encoding" in headers:
        return Body(expected_length=None, self_delimiting=True)
    announced = headers.get("content-length")
    if announced is None:
        return Body(expected_length=None, self_delimiting=False)
    if not _LENGTH.fullmatch(announced.strip()):
        raise DownloadError(
            f"{redact(url)} announces a length that is not a number.",
            code=ErrorCode.BAD_STATUS,
            status_code=status,
        )
    return Body(expected_length=int(announced), self_delimiting=True)
