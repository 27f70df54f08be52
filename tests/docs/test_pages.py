"""What the pages say by hand is what the code says: names, trees, options, codes, events, links."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import typer

import charimg
from charimg import bulk, errors, otel, stores, testing, web
from charimg._json import from_json, to_json
from charimg.cli.app import app
from charimg.cli.exit_codes import MEANINGS, ExitCode
from charimg.cli.report import error_object
from charimg.web import django, fastapi, flask

from .documents import DOCS, DOCUMENTS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = DOCS / "reference"
ADAPTERS = (django, fastapi, flask)
SHARED = {"--directory", "--library-url", "--header", "--json", "--provenance"}

_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCED = re.compile(r"^([ \t]*)(`{3,}).*?^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"^\.\. (?:auto\w+|py:data):: ([\w.]+)", re.MULTILINE)


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row, without the heads' rules."""
    found = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in found]
    return [row for row in split if not set("".join(row)) <= set("-:")]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


# The README


def test_the_readme_has_its_sections_in_order() -> None:
    headings = [
        title for level, title in _HEADING.findall(_FENCED.sub("", README)) if level < "###"
    ]
    assert headings == [
        "charimg",
        "The two commands",
        "Sync and async use",
        "Errors",
        "Request ids",
        "Retries",
        "Timeouts",
        "Logging",
        "Bringing your own HTTP client",
        "Writing your own store",
    ]


def test_the_first_example_has_15_lines_at_most() -> None:
    first = README.split("```python\n", 1)[1].split("```", 1)[0]
    assert len(first.strip().splitlines()) <= 15


def test_make_demo_stands_before_make_test() -> None:
    assert 0 < README.index("$ make demo") < README.index("$ make test")


def test_every_policy_and_every_method_stands_in_the_readme() -> None:
    said = {name for row in rows(README) for name in code(row[0])}
    assert {each.name for each in charimg.ReferencePolicy} <= said
    public = {
        name
        for name, member in inspect.getmembers(charimg.CharacterImageService, inspect.isfunction)
        if not name.startswith("_")
    }
    reading = {"get_image", "list_images", "iter_images", "list_operations", "close"}
    assert public - reading <= said


# Links


