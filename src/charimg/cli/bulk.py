"""``charimg bulk``: one work over many characters, resumable."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .._json import to_json
from .._sync.parts import ServiceOptions
from ..bulk import BulkOutcome, BulkProgress, BulkReport, BulkResult, BulkTask, BulkWork, run_bulk
from ..errors import InvalidArgument, StorageError
from .exit_codes import ExitCode
from .options import DirectoryOption, HeaderOption, JsonOption, LibraryUrlOption
from .report import Report, plain, reporting, table
from .session import Settings, suggesting

__all__ = ["bulk"]

_AGAIN = "With --manifest, the same command goes on where it was."
_ID = "character_id"
_INTEGERS = ("quality_threshold", "max_retries")
_LISTS = ("additional_characters",)
_COLUMNS = tuple(to_json(BulkResult(key="", character_id="", outcome="")))


def _read(file: str) -> list[BulkTask]:
    """Return the tasks of a CSV file with a head, or of one JSON object per line."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"--characters {file!r} cannot be read as UTF-8 text.") from error
    rows = _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)
    return [_task(number, row) for number, row in rows]


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    # Not by `splitlines`, which takes a line separator within a text for an end.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidArgument(f"--characters: line {number} is not JSON.") from error
        if not isinstance(row, dict):
            raise InvalidArgument(f"--characters: line {number} is not a JSON object.")
        yield number, row


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in rows:
            if None in row:
                raise InvalidArgument(f"--characters: line {rows.line_num} has too many cells.")
            yield rows.line_num, {name: _cell(name, cell) for name, cell in row.items() if cell}
    except csv.Error as error:
        raise InvalidArgument(f"--characters: line {rows.line_num} is not CSV.") from error


def _cell(name: str, cell: str) -> Any:
    if name in _INTEGERS:
        try:
            return int(cell)
        except ValueError as error:
            raise InvalidArgument(f"--characters: {name} must be an integer.") from error
    return [each.strip() for each in cell.split(";")] if name in _LISTS else cell


def _task(number: int, row: Mapping[str, Any]) -> BulkTask:
    character_id = row.get(_ID)
    if not isinstance(character_id, str) or not character_id:
        raise InvalidArgument(
            f"--characters: line {number} has no {_ID}; every row needs one, as a text."
        )
    options = {name: value for name, value in row.items() if name != _ID and value is not None}
    return BulkTask(character_id=character_id, options=options)


def _write(path: Path, report: BulkReport) -> None:
    """Write one result per line, as CSV or JSON Lines by the file's ending."""
    rows = [to_json(result) for result in report.results]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix.lower() != ".csv":
                file.writelines(json.dumps(row) + "\n" for row in rows)
                return
            writer = csv.DictWriter(file, _COLUMNS)
            writer.writeheader()
            writer.writerows({**row, "images": " ".join(row["images"])} for row in rows)
    except OSError as error:
        raise StorageError(f"--out {str(path)!r} cannot be written: {error.strerror}.") from error


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

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bar.stop()

    def __call__(self, progress: BulkProgress, /) -> None:
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


def bulk(
    work: Annotated[BulkWork, typer.Argument(help="What is done with each character.")],
    characters: Annotated[
        str,
        typer.Option(
            "--characters",
            metavar="FILE",
            help="CSV with a head, or a JSON object per line; - is stdin. One is character_id, the "
            "others are options by name: prompt, style, scene_context, ...",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where the results go: .csv, or else JSON Lines."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", help="Remembers what is done, so that a second run goes on."),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Threads.")] = 4,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, help="Characters in flight at most. Default: as many as workers."
        ),
    ] = None,
    directory: DirectoryOption = None,
    library_url: LibraryUrlOption = None,
    header: HeaderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do one work over many characters: what is done already is not done again.

    What an earlier run had begun is recovered, and never asked for twice. Ctrl-C waits for the
    characters in flight. Exit code 7 when some are not done; run the same command again.
    """
    with reporting(as_json, interrupted=_AGAIN) as report:
        tasks = _read(characters)
        settings = Settings.of(directory, library_url, header)
        options: ServiceOptions = suggesting() if work == BulkWork.REFERENCE else {}
        open_service = partial(settings.service, **options)
        with open_service():
            # What is configured wrongly is told once, not once per character.
            report.say(f"{work} of {len(tasks)} characters")
        with ThreadPoolExecutor(workers) as executor, _View(report, work) as view:
            done = run_bulk(
                work,
                tasks,
                open_service=open_service,
                executor=executor,
                in_flight=limit or workers,
                manifest=manifest,
                on_progress=view,
            )
        if out is not None:
            _write(out, done)
        report.data(
            {
                "total": done.total,
                "skipped": done.skipped,
                "outcomes": done.outcomes,
                "codes": done.codes,
                "failures": list(done.failures),
            },
            lambda: table(
                ("outcome", "characters"),
                [(name, count) for name, count in done.outcomes.items() if count],
            ),
        )
        _sum_up(report, done)
        if not done.complete:
            raise typer.Exit(ExitCode.PARTIAL)


def _sum_up(report: Report, done: BulkReport) -> None:
    if done.skipped:
        report.say(f"{done.skipped} were done by an earlier run.")
    for code, count in done.codes.items():
        report.say(f"  {code}: {count}", style="yellow")
    if not done.complete:
        report.say("Run the same command again to take them up.", style="yellow")
