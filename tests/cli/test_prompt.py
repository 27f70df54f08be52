from __future__ import annotations

import sys
from typing import Any

import pytest


def test_the_prompt_goes_to_stdout_exactly(world: Any) -> None:
    answer = world.read("prompt", "mara")
    assert answer.code == 0
    assert "auburn" in answer.out
    assert not answer.out.endswith("\n")
    assert "facts used: name, hair" in answer.err
    piped = world.run(
        "generate", "reference", "mara", "--prompt-file", "-", "--json", stdin=answer.out
    )
    assert (
        piped.json["prompt"] == answer.out == world.read("prompt", "mara", "--json").json["prompt"]
    )


def test_json_has_template_and_facts(world: Any) -> None:
    suggestion = world.read("prompt", "mara", "--json").json
    assert suggestion["template"].startswith("photoreal-master/")
    assert suggestion["facts"]["hair"] == "auburn"


def test_on_a_terminal_the_line_ends(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from charimg.cli import prompt

    monkeypatch.setattr(prompt, "_has_terminal", lambda: True)
    assert world.read("prompt", "mara").out.endswith("\n")


def test_a_character_that_is_not_there(world: Any) -> None:
    answer = world.read("prompt", "nobody", "--json")
    assert answer.code == 3
    assert answer.json["error"]["code"] == "CHARACTER_NOT_FOUND"


def test_the_terminal_is_stdout() -> None:
    from charimg.cli import prompt

    assert prompt._has_terminal() == sys.stdout.isatty()
