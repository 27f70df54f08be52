"""Downloads: a URL becomes a checked file, streamed and hashed on the way."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from attrs import define, field, frozen
from stamina import AsyncRetryingCaller

from .._arguments import Unpicklable, checked
from .._concurrency import AsyncDeadline
from .._decoding import AsyncDecoder
from .._http.stream import AsyncDownloadAnswer, AsyncDownloadClient
from .._ingest.answers import Redirect, read_head
from .._ingest.inspect import inspect
from .._ingest.limits import BodyMeter
from .._ingest.origins import DEFAULT_PORTS, FetchPolicy, Hop
from .._ingest.urls import redact
from .._ingest.values import Download, Inspection
from .._library.retry import parse_retry_after
from .._plain import logger
from .._spool import Spool
from ..errors import (
    ConfigurationError,
    DownloadError,
    ErrorCode,
    ImageRejected,
    IngestionError,
    InvalidArgument,
    StorageError,
)
from ..policies import DownloadLimits, RetryPolicy

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["AsyncDownloader"]

_log = logger("charimg.download")

_CONNECTIONS = 16


@checked
class AsyncDownloader(Unpicklable):
    """Fetches image files and checks them before anyone else sees them.

    It connects to public addresses only: whatever a URL or the name of a host leads to is checked
    where the connection is made. Redirects are followed one by one, each target checked like the
    first URL, and none from https to http. The type comes from the bytes. Its connections are its
    own, apart from those to the Character Library; it uses no proxy.

    Args:
        limits: What a download may cost, and what it may bring in. Its ``timeout`` holds for each
            attempt, from DNS to the last byte, redirects included. With an injected blocking
            client its end is noticed between two steps only, so a server that falls silent can
            hold it for up to that time once more.
        retries: How often a download that may succeed later is repeated.
        allowed_origins: Origins such as ``https://images.internal:9000`` that may be private and on
            any port. The exact scheme, host and port count. One holds for the URL that a download
            begins with, and for redirects between such origins. The address at which a cloud gives
            out credentials is refused all the same.
        ports: The ports of all other hosts.
        ssl_context: TLS settings, e.g. with a certificate authority of your own.
        client: An httpx client to use instead of an own one; never closed here. Its default
            headers, cookies and authentication are not sent. **It is not guarded:** URLs are still
            checked, but it looks names up itself, and connects to whatever they lead to.
        decode: Whether Pillow decodes each image after the built-in check, in another process with
            limits on memory and time. By default it does where Pillow is installed and such a
            process can be started; ``True`` makes an error of it where not.

    Raises:
        ConfigurationError: ``decode=True`` without Pillow, or ``ssl_context`` for an injected
            client.
        InvalidArgument: An allowed origin or a port makes no sense.
    """

    def __init__(
        self,
        *,
        limits: DownloadLimits = DownloadLimits(),  # noqa: B008  # frozen
        retries: RetryPolicy = RetryPolicy(),  # noqa: B008  # frozen
        allowed_origins: Collection[str] = (),
        ports: Collection[int] = DEFAULT_PORTS,
        ssl_context: ssl.SSLContext | None = None,
        client: httpx.AsyncClient | None = None,
        decode: bool | None = None,
    ) -> None:
        if client is not None and ssl_context is not None:
            raise ConfigurationError(
                "ssl_context is for the downloader's own client; give it to yours instead."
            )
        self._policy = FetchPolicy.checked(origins=allowed_origins, ports=ports)
        self._limits = limits
        self._retries = retries
        self._decoder = AsyncDecoder.chosen(decode)
        self._client = AsyncDownloadClient(
            connections=_CONNECTIONS, client=client, ssl_context=ssl_context
        )

    async def fetch(
        self, url: str, *, library_url: str | None = None, thumbnail_px: int = 0
    ) -> Download:
        """Download one image. The caller closes the result.

        Args:
            url: Absolute, http or https.
            library_url: The base URL of the Character Library that named the image. Its origin
                counts among the ``allowed_origins``: the Library may be in the host's own network
                and serve its images itself.
            thumbnail_px: The longest side in pixels of a thumbnail that is drawn where the image is
                decoded; 0 for none.

        Raises:
            DownloadError: It did not arrive whole.
            ImageRejected: It is not an image that is accepted.
            StorageError: The temporary file could not be written.
            ConfigurationError: The client is closed.
            InvalidArgument: ``thumbnail_px`` is negative.
        """
        if thumbnail_px < 0:
            raise InvalidArgument(f"thumbnail_px must be 0 or more, not {thumbnail_px}.")
        rules = self._policy if library_url is None else self._policy.with_library(library_url)
        fetching = _Fetching(
            first=rules.first(url),
            rules=rules,
            policy=self._retries,
            begun=time.monotonic(),
            thumbnail_px=thumbnail_px,
        )
        call = AsyncRetryingCaller(
            attempts=self._retries.attempts,
            timeout=self._retries.timeout,
            wait_initial=self._retries.wait_initial,
            wait_max=self._retries.wait_max,
            wait_jitter=self._retries.wait_jitter,
        )
        return await call(fetching.wait_after, self._attempt, fetching)

    @property
    def _in_one_loop(self) -> bool:
        return self._client.in_one_loop

    def check(self) -> None:
        """Raise `ConfigurationError` if the downloader is closed, before anything is paid for."""
        self._client.check()

    async def aclose(self) -> None:
        """Close the connections, unless the client was injected. Idempotent."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _attempt(self, fetching: _Fetching) -> Download:
        fetching.attempts += 1
        file = Spool(self._limits.spool_bytes)
        thumbnail = None
        try:
            begun = time.perf_counter()
            received = await self._receive(fetching, file)
            file.seal()
            arrived = time.perf_counter()
            inspection = _inspect(received, file, self._limits)
            if self._decoder is not None:
                thumbnail = await self._decoder.check(
                    file, inspection, thumbnail_px=fetching.thumbnail_px
                )
            checked = time.perf_counter()
        except BaseException:
            file.close()
            raise
        download = Download(
            file=file,
            size=file.size,
            sha256=file.sha256,
            mime_type=inspection.type.mime_type,
            extension=inspection.type.extension,
            width=inspection.width,
            height=inspection.height,
            download_ms=(arrived - begun) * 1000,
            inspection_ms=(checked - arrived) * 1000,
            attempts=fetching.attempts,
            thumbnail=thumbnail,
        )
        _log.debug(
            "download.finished",
            extra={"url": redact(fetching.url), "bytes": download.size, "sha256": download.sha256},
        )
        return download

    async def _receive(self, fetching: _Fetching, file: IO[bytes]) -> _Received:
        """Bring the body into the file, within the time limit."""
        try:
            async with AsyncDeadline(self._limits.timeout) as deadline:
                return await self._follow(fetching, file, deadline)
        except TimeoutError as error:
            raise DownloadError(
                f"The file at {redact(fetching.url)} did not arrive within "
                f"{self._limits.timeout:g} seconds. Try again later.",
                code=ErrorCode.TIMEOUT,
                retryable=True,
            ) from error

    async def _follow(
        self, fetching: _Fetching, file: IO[bytes], deadline: AsyncDeadline
    ) -> _Received:
        hop = fetching.first
        for _ in range(self._limits.max_redirects + 1):
            url = hop.url
            async with self._client.stream(
                url,
                timeout=deadline.remaining(),
                connect_timeout=self._limits.connect_timeout,
                exempt=hop.exempt,
            ) as answer:
                fetching.retry_after = parse_retry_after(
                    answer.headers.get("retry-after"), now=datetime.now(UTC)
                )
                head = read_head(url, answer.status, answer.headers)
                if not isinstance(head, Redirect):
                    meter = BodyMeter(
                        max_bytes=self._limits.max_bytes,
                        expected_length=head.expected_length,
                        where=redact(url),
                    )
                    await _read_body(answer, meter, file, deadline)
                    return _Received(meter=meter, url=url, self_delimiting=head.self_delimiting)
                hop = fetching.rules.redirected(hop, head.url)
        raise DownloadError(
            f"{redact(fetching.url)} led to more than {self._limits.max_redirects} redirects.",
            code=ErrorCode.TOO_MANY_REDIRECTS,
        )


