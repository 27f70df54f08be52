"""The root: what holds for every command."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

import charimg.cli
from charimg import __version__
from charimg.cli.app import app

from ..holding import held
from ..patience import until
from .process import finish, on_terminal, start, without_escapes

COMMANDS = {
    "demo",
    "serve",
    "simulate",
    "characters add",
    "characters list",
    "characters link",
    "prompt",
    "generate reference",
    "generate portfolio",
    "generate scene",
    "list",
    "bulk",
    "migrate",
    "show",
    "delete",
    "retry",
    "recover",
    "settle",
    "verify",
    "doctor",
}


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


def test_the_commands_are_these_and_each_has_json() -> None:
    found = dict(_commands(get_command(app)))
    assert set(found) == COMMANDS
    for name, command in found.items():
        assert "--json" in _options(command), name
        assert command.help, name
    assert [name for name, command in found.items() if "--yes" in _options(command)] == ["delete"]


def lost(world: Any) -> str:
    """Leave a scene that nobody can tell of; return the end of its operation's id."""
    world.reference()
    world.switch(lost_answers=1)
    world.run("generate", "scene", "mara", "She waits.")
    world.server.simulator.draw_scene(world.db_id, "theirs", "dialogue")
    (operation_id,) = world.run("recover", "--json").json["candidates"]
    return str(operation_id)


def test_every_command_prints_one_json_object(world: Any) -> None:
    """Also when it says things on stderr; simulate, demo and serve have tests of their own."""
    reference = world.reference()["id"]
    world.read("characters", "add", "Bo")
    world.switch(html_files=1)
    characters = world.directory / "characters.csv"
    characters.write_text("character_id\nmara\n")
    calls: dict[str, tuple[int, Any]] = {
        "characters add": (0, world.read("characters", "add", "Cy", "--json")),
        "characters link": (0, world.run("characters", "link", "bo", "--create", "--json")),
        "characters list": (0, world.read("characters", "list", "--json")),
        "prompt": (0, world.read("prompt", "mara", "--json")),
        "generate portfolio": (7, world.run("generate", "portfolio", "mara", "--json")),
        "generate scene": (0, world.run("generate", "scene", "mara", "She waits.", "--json")),
        "list": (0, world.read("list", "mara", "--json")),
        "show": (0, world.read("show", "mara", reference, "--json")),
        "retry": (0, world.run("retry", "mara", "--all", "--json")),
        "generate reference": (0, world.run("generate", "reference", "mara", "--json")),
        "delete": (0, world.run("delete", "mara", "--all", "--yes", "--json")),
        "recover": (0, world.run("recover", "--json")),
        "settle": (0, world.run("settle", lost(world), "--nothing", "--json")),
        "verify": (0, world.read("verify", "--json")),
        "bulk": (0, world.run("bulk", "recover", "--characters", characters, "--json")),
        "migrate": (0, world.read("migrate", "--to-directory", world.directory / "x", "--json")),
        "doctor": (0, world.run("doctor", "--json")),
    }
    assert set(calls) == COMMANDS - {"simulate", "demo", "serve"}
    for name, (code, answer) in calls.items():
        assert answer.code == code, (name, answer.err)
        assert isinstance(answer.json, dict), name
        assert "error" not in answer.json, name


def test_the_version(run: Any) -> None:
    answer = run("--version")
    assert (answer.code, answer.out) == (0, f"charimg {__version__}\n")


