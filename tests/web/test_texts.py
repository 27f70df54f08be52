"""Every text that the page asks for is there, and every text that is there is asked for."""

from __future__ import annotations

import re
from importlib.resources import files

from charimg.web.texts import TEXTS

_WEB = files("charimg.web")
_PLURAL = re.compile(r"_(zero|one|two|few|many|other)$")


def _sources(folder: str, ending: str) -> str:
    found = [
        each.read_text("utf-8")
        for each in _WEB.joinpath(folder).iterdir()
        if each.name.endswith(ending)
    ]
    assert found
    return "\n".join(found)


SCRIPTS = _sources("static", ".js")
TEMPLATES = _sources("templates", ".html")
STEMS = {_PLURAL.sub("", key) for key in TEXTS}


def _asked() -> set[str]:
    called = re.findall(r"\bt\(\s*[\"'](\w+)[\"']", SCRIPTS)
    bound = re.findall(r"\bbind\(\s*(?:[\"'][^\"']+[\"']|`[^`]+`|\w+),\s*[\"'](\w+)[\"']", SCRIPTS)
    return {*called, *bound, *re.findall(r"\bt\.(\w+)", TEMPLATES)}


def test_every_text_that_is_asked_for_is_there() -> None:
    asked = _asked()
    assert len(asked) > 150
    assert asked - TEXTS.keys() - STEMS == set()


def test_every_text_that_is_there_is_asked_for() -> None:
    quoted = set(re.findall(r"[\"'](\w+)[\"']", SCRIPTS)) | _asked()
    made = [
        re.compile(re.sub(r"\\\$\\\{[^}]*\\\}", r"\\w+", re.escape(text)))
        for text in re.findall(r"\bt\(\s*`([^`]+)`", SCRIPTS)
    ]
    unused = {
        key
        for key in STEMS
        if key not in quoted and not any(pattern.fullmatch(key) for pattern in made)
    }
    assert unused == set()


def test_a_text_that_counts_has_both_forms_of_english() -> None:
    counted = {key.removesuffix("_one") for key in TEXTS if key.endswith("_one")}
    assert counted == {key.removesuffix("_other") for key in TEXTS if key.endswith("_other")}


def test_both_forms_have_the_same_holes() -> None:
    for key, text in TEXTS.items():
        if key.endswith("_one"):
            other = TEXTS[f"{key.removesuffix('one')}other"]
            assert set(re.findall(r"\{\w+\}", text)) <= set(re.findall(r"\{\w+\}", other)), key