@define(kw_only=True)
class _Fetching:
    """One call of `fetch`, over all its attempts."""

    first: Hop = field(repr=False)
    rules: FetchPolicy
    policy: RetryPolicy
    begun: float
    thumbnail_px: int
    attempts: int = 0
    retry_after: float | None = None

    @property
    def url(self) -> str:
        """What the download begins with."""
        return self.first.url

    def wait_after(self, error: Exception) -> bool | float:
        """Decide about a failed attempt: ``False``, ``True``, or seconds to wait."""
        if not isinstance(error, IngestionError) or not error.retryable:
            return False
        wait, self.retry_after = self.retry_after, None
        _log.info(
            "download.failed",
            extra={"url": redact(self.url), "code": error.code, "attempt": self.attempts},
        )
        if wait is None:
            return True
        wait = min(wait, self.policy.retry_after_max)
        if time.monotonic() - self.begun + wait > self.policy.timeout:
            return False
        return wait


@frozen(kw_only=True)
class _Received:
    """A body that is in the file.

    Attributes:
        meter: Its measure.
        url: Where it came from in the end.
        self_delimiting: Whether a cut connection would have been noticed.
    """

    meter: BodyMeter
    url: str
    self_delimiting: bool


async def _read_body(
    answer: AsyncDownloadAnswer, meter: BodyMeter, file: IO[bytes], deadline: AsyncDeadline
) -> None:
    async for chunk in answer.chunks:
        deadline.remaining()
        meter.feed(chunk)
        _write(file, chunk)
    meter.finish()


def _write(file: IO[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
        # Now rather than later, so that a full disk shows here.
        file.flush()
    except OSError as error:
        raise StorageError(
            "The temporary file of a download could not be written. See to it that the directory "
            "for temporary files has room."
        ) from error


def _inspect(received: _Received, file: IO[bytes], limits: DownloadLimits) -> Inspection:
    try:
        return inspect(file, max_pixels=limits.max_pixels, formats=limits.formats)
    except ImageRejected as error:
        if error.code != ErrorCode.TRUNCATED or received.self_delimiting:
            raise
        # The body ended with its connection, and nobody else could tell that it was cut.
        raise DownloadError(
            f"The file at {redact(received.url)} was cut off. Try again later.",
            code=ErrorCode.TRUNCATED,
            status_code=200,
            retryable=True,
        ) from error
