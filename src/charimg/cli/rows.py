"""The files of ``charimg bulk``: tasks in, results out, as CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .._json import to_json
from ..bulk import BulkReport, BulkResult, BulkTask
from ..errors import InvalidArgument, StorageError

__all__ = ["check_writable", "read_tasks", "write_results"]

_ID = "character_id"
_INTEGERS = ("quality_threshold", "max_retries")
_LISTS = ("additional_characters",)
_COLUMNS = tuple(to_json(BulkResult(key="", character_id="", outcome="")))


def read_tasks(file: str) -> list[BulkTask]:
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
