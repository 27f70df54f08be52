from __future__ import annotations

import errno
import io
import json
import os
import subprocess
from pathlib import Path

import pytest
import typer
from rich.console import Console
from stamina import RetryingCaller
from stamina.instrumentation import RetryDetails, get_on_retry_hooks, set_on_retry_hooks

from charimg.cli.report import Report, plain, reporting, table
from charimg.errors import (
    CharacterLibraryError,
    CharacterNotFound,
    GenerationInProgress,
    IngestionError,
    JobError,
    StorageError,
)
from charimg.models import OperationWarning

from .process import COMMAND


def _exit_code(error: BaseException, *, as_json: bool = False) -> int:
    with pytest.raises(typer.Exit) as caught, reporting(as_json):
        raise error
    return caught.value.exit_code


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(CharacterNotFound("There is no x.")) == 3
    out, err = capsys.readouterr()
    assert out == ""
    error, step = err.splitlines()
    assert error == "Error: There is no x."
    assert step.startswith("Next: `charimg characters list`")


def test_what_is_noted_of_an_error_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    error = CharacterLibraryError("Away.", code="UNAVAILABLE")
    error.add_note("A new one was not begun.")
    assert _exit_code(error, as_json=True) == 4
    out, err = capsys.readouterr()
    assert "Error: Away. A new one was not begun.\n" in err
    assert json.loads(out)["error"]["message"] == "Away. A new one was not begun."


def test_where_the_command_knows_no_next_step_there_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _exit_code(StorageError("The disk is full.")) == 6
    assert capsys.readouterr().err == "Error: The disk is full.\n"


def test_with_json_the_error_is_one_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    error = CharacterLibraryError(
        "Too late.",
        code="TIMEOUT",
        status_code=504,
        request_id="r-1",
        retryable=True,
        outcome_unknown=True,
        server_message="the prompt was: SECRET",
    )
    assert _exit_code(error, as_json=True) == 4
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": {
            "code": "TIMEOUT",
            "message": "Too late.",
            "type": "CharacterLibraryError",
            "exitCode": 4,
            "statusCode": 504,
            "requestId": "r-1",
            "retryable": True,
            "outcomeUnknown": True,
        }
    }
    assert err.startswith("Error: Too late.\nNext: `charimg recover` ")
    assert len(err.splitlines()) == 2
    assert "SECRET" not in out + err


def test_the_ids_that_help_are_in_the_json_error(capsys: pytest.CaptureFixture[str]) -> None:
    _exit_code(IngestionError("x", code="TRUNCATED", image_id="i-1"), as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]["imageId"] == "i-1"
    _exit_code(JobError("x", code="JOB_FAILED", job_id="j-1"), as_json=True)
    assert json.loads(capsys.readouterr().out)["error"]["jobId"] == "j-1"


def test_something_in_progress_has_its_own_code() -> None:
    assert _exit_code(GenerationInProgress("busy", holder="h")) == 8


def test_a_foreign_exception_is_named_and_not_quoted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHARIMG_DEBUG", raising=False)
    assert _exit_code(RuntimeError("a prompt"), as_json=True) == 1
    out, err = capsys.readouterr()
    assert "RuntimeError" in err
    assert "a prompt" not in out + err
    assert json.loads(out)["error"]["code"] == "RUNTIME_ERROR"


def test_debugging_shows_a_foreign_exception_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_DEBUG", "1")
    with pytest.raises(RuntimeError, match="whole"), reporting(False):
        raise RuntimeError("whole")
    assert _exit_code(CharacterNotFound("never a traceback")) == 3


