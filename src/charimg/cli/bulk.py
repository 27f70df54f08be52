"""``charimg bulk``: one work over many characters, resumable."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .._offers import offers
from .._sync.parts import ServiceOptions
from ..bulk import (
    BulkOutcome,
    BulkProgress,
    BulkReport,
    BulkResult,
    BulkTask,
    BulkWork,
    DaskExecutor,
    run_bulk,
)
from ..errors import InvalidArgument
from ..protocols import ListableCharacterDirectory
from .exit_codes import ExitCode
from .move import (
    Move,
    ToCharactersOption,
    ToDirectoryOption,
    ToLedgerOption,
    ToMediaOption,
    ToMetadataOption,
)
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .report import Report, plain, reporting, table
from .rows import check_apart, check_writable, read_tasks, write_results
from .session import Settings, suggesting

__all__ = ["bulk"]

_AGAIN = "With --manifest, the same command goes on where it was."
_INTERRUPTED = "Interrupted."
_HOPELESS = frozenset({"CHARACTER_NOT_FOUND", "CHARACTER_NOT_LINKED", "INVALID_ARGUMENT"})
"""Codes of what fails in every run until somebody mends it."""
_DRAWING = (BulkWork.REFERENCE, BulkWork.PORTFOLIO, BulkWork.SCENE)
_THREADS = 4


class _View:
    """A bar with rate and remaining time on a terminal; elsewhere a line for each failure alone."""

    def __init__(self, report: Report, work: BulkWork) -> None:
        self._report = report
        self._bar = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[pace]}", markup=False),
            TimeElapsedColumn(),
            console=report.err,
            disable=not report.err.is_terminal,
        )
        self._task = self._bar.add_task(str(work), total=None, pace="")
        self._results: dict[str, BulkResult] = {}
        self._skipped = 0
        self.begun = False
        self.waits = False
        """Whether Ctrl-C came, and something is still in flight."""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()

    def so_far(self, tasks: Sequence[BulkTask], stopped: str) -> BulkReport:
        """Sum up a run that gives no report."""
        results = [self._results[each.key] for each in tasks if each.key in self._results]
        return BulkReport.of(len(tasks), self._skipped, results, stopped=stopped)

    def __call__(self, progress: BulkProgress, /) -> None:
        if progress.earlier:
            self._results = {each.key: each for each in progress.earlier}
            self._skipped = len(progress.earlier)
        if progress.result is not None:
            self._results[progress.result.key] = progress.result
        self.begun = True
        self.waits = progress.ending and progress.in_flight > 0
        if self.waits and progress.result is None:
            self._report.say(
                f"Waiting for {progress.in_flight} in flight; Ctrl-C again stops at once.",
                style="yellow",
            )
        left = progress.remaining_seconds
        pace = "" if left is None else f"{progress.rate:.2f}/s, {_duration(left)} left"
        self._bar.update(self._task, total=progress.total, completed=progress.done, pace=pace)
        result = progress.result
        if result is not None and result.outcome != BulkOutcome.DONE:
            name = plain(result.character_id)
            told = f"  {result.outcome}: {name}: {result.message} ({result.code})"
            self._report.say(told, style="yellow")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


@contextmanager
def _engine(
    report: Report, dask: str | None, workers: int | None, limit: int | None
) -> Iterator[tuple[Executor, int]]:
    """Open what does the work, and tell how many characters may be in flight."""
    if dask is None:
        threads = workers or _THREADS
        with ThreadPoolExecutor(threads) as executor:
            yield executor, limit or threads
        return
    if workers is not None:
        raise InvalidArgument(
            "--workers are threads of this command. With --dask the cluster's workers do the work; "
            "--limit says how many characters are in flight."
        )
    with DaskExecutor.connect(dask) as cluster:
        # What it says of lost workers and schedulers is told by the results.
        for name in ("distributed", "distributed.client", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if not cluster.threads:
            report.say("The cluster has no workers yet; waiting for one for five minutes at most.")
        yield cluster, limit or max(cluster.threads, 1)


def bulk(
    work: Annotated[BulkWork, typer.Argument(help="What is done with each character.")],
    characters: Annotated[
        str | None,
        typer.Option(
            "--characters",
            metavar="FILE",
            help="CSV with a head, or a JSON object per line; - is stdin. One is character_id, the "
            "others are options by name: prompt, style, scene_context, ... Only migrate goes "
            "without: then it is everybody.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where the results go: .csv, or else JSON Lines."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", help="Remembers what is done, so that a second run goes on."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help=f"Threads. Default: {_THREADS}", show_default=False),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Let the workers of a Dask cluster do it: its scheduler, tcp://host:8786.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            help="Characters in flight at most, over all workers. Default: as many as there are "
            "threads.",
            show_default=False,
        ),
    ] = None,
    to_directory: ToDirectoryOption = None,
    to_metadata: ToMetadataOption = None,
    to_media: ToMediaOption = None,
    to_ledger: ToLedgerOption = None,
    to_characters: ToCharactersOption = None,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do one work over many characters.

    With --manifest, what is done already is not done again, and what an earlier run may have paid
    for is never asked for twice. Without one, every run draws anew. Ctrl-C waits for the characters
    in flight. Exit code 7 when some are not done; run the same command again.

    reference deletes every earlier image of every listed character first, unless the column policy
    says keep-history or delete-after-success.
    """
    with reporting(as_json, interrupted=_AGAIN) as report:
        check_apart(characters=characters, manifest=manifest, out=out)
        settings = Settings.of(directory, library_url, header)
        move = Move.of(
            settings,
            to_directory,
            metadata=to_metadata,
            media=to_media,
            ledger=to_ledger,
            characters=to_characters,
        )
        if work == BulkWork.MIGRATE:
            tasks = _moving(report, move, characters)
            run = partial(run_bulk, open_migration=move.migration, scope=move.scope)
        else:
            if move.given:
                raise InvalidArgument(f"{work} copies nothing: --to-... is for migrate.")
            options: ServiceOptions = suggesting() if work == BulkWork.REFERENCE else {}
            open_service = partial(settings.service, **options)
            scope = f"in {settings.places.metadata.identity}"
            run = partial(run_bulk, open_service=open_service, scope=scope)
            tasks = _read(characters, work)
            with open_service():
                # What is configured wrongly is told once, not once per character.
                pass
        if out is not None:
            check_writable(out)
        report.say(f"{work} of {len(tasks)} character{'' if len(tasks) == 1 else 's'}")
        again = manifest is not None or work not in _DRAWING
        with _engine(report, dask, workers, limit) as (executor, in_flight):
            view = _View(report, work)
            try:
                with view:
                    done = run(
                        work,
                        tasks,
                        executor=executor,
                        in_flight=in_flight,
                        manifest=manifest,
                        on_progress=view,
                    )
            except KeyboardInterrupt:
                done = view.so_far(tasks, _INTERRUPTED)
                _tell(report, done, out, again=again)
                if view.waits:
                    # The second Ctrl-C. A process that ends in good order waits for its threads.
                    _end_at_once()
                raise typer.Exit(ExitCode.INTERRUPTED) from None
            except BaseException:
                if out is not None and view.begun:
                    write_results(out, view.so_far(tasks, ""))
                raise
        _tell(report, done, out, again=again)
        if not done.complete:
            raise typer.Exit(ExitCode.PARTIAL)


