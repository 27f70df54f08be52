"""Settings as values: how often to retry, how long to wait, how much to accept."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any

from attrs import Attribute, field, frozen

from .errors import InvalidArgument

__all__ = [
    "CLEAN",
    "FORMATS",
    "KEEP",
    "LABEL",
    "READ",
    "REFUSE",
    "SIGN",
    "USUAL",
    "DownloadLimits",
    "JobPolicy",
    "ProvenancePolicy",
    "RetryPolicy",
    "Timeouts",
]


def _number(
    words: str, fits: Callable[[Any], bool], *, whole: bool = False
) -> Callable[[Any, Attribute[Any], Any], None]:
    kinds = int if whole else (int, float)

    def check(policy: Any, attribute: Attribute[Any], value: Any) -> None:
        # NaN fits nowhere: every comparison with it is false.
        if isinstance(value, bool) or not isinstance(value, kinds) or not fits(value):
            noun = "whole number" if whole else "number"
            raise InvalidArgument(
                f"{type(policy).__name__}.{attribute.name} must be a {noun} {words}, not {value!r}."
            )

    return check


_positive = _number("above 0", lambda value: value > 0)
_not_negative = _number("of at least 0", lambda value: value >= 0)
_share = _number("from 0 to 1", lambda value: 0 <= value <= 1)
_growth = _number("of at least 1", lambda value: value >= 1)
_count = _number("of at least 1", lambda value: value >= 1, whole=True)
_count_from_0 = _number("of at least 0", lambda value: value >= 0, whole=True)


@frozen(kw_only=True)
class RetryPolicy:
    """How idempotent calls (reads, downloads, job polls) are repeated.

    Generations and the remote reference DELETE are never repeated, whatever stands here. The wait
    before attempt *n* is ``min(wait_max, wait_initial × 2ⁿ⁻² + random(0, wait_jitter))`` seconds,
    or what the server asks for in ``Retry-After``, at most ``retry_after_max``.

    Attributes:
        attempts: Attempts in all, the first included; 1 switches retries off.
        timeout: Seconds over all attempts after which no further one starts.
        wait_initial: Seconds before the second attempt.
        wait_max: Cap in seconds on a computed wait.
        wait_jitter: Upper bound in seconds of the random part.
        retry_after_max: Cap in seconds on ``Retry-After``.
    """

    attempts: int = field(default=4, validator=_count)
    timeout: float = field(default=60.0, validator=_positive)
    wait_initial: float = field(default=0.25, validator=_not_negative)
    wait_max: float = field(default=8.0, validator=_not_negative)
    wait_jitter: float = field(default=0.5, validator=_not_negative)
    retry_after_max: float = field(default=30.0, validator=_not_negative)

    @classmethod
    def off(cls) -> RetryPolicy:
        """Return the policy that never repeats anything."""
        return cls(attempts=1)


@frozen(kw_only=True)
class Timeouts:
    """Seconds per kind of call to the Character Library.

    Attributes:
        connect: To reach the server, for every kind of call.
        read: For a read, a job poll, or a small write to answer.
        delete: For the reference DELETE to answer.
        generation: For a generation to answer; a real one takes minutes.
    """

    connect: float = field(default=10.0, validator=_positive)
    read: float = field(default=30.0, validator=_positive)
    delete: float = field(default=60.0, validator=_positive)
    generation: float = field(default=600.0, validator=_positive)


@frozen(kw_only=True)
class JobPolicy:
    """How a 360° job is watched. A real one takes 15 to 30 minutes (contract page).

    Attributes:
        interval: Seconds before the second poll.
        growth: Factor from one interval to the next.
        interval_max: Cap in seconds on an interval.
        jitter: Share of each interval that is random, 0 to 1.
        deadline: Seconds after which waiting ends with ``JOB_STRANDED``. A job that a restart of
            the server left behind says ``processing`` for ever.
        stall: Seconds without any progress after which waiting ends with ``JOB_STRANDED``.
        cancel_grace: Seconds that a job must keep saying ``cancelled`` to be believed: a
            cancellation is cosmetic, and the job usually goes on.
        max_images: Cap on the images of one set; a real one has 27. A server that names more fails
            with ``TOO_MANY_IMAGES`` before anything is asked for or written down of any of them.
    """

    interval: float = field(default=2.0, validator=_positive)
    growth: float = field(default=1.5, validator=_growth)
    interval_max: float = field(default=20.0, validator=_positive)
    jitter: float = field(default=0.25, validator=_share)
    deadline: float = field(default=3600.0, validator=_positive)
    stall: float = field(default=900.0, validator=_positive)
    cancel_grace: float = field(default=60.0, validator=_not_negative)
    max_images: int = field(default=1000, validator=_count)


CLEAN, REFUSE, KEEP = "clean", "refuse", "keep"
"""What becomes of what is no image, in an image's file."""

