# Generated from src/charimg/_async/download.py by tools/unasync.py. Do not edit.
"""Downloads: a URL becomes a checked file, streamed and hashed on the way."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self

from attrs import define, field, frozen
from stamina import RetryingCaller

from .. import __version__
from .._arguments import Unpicklable, checked
from .._concurrency import Deadline
from .._decoding import Decoder
from .._http.stream import DownloadAnswer, DownloadClient
from .._ingest.answers import Redirect, read_head
from .._ingest.inspect import inspect
from .._ingest.limits import BodyMeter
from .._ingest.origins import DEFAULT_PORTS, FetchPolicy, Hop
from .._ingest.urls import redact
from .._ingest.values import Download, Inspection
from .._ingest.xmp import Label
from .._library.retry import parse_retry_after
from .._plain import logger
from .._signing import ContentSigner
from ..errors import (
    ConfigurationError,
    DownloadError,
    ErrorCode,
    ImageRejected,
    IngestionError,
    InvalidArgument,
)
from ..models import Provenance
from ..policies import CLEAN, KEEP, LABEL, READ, DownloadLimits, ProvenancePolicy, RetryPolicy
from .marking import Files, rendition, write

if TYPE_CHECKING:
    import ssl

    import httpx

__all__ = ["Downloader"]

_log = logger("charimg.download")

_CONNECTIONS = 16


@checked
class Downloader(Unpicklable):
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
        provenance: Whether files are labelled or signed, so that they tell that a model has drawn
            them: ``read``, ``label``, or a policy.

    Raises:
        ConfigurationError: ``decode=True`` without Pillow, or ``ssl_context`` for an injected
            client; nothing can be signed, though that is wanted.
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
        client: httpx.Client | None = None,
        decode: bool | None = None,
        provenance: str | ProvenancePolicy = READ,
    ) -> None:
        if client is not None and ssl_context is not None:
            raise ConfigurationError(
                "ssl_context is for the downloader's own client; give it to yours instead."
            )
        self._policy = FetchPolicy.checked(origins=allowed_origins, ports=ports)
        self._limits = limits
        self._retries = retries
        self._decoder = Decoder.chosen(decode)
        if isinstance(provenance, str):
            provenance = ProvenancePolicy(mode=provenance)
        self._provenance = provenance
        self._signer = ContentSigner.chosen(provenance, __version__)
        self._client = DownloadClient(
            connections=_CONNECTIONS, client=client, ssl_context=ssl_context
        )

    def fetch(
        self,
        url: str,
        *,
        library_url: str | None = None,
        prompt: str = "",
        sha256: str | None = None,
        provenance: Provenance | None = None,
        thumbnail_px: int = 0,
    ) -> Download:
        """Download one image. The caller closes the result.

        Args:
            url: Absolute, http or https.
            library_url: The base URL of the Character Library that named the image. Its origin
                counts among the ``allowed_origins``: the Library may be in the host's own network
                and serve its images itself.
            prompt: What it was drawn from, for its label.
            sha256: That of a file that was stored and shall come back. What is sent comes as it is
                where it has this hash, else cleaned, whatever ``DownloadLimits.foreign`` says.
            provenance: What the record of that file says: a label is written again as it was.
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
            sha256=sha256,
            label=self._label(prompt, provenance, again=sha256 is not None),
            thumbnail_px=thumbnail_px,
        )
        call = RetryingCaller(
            attempts=self._retries.attempts,
            timeout=self._retries.timeout,
            wait_initial=self._retries.wait_initial,
            wait_max=self._retries.wait_max,
            wait_jitter=self._retries.wait_jitter,
        )
        return call(fetching.wait_after, self._attempt, fetching)

    @property
    def _in_one_loop(self) -> bool:
        return self._client.in_one_loop

    def check(self) -> None:
        """Raise `ConfigurationError` if the downloader is closed, before anything is paid for."""
        self._client.check()

    def close(self) -> None:
        """Close the connections, unless the client was injected. Idempotent."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _label(self, prompt: str, found: Provenance | None, *, again: bool) -> Label | None:
        """Return the label of a new file, or that which one that shall come back has had."""
        policy, tool = self._provenance, f"charimg {__version__}"
        if again:
            if found is None or found.marked != LABEL:
                return None
            tool = found.tool or tool
        elif policy.mode == READ:
            return None
        return Label(tool, policy.provider, prompt if policy.prompt else None)

    def _attempt(self, fetching: _Fetching) -> Download:
        fetching.attempts += 1
        files = Files(self._limits.spool_bytes)
        thumbnail = None
        try:
            begun = time.perf_counter()
            file = files.new()
            received = self._receive(fetching, file)
            file.seal()
            arrived = time.perf_counter()
            source_sha256 = file.sha256
            foreign = self._limits.foreign
            if fetching.sha256 is not None:
                foreign = KEEP if fetching.sha256 == source_sha256 else CLEAN
            signer = None if fetching.sha256 is not None else self._signer
            look = partial(_inspect, received, file, self._limits, foreign)
            inspection = look(fetching.label, sign=signer is not None)
            stored = files.edited(file, inspection.edits)
            if self._decoder is not None:
                thumbnail = self._decoder.check(
                    stored, inspection, thumbnail_px=fetching.thumbnail_px
                )
            if signer is not None:
                stored, inspection = files.signed(signer, file, stored, inspection, look)
            checked = time.perf_counter()
        except BaseException:
            files.close()
            raise
        files.close(all_but=stored)
        download = Download(
            file=stored,
            size=stored.size,
            sha256=stored.sha256,
            mime_type=inspection.type.mime_type,
            extension=inspection.type.extension,
            width=inspection.width,
            height=inspection.height,
            download_ms=(arrived - begun) * 1000,
            inspection_ms=(checked - arrived) * 1000,
            attempts=fetching.attempts,
            source_sha256=source_sha256,
            cleaned=inspection.cleaned,
            provenance=inspection.provenance,
            unmarked=inspection.unlabelled,
            thumbnail=rendition(thumbnail, inspection, fetching.label),
        )
        _log.debug(
            "download.finished",
            extra={"url": redact(fetching.url), "bytes": download.size, "sha256": download.sha256},
        )
        return download

    def _receive(self, fetching: _Fetching, file: IO[bytes]) -> _Received:
        """Bring the body into the file, within the time limit."""
        try:
            with Deadline(self._limits.timeout) as deadline:
                return self._follow(fetching, file, deadline)
        except TimeoutError as error:
            raise DownloadError(
                f"The file at {redact(fetching.url)} did not arrive within "
                f"{self._limits.timeout:g} seconds. Try again later, or raise "
                "DownloadLimits.timeout.",
                code=ErrorCode.TIMEOUT,
                retryable=True,
            ) from error

    def _follow(self, fetching: _Fetching, file: IO[bytes], deadline: Deadline) -> _Received:
        hop = fetching.first
        for _ in range(self._limits.max_redirects + 1):
            url = hop.url
            with self._client.stream(
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
                    _read_body(answer, meter, file, deadline)
                    return _Received(meter=meter, url=url, self_delimiting=head.self_delimiting)
                hop = fetching.rules.redirected(hop, head.url)
        raise DownloadError(
            f"{redact(fetching.url)} led to more than {self._limits.max_redirects} redirects. "
            "Raise DownloadLimits.max_redirects if that is wanted.",
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
    sha256: str | None = None
    label: Label | None = field(default=None, repr=False)
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


def _read_body(
    answer: DownloadAnswer, meter: BodyMeter, file: IO[bytes], deadline: Deadline
) -> None:
    for chunk in answer.chunks:
        deadline.remaining()
        meter.feed(chunk)
        write(file, chunk)
    meter.finish()


def _inspect(
    received: _Received,
    file: IO[bytes],
    limits: DownloadLimits,
    foreign: str,
    label: Label | None,
    *,
    sign: bool,
) -> Inspection:
    try:
        return inspect(
            file,
            max_pixels=limits.max_pixels,
            formats=limits.formats,
            foreign=foreign,
            label=label,
            sign=sign,
        )
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
