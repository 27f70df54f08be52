"""``charimg demo``: the main job over real HTTP, a real SQLite file and real image files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .._assembly.embedded import embedded
from .contact_sheet import write_contact_sheet
from .demo_directory import SHEET, prepare
from .demo_story import CHARACTER, simulated, tell_story
from .demo_truth import Truth, read_back
from .exit_codes import ExitCode
from .options import JsonOption
from .pages import serve_pages
from .report import Report, reporting
from .session import Settings
from .simulate import require_local
from .tables import image_table

__all__ = ["demo"]


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
    page: Annotated[
        bool | None,
        typer.Option(
            "--page/--no-page",
            help="Whether to open the images page at the end. Default: only on a terminal.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the main job against a simulated Character Library.

    A reference; a second one that replaces it, with the delete-and-retry; 27 shots, one of which
    first fails to download and is retried; a scene; a table; a contact sheet. Then the images page,
    in a browser, until Ctrl-C.
    """
    if page is None:
        page = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    with reporting(as_json) as report:
        require_local()
        prepare(directory)
        with simulated(seed) as server:
            tell_story(report, server, directory)
            truth = read_back(directory, CHARACTER.id, server.url)
            _conclude(report, directory, truth)
            if page:
                settings = Settings.of(directory, server.url)
                serve_pages(report, settings, demo=True, opened=CHARACTER.id)
            else:
                report.say("To see the images page: charimg demo --page")
