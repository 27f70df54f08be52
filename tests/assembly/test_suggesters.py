"""The prompt suggester that the environment names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from charimg import CharacterReference, ConfigurationError, PromptSuggestion
from charimg._assembly.suggesters import async_suggester, suggester

MODULE = """
from charimg import ConfigurationError, PromptSuggestion

class Plain:
    def suggest(self, character):
        return PromptSuggestion(prompt=character.name, template="plain/1", facts={})

class Called(Plain):
    def __call__(self):
        raise AssertionError

class Awaited:
    async def suggest(self, character):
        return PromptSuggestion(prompt=character.name, template="awaited/1", facts={})

made = Plain()
called = Called()
number = 7

class group:
    inner = made

def make():
    return Plain()

def needy(key):
    return made

def broken():
    raise ValueError("topsecret")

def unconfigured():
    raise ConfigurationError("A key is missing.")
"""
TOM = CharacterReference(id="tom", name="Tom")


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importable modules that the environment may name."""
    (tmp_path / "studio_prompts.py").write_text(MODULE)
    (tmp_path / "studio_needs.py").write_text("import studio_absent")
    (tmp_path / "studio_bad.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("studio_prompts", "studio_needs", "studio_bad"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CHARIMG_SUGGESTER", text)


@pytest.mark.parametrize("text", ["", "  "])
def test_none_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    name(monkeypatch, text)
    assert suggester() is None
    assert async_suggester() is None


def test_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARIMG_SUGGESTER", raising=False)
    assert suggester() is None


@pytest.mark.parametrize("attribute", ["made", "called", "Plain", "make", "group.inner"])
def test_a_suggester_a_class_or_a_function(monkeypatch: pytest.MonkeyPatch, attribute: str) -> None:
    name(monkeypatch, f" studio_prompts:{attribute}\n")
    for found in (suggester(), async_suggester()):
        assert found is not None
        answer = found.suggest(TOM)
        assert isinstance(answer, PromptSuggestion)
        assert answer.prompt == "Tom"


def test_one_that_is_awaited_is_for_async_code(monkeypatch: pytest.MonkeyPatch) -> None:
    name(monkeypatch, "studio_prompts:Awaited")
    assert type(async_suggester()).__name__ == "Awaited"
    with pytest.raises(ConfigurationError, match="names a suggester that is awaited"):
        suggester()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("studio_prompts", "must be module:attribute, such as studio.prompts:suggester"),
        ("studio_prompts:", "must be module:attribute"),
        (":made", "must be module:attribute"),
        ("baml://topsecret@host", "must be module:attribute"),
        ("studio_prompts:made:x", "must be module:attribute"),
        ("studio_absent:made", "there is no module 'studio_absent'. Install it, or put its direc"),
        ("studio_needs:made", "there is no module 'studio_absent'"),
        ("studio_bad:made", "cannot be had: ZeroDivisionError"),
        ("studio_prompts:absent", "cannot be had: AttributeError"),
        ("studio_prompts:needy", "cannot be had: TypeError"),
        ("studio_prompts:broken", "cannot be had: ValueError"),
        ("studio_prompts:unconfigured", "names studio_prompts:unconfigured: A key is missing."),
        ("studio_prompts:number", "names studio_prompts:number, which has no method suggest"),
    ],
)
def test_what_cannot_be_had_is_told(monkeypatch: pytest.MonkeyPatch, text: str, told: str) -> None:
    name(monkeypatch, text)
    for get in (suggester, async_suggester):
        with pytest.raises(ConfigurationError) as caught:
            get()
        assert str(caught.value).startswith("CHARIMG_SUGGESTER ")
        assert told in str(caught.value)
        assert "topsecret" not in str(caught.value)
