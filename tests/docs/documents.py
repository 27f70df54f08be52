"""The documents, and how the blocks in them are run.

A document is one test: its blocks run in order and share a namespace, a simulated Character Library
and an empty working directory. Fences are of few languages, and each is proved in its own way:

- ``python`` runs in this process;
- ``output`` must be what the blocks since the last ``output`` printed, ``...`` standing for any
  text;
- ``console`` runs as a shell script, with the ``charimg`` command of this environment; what follows
  a command without ``$`` is its output. Commands that install, build or serve are only looked up;
- ``json``, ``toml`` and ``text`` must parse, or say nothing that could be wrong.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from attrs import define, field, frozen
from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import FencedCodeBlockLexer

from charimg.cli.app import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(r"^[ \t]*(?:[-*] +)?(?:`{3,}|~{3,})[ \t]*([^\s`]+)", re.MULTILINE)
# Sphinx' own directives: nothing in them runs.
_DIRECTIVES = (
    "{toctree}",
    "{eval-rst}",
    "{include}",
    "{note}",
    "{warning}",
    "{contents}",
    "{image}",
)
_LANGUAGES = ("python", "output", "console", "json", "toml", "text")
_SERVES = ("simulate", "demo", "serve")
_EXTRAS = re.compile(r"\[([^\]]+)\]")


@frozen
class Command:
    """One command of a console block, and what it is said to print."""

    line: str
    output: str


@define
class Runner:
    """Runs the blocks of one document.

    Attributes:
        ran: How many blocks of each language were proved.
    """

    ran: dict[str, int] = field(factory=dict)
    _printed: str = ""
    _evaluator: PythonEvaluator = field(factory=PythonEvaluator)

    def run(self, path: Path) -> None:
        document = parse(path)
        document.namespace["__name__"] = "app"
        for example in document:
            self._one(example)

    def _one(self, example: Example) -> None:
        language = example.region.lexemes["language"]
        proofs: dict[str, Callable[[Example], None]] = {
            "python": self._python,
            "output": self._output,
            "console": self._console,
            "json": lambda each: json.loads(each.parsed),
            "toml": lambda each: tomllib.loads(each.parsed),
            "text": lambda each: None,
        }
        try:
            proofs[language](example)
        except Exception as error:
            where = f"{Path(example.path).name}:{example.line}"
            error.add_note(f"in the {language} block at {where}:\n{example.parsed}")
            raise
        self.ran[language] = self.ran.get(language, 0) + 1

    def _python(self, example: Example) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self._evaluator(example)
        self._printed += printed.getvalue()

    def _output(self, example: Example) -> None:
        _compare(example.parsed, self._printed)
        self._printed = ""

    def _console(self, example: Example) -> None:
        commands = commands_of(example.parsed)
        assert commands, "a console block without a command"
        if any(_is_looked_up(command.line) for command in commands):
            for command in commands:
                look_up(command.line)
            return
        said = "".join(command.output for command in commands)
        # A block that shows output may show a failure; in any other one every command succeeds.
        script = "\n".join(["" if said else "set -e", *(command.line for command in commands)])
        done = subprocess.run(
            ["bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
            timeout=600,
            check=False,
        )
        if said:
            _compare(said, done.stdout)
        else:
            assert done.returncode == 0, done.stdout


def parse(path: Path) -> Document:
    """Return the document with every fence that is to be proved; other languages are an error."""
    text = path.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        known = match[1] in (*_LANGUAGES, *_DIRECTIVES)
        assert known, f"{path.name}: nothing proves a fence of {match[1]!r}"
    return Document.parse(str(path), _fences)


def fences(path: Path) -> dict[str, int]:
    """Return how many fences of each provable language stand in the file, simply counted."""
    count: dict[str, int] = {}
    for match in _FENCE.finditer(path.read_text(encoding="utf-8")):
        if match[1] in _LANGUAGES:
            count[match[1]] = count.get(match[1], 0) + 1
    return count


def commands_of(block: str) -> list[Command]:
    """Return the commands of a console block; a line that begins with ``> `` goes on."""
    commands: list[Command] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:], ""))
        elif line.startswith("> ") and commands and not commands[-1].output:
            commands[-1] = Command(f"{commands[-1].line}\n{line[2:]}", "")
        else:
            last = commands.pop()
            commands.append(Command(last.line, last.output + line + "\n"))
    return commands


def look_up(line: str) -> None:
    """Check that a command that is not run here exists, with its options."""
    words = shlex.split(line)
    if words[0] == "charimg":
        _parse_command(words[1:])
    elif words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        assert set(words[1:]) <= set(targets), line
    elif "pip" in words[:3]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        for group in _EXTRAS.findall(line):
            assert set(group.split(",")) <= set(project["optional-dependencies"]), line
    else:
        assert words[0] in ("git", "cd", "python", "export", "curl"), f"nothing proves {line!r}"


def _parse_command(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command.make_context("charimg", list(words))
        command, words = command.commands[words[0]], words[1:]
    command.make_context("charimg", list(words))


def _is_looked_up(line: str) -> bool:
    words = shlex.split(line, comments=True)
    serves = words[0] == "charimg" and words[1] in _SERVES
    return serves or words[0] in ("git", "make", "curl") or "pip" in words[:3]


def _fences(document: Document) -> list[Region]:
    lexer = FencedCodeBlockLexer(
        language=r"|".join(_LANGUAGES), mapping={"language": "language", "source": "source"}
    )
    regions = list(lexer(document))
    for region in regions:
        region.parsed = region.lexemes["source"]
        region.evaluator = _never
    return regions


def _never(example: Example) -> None:
    raise AssertionError("the runner proves the blocks itself")


def _compare(said: str, printed: str) -> None:
    checker = doctest.OutputChecker()
    same = checker.check_output(said, printed, doctest.ELLIPSIS)
    assert same, f"the document says:\n{said}\nand there came:\n{printed}"


def _environment() -> dict[str, str]:
    here = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{here}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
