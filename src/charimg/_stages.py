"""How long the stages of an operation take, and what they fail with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import define

from .errors import CharimgError
from .events import StageFinished
from .journal import Operation

__all__ = ["Measure", "code_of", "timed"]


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


def code_of(error: BaseException) -> str:
    """Return the code of an error of ours, or its class name where it has none."""
    # That of a foreign one may be anything.
    code = getattr(error, "code", None) if isinstance(error, CharimgError) else None
    return type(error).__name__ if code is None else str(code)
