"""The files of ``charimg bulk``: tasks in, results out, as CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from .._json import to_json
from ..bulk import BulkReport, BulkResult, BulkTask, BulkWork
from ..bulk.values import check_task
from ..errors import InvalidArgument, StorageError

__all__ = ["check_apart", "check_writable", "read_tasks", "write_results"]

_ID = "character_id"
_INTEGERS = ("quality_threshold", "max_retries")
_LISTS = ("additional_characters",)
_COLUMNS = tuple(to_json(BulkResult(key="", character_id="", outcome="")))


def read_tasks(file: str, work: BulkWork) -> list[BulkTask]:
    """Return the tasks of a CSV file with a head, or of one JSON object per line.

    Raises:
        InvalidArgument: It cannot be read, names nobody or somebody twice, or has an option that
            the work does not have.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidArgument(f"--characters {file!r} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"--characters {file!r} is not UTF-8 text.") from error
    rows = _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)
    lines: dict[str, int] = {}
    tasks = [_checked(number, _task(number, row), work, lines) for number, row in rows]
    if not tasks:
        raise InvalidArgument(f"--characters {file!r} names nobody: give a line per character.")
    return tasks


def _checked(number: int, task: BulkTask, work: BulkWork, lines: dict[str, int]) -> BulkTask:
    try:
        check_task(work, task)
    except InvalidArgument as error:
        raise InvalidArgument(f"--characters: line {number}: {error}") from error
    first = lines.setdefault(task.key, number)
    if first != number:
        what = "scene" if work == BulkWork.SCENE else "character"
        raise InvalidArgument(
            f"--characters: line {number} is the same {what} as line {first}: "
            f"{task.character_id!r}. Take one of them out."
        )
    return task


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
        if rows.fieldnames and _ID not in rows.fieldnames:
            raise InvalidArgument(
                f"--characters has no column {_ID}; its first line names: "
                f"{', '.join(rows.fieldnames)}."
            )
        for row in rows:
            if None in row:
                raise InvalidArgument(f"--characters: line {rows.line_num} has too many cells.")
            number = rows.line_num
            yield number, {name: _cell(number, name, cell) for name, cell in row.items() if cell}
    except csv.Error as error:
        raise InvalidArgument(f"--characters: line {rows.line_num} is not CSV.") from error


def _cell(number: int, name: str, cell: str) -> Any:
    if name in _INTEGERS:
        try:
            return int(cell)
        except ValueError as error:
            raise InvalidArgument(
                f"--characters: line {number}: {name} must be an integer."
            ) from error
    return [each.strip() for each in cell.split(";")] if name in _LISTS else cell


def _task(number: int, row: Mapping[str, Any]) -> BulkTask:
    character_id = row.get(_ID)
    if not isinstance(character_id, str) or not character_id:
        raise InvalidArgument(
            f"--characters: line {number} has no {_ID}; every row needs one, as a text."
        )
    options = {name: value for name, value in row.items() if name != _ID and value is not None}
    return BulkTask(character_id=character_id, options=options)


def write_results(path: Path, report: BulkReport) -> None:
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
        raise _unwritable(path, error) from error


def check_apart(**given: str | Path | None) -> None:
    """Refuse options that name one file.

    Raises:
        InvalidArgument: Two of them do, by a link for example.
    """
    files = {name: Path(file) for name, file in given.items() if file not in (None, "-")}
    for (one, here), (other, there) in combinations(files.items(), 2):
        if here.resolve() == there.resolve() or _is_same(here, there):
            raise InvalidArgument(
                f"--{one} and --{other} are the same file, {str(there)!r}; what is read would be "
                "overwritten. Name another one."
            )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def check_writable(path: Path) -> None:
    """Find out before the work whether its results can be written; make the file.

    Raises:
        StorageError: They cannot.
    """
    try:
        path.open("a").close()
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(f"--out {str(path)!r} cannot be written: {error.strerror}.")
