from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from charimg import errors
from charimg.cli import hints
from charimg.cli.app import app
from charimg.cli.hints import as_commands, next_step


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.CharacterNotFound("x"), "charimg characters list"),
        (errors.CharacterNotLinked("x"), "charimg characters link"),
        (errors.ImageNotFound("x"), "charimg list"),
        (errors.GenerationInProgress("x"), "charimg recover"),
        (errors.CharacterLibraryError("x", code="UNAVAILABLE"), "charimg doctor"),
        (errors.CharacterLibraryError("x", code="TIMEOUT"), "charimg doctor"),
        (
            errors.CharacterLibraryError("x", code="TIMEOUT", outcome_unknown=True),
            "charimg recover",
        ),
        (errors.CharacterLibraryError("x", code="NO_REFERENCE"), "charimg generate reference"),
        (
            errors.DownloadError("x", code="STATUS", image_id="i-1"),
            "charimg retry CHARACTER IMAGE`",
        ),
    ],
)
def test_the_next_step(error: BaseException, told: str) -> None:
    step = next_step(error)
    assert step is not None
    assert f"`{told}" in step


@pytest.mark.parametrize(
    "error",
    [
        errors.CharacterLibraryError("x", code="UPSTREAM_MODEL"),
        errors.DownloadError("x", code="STATUS"),
        errors.InvalidPrompt("x"),
        errors.StorageError("x"),
        KeyboardInterrupt(),
    ],
)
def test_where_there_is_none(error: BaseException) -> None:
    assert next_step(error) is None


@pytest.mark.parametrize("code", ["ADDRESS_REFUSED", "URL_REFUSED", "CONNECTION"])
def test_a_refused_host_may_be_the_users_own(code: str) -> None:
    step = next_step(errors.DownloadError("x", code=code, image_id="i-1"))
    assert step is not None
    assert ("CHARIMG_ALLOWED_ORIGINS" in step) == code.endswith("REFUSED")
    assert "`charimg retry CHARACTER IMAGE`" in step


IDS = {"CHARACTER": "-x y", "OPERATION": "-o", "IMAGE": "--all"}


def advised() -> Iterator[str]:
    """Give every command that the SDK or the command advises and that names an id."""
    for path in sorted(Path(hints.__file__).parents[1].glob("**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = re.findall("`charimg [^`]+`", node.value)
                yield from (each for each in named if IDS.keys() & each.strip("`").split())


def test_every_advised_command_works_with_ids_that_look_like_options() -> None:
    commands = {*advised()}
    assert len(commands) > 8
    for advice in commands:
        _, *words = shlex.split(as_commands(advice, IDS).strip("`"))
        command = get_command(app)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        given, *_ = command.make_parser(
            command.make_context("x", [], resilient_parsing=True)
        ).parse_args(words)
        names = [each for each in advice.strip("`").split() if each in IDS]
        assert [given[name.lower()] for name in names] == [IDS[name] for name in names], advice


def test_every_command_that_is_named_exists() -> None:
    steps = [step for _, step in (*hints._BY_CLASS, *hints._COMMANDS)]
    steps += hints._BY_CODE.values()
    named = [words.split() for step in steps for words in re.findall(r"`charimg ([^`]+)`", step)]
    assert len(named) >= len(steps)
    for words in named:
        command = get_command(app)
        for word in words:
            if word in IDS or word.startswith("-"):
                break
            command = command.commands[word]  # type: ignore[attr-defined]


def advice() -> Iterator[str]:
    """Give every text of the SDK that names one of its methods."""
    for path in sorted(Path(hints.__file__).parents[1].glob("_[alip]*/*.py")):
        tree = ast.parse(path.read_text())
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or id(node) in docs:
                continue
            if re.search(r"[a-z_]+\(\)", str(node.value)):
                yield str(node.value)


def test_no_method_is_advised_on_the_command_line() -> None:
    texts = [text for text in advice() if "has no put()" not in text]
    assert len(texts) > 8
    told = [as_commands(text, {}) for text in texts]
    assert [text for text in told if re.search(r"[a-z_]+\(\)", text)] == []
    assert not [text for text in told if "``" in text or "(`" in text]


def test_ids_that_are_known_stand_in_the_commands_and_nowhere_else() -> None:
    text = "CHARACTER: `charimg retry CHARACTER IMAGE`, not `CHARACTER`."
    assert as_commands(text, {"CHARACTER": "Mara V", "OPERATION": "x"}) == (
        "CHARACTER: `charimg retry 'Mara V' IMAGE`, not `CHARACTER`."
    )
    assert as_commands("candidates(), settle() with no image", {"OPERATION": "ab"}) == (
        "`charimg settle ab`, `charimg settle --nothing ab`"
    )
    assert as_commands("`charimg retry CHARACTER IMAGE`", {"CHARACTER": "m", "IMAGE": "-x"}) == (
        "`charimg retry -- m -x`"
    )
