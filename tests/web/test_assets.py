"""The files of the page hold together, and nothing in them could run a text as code."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

_WEB = files("charimg.web")
STATIC = {each.name: each.read_text("utf-8") for each in _WEB.joinpath("static").iterdir()}
TEMPLATES = {each.name: each.read_text("utf-8") for each in _WEB.joinpath("templates").iterdir()}
SCRIPTS = {name: text for name, text in STATIC.items() if name.endswith(".js")}
SHELL = TEMPLATES["images.html"]


def test_they_are_in_the_package() -> None:
    assert {"page.js", "charimg.css", "viewer.js", "viewer.css"} <= STATIC.keys()
    assert {"images.html", "index.html", "icons.svg"} <= TEMPLATES.keys()


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_nothing_reads_a_text_as_markup_or_code(name: str) -> None:
    sinks = (
        r"\.innerHTML|\.outerHTML|insertAdjacentHTML|document\.write|createContextualFragment"
        r"|DOMParser|srcdoc|\beval\(|new Function|setAttribute\(\s*[\"']style|\.cssText"
        r"|setTimeout\(\s*[\"'`]|javascript:"
    )
    assert re.findall(sinks, SCRIPTS[name]) == []


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_has_nothing_inline(name: str) -> None:
    text = TEMPLATES[name]
    assert re.findall(r"\sstyle=|\son\w+=|<style|javascript:|\|\s*safe\b", text) == []
    scripts = re.findall(r"<script\b[^>]*>", text)
    assert all("src=" in each or 'type="application/json"' in each for each in scripts)


def test_every_import_leads_to_a_file() -> None:
    for name, text in SCRIPTS.items():
        led = re.findall(r"(?:from\s|import\()\s*[\"'`](\./[^\"'`]+)[\"'`]", text)
        assert {each.removeprefix("./") for each in led} <= SCRIPTS.keys(), name
        others = re.findall(r"from\s+[\"']([^.\"'][^\"']*)[\"']", text)
        assert others == [], name


def test_what_is_loaded_at_first_is_told_to_the_browser_at_once() -> None:
    reached: set[str] = set()
    waiting = ["page.js"]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        waiting += re.findall(r"from\s+[\"']\./([^\"']+)[\"']", SCRIPTS[name])
    listed = re.search(r"for module in \[([^\]]*)\]", SHELL)
    assert listed is not None
    told = {f"{each}.js" for each in re.findall(r"\"(\w+)\"", listed[1])}
    assert told == reached - {"page.js"}


def test_every_drawing_that_is_used_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'id="ci-i-(\w+)"', TEMPLATES["icons.svg"]))
    everything = "\n".join([*SCRIPTS.values(), *TEMPLATES.values()])
    assert set(re.findall(r"#ci-i-(\w+)", everything)) <= sprite
    unused = {each for each in sprite if not re.search(rf"[\"'-]{each}[\"']", everything)}
    assert unused == set()


def test_every_element_that_is_looked_up_is_in_the_shell() -> None:
    there = set(re.findall(r'\bid="(ci-[\w-]+|charimg[\w-]*)"', SHELL))
    for name, text in SCRIPTS.items():
        asked = set(re.findall(r"\$\(\s*[\"']((?:ci|charimg)[\w-]*)[\"']\s*\)", text))
        assert asked <= there, name