def test_help_names_the_exit_codes(run: Any) -> None:
    for flag in ("-h", "--help"):
        answer = run(flag)
        assert answer.code == 0
        for code in ("0", "1", "2", "3", "4", "5", "6", "7", "8", "130"):
            assert re.search(rf"\b{code}\s+\w", answer.out), code
    assert run().code == 2
    assert "Usage" in run().out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("nonsense",), "nonsense"),
        (("list",), "character"),
        (("list", "mara", "--limit", "0"), "--limit"),
        (("generate", "reference", "mara", "--policy", "burn"), "--policy"),
        (("characters", "nonsense"), "nonsense"),
        (("simulate", "--port", "high"), "--port"),
    ],
)
def test_a_wrong_command_line_is_told(run: Any, args: tuple[str, ...], told: str) -> None:
    plain = run(*args)
    assert plain.code == 2
    assert plain.out == ""
    assert told in plain.err.lower()
    assert "Usage" in plain.err
    as_json = run(*args, "--json")
    assert as_json.code == 2
    error = as_json.json["error"]
    assert (error["code"], error["exitCode"]) == ("USAGE_ERROR", 2)
    assert told in error["message"].lower()
    assert as_json.err == f"Error: {error['message']}\n"


def test_embedded_in_another_program_errors_are_raised() -> None:
    command = get_command(app)
    with pytest.raises(Exception, match="nonsense") as caught:
        command.main(["nonsense", "--json"], standalone_mode=False)
    assert type(caught.value).__name__ in ("UsageError", "NoSuchCommand")
    assert command.main(["--version"], standalone_mode=False) == 0


def test_json_and_help_together_are_help(run: Any) -> None:
    answer = run("list", "--json", "--help")
    assert answer.code == 0
    assert "newest first" in answer.out


# As a process of its own


def test_needed_packages_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(charimg.cli, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as caught:
        charimg.cli.main()
    assert caught.value.code == 2
    assert "pip install 'charimg[cli]'" in capsys.readouterr().err


def test_the_installed_command_runs() -> None:
    ended = finish(start("--version"))
    assert (ended.code, ended.out, ended.err) == (0, f"charimg {__version__}\n", "")


def test_ctrl_c_outside_a_command_shows_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("charimg.cli.app.app", interrupted)
    with pytest.raises(SystemExit) as caught:
        charimg.cli.main()
    assert caught.value.code == 130


# Some versions of typer turn the first into the second.
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_beside_the_commands_work(
    run: Any, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException]
) -> None:
    def interrupted(as_json: bool, **_: str) -> None:
        raise interruption

    monkeypatch.setattr("charimg.cli.doctor.reporting", interrupted)
    answer = run("doctor", "--json")
    assert (answer.code, answer.out.strip()) == (130, "")
    monkeypatch.setattr("charimg.cli.doctor.reporting", _abort)
    with pytest.raises(typer.Abort):
        get_command(app).main(["doctor", "--json"], standalone_mode=False)


def _abort(as_json: bool, **_: str) -> None:
    raise typer.Abort


def test_ctrl_c_in_a_generation_loses_nothing(world: Any) -> None:
    before = world.reference()["id"]
    with held(world.server.simulator):
        process = start(
            "generate", "scene", "mara", "She waits.", "--json",
            "--directory", world.directory, "--library-url", world.server.url,
        )  # fmt: skip
        until(lambda: world.counters["scenePosts"] == 1)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
    assert ended.code == 130
    assert ended.json["error"]["code"] == "KEYBOARD_INTERRUPT"
    assert ended.json["error"]["exitCode"] == 130
    assert "charimg recover" in ended.err
    assert "Traceback" not in ended.err
    # The server goes on drawing what was paid for; recover brings it in.
    until(lambda: bool(world.run("recover", "mara").code == 0))
    assert {image["kind"] for image in world.images()} == {"reference", "scene"}
    assert world.images()[-1]["id"] == before
    assert world.counters["scenePosts"] == 1


@pytest.mark.parametrize(
    ("command", "as_json"),
    [
        ("list", False),
        ("prompt", True),
        pytest.param("list", True, marks=pytest.mark.long),
        pytest.param("prompt", False, marks=pytest.mark.long),
    ],
)
def test_a_reader_that_went_away_causes_no_traceback(
    world: Any, command: str, as_json: bool
) -> None:
    world.reference()
    args = [command, "mara", "--directory", str(world.directory), *["--json"][: int(as_json)]]
    process = start(*args)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    ended = finish(process)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert "Exception" not in ended.err


