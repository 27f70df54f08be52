from __future__ import annotations

import json

import pytest
import typer
from rich.console import Console

from charimg.cli.report import Report, plain, reporting, table
from charimg.errors import (
    CharacterLibraryError,
    CharacterNotFound,
    GenerationInProgress,
    IngestionError,
    JobError,
)
from charimg.models import OperationWarning


def _exit_code(error: BaseException, *, as_json: bool = False) -> int:
    with pytest.raises(typer.Exit) as caught, reporting(as_json):
        raise error
    return caught.value.exit_code


def test_an_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert _exit_code(CharacterNotFound("There is no x.")) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "Error: There is no x.\n"


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
    assert err == "Error: Too late.\n"
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


@pytest.mark.parametrize("error", [typer.Exit(7), typer.Abort(), BrokenPipeError()])
def test_what_the_command_itself_raises_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, reporting(True):
        raise error
    assert caught.value is error


def test_texts_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain("a\x1b[31mb\nc") == "a [31mb c"
    assert plain(None) == ""
    report = Report(as_json=False)
    report.say("red? [red]no[/red] \x1b]0;title\x07")
    report.data({}, lambda: "plain [bold]x[/bold]")
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
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


def test_warnings_name_their_code(capsys: pytest.CaptureFixture[str]) -> None:
    Report(as_json=False).warnings([OperationWarning(code="TIMEOUT", message="It stayed.")])
    assert capsys.readouterr().err == "Warning: It stayed. (TIMEOUT)\n"