def documents() -> Iterator[Path]:
    yield from DOCUMENTS
    yield ROOT / "CHANGELOG.md"
    yield from sorted((ROOT / "examples").glob("*.md"))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page as GitHub and MyST make them."""
    titles = [title for _, title in _HEADING.findall(_FENCED.sub("", text))]
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "path", list(documents()), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_links_resolve(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in _LINK.findall(_FENCED.sub("", text)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.is_file(), target
        assert ROOT in linked.parents, target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {DOCS / "index.md"}
    for index in DOCS.rglob("index.md"):
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text("utf-8"), re.DOTALL):
            entries = [line for line in tree.split() if not line.startswith(":") and line]
            listed |= {(index.parent / f"{entry}.md") for entry in entries if not entry.isdigit()}
    # The tables of the benchmarks are parts of other pages.
    pages = set(DOCS.rglob("*.md")) - set((DOCS / "benchmarks").iterdir())
    assert listed == pages


# The reference


def described() -> set[str]:
    """Return the full names that the reference describes."""
    names: set[str] = set()
    for path in REFERENCE.glob("*.md"):
        module = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(".. currentmodule:: "):
                module = line.split()[-1]
            elif match := _DIRECTIVE.match(line):
                name = match[1] if match[1].startswith("charimg.") else f"{module}.{match[1]}"
                assert name not in names, f"{name} is described twice"
                names.add(name)
    return names


def test_the_reference_describes_every_public_name_and_no_other() -> None:
    public = {
        f"{module.__name__}.{name}"
        for module in (charimg, stores, testing, web, bulk, otel, *ADAPTERS)
        for name in module.__all__
        # What an adapter gives on is described where it comes from.
        if module not in ADAPTERS or getattr(module, name).__module__ == module.__name__
    }
    assert described() == public


def test_the_reference_shows_what_a_class_inherits_from_ours() -> None:
    blocks = [
        (module, block)
        for path in REFERENCE.glob("*.md")
        for rst in re.findall(r"```\{eval-rst\}\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
        for module in re.findall(r"currentmodule:: (\S+)", rst)
        for block in re.split(r"^\.\. autoclass:: ", rst, flags=re.MULTILINE)[1:]
    ]
    assert len(blocks) > 50
    for module, block in blocks:
        cls = getattr(importlib.import_module(module), block.split()[0])
        inherited = {
            name
            for base in cls.__mro__[1:]
            if base.__module__.startswith("charimg")
            for name in vars(base)
            if not name.startswith("_") and name not in vars(cls)
        }
        assert not inherited or ":inherited-members:" in block, cls


def test_the_error_tree_is_that_of_the_code() -> None:
    tree = page("errors.md").split("```text\n", 1)[1].split("```", 1)[0].strip()
    assert textwrap.indent(tree, "    ") in str(errors.__doc__), "the docstring draws another"
    parents: list[str] = []
    drawn: dict[str, str] = {}
    for line in tree.splitlines():
        match = re.match(r"([│ ├└─]*)(\w+)", line)
        assert match is not None, line
        depth = len(match[1]) // 4
        parents[depth:] = [match[2]]
        drawn[match[2]] = parents[depth - 1] if depth else "Exception"
    real = {
        name: cls.__bases__[0].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.CharimgError)
    }
    assert drawn == real


def test_the_readme_names_every_error() -> None:
    table = README.split("## Errors", 1)[1].split("## Request ids", 1)[0]
    said = {name for row in rows(table) for cell in row for name in code(cell)}
    real = {name for name in errors.__all__ if name not in ("ErrorCode", "CharimgError")}
    assert real <= said


def test_there_is_advice_for_every_code() -> None:
    said = {name for row in rows(page("errors.md")) for name in code(row[0])}
    assert said == set(errors.ErrorCode)


def commands() -> dict[str, Any]:
    """Return every command of the command line by its words."""
    found: dict[str, Any] = {}

    def walk(command: Any, words: str) -> None:
        if hasattr(command, "commands"):
            for name, inner in command.commands.items():
                walk(inner, f"{words} {name}")
        else:
            found[words] = command

    walk(typer.main.get_command(app), "charimg")
    return found


def test_the_command_table_is_that_of_the_command() -> None:
    section = page("command-line.md").split("## Commands", 1)[1].split("## Exit codes", 1)[0]
    said = {
        code(row[0])[0]: (code(row[1]), code(row[2]))
        for row in rows(section)
        if row[0].startswith("`")
    }
    real: dict[str, tuple[list[str], list[str]]] = {}
    for words, command in commands().items():
        arguments: list[str] = []
        options: list[str] = []
        for each in command.params:
            if each.param_type_name == "argument":
                name = each.name.upper()
                arguments.append(name if each.required else f"[{name}]")
            elif each.opts[0] not in SHARED:
                # Another name for one stands behind it, in brackets.
                options += each.opts
        real[words] = (arguments, options)
    assert said == real


def test_the_shared_options_are_shared() -> None:
    section = page("command-line.md").split("## Commands", 1)[0]
    said = {name.split()[0] for row in rows(section) for name in code(row[0])}
    assert said == SHARED | {"-d"}


def test_the_exit_codes_are_those_of_the_command() -> None:
    section = page("command-line.md").split("## Exit codes", 1)[1]
    said = {int(row[0]): row[1] for row in rows(section) if row[0].isdigit()}
    assert said == {int(number): meaning for number, meaning in MEANINGS.items()}


def sources() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted((ROOT / "src" / "charimg").rglob("*.py")):
        if "_sync" not in path.parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def test_every_log_event_is_listed_with_its_attributes() -> None:
    said = {}
    for row in rows(page("logging.md"))[1:]:
        for event in code(row[0]):
            said[event] = (code(row[1])[0], row[2])
    levels = {"exception": "ERROR"}
    real = {}
    for path, tree in sources():
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if not isinstance(node.func.value, ast.Name) or node.func.value.id != "_log":
                continue
            name = re.search(r'_log = (?:logging\.getLogger|logger)\("([^"]+)"\)', text)
            assert name is not None
            level = levels.get(node.func.attr, node.func.attr.upper())
            message = node.args[0]
            if isinstance(message, ast.Constant):
                real[message.value] = (name[1], level)
            else:
                for ending in ("started", "finished", "failed"):
                    real[f"operation.{ending}"] = (name[1], level)
    assert said == real


def test_every_environment_variable_is_listed() -> None:
    said = {name for row in rows(page("settings.md")) for name in code(row[0]) if name.isupper()}
    real = {"NO_COLOR"}
    for path in sorted((ROOT / "src" / "charimg").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        real |= set(re.findall(r"\"((?:CHARIMG|CHARACTER_LIBRARY|PAYLOAD|SITE)_[A-Z_]+)\"", text))
    assert said == real


def test_the_service_arguments_are_listed_with_their_defaults() -> None:
    said, optional = arguments("service", charimg.CharacterImageService)
    assert set(said) == set(optional)
    assert said["concurrency"] == str(optional["concurrency"])


def test_the_downloader_arguments_are_listed_with_their_defaults() -> None:
    said, optional = arguments("downloader", charimg.Downloader)
    assert set(said) == set(optional)
    assert said["ports"] == " and ".join(map(str, optional["ports"]))


def arguments(of: str, cls: type) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the defaults that the page gives, and those of the constructor."""
    section = page("settings.md").split(f"## Arguments of the {of}\n", 1)[1].split("\n## ", 1)[0]
    said = {code(row[0])[0]: row[1] for row in rows(section)[1:]}
    signature = inspect.signature(cls)
    optional = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    return said, optional


def test_the_json_form_is_that_of_a_record() -> None:
    record, error = (
        json.loads(block.split("```", 1)[0]) for block in page("json.md").split("```json\n")[1:]
    )
    image = from_json(charimg.CharacterImage, record, what="the page")
    assert to_json(image) == record
    shown = error_object(
        errors.CharacterLibraryError("x", code="NOT_FOUND", status_code=500, request_id="r"),
        ExitCode.LIBRARY,
        "x",
    )
    assert set(shown["error"]) == set(error["error"])


def test_every_event_is_in_the_table_of_events() -> None:
    said = {name for row in rows(page("events.md")) for name in code(row[0])}
    from charimg import events

    real = {
        name for name, cls in vars(events).items() if inspect.isclass(cls) and attrs.has(cls)
    } - {"CharacterImage"}
    assert said == real


# The changelog


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## (\S+) - (\d{4}-\d{2}-\d{2})$", text, re.MULTILINE)
    assert releases[0][0] == charimg.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == charimg.__version__
    sections = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
