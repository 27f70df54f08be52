"""``charimg verify``: read records, files and ledger against each other; mend what can be."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from .._sync.service import CharacterImageService
from ..verification import (
    Finding,
    FindingKind,
    FindingOutcome,
    VerificationProgressed,
    VerificationReport,
)
from .exit_codes import ExitCode
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .report import Report, plain, reporting, table
from .session import Settings, check_known
from .tables import short_ids

__all__ = ["verify"]

_AGAIN = "Nothing was left half done; run the same command again."


class _Progress:
    """A bar on a terminal; a line for each finding when it is there."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._bar = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=report.err,
            disable=not report.err.is_terminal,
        )
        self._task = self._bar.add_task("Reading", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()

    def __call__(self, event: VerificationProgressed, /) -> None:
        self._bar.update(self._task, completed=event.done, total=event.total)
        found = event.finding
        if found is None or found.kind == FindingKind.FOREIGN_FILE:
            return
        name = found.image_id or found.key or found.operation_id
        done = "" if found.outcome == FindingOutcome.TOLD else f", {found.outcome}"
        style = "" if found.resolved else "yellow"
        self._report.say(f"  {plain(found.kind)}: {plain(name)}{done}", style=style)


def verify(
    character: Annotated[
        str | None, typer.Argument(help="Only this character's.", show_default=False)
    ] = None,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Bring files back from where they were drawn, by their hash; remove files that "
            "the ledger proves to be left over.",
        ),
    ] = False,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read records, files and ledger against each other; nothing is ever drawn or paid for.

    Tells of files that are gone or altered, of thumbnails that are gone, of files that no record
    names, and of operations that are open. Without --repair nothing is changed.

    Exit code 7 when something is damaged or not accounted for, 8 when there are only operations
    that are open.
    """
    with reporting(as_json, interrupted=_AGAIN) as report:
        settings = Settings.of(directory, library_url, header)
        with _service(settings, repair=repair) as service:
            with _Progress(report) as progress:
                done = service.verify(character, repair=repair, on_progress=progress)
            if character is not None and not done.images:
                check_known(service, character)
        report.data(done, lambda: _table(report, done))
        _sum_up(report, done, repair=repair)


def _service(settings: Settings, *, repair: bool) -> AbstractContextManager[CharacterImageService]:
    # Only what is brought back comes from the Library.
    return settings.service() if repair else settings.offline()


def _table(report: Report, done: VerificationReport) -> Table:
    shown = [each for each in done.findings if each.kind != FindingKind.FOREIGN_FILE]
    ids = [each.image_id or each.key or each.operation_id or "" for each in shown]
    short = short_ids(ids)
    return table(
        ("finding", "character", "image or operation", "outcome", "message"),
        [
            (each.kind, each.character_id, short[name], each.outcome, _told(report, each))
            for each, name in zip(shown, ids, strict=True)
        ],
    )


def _told(report: Report, found: Finding) -> str:
    ids = {
        "CHARACTER": found.character_id,
        "IMAGE": found.image_id,
        "OPERATION": found.operation_id,
    }
    return report.told(found.message, **{name: id_ for name, id_ in ids.items() if id_ is not None})


def _sum_up(report: Report, done: VerificationReport, *, repair: bool) -> None:
    files = "" if done.files is None else f", {done.files} files in the store"
    report.say(
        f"{done.images} images and {done.bytes} bytes read{files}: {done.repaired} repaired, "
        f"{done.removed} removed, {done.unresolved} left."
    )
    foreign = done.found[FindingKind.FOREIGN_FILE]
    if foreign:
        report.say(f"{foreign} files are not charimg's; they stay.")
    open_ones = done.found[FindingKind.OPEN_OPERATION]
    if done.unresolved > open_ones:
        if not repair:
            report.say("`charimg verify --repair` brings back what can be brought back.")
        raise typer.Exit(ExitCode.PARTIAL)
    if open_ones:
        report.say(f"{open_ones} operations are open: `charimg recover` looks at them.")
        raise typer.Exit(ExitCode.UNRESOLVED)