def _end_at_once() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(ExitCode.INTERRUPTED)


def _tell(report: Report, done: BulkReport, out: Path | None, *, again: bool) -> None:
    """Write the results down, and sum up."""
    if out is not None:
        write_results(out, done)
    report.data(
        {
            "total": done.total,
            "skipped": done.skipped,
            "outcomes": done.outcomes,
            "codes": done.codes,
            "stopped": done.stopped,
            "failures": list(done.failures),
        },
        lambda: table(
            ("outcome", "characters"),
            [(name, count) for name, count in done.outcomes.items() if count],
        ),
    )
    _sum_up(report, done, again=again)


def _read(characters: str | None, work: BulkWork) -> list[BulkTask]:
    if characters is None:
        raise InvalidArgument("Give --characters, the file that says whose images they are.")
    return read_tasks(characters, work)


def _moving(report: Report, move: Move, characters: str | None) -> list[BulkTask]:
    """Tell what goes where, and return whose images go."""
    with move.stores() as (source, migration):
        move.tell(report)
        if characters is not None:
            return read_tasks(characters, BulkWork.MIGRATE)
        ids = set(migration.character_ids())
        if offers(source.directory, ListableCharacterDirectory):
            ids |= {each.id for each in source.directory.list_all()}
        return [BulkTask(character_id=each) for each in sorted(ids)]


def _sum_up(report: Report, done: BulkReport, *, again: bool) -> None:
    if done.skipped:
        were = "was" if done.skipped == 1 else "were"
        report.say(f"{done.skipped} {were} done by an earlier run.")
    for code, count in done.codes.items():
        report.say(f"  {code}: {count}", style="yellow")
    if done.stopped is not None:
        left = done.total - len(done.results)
        report.say(
            f"Stopped: {done.stopped} {left} {'is' if left == 1 else 'are'} left.", style="red"
        )
    if done.complete:
        return
    if len(done.results) == done.total and all(each.code in _HOPELESS for each in done.failures):
        report.say("Mend what is told above; until then every run fails there.", style="yellow")
    elif again:
        report.say("Run the same command again to take them up.", style="yellow")
    else:
        report.say(
            "Run the same command again to take them up; without --manifest it does again what is "
            "done, too.",
            style="yellow",
        )
