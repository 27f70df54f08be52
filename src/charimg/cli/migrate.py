"""``charimg migrate``: copy everything to other stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

import typer
from attrs import evolve
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .._assembly import places
from .._assembly.places import Place, Role, parse_place
from .._assembly.settings import StoreSettings, check_directory
from .._assembly.stores import Stores, open_stores
from .._sync.migration import Migration
from ..errors import InvalidArgument
from ..migration import MigratedImage, MigrationOutcome, MigrationReport
from .exit_codes import ExitCode
from .options import DirectoryOption, JsonOption, directory_of
from .report import Report, plain, reporting, table
from .session import Settings

__all__ = ["migrate"]


_AGAIN = "Run the same command again; it goes on where it was."


def _to(role: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        f"--to-{role}",
        envvar=f"CHARIMG_TO_{role.upper()}",
        metavar="URL",
        help=f"Where the {what} go. A URL with a password is better kept in the environment.",
        show_default=False,
        show_envvar=True,
    )
    return option


def _target(
    source: StoreSettings, directory: Path | None, urls: dict[Role, tuple[str, str | None]]
) -> StoreSettings:
    def place(role: Role) -> Place | None:
        name, url = urls[role]
        return parse_place(url, role, source=name) if url else None

    if directory is not None:
        check_directory(directory, "--to-directory")
    target = source.moved(
        directory=directory,
        metadata=place(places.METADATA),
        media=place(places.MEDIA),
        ledger=place(places.LEDGER),
        characters=place(places.CHARACTERS),
    )
    here = source.by_role
    # What is only spelled differently stays where it is.
    kept: dict[str, Any] = {
        role: here[role] for role, there in target.by_role.items() if there.is_at(here[role])
    }
    target = evolve(target, **kept)
    if len(kept) == len(here):
        raise InvalidArgument(
            "There is nothing to copy, source and target are the same: give --to-directory, or "
            "where records or files go with --to-metadata and --to-media."
        )
    for outer, inner in ((here["media"], target.media), (target.media, here["media"])):
        if outer.holds(inner):
            raise InvalidArgument(
                f"Files cannot go from {here['media']} to {target.media}: {inner} lies in {outer}, "
                "and what removes one of them would remove both. Give a directory beside it."
            )
    return target


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
    to_directory: Annotated[
        Path | None,
        typer.Option(
            "--to-directory",
            parser=directory_of,
            metavar="DIRECTORY",
            help="Copy to the embedded default below this directory.",
            show_default=False,
        ),
    ] = None,
    to_metadata: Annotated[str | None, _to("metadata", "records")] = None,
    to_media: Annotated[str | None, _to("media", "files")] = None,
    to_ledger: Annotated[str | None, _to("ledger", "operations")] = None,
    to_characters: Annotated[str | None, _to("characters", "characters")] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy records, files, operations and characters to other stores.

    What no option names stays where it is. Every file is read back and compared by its hash. Run it
    again after a break: it goes on where it was. The source is only read; when the copy is
    complete, change the settings of every host.
    """
    with reporting(as_json, interrupted=_AGAIN) as report:
        settings = Settings.of(directory)
        settings.check_data()
        here = settings.places
        there = _target(
            here,
            to_directory,
            {
                places.METADATA: ("--to-metadata", to_metadata),
                places.MEDIA: ("--to-media", to_media),
                places.LEDGER: ("--to-ledger", to_ledger),
                places.CHARACTERS: ("--to-characters", to_characters),
            },
        )
        for role, place in there.by_role.items():
            if place != here.by_role[role]:
                report.say(f"{role}: {here.by_role[role]} -> {place}")
        with open_stores(here) as source, open_stores(there) as target:
            migration = Migration(
                source=source,
                target=target,
                copy_ledger=there.ledger != here.ledger,
                copy_characters=there.characters != here.characters,
            )
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
