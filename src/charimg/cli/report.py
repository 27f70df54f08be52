"""What the command says: data on stdout, messages on stderr, one JSON object with ``--json``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from .. import _plain
from .._json import to_json
from ..errors import CharimgError
from ..models import OperationWarning
from .exit_codes import ExitCode, error_code, exit_code_of
from .hints import as_commands, next_step

__all__ = ["Report", "error_object", "plain", "reporting", "table", "writing"]

_WIDTH = 160
"""Columns when the output is no terminal, so that no cell is cut to a guess of 80."""

_DETAILS = {
    "status_code": "statusCode",
    "request_id": "requestId",
    "retryable": "retryable",
    "outcome_unknown": "outcomeUnknown",
    "field": "field",
    "job_id": "jobId",
    "image_id": "imageId",
}


def plain(value: object) -> str:
    """Return a value as one line of text that cannot steer the terminal."""
    return _plain.plain("" if value is None else str(value))


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, gives_way: str | None = None
) -> Table:
    """Return a table of plain texts; brackets in them are not markup.

    Args:
        columns: Their headings.
        rows: The cells.
        gives_way: The column that is cut where the terminal is too narrow, so that every row stays
            one line. By default cells are folded and nothing is cut.
    """
    result = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in columns:
        # Columns that may wrap give way first; the others only when that is not enough.
        keeps = gives_way is not None and name != gives_way
        result.add_column(name, overflow="ellipsis" if keeps else "fold", no_wrap=keeps)
    for row in rows:
        result.add_row(
            *(
                Text(plain(cell), no_wrap=True, overflow="ellipsis")
                if name == gives_way
                else Text(plain(cell))
                for name, cell in zip(columns, row, strict=True)
            )
        )
    return result


def error_object(error: BaseException, code: ExitCode, message: str) -> dict[str, Any]:
    """Return the JSON form of an error; it never holds a prompt, key or query string."""
    body: dict[str, Any] = {
        "code": error_code(error),
        "message": message,
        "type": type(error).__name__,
        "exitCode": int(code),
    }
    if isinstance(error, CharimgError):
        for name, shown in _DETAILS.items():
            value = getattr(error, name, None)
            if value is not None:
                body[shown] = value
    return {"error": body}


class OutputLost(Exception):
    """The result was there, and stdout did not take it."""


@contextmanager
def writing() -> Iterator[None]:
    """Tell a stdout that takes nothing (closed, a full disk) from every other failure."""
    if sys.stdout is None:
        raise OutputLost("stdout takes no output: it is closed.")
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputLost(f"stdout takes no output: {error.strerror or 'closed'}.") from error


class Report:
    """The two streams of one command.

    Args:
        as_json: Whether stdout carries exactly one JSON object: the result, or ``{"error": …}``.
        known: What stands for ``CHARACTER``, ``OPERATION`` and ``IMAGE`` in the commands that are
            advised; more may become known.
    """

    def __init__(self, *, as_json: bool, known: Mapping[str, str] | None = None) -> None:
        self.as_json = as_json
        self.known: dict[str, str] = dict(known or {})
        self.out: Console = _console(stderr=False)
        self.err: Console = _console(stderr=True)

    def data(self, value: object, human: Callable[[], RenderableType | str]) -> None:
        """Print the result: as JSON, or what ``human`` returns; of an empty table nothing."""
        if self.as_json:
            self.json(value)
            return
        shown = human()
        if isinstance(shown, Table) and not shown.row_count:
            return
        with writing():
            if isinstance(shown, str):
                # One line stays one line, for scripts and for copying a path off the screen.
                self.out.print(Text(plain(shown)), soft_wrap=True)
            else:
                self.out.print(shown)
            self.out.file.flush()

    def json(self, value: object) -> None:
        """Print one JSON object on stdout; ASCII, so that no terminal encoding can break it."""
        with writing():
            # DEL alone is ASCII and no text.
            told = json.dumps(to_json(value), indent=2).replace("\x7f", "\\u007f")
            sys.stdout.write(told + "\n")
            sys.stdout.flush()

    def told(self, message: str, **known: str) -> str:
        """Return a message of the SDK as advice on commands, with what is known filled in."""
        return as_commands(message, {**self.known, **known})

    def say(self, text: str, *, style: str = "") -> None:
        """Print a message on stderr."""
        text = self.told(text)
        # Words wrap on a terminal; a log gets one line per message.
        self.err.print(Text(plain(text), style=style), soft_wrap=not self.err.is_terminal)

    def warnings(self, warnings: Sequence[OperationWarning]) -> None:
        """Print an operation's warnings on stderr."""
        for warning in warnings:
            self.warn(warning.code, warning.message)

    def warn(self, code: str, message: str) -> None:
        """Print a warning on stderr, with its code unless the message has it."""
        told = message if code in message else f"{message} ({code})"
        self.say(f"Warning: {told}", style="yellow")

    def fail(self, error: BaseException, code: ExitCode, message: str) -> None:
        """Print an error and the next step on stderr, and with ``--json`` the object on stdout."""
        image_id = getattr(error, "image_id", None)
        if image_id is not None:
            self.known["IMAGE"] = image_id
        message = self.told(message)
        self.say(f"Error: {message}", style="red")
        step = next_step(error)
        if step is not None:
            self.say(f"Next: {step}")
        if not self.as_json:
            return
        try:
            self.json(error_object(error, code, message))
        except OutputLost as lost:
            # The failure itself was told, and decides the exit code.
            self.say(f"Error: {lost}", style="red")


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # A closed stream is none at all.
    width = None if stream is not None and stream.isatty() else _WIDTH
    return Console(stderr=stderr, width=width, highlight=False, emoji=False)