READ, LABEL, SIGN = "read", "label", "sign"
"""What is done so that a file tells where it comes from."""

FORMATS = ("avif", "gif", "jpeg", "png", "webp")
USUAL = frozenset(FORMATS) - {"gif"}
"""Those that nobody need ask for."""


def _formats(names: Iterable[str]) -> frozenset[str]:
    try:
        found: frozenset[str] = frozenset([names] if isinstance(names, str) else names)
    except TypeError as error:
        raise InvalidArgument("DownloadLimits.formats must be a collection of names.") from error
    if not found or not found <= set(FORMATS):
        raise InvalidArgument(
            f"DownloadLimits.formats must be some of {', '.join(FORMATS)}, not "
            f"{sorted(map(repr, found))}."
        )
    return found


def _one_of(*names: str) -> Callable[[Any, Attribute[Any], Any], None]:
    def check(policy: Any, attribute: Attribute[Any], value: Any) -> None:
        if value not in names:
            raise InvalidArgument(
                f"{type(policy).__name__}.{attribute.name} must be one of {', '.join(names)}, "
                f"not {value!r}."
            )

    return check


@frozen(kw_only=True)
class DownloadLimits:
    """What a download may cost, and what it may bring in.

    Attributes:
        max_bytes: Cap on the file's size.
        timeout: Seconds for the whole download: DNS, connect, TLS, headers and body.
        connect_timeout: Seconds to connect.
        max_redirects: Redirects followed, each checked again.
        max_pixels: Cap on width × height, read from the header before anything is decoded. For an
            animation it holds for all of its frames together.
        formats: The types of file that are accepted, as the bytes show them: ``png``, ``jpeg``,
            ``webp`` and ``avif``, to which ``gif`` can be added.
        foreign: What becomes of what is no image in the file of an image: bytes behind it or
            between its parts, further pictures, markup, scripts, archives and documents in its
            metadata. ``clean`` leaves it out without touching a pixel, and the record says what;
            ``refuse`` refuses the image; ``keep`` stores the file as it was sent.
        spool_bytes: What is kept in memory before a temporary file is used.
    """

    max_bytes: int = field(default=64 * 1024 * 1024, validator=_count)
    timeout: float = field(default=120.0, validator=_positive)
    connect_timeout: float = field(default=10.0, validator=_positive)
    max_redirects: int = field(default=3, validator=_count_from_0)
    max_pixels: int = field(default=100_000_000, validator=_count)
    formats: frozenset[str] = field(default=USUAL, converter=_formats)
    foreign: str = field(default=CLEAN, validator=_one_of(CLEAN, REFUSE, KEEP))
    spool_bytes: int = field(default=256 * 1024, validator=_count_from_0)


@frozen(kw_only=True)
class ProvenancePolicy:
    """What is written into the file of an image, so that it tells that a model has drawn it.

    Attributes:
        mode: ``read`` changes nothing: what a file says of itself goes into the record, as it does
            in every mode. ``label`` writes XMP with the IPTC source type
            ``trainedAlgorithmicMedia``. ``sign`` does, too, and then signs content credentials
            (C2PA), which needs ``pip install 'charimg[c2pa]'``.
        provider: Who is named as the one that drew it.
        prompt: Whether the label tells the prompt.
        certificate: The PEM file of the certificate that signs, followed by those above it.
        key: The PEM file of its private key, without a password.
        signer: Instead of the key: returns the signature of bytes, made by a key management service
            for example. Called in workers, several at a time. ECDSA signatures may be in either
            form, DER or IEEE P1363.
        timestamp_url: A time-stamping authority (RFC 3161): what it confirms stays valid when the
            certificate has ended. Asked for each image.

    Raises:
        InvalidArgument: ``sign`` without a certificate, or not exactly one of key and signer.
    """

    mode: str = field(default=READ, validator=_one_of(READ, LABEL, SIGN))
    provider: str = "Character Library"
    prompt: bool = False
    certificate: str | PathLike[str] | None = None
    key: str | PathLike[str] | None = field(default=None, repr=False)
    signer: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    timestamp_url: str | None = field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.mode == SIGN and (
            self.certificate is None or (self.key is None) == (self.signer is None)
        ):
            raise InvalidArgument(
                'ProvenancePolicy(mode="sign") needs a certificate, and either a key or a signer.'
            )
