"""``charimg migrate``: copy everything to other stores."""

from __future__ import annotations

from typing import Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .._assembly.stores import Stores
from .._sync.migration import Migration
from ..migration import MigratedImage, MigrationOutcome, MigrationReport
from .exit_codes import ExitCode
from .move import (
    Move,
    ToCharactersOption,
    ToDirectoryOption,
    ToLedgerOption,
    ToMediaOption,
    ToMetadataOption,
)
from .options import DirectoryOption, JsonOption
from .report import Report, plain, reporting, table
from .session import Settings

__all__ = ["migrate"]


_AGAIN = "Run the same command again; it goes on where it was."


class _Progress:
    """A bar on a terminal; elsewhere a line for each failure alone."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._bar = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=report.err,
            disable=not report.err.is_terminal,
        )
        self._task = self._bar.add_task("Copying", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()

    def __call__(self, image: MigratedImage, /) -> None:
        self._bar.advance(self._task)
        if image.outcome == MigrationOutcome.FAILED:
            name = f"{plain(image.character_id)}, image {image.key}"
            self._report.say(f"  Failed: {name}: {image.message}", style="yellow")


def _run(report: Report, source: Stores, migration: Migration) -> MigrationReport:
    ids = migration.character_ids()
    total = sum(source.metadata.list(each, limit=1).total for each in ids)
    report.say(f"{total} images of {len(ids)} characters")
    with _Progress(report, total) as progress:
        return migration.run(on_image=progress)


def migrate(
    to_directory: ToDirectoryOption = None,
    to_metadata: ToMetadataOption = None,
    to_media: ToMediaOption = None,
    to_ledger: ToLedgerOption = None,
    to_characters: ToCharactersOption = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy records, files, operations and characters to other stores.

    What no option names stays where it is. Every file is read back and compared by its hash. Run it
    again after a break: it goes on where it was. The source is only read; when the copy is
    complete, change the settings of every host.
    """
    with reporting(as_json, interrupted=_AGAIN) as report:
        move = Move.of(
            Settings.of(directory),
            to_directory,
            metadata=to_metadata,
            media=to_media,
            ledger=to_ledger,
            characters=to_characters,
        )
        with move.stores() as (source, migration):
            move.tell(report)
            done = _run(report, source, migration)
        report.data(
            done,
            lambda: table(
                ("copied", "present", "skipped", "failed", "bytes", "operations"),
                [(*done.outcomes.values(), done.bytes, done.operations)],
            ),
        )
        if done.extra:
            report.say(f"{done.extra} records are in the target alone; they stay.")
        if done.failures:
            report.say("Mend the failures above, then run it again.", style="yellow")
            raise typer.Exit(ExitCode.PARTIAL)
        report.say("Complete. Now change the settings of every host; the source is as it was.")
