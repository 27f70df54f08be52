"""The parts that a service is assembled from, handed from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from attrs import field, frozen

from .._plain import logger
from ..events import ServiceEvent
from ..policies import JobPolicy
from ..protocols import (
    AsyncCharacterDirectory,
    AsyncGenerationLedger,
    AsyncMediaStore,
    AsyncMetadataRepository,
    AsyncPromptSuggester,
    OperationHook,
    ProgressCallback,
)
from ..verification import VerificationCallback, VerificationProgressed

if TYPE_CHECKING:
    from .download import AsyncDownloader
    from .library import AsyncCharacterLibrary
    from .underway import AsyncUnderway

__all__ = ["CONCURRENCY", "AsyncParts", "AsyncServiceOptions", "tell"]

_log = logger("charimg.service")

CONCURRENCY = 6
"""How many images of a portfolio are downloaded at once, unless the host says otherwise."""


@frozen(kw_only=True)
class AsyncParts:
    """Everything that an operation needs, so that its steps are plain functions."""

    library: AsyncCharacterLibrary
    directory: AsyncCharacterDirectory
    media: AsyncMediaStore
    metadata: AsyncMetadataRepository
    ledger: AsyncGenerationLedger
    downloader: AsyncDownloader
    suggester: AsyncPromptSuggester
    underway: AsyncUnderway
    job_policy: JobPolicy
    lease_seconds: float
    concurrency: int
    max_prompt_bytes: int
    hooks: Sequence[OperationHook] = field(factory=tuple)
    media_documents: bool = True

    @property
    def thumbnail_px(self) -> int:
        """How large a thumbnail the media store would keep; 0 for none."""
        wanted = getattr(self.media, "thumbnail_px", 0)
        return wanted if isinstance(wanted, int) else 0


class AsyncServiceOptions(TypedDict, total=False):
    """What the constructor of the service takes beside client and stores."""

    downloader: AsyncDownloader
    suggester: AsyncPromptSuggester
    hooks: Sequence[OperationHook]
    job_policy: JobPolicy
    concurrency: int
    lease_seconds: float
    max_prompt_bytes: int
    media_documents: bool


def tell(
    listeners: Sequence[OperationHook | ProgressCallback | VerificationCallback],
    event: ServiceEvent | VerificationProgressed,
) -> None:
    """Tell every listener; one that raises is logged and does not disturb the operation."""
    for listener in listeners:
        try:
            listener(event)  # type: ignore[arg-type]  # each is only handed what it takes
        except Exception:  # noqa: BLE001 - a listener's bug must not cost an image
            _log.exception("listener.failed", extra={"event_type": type(event).__name__})
