"""What bulk work takes and gives: frozen values that pickle, and that have a JSON form."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from attrs import field, frozen

from ..errors import InvalidArgument
from ..models import ReferencePolicy, SceneType, utcnow

__all__ = [
    "BulkCallback",
    "BulkOutcome",
    "BulkProgress",
    "BulkReport",
    "BulkResult",
    "BulkTask",
    "BulkWork",
    "check_task",
]


class BulkWork(StrEnum):
    """What is done with each character."""

    REFERENCE = "reference"
    PORTFOLIO = "portfolio"
    SCENE = "scene"
    RETRY = "retry"
    """Every failed image that was drawn is downloaded again."""
    RECOVER = "recover"
    MIGRATE = "migrate"
    """Everything of the character is copied to other stores."""


_OPTIONS: Mapping[BulkWork, frozenset[str]] = {
    BulkWork.REFERENCE: frozenset({"prompt", "policy", "created_by"}),
    BulkWork.PORTFOLIO: frozenset(
        {"reference_id", "style", "quality_threshold", "max_retries", "created_by"}
    ),
    BulkWork.SCENE: frozenset(
        {
            *("scene_context", "scene_type", "mood", "lighting", "environment"),
            *("additional_characters", "created_by"),
        }
    ),
    BulkWork.RETRY: frozenset(),
    BulkWork.RECOVER: frozenset(),
    BulkWork.MIGRATE: frozenset(),
}


_CLOSED: Mapping[str, type[StrEnum]] = {"policy": ReferencePolicy, "scene_type": SceneType}
"""Options that have few values."""


class BulkOutcome(StrEnum):
    """What became of one task."""

    DONE = "done"
    PARTIAL = "partial"
    """Some of its images failed. Another run downloads those again that were drawn."""
    FAILED = "failed"
    """See ``code`` and ``message``. Another run takes it up."""
    IN_PROGRESS = "in-progress"
    """Somebody else works on the character; nothing was sent."""
    WAITING = "waiting"
    """What was asked for earlier is still being drawn, or the Library is out of reach."""
    UNKNOWN = "unknown"
    """Nobody can tell whether it was drawn. It is looked for by every run, and not drawn again."""
    INTERRUPTED = "interrupted"
    """The worker gave no result. Another run recovers what it had begun."""


@frozen(kw_only=True)
class BulkTask:
    """One character, and how it differs from the others.

    Attributes:
        character_id: The host's id of the character.
        options: Keyword arguments of the service's method, ``{"prompt": …}`` for example. A scene
            needs its ``scene_context``; a character may have several scenes, of other works one.
    """

    character_id: str
    options: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)

    @property
    def key(self) -> str:
        """What the manifest calls it; a digest, so that no prompt stands there."""
        text = json.dumps([self.character_id, self.options.get("scene_context")])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@frozen(kw_only=True)
class BulkResult:
    """How one task ended. The records themselves are in the repository.

    Attributes:
        key: `BulkTask.key`.
        character_id: The host's id of the character.
        outcome: A `BulkOutcome`.
        images: The ids of the stored images; of a migration, charimg's keys of the images that are
            in the target.
        failed: How many images failed.
        recovered: Whether an earlier operation had drawn them, so that nothing was asked for again.
        operation_id: The operation in the ledger, when one is known.
        code: Why it is not done: an `ErrorCode`, or the kind of error.
        message: The same in plain text, without prompts and keys.
        duration_ms: From start to end, in the worker.
        ended_at: When.
    """

    key: str
    character_id: str
    outcome: str
    images: tuple[str, ...] = ()
    failed: int = 0
    recovered: bool = False
    operation_id: str | None = None
    code: str | None = None
    message: str = ""
    duration_ms: float = 0.0
    ended_at: datetime = field(factory=utcnow)


@frozen(kw_only=True)
class BulkProgress:
    """How far a run has come.

    Attributes:
        result: The task that has ended just now; ``None`` at the beginning, and at Ctrl-C.
        done: How many tasks have ended, those of earlier runs included.
        total: How many there are.
        rate: Tasks per second of this run.
        remaining_seconds: How long the others will take at this rate; ``None`` until one has ended.
        in_flight: How many are handed out and have not ended.
        ending: Whether no more are handed out, by Ctrl-C: those in flight are waited for.
        earlier: The results of earlier runs; at the beginning alone.
    """

    result: BulkResult | None
    done: int
    total: int
    rate: float
    remaining_seconds: float | None
    in_flight: int = 0
    ending: bool = False
    earlier: tuple[BulkResult, ...] = field(default=(), repr=False)


class BulkCallback(Protocol):
    """Told of the beginning, every end, and Ctrl-C. An exception in it ends the run."""

    def __call__(self, progress: BulkProgress, /) -> None:
        """Receive how far it is; return quickly."""


@frozen(kw_only=True)
class BulkReport:
    """What a run did.

    Attributes:
        total: How many tasks there are.
        skipped: How many an earlier run had done, by the manifest.
        outcomes: How many ended how, those skipped included.
        codes: How many are not done, by code.
        results: One for each task that has ended, in the order of the tasks.
        stopped: Why the executor does nothing more, if it broke; then results may be missing.
    """

    total: int
    skipped: int = 0
    outcomes: Mapping[str, int] = field(factory=dict, hash=False)
    codes: Mapping[str, int] = field(factory=dict, hash=False)
    results: tuple[BulkResult, ...] = ()
    stopped: str | None = None

    @classmethod
    def of(
        cls,
        total: int,
        skipped: int,
        results: Sequence[BulkResult],
        *,
        stopped: str | None = None,
    ) -> BulkReport:
        """Sum up."""
        counted = Counter(result.outcome for result in results)
        codes = Counter(result.code for result in results if result.code is not None)
        return cls(
            total=total,
            skipped=skipped,
            outcomes={str(each): counted[each] for each in BulkOutcome},
            codes=dict(codes.most_common()),
            results=tuple(results),
            stopped=stopped,
        )

    @property
    def failures(self) -> tuple[BulkResult, ...]:
        """The results that another run takes up."""
        return tuple(each for each in self.results if each.outcome != BulkOutcome.DONE)

    @property
    def complete(self) -> bool:
        """Whether every task is done."""
        return len(self.results) == self.total and not self.failures


def check_task(work: BulkWork, task: BulkTask) -> None:
    """Refuse options and values that the work does not have.

    Raises:
        InvalidArgument: There is such an option or value, or a scene has no context.
    """
    known = _OPTIONS[work]
    unknown = sorted(set(task.options) - known)
    if unknown:
        raise InvalidArgument(
            f"{work} of character {task.character_id!r} has no option {unknown[0]!r}; there are: "
            f"{', '.join(sorted(known)) or 'none'}."
        )
    for name, kinds in _CLOSED.items():
        value = task.options.get(name)
        if value is not None and value not in list(kinds):
            raise InvalidArgument(
                f"{work} of character {task.character_id!r}: there is no {name} {value!r}; choose "
                f"one of: {', '.join(kinds)}."
            )
    if work == BulkWork.SCENE and not task.options.get("scene_context"):
        raise InvalidArgument(f"The scene of character {task.character_id!r} has no scene_context.")
