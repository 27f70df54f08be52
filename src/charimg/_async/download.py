"""Downloads: a URL becomes a checked file, streamed and hashed on the way."""

from __future__ import annotations

import logging
import tempfile
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from attrs import define, frozen
from stamina import AsyncRetryingCaller

from .._concurrency import AsyncDeadline
from .._http.stream import AsyncDownloadAnswer, AsyncDownloadClient
from .._ingest.answers import Redirect, read_head
from .._ingest.decode import decode_check, require_pillow
from .._ingest.inspect import inspect
from .._ingest.limits import BodyMeter
from .._ingest.urls import check_url, redact
from .._ingest.values import Download
from .._library.retry import parse_retry_after
from ..errors import DownloadError, ErrorCode, ImageRejected, IngestionError, StorageError
from ..policies import DownloadLimits, RetryPolicy

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncDownloader"]

_log = logging.getLogger("charimg.download")

_CONNECTIONS = 16


class AsyncDownloader:
    """Fetches image files and checks them before anyone else sees them.

    Redirects are followed one by one, each target checked like the first URL. The type comes from
    the bytes. Its connections are its own, apart from those to the Character Library.

    Args:
        limits: What a download may cost, and what it may bring in. Its ``timeout`` holds for each
            attempt, redirects included.
        retries: How often a download that may succeed later is repeated.
        client: An httpx client to use instead of an own one; never closed here. Its default
            headers, cookies and authentication are not sent.
        decode: Whether to decode each image with Pillow after the built-in check (off by default).
            Decoding runs in this process, and in async code it blocks the event loop meanwhile.

    Raises:
        ConfigurationError: ``decode`` without Pillow.
    """

    def __init__(
        self,
        *,
        limits: DownloadLimits = DownloadLimits(),  # noqa: B008  # frozen
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        client: httpx.AsyncClient | None = None,
        decode: bool = False,
    ) -> None:
        if decode:
            require_pillow()
        self._limits = limits
        self._retries = retries
        self._decode = decode
        self._client = AsyncDownloadClient(connections=_CONNECTIONS, client=client)

    async def fetch(self, url: str) -> Download:
        """Download one image. The caller closes the result.

        Args:
            url: Absolute, http or https.

        Raises:
            DownloadError: It did not arrive whole.
            ImageRejected: It is not an image that is accepted.
            StorageError: The temporary file could not be written.
            ConfigurationError: The client is closed.
        """
        url = check_url(url)
        fetching = _Fetching(url=url, policy=self._retries, begun=time.monotonic())
        call = AsyncRetryingCaller(
            attempts=self._retries.attempts,
            timeout=self._retries.timeout,
            wait_initial=self._retries.wait_initial,
            wait_max=self._retries.wait_max,
            wait_jitter=self._retries.wait_jitter,
        )
        return await call(fetching.wait_after, self._attempt, fetching)

    async def _attempt(self, fetching: _Fetching) -> Download:
        fetching.attempts += 1
        fetching.retry_after = None
        file = tempfile.SpooledTemporaryFile(max_size=self._limits.spool_bytes)  # noqa: SIM115
        try:
            begun = time.perf_counter()
            received = await self._receive(fetching, file)
            arrived = time.perf_counter()
            download = self._check(received, file)
        except BaseException:
            file.close()
            raise
        ...