def test_ctrl_c_names_recover(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(KeyboardInterrupt()) == 130
    assert "charimg recover" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_no_answer_to_a_question_is_an_interruption(
    capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    assert _exit_code(typer.Abort(), as_json=as_json) == 130
    out, err = capsys.readouterr()
    assert err == "Error: Interrupted; nothing was done.\n"
    assert (json.loads(out)["error"]["exitCode"] if out else None) == (130 if as_json else None)


@pytest.mark.parametrize("error", [typer.Exit(7), BrokenPipeError()])
def test_what_the_command_itself_raises_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reporting(True):
        raise error
    assert caught.value is error


def test_texts_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain("a\x1b[31mb\nc") == "a [31mb c"
    assert plain(None) == ""
    report = Report(as_json=False)
    report.say("red? [red]no[/red] \x1b]0;title\x07")
    report.data({}, lambda: "plain [bold]x[/bold] \x1b]0;title\x07 \x9b31m")
    out, err = capsys.readouterr()
    assert (out + err).replace("\n", "").isprintable()
    assert "[red]no[/red]" in err
    assert "[bold]x[/bold]" in out


def test_a_cell_is_not_markup() -> None:
    console = Console(width=60, color_system=None)
    with console.capture() as captured:
        console.print(table(("one",), [("[red]x[/red]\x1b[0m",), (None,)]))
    assert "[red]x[/red]" in captured.get()
    assert "\x1b" not in captured.get()


def test_nothing_is_coloured_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(as_json=False)
    report.say("careful", style="red")
    report.data({}, lambda: table(("a",), [("b",)]))
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err


def test_no_color_is_honoured_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    Report(as_json=False).say("careful", style="red")
    assert "\x1b[31m" in capsys.readouterr().err
    monkeypatch.setenv("NO_COLOR", "1")
    Report(as_json=False).say("careful", style="red")
    assert "\x1b[31m" not in capsys.readouterr().err


def test_json_is_ascii_so_that_no_encoding_can_break_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Report(as_json=True).data({"name": "Žofie \udcff"}, lambda: "unused")
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"name": "Žofie \udcff"}


def test_warnings_name_their_code_once(capsys: pytest.CaptureFixture[str]) -> None:
    told = ("It stayed.", "It stayed: TIMEOUT.")
    Report(as_json=False).warnings([OperationWarning(code="TIMEOUT", message=m) for m in told])
    assert capsys.readouterr().err == (
        "Warning: It stayed. (TIMEOUT)\nWarning: It stayed: TIMEOUT.\n"
    )


@pytest.mark.parametrize("as_json", [False, True])
def test_a_retry_is_told_without_what_was_called(
    as_json: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    def failing(secret: str) -> None:
        raise ValueError(secret)

    def mine(details: RetryDetails) -> None:
        raise AssertionError

    set_on_retry_hooks([mine])
    try:
        with reporting(as_json):
            caller = RetryingCaller(attempts=2, wait_initial=0.01, wait_max=0.01, wait_jitter=0)
            with pytest.raises(ValueError, match="SECRET"):
                caller(ValueError, failing, "SECRET")
        assert get_on_retry_hooks() == (mine,)
    finally:
        set_on_retry_hooks(None)
    # Nothing on stdout, whatever of structlog and logging is installed and set up.
    assert capfd.readouterr() == ("", "  no luck; trying again in 0.0 s\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_stdout_that_takes_nothing_is_one_clear_error(
    as_json: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stdout", Full())
    with pytest.raises(typer.Exit) as caught, reporting(as_json) as report:
        report.data({"a": 1}, lambda: "a")
    assert caught.value.exit_code == 1
    assert "stdout takes no output: No space left on device." in capsys.readouterr().err


@pytest.mark.parametrize("command", [("migrate",), ("list", "mara"), ("list", "--wrong")])
def test_a_failure_that_stdout_does_not_take_is_told_on_stderr(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [COMMAND, *command, "--json", "--directory", tmp_path],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 2
    error, lost = ended.stderr.splitlines()
    assert error.startswith("Error: There is nothing of charimg's") or "--wrong" in error
    assert lost == "Error: stdout takes no output: No space left on device."


def test_a_stdout_that_is_closed_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", None)
    assert Report(as_json=True).out.width


@pytest.mark.parametrize("as_json", [False, True])
def test_a_closed_stdout_takes_no_result(
    as_json: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(typer.Exit) as caught, reporting(as_json) as report:
        report.data({"a": 1}, lambda: "a")
    assert caught.value.exit_code == 1
    assert capsys.readouterr().err == "Error: stdout takes no output: it is closed.\n"


def test_a_line_of_data_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Report(as_json=False).data({}, lambda: "word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_of_an_empty_table_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Report(as_json=False).data({}, lambda: table(("a",), []))
    assert capsys.readouterr().out == ""


def test_the_column_that_gives_way_keeps_each_row_on_one_line() -> None:
    rows = [("0123456789", "a long name of a shot", "2024-05-06 07:08")]
    for width, shown in ((60, "a long name of a shot"), (44, "a long name…")):
        console = Console(width=width, color_system=None)
        with console.capture() as captured:
            console.print(table(("id", "shot", "created"), rows, gives_way="shot"))
        lines = [line for line in captured.get().splitlines() if line.strip()]
        assert len(lines) == 3
        assert lines[2].split("  ")[0].strip() == "0123456789"
        assert shown in lines[2]
        assert lines[2].rstrip().endswith("2024-05-06 07:08")
