from __future__ import annotations

import re

import pytest
from typer.main import get_command

from charimg import errors
from charimg.cli import hints
from charimg.cli.app import app
from charimg.cli.hints import next_step


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
        (errors.DownloadError("x", code="STATUS", image_id="i-1"), "charimg retry CHARACTER i-1`"),
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
    assert "`charimg retry CHARACTER i-1`" in step


def test_every_command_that_is_named_exists() -> None:
    steps = [step for _, step in hints._BY_CLASS] + list(hints._BY_CODE.values())
    named = [words.split() for step in steps for words in re.findall(r"`charimg ([^`]+)`", step)]
    assert len(named) >= len(steps)
    for words in named:
        command = get_command(app)
        for word in words:
            if word == "CHARACTER":
                break
            command = command.commands[word]  # type: ignore[attr-defined]
