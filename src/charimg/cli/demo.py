"""``charimg demo``: the main job over real HTTP, a real SQLite file and real image files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from .._assembly.embedded import DATABASE, MEDIA, embedded
from ..errors import ConfigurationError
from .contact_sheet import write_contact_sheet
from .demo_story import CHARACTER, simulated, tell_story
from .demo_truth import Truth, read_back
from .exit_codes import ExitCode
from .options import JsonOption
from .report import Report, reporting
from .simulate import require_local
from .tables import image_table

__all__ = ["demo", "prepare"]

MARKER = ".charimg-demo"
SHEET = "contact-sheet.png"

_MARKER_TEXT = (
    "This directory belongs to `charimg demo`, which removes its own files and makes them anew.\n"
)


def prepare(directory: Path) -> Path:
    """Make the demo's directory, and remove what a former demo left in it.

    Only the demo's own files go. A directory that holds anything and is not a former demo's is left
    alone.

    Raises:
        ConfigurationError: It is no former demo directory, and not empty; or it cannot be made.
    """
    marker = directory / MARKER
    try:
        former = marker.is_file()
        if directory.is_symlink() or (
            directory.exists()
            and not former
            and (not directory.is_dir() or any(directory.iterdir()))
        ):
            raise ConfigurationError(
                f"{str(directory)!r} is not a former demo directory, so nothing in it was touched. "
                "Give an empty or new one with --directory."
            )
        directory.mkdir(parents=True, exist_ok=True)
        if former:
            shutil.rmtree(directory / MEDIA, ignore_errors=True)
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", SHEET):
                (directory / name).unlink(missing_ok=True)
        marker.write_text(_MARKER_TEXT, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The demo directory {str(directory)!r} cannot be made ({error.strerror}). Give "
            "another --directory."
        ) from error
    return directory


def _sheet(directory: Path, truth: Truth) -> Path:
    path = directory / SHEET
    stores = embedded(directory)
    try:
        # The story's order: the reference, the portfolio as it was drawn, the scene.
        write_contact_sheet(truth.images[::-1], stores.media, path)
    finally:
        stores.database.close()
    return path


def _conclude(report: Report, directory: Path, truth: Truth) -> None:
    # Images that are not what they should be may be none at all: no sheet of those.
    sheet = None if truth.problems else _sheet(directory, truth)
    report.data(truth.summary, lambda: image_table(truth.images))
    counts = truth.summary
    report.say(
        f"{counts['mediaFiles']} files, {counts['mediaBytes'] / 1024:.0f} KiB in "
        f"{counts['directory']}"
    )
    if sheet is None:
        for problem in truth.problems:
            report.say(f"Wrong: {problem}.", style="red")
        report.say("Error: the demo's result is not what the policy says.", style="red")
        raise typer.Exit(ExitCode.UNEXPECTED)
    report.say(f"Contact sheet: {sheet}")


def demo(
    # Not CHARIMG_DIR: that names real data.
    directory: Annotated[
        Path, typer.Option("--directory", "-d", help="Made anew by each demo.")
    ] = Path("charimg-demo"),
    seed: Annotated[int, typer.Option("--seed", help="Of the drawn images.")] = 1,
    as_json: JsonOption = False,
) -> None:
    """Show the main job against a simulated Character Library.

    A reference; a second one that replaces it, with the delete-and-retry; 27 shots, one of which
    first fails to download and is retried; a scene; a table; a contact sheet.
    """
    with reporting(as_json) as report:
        require_local()
        prepare(directory)
        with simulated(seed) as server:
            tell_story(report, server, directory)
            truth = read_back(directory, CHARACTER.id, server.url)
        _conclude(report, directory, truth)
