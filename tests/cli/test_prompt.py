from __future__ import annotations

import sys
from pathlib import Path
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


SUGGESTER = """
from charimg import PromptSuggestion

class Model:
    def suggest(self, character):
        return PromptSuggestion(
            prompt=f"{character.name}, as ever.", template="fixed/1", facts={}, reason="It slept."
        )
"""


def test_the_suggester_of_the_environment(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studio_model.py").write_text(SUGGESTER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CHARIMG_SUGGESTER", "studio_model:Model")
    answer = world.read("prompt", "mara")
    assert answer.out == "Mara Voss, as ever."
    assert "The template's own, because: It slept." in answer.err
    drawn = world.run("generate", "reference", "mara", "--json")
    assert drawn.json["prompt"] == "Mara Voss, as ever."
    assert world.run("doctor").code == 0


def test_a_suggester_that_cannot_be_had_stops_only_what_needs_it(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARIMG_SUGGESTER", "studio_absent:Model")
    for command in (("prompt", "mara"), ("generate", "reference", "mara"), ("doctor",)):
        answer = world.run(*command, "--json") if command[0] != "prompt" else world.read(*command)
        assert answer.code == 2
        assert "there is no module 'studio_absent'" in answer.out + answer.err
    assert world.counters["initialImagePosts"] == 0
    drawn = world.run("generate", "reference", "mara", "--prompt", "A face.", "--json")
    assert drawn.code == 0, drawn.err
    assert world.read("list", "mara").code == 0
