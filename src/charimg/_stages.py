"""How long the stages of an operation take, and what they fail with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from attrs import define

from .errors import CharimgError
from .events import StageFinished
from .journal import Operation

__all__ = ["Measure", "Stages", "code_of", "timed"]


@define
class Measure:
    """What a stage says of itself.

    Attributes:
        bytes: The size of the file that it was about.
        duration_ms: How long it took, in milliseconds; 0 until it has ended.
    """

    bytes: int | None = None
    duration_ms: float = 0.0


@contextmanager
def timed(
    stage: str, op: Operation, tell: Callable[[StageFinished], None], *, key: str | None = None
) -> Iterator[Measure]:
    """Measure what is done inside, and tell of its end, good or bad.

    Args:
        stage: Its `Stage`.
        op: The operation.
        tell: Takes the event, in the thread or task that does the work.
        key: The key of the image that it is about.
    """
    measure = Measure()
    code = None
    began_at, begun = datetime.now(UTC), time.perf_counter()
    try:
        yield measure
    except BaseException as error:
        code = code_of(error)
        raise
    finally:
        measure.duration_ms = (time.perf_counter() - begun) * 1000
        tell(
            StageFinished(
                operation_id=op.id,
                kind=op.kind,
                character_id=op.character_id,
                stage=stage,
                began_at=began_at,
                duration_ms=measure.duration_ms,
                key=key,
                bytes=measure.bytes,
                code=code,
            )
        )


class Stages:
    """Keeps what workers measure until the operation itself tells of it.

    Args:
        op: The operation.
        tell: Takes the events.
    """

    def __init__(self, op: Operation, tell: Callable[[StageFinished], None]) -> None:
        self._op = op
        self._tell = tell
        self._kept: dict[str, list[StageFinished]] = {}

    def timed(self, stage: str, key: str) -> AbstractContextManager[Measure]:
        """Measure what a worker does inside for an image; see the function."""
        return timed(stage, self._op, self._kept.setdefault(key, []).append, key=key)

    def tell(self, key: str) -> None:
        """Tell what is known of an image."""
        for event in self._kept.pop(key, ()):
            self._tell(event)

    def tell_all(self) -> None:
        """Tell what is known of all images."""
        for key in tuple(self._kept):
            self.tell(key)


def code_of(error: BaseException) -> str:
    """Return the code of an error of ours, or its class name where it has none."""
    # That of a foreign one may be anything.
    code = getattr(error, "code", None) if isinstance(error, CharimgError) else None
    return type(error).__name__ if code is None else str(code)
