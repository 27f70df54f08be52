from __future__ import annotations

import io
from typing import Any

import pytest
from attrs import evolve
from rich.console import Console

from charimg._library.jobs import AWAY
from charimg.cli.progress import ProgressView
from charimg.cli.report import Report
from charimg.events import (
    ImageFailed,
    ImageStored,
    JobProgressed,
    OperationStarted,
    ReferenceRetried,
    WarningRaised,
)
from charimg.models import CharacterImage, ImageMetrics, Shot

from .process import without_escapes

IDS: dict[str, Any] = {"operation_id": "op", "character_id": "c"}


def _image(**changes: Any) -> CharacterImage:
    return CharacterImage(id="image-1", key="k", character_id="c", kind="scene", **changes)


def _job(current: int, total: int = 8, status: str = "processing") -> JobProgressed:
    return JobProgressed(job_id="j", status=status, current=current, total=total, **IDS)


def _stored(done: int, total: int) -> ImageStored:
    image = _image(status="succeeded")
    return ImageStored(operation_id="op", image=image, done=done, total=total)


def _failed(done: int, total: int, **changes: Any) -> ImageFailed:
    image = _image(status="failed", error="It broke.", **changes)
    return ImageFailed(operation_id="op", image=image, done=done, total=total)


class _Screen:
    """A report whose stderr is a terminal of 80 columns, or a file."""

    def __init__(self, *, terminal: bool) -> None:
        self.file = io.StringIO()
        self.report = Report(as_json=False)
        self.report.err = Console(
            file=self.file, force_terminal=terminal, width=80, color_system=None
        )

    @property
    def lines(self) -> list[str]:
        text = without_escapes(self.file.getvalue()).replace("\r", "\n")
        return [line.rstrip() for line in text.split("\n") if line.strip()]


def test_bars_for_the_job_and_for_the_downloads() -> None:
    screen = _Screen(terminal=True)
    with ProgressView(screen.report, "The portfolio") as progress:
        progress(OperationStarted(kind="portfolio", **IDS))
        progress(_job(0))
        progress(_job(2))
        progress(_stored(1, 6))
        progress(_failed(2, 6, metrics=ImageMetrics(shot=Shot(name="50mm [LEFT]\x1b"))))
    assert screen.report.told("candidates() shows it") == "`charimg settle op` shows it"
    title, *between, drawing, downloading = screen.lines
    assert title == "The portfolio"
    assert "  Failed: image-1 (50mm [LEFT] ): It broke." in between
    assert drawing.startswith("  Drawing ")
    assert " 8/8 " in drawing
    assert downloading.startswith("  Downloading ")
    assert " 2/6 " in downloading
    assert all(len(line) <= 80 for line in screen.lines)


def test_a_single_image_has_bars_too() -> None:
    screen = _Screen(terminal=True)
    with ProgressView(screen.report, "A scene") as progress:
        progress(_stored(1, 1))
    drawing, downloading = screen.lines[-2:]
    assert " 1/1 " in drawing
    assert " 1/1 " in downloading


def test_while_nothing_is_known_no_number_is_shown() -> None:
    screen = _Screen(terminal=True)
    with ProgressView(screen.report, "A scene") as progress:
        progress(_job(0, total=0))
    assert screen.lines[-1].startswith("  Drawing ")
    assert "/" not in screen.lines[-1]
    assert "Downloading" not in "".join(screen.lines)


def test_a_retry_draws_nothing() -> None:
    screen = _Screen(terminal=True)
    with ProgressView(screen.report, "Again", draws=False) as progress:
        progress(_stored(1, 1))
    assert "Drawing" not in "".join(screen.lines)
    assert " 1/1 " in screen.lines[-1]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_retry_and_warnings_are_told(terminal: bool) -> None:
    screen = _Screen(terminal=terminal)
    with ProgressView(screen.report, "A reference") as progress:
        progress(WarningRaised(code="SERVER_ERROR", message="It was not deleted.", **IDS))
        progress(ReferenceRetried(**IDS))
    text = " ".join(" ".join(screen.lines).split())
    assert "Warning: It was not deleted. (SERVER_ERROR)" in text
    assert "one more DELETE, one more POST" in text


def test_without_a_terminal_a_few_lines_are_enough() -> None:
    screen = _Screen(terminal=False)
    with ProgressView(screen.report, "The portfolio") as progress:
        for current in range(8):
            progress(_job(current))
            progress(_job(current))
        progress(_job(8, status="completed"))
        progress(_stored(1, 2))
        progress(_failed(2, 2))
    assert screen.file.getvalue().splitlines() == [
        "The portfolio …",
        "  job processing: 0/8",
        "  job processing: 2/8",
        "  job processing: 4/8",
        "  job processing: 6/8",
        "  job completed: 8/8",
        "  Failed: image-1: It broke.",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_that_the_connection_is_waited_for_is_told(terminal: bool) -> None:
    screen = _Screen(terminal=terminal)
    with ProgressView(screen.report, "The portfolio") as progress:
        progress(_job(2))
        progress(evolve(_job(2), task=AWAY))
        progress._progress.refresh()
        text = " ".join(screen.file.getvalue().split())
        assert "(Waiting for the connection to the Character Library)" in text
        progress(_job(2))
    if not terminal:
        assert [each.strip() for each in screen.file.getvalue().splitlines()[1:]] == [
            "job processing: 2/8",
            "job processing: 2/8 (Waiting for the connection to the Character Library)",
            "job processing: 2/8",
        ]


def test_downloads_can_be_counted_by_the_caller() -> None:
    screen = _Screen(terminal=True)
    with ProgressView(screen.report, "Again", draws=False) as progress:
        progress.settled(1, 3)
    assert screen.lines[-1].startswith("  Downloading ")
    assert " 1/3 " in screen.lines[-1]


def test_a_failure_ends_the_bars() -> None:
    screen = _Screen(terminal=True)
    with (
        pytest.raises(RuntimeError, match="stop"),
        ProgressView(screen.report, "A scene"),
    ):
        raise RuntimeError("stop")
    # The cursor is shown again.
    assert screen.file.getvalue().rindex("\x1b[?25h") > screen.file.getvalue().rindex("\x1b[?25l")