def completion(**variables: str) -> str:
    """Ask the command what a shell asks it."""
    result = CliRunner().invoke(app, [], prog_name="charimg", env=variables)
    assert result.exit_code == 0
    return result.stdout


def test_the_installed_command_prints_the_shell_completion_script() -> None:
    ended = finish(start(_CHARIMG_COMPLETE="source_bash"))
    assert (ended.code, ended.out) == (0, completion(_CHARIMG_COMPLETE="source_bash"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completion_script_is_printed(shell: str) -> None:
    script = completion(_CHARIMG_COMPLETE=f"source_{shell}")
    assert "_CHARIMG_COMPLETE" in script
    assert f"complete_{shell}" in script


def test_commands_and_options_are_completed(run: Any) -> None:
    def completed(words: str, place: int) -> list[str]:
        return completion(
            _CHARIMG_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(place)
        ).split()

    assert completed("charimg gen", 1) == ["generate"]
    assert completed("charimg generate ", 2) == ["reference", "portfolio", "scene"]
    assert completed("charimg generate reference mara --pol", 4) == ["--policy"]
    assert "--show-completion" in run("--help").out


# On a terminal


def test_no_color_is_honoured(tmp_path: Path) -> None:
    code, coloured = on_terminal("list", "mara", "--directory", tmp_path)
    assert code == 2
    assert "\x1b[31m" in coloured
    code, plain = on_terminal("list", "mara", "--directory", tmp_path, NO_COLOR="1")
    assert code == 2
    assert re.findall(r"\x1b\[[0-9;]*m", plain) == []
    assert without_escapes(coloured) == plain


@pytest.mark.parametrize(
    ("keys", "code", "left", "as_json"),
    [
        ("y\n", 0, 0, False),
        ("n\n", 3, 1, True),
        ("\x04", 130, 1, False),
        pytest.param("y\n", 0, 0, True, marks=pytest.mark.long),
        pytest.param("n\n", 3, 1, False, marks=pytest.mark.long),
        pytest.param("\x04", 130, 1, True, marks=pytest.mark.long),
    ],
)
def test_deletion_asks(world: Any, keys: str, code: int, left: int, as_json: bool) -> None:
    world.reference()
    ended, text = on_terminal(
        "delete", "mara", "--all", "--directory", world.directory,
        "--library-url", world.server.url, *["--json"][: int(as_json)], keys=keys,
    )  # fmt: skip
    assert ended == code
    assert "Delete all 1 images of mara? [y/N]" in text
    assert "Traceback" not in text
    # Without an answer the line of the question is ended first.
    assert ("[y/N]: \nError: " in without_escapes(text)) == (keys == "\x04")
    assert len(world.images()) == left
    assert world.counters["referenceDeletes"] == 1 - left


def test_json_stays_json_on_a_terminal(world: Any) -> None:
    code, text = on_terminal("list", "mara", "--directory", world.directory, "--json")
    assert code == 0
    data, _, said = without_escapes(text).partition("\n}\n")
    assert json.loads(data + "}") == {"images": [], "total": 0}
    assert said == "0 of 0 images.\n"


@pytest.mark.parametrize("columns", [80, pytest.param(120, marks=pytest.mark.long)])
def test_help_wraps_where_the_terminal_ends(columns: int) -> None:
    code, shown = on_terminal("migrate", "--help", columns=columns)
    assert code == 0
    text = without_escapes(shown).partition("Options")[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    (first,) = [n for n, line in enumerate(lines) if line.startswith("What no option names")]
    told = [line for line in lines[first:] if not line.startswith(("╭", "└"))]
    # Every line but the last is full: the next word would not have fitted.
    for line, following in pairwise(told):
        assert len(line) + 1 + len(following.split()[0]) > columns - 4
