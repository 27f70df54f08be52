"""Progress on stderr: bars on a terminal, a few lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from ..events import (
    ImageFailed,
    ImageStored,
    JobProgressed,
    ProgressEvent,
    ReferenceRetried,
    WarningRaised,
)
from .report import Report, plain

__all__ = ["ProgressView"]

_STEPS = 4
"""Without a terminal a job is told of in about that many lines."""


class ProgressView:
    """A progress callback that draws what it is told.

    Args:
        report: Where to draw.
        title: What is being done, e.g. ``Drawing the reference``.
    """

    def __init__(self, report: Report, title: str) -> None:
        self._report = report
        self._title = title
        self._live = report.err.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=report.err,
            disable=not self._live,
        )
        self._drawing = self._progress.add_task(title, total=None)
        self._storing: TaskID | None = None
        self._told: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        if not self._live:
            self._report.say(f"{self._title} …")
        self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def __call__(self, event: ProgressEvent, /) -> None:
        """Receive one event."""
        if isinstance(event, JobProgressed):
            self._job(event)
        elif isinstance(event, (ImageStored, ImageFailed)):
            self._image(event)
        elif isinstance(event, ReferenceRetried):
            self._report.say(
                "The Character Library still had a master reference image (400): one more DELETE, "
                "one more POST."
            )
        elif isinstance(event, WarningRaised):
            self._report.say(f"Warning: {event.message} ({event.code})", style="yellow")

    def _job(self, event: JobProgressed) -> None:
        total = event.total or None
        self._progress.update(self._drawing, total=total, completed=event.current)
        told = (event.status, event.current * _STEPS // event.total if event.total else 0)
        if not self._live and told != self._told:
            self._told = told
            self._report.say(f"  job {event.status}: {event.current}/{event.total}")

    def _image(self, event: ImageStored | ImageFailed) -> None:
        if self._storing is None:
            drawn = self._progress.tasks[0].total or event.total
            self._progress.update(self._drawing, total=drawn, completed=drawn)
            self._storing = self._progress.add_task("Storing", total=event.total)
        self._progress.update(self._storing, completed=event.done)
        if isinstance(event, ImageFailed):
            shot = event.image.metrics.shot
            name = event.image.id if shot is None else f"{event.image.id} ({plain(shot.name)})"
            self._report.say(f"Failed: {name}: {event.image.error}", style="yellow")
