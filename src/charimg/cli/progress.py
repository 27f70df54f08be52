"""Progress on stderr: bars on a terminal, a few lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from .._library.jobs import AWAY
from ..events import (
    ImageFailed,
    ImageStored,
    JobProgressed,
    OperationStarted,
    ProgressEvent,
    ReferenceRetried,
    WarningRaised,
)
from .report import Report, plain

__all__ = ["ProgressView"]

_STEPS = 4
"""Without a terminal a job is told of in about that many lines."""


class _Count(ProgressColumn):
    """``7/27``; nothing while it is unknown how much there is to do."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class ProgressView:
    """A progress callback that draws what it is told.

    Args:
        report: Where to draw.
        title: What is being done, e.g. ``A scene``.
        draws: Whether the Character Library draws something first.
    """

    def __init__(self, report: Report, title: str, *, draws: bool = True) -> None:
        self._report = report
        self._title = title
        self._live = report.err.is_terminal
        self._progress = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            _Count(),
            TimeElapsedColumn(),
            console=report.err,
        )
        self._drawing = self._progress.add_task("Drawing", total=None, visible=draws)
        self._downloading = self._progress.add_task("Downloading", total=None, visible=not draws)
        self._told: tuple[str, str, int] | None = None

    def __enter__(self) -> Self:
        self._report.say(self._title if self._live else f"{self._title} …")
        if self._live:
            self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._progress.stop()

    def __call__(self, event: ProgressEvent, /) -> None:
        """Receive one event."""
        if isinstance(event, OperationStarted):
            self._report.known["OPERATION"] = event.operation_id
        elif isinstance(event, JobProgressed):
            self._job(event)
        elif isinstance(event, (ImageStored, ImageFailed)):
            self._image(event)
        elif isinstance(event, ReferenceRetried):
            self._report.say(
                "  The Character Library still had a master reference image (400): one more "
                "DELETE, one more POST."
            )
        elif isinstance(event, WarningRaised):
            self._report.warn(event.code, event.message)

    def settled(self, done: int, total: int) -> None:
        """Show that so many of the downloads have ended, well or not."""
        self._progress.update(self._downloading, total=total, completed=done, visible=True)

    def _job(self, event: JobProgressed) -> None:
        total = event.total or None
        self._progress.update(self._drawing, total=total, completed=event.current)
        waits = f" ({event.task})" if event.task == AWAY else ""
        self._progress.update(self._drawing, description=f"Drawing{waits}")
        told = (waits, event.status, event.current * _STEPS // event.total if event.total else 0)
        if not self._live and told != self._told:
            self._told = told
            self._report.say(f"  job {event.status}: {event.current}/{event.total}{waits}")

    def _image(self, event: ImageStored | ImageFailed) -> None:
        # What can be downloaded has been drawn.
        self._finish(self._drawing, event.total)
        self.settled(event.done, event.total)
        if isinstance(event, ImageFailed):
            shot = event.image.metrics.shot
            name = event.image.id if shot is None else f"{event.image.id} ({plain(shot.name)})"
            self._report.say(f"  Failed: {name}: {event.image.error}", style="yellow")

    def _finish(self, task: TaskID, total: int) -> None:
        known = self._progress.tasks[task].total
        self._progress.update(task, total=known or total, completed=known or total)
