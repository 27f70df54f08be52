"""What the simulated server does wrong, and when."""

from __future__ import annotations

from typing import Any

import attrs
from attrs import define, field

from ...errors import InvalidArgument

__all__ = ["Switches"]

_BOOL: Any = attrs.validators.instance_of(bool)
_COUNT: Any = [attrs.validators.instance_of(int), attrs.validators.ge(0)]
_SECONDS: Any = [attrs.validators.instance_of((int, float)), attrs.validators.ge(0)]
_SCORE: Any = [*_SECONDS, attrs.validators.le(100)]
_count: Any = lambda: field(default=0, validator=_COUNT)  # noqa: E731
_seconds: Any = lambda: field(default=0.0, validator=_SECONDS)  # noqa: E731


def _of_48(_: object, __: object, value: int) -> None:
    if value % 48 or not 48 <= value <= 4800:
        raise ValueError(f"width must be a multiple of 48, from 48 to 4800: {value}")


@define(kw_only=True)
class Switches:
    """Failures to turn on, on a running simulator too. A number means "the next so many".

    Attributes:
        down: The connection is refused.
        broken_connections: Requests whose connection breaks before the server does anything.
        lost_answers: Generations that the server carries out, and whose connection then breaks.
        gateway_errors: Requests that a gateway answers with a 502 in HTML.
        rate_limited: Requests answered with a 429.
        retry_after: What such an answer says in ``Retry-After``, in seconds.
        truncated_answers: JSON answers of which the second half is missing.
        wrong_types: JSON answers in which every string that is an id or a URL is a number.
        missing_fields: JSON answers without any id or URL.
        api_seconds: How long every API answer takes.
        generation_errors: Initial images, scenes and images on demand that the model refuses.
        generation_error: The ``details`` of those answers.
        upload_errors: Initial and scene images that are drawn and cannot be kept.
        processing_errors: Initial images and images on demand of which the features cannot be
            read.
        generation_seconds: How long an initial image, a scene or an image on demand takes. Until
            then it is not there, and another one is not refused; it comes even if the client has
            given up.
        flat_initial_image: Answer an initial image flat instead of below ``data``.
        relative_urls: Give image URLs relative to the server's root.
        odd_public_urls: The ``publicUrl`` has no extension, and is another than the gallery's URL.
        reference_delete_errors: Reference DELETEs that fail with a 500.
        set360_mode: ``job`` (202, the current generation) or ``images`` (200, the older one).
        set360_errors: 360° sets that are refused with a 500.
        job_seconds: How long a 360° job takes; 0 is done when first polled.
        shots: How many of the 27 shots a set has, for quick tests.
        failing_shots: Shots that the model refuses.
        lost_shots: Shots that are drawn, and of which the bucket loses the file. A set with any
            fails at its end; its other shots stay as media documents, in no gallery.
        fail_jobs: Every job ends without any image.
        strand_jobs: Every job that is not done stands still and says ``processing`` for ever, as
            after a restart; its shots so far stay as media documents. Without it they go on.
        dead_result_urls: The URLs of job results lead nowhere (as the real ones often do).
        quality_score: What an image that is drawn scores in quality, 0 to 100; a scene always 85.
        consistency_score: In likeness to its reference, 0 to 100; a scene always 90.
        gallery_lacks: How many images of each set the gallery leaves out.
        gallery_errors_after: After how many further gallery listings they fail with a 500; ``None``
            is never.
        media_errors: Media documents that are not found.
        media_closed: The list of media documents is not for everybody.
        misnamed_files: Core images are named ``.png`` and hold JPEG, WebP is served as JPEG.
        file_errors: File downloads answered with a 500.
        truncated_files: File downloads that break in the middle.
        html_files: File downloads that bring HTML with an image's content type.
        file_seconds: How long every file download takes.
        width: How wide an image is in pixels, a multiple of 48; its height is four thirds of that.
            Small images make tests quick.
        clock_offset: How many seconds the server's clock is ahead; may be negative.
        date_offset: How many seconds the ``Date`` of its answers is ahead of that, as a proxy's is;
            may be negative.
    """

    down: bool = field(default=False, validator=_BOOL)
    broken_connections: int = _count()
    lost_answers: int = _count()
    gateway_errors: int = _count()
    rate_limited: int = _count()
    retry_after: float = _seconds()
    truncated_answers: int = _count()
    wrong_types: int = _count()
    missing_fields: int = _count()
    api_seconds: float = _seconds()
    generation_errors: int = _count()
    generation_error: str = field(
        default='Fal.ai API error: 503 - {"detail":"service unavailable"}',
        validator=attrs.validators.instance_of(str),
    )
    upload_errors: int = _count()
    processing_errors: int = _count()
    generation_seconds: float = _seconds()
    flat_initial_image: bool = field(default=False, validator=_BOOL)
    relative_urls: bool = field(default=False, validator=_BOOL)
    odd_public_urls: bool = field(default=False, validator=_BOOL)
    reference_delete_errors: int = _count()
    set360_mode: str = field(default="job", validator=attrs.validators.in_(("job", "images")))
    set360_errors: int = _count()
    job_seconds: float = _seconds()
    shots: int = field(
        default=27, validator=[*_COUNT, attrs.validators.ge(1), attrs.validators.le(27)]
    )
    failing_shots: int = _count()
    lost_shots: int = _count()
    fail_jobs: bool = field(default=False, validator=_BOOL)
    strand_jobs: bool = field(default=False, validator=_BOOL)
    dead_result_urls: bool = field(default=True, validator=_BOOL)
    quality_score: float = field(default=88.5, validator=_SCORE)
    consistency_score: float = field(default=93.2, validator=_SCORE)
    gallery_lacks: int = _count()
    gallery_errors_after: int | None = field(
        default=None, validator=attrs.validators.optional(_COUNT)
    )
    media_errors: int = _count()
    media_closed: bool = field(default=False, validator=_BOOL)
    misnamed_files: bool = field(default=True, validator=_BOOL)
    file_errors: int = _count()
    truncated_files: int = _count()
    html_files: int = _count()
    file_seconds: float = _seconds()
    width: int = field(default=384, validator=[*_COUNT, _of_48])
    clock_offset: float = field(default=0.0, validator=attrs.validators.instance_of((int, float)))
    date_offset: float = field(default=0.0, validator=attrs.validators.instance_of((int, float)))

    def take(self, name: str) -> bool:
        """Use one of a counted switch up; tell whether there was one."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def change(self, changes: dict[str, Any]) -> None:
        """Set several switches by name, all or none.

        Raises:
            InvalidArgument: A name or a value makes no sense.
        """
        known = {each.name for each in attrs.fields(Switches)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise InvalidArgument(
                f"There is no switch {', '.join(unknown)}. There are: {', '.join(sorted(known))}."
            )
        try:
            attrs.evolve(self, **changes)
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"A switch cannot have that value: {error.args[0]}") from error
        for name, value in changes.items():
            setattr(self, name, value)