_FINISHES = "`charimg recover` finishes what was under way."


@contextmanager
def reporting(
    as_json: bool, *, interrupted: str = _FINISHES, **known: str | None
) -> Iterator[Report]:
    """Turn whatever goes wrong inside into one message and an exit code, without a traceback.

    What is ``known`` (``character``, ``operation``, ``image``) stands in the commands that are
    advised.

    ``CHARIMG_DEBUG=1`` lets an unexpected exception through whole; charimg's own never show one.
    """
    given = {name.upper(): value for name, value in known.items() if value is not None}
    report = Report(as_json=as_json, known=given)

    def retried(details: RetryDetails) -> None:
        # What was called and with what stays out.
        report.say(f"  no luck; trying again in {details.wait_for:.1f} s", style="dim")

    # By itself stamina writes to a log, and with structlog about it to stdout.
    before = get_on_retry_hooks()
    set_on_retry_hooks([retried])
    try:
        yield report
    except (typer.Exit, BrokenPipeError):
        raise
    except typer.Abort:
        # Ctrl-C or the end of input at a question: nothing has begun yet.
        code = ExitCode.INTERRUPTED
        report.fail(KeyboardInterrupt(), code, "Interrupted; nothing was done.")
        raise typer.Exit(code) from None
    except CharimgError as error:
        code = exit_code_of(error)
        report.fail(error, code, " ".join([str(error), *getattr(error, "__notes__", ())]))
        raise typer.Exit(code) from None
    except OutputLost as error:
        report.say(f"Error: {error}", style="red")
        raise typer.Exit(ExitCode.UNEXPECTED) from None
    except KeyboardInterrupt as error:
        code = ExitCode.INTERRUPTED
        report.fail(error, code, f"Interrupted. {interrupted}")
        raise typer.Exit(code) from None
    except Exception as error:
        if os.environ.get("CHARIMG_DEBUG") == "1":
            raise
        # Foreign exceptions may quote anything, a prompt or a key included.
        message = f"Unexpected {type(error).__name__}. Run again with CHARIMG_DEBUG=1 to see it."
        report.fail(error, ExitCode.UNEXPECTED, message)
        raise typer.Exit(ExitCode.UNEXPECTED) from None
    finally:
        set_on_retry_hooks(before)
