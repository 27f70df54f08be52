"""Generate the sync half: ``_async/*.py`` becomes ``_sync/*.py``, in the package and in the tests.

``python tools/unasync.py`` writes; ``--check`` compares the whole tree and fails on a difference,
on an orphan file and on a replacement rule that no longer matches anything.
"""

from __future__ import annotations

import argparse
import difflib
import io
import re
import subprocess
import sys
import tokenize
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAIRS = (
    ("src/charimg/_async", "src/charimg/_sync"),
    ("src/charimg/web/_async", "src/charimg/web/_sync"),
    ("tests/_async", "tests/_sync"),
)

NAMES = {
    "AsyncExitStack": "ExitStack",
    "AsyncIterator": "Iterator",
    "Awaitable": "_Plain",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "_async": "_sync",
    "aask": "ask",
    "acheck_service": "check_service",
    "aclose": "close",
    "aclosing": "closing",
    "alook_up": "look_up",
    "arun_bounded": "run_bounded",
    "asleep": "sleep",
    "asuggest": "suggest",
    "async_embedded": "embedded",
    "async_open_stores": "open_stores",
    "async_suggester": "suggester",
    "asurely": "surely",
    "asynccontextmanager": "contextmanager",
    "enter_async_context": "enter_context",
    "push_async_callback": "callback",
}
"""Whole identifiers. Any other identifier that starts with ``Async`` simply loses that prefix."""

DROPPED_LINES = (
    re.compile(r"^\s*@pytest\.mark\.anyio\s*$"),
    re.compile(r"^\s*pytestmark = pytest\.mark\.anyio\s*$"),
)
PREFIX = re.compile(r"^Async(?=[A-Z])")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def rename(word: str, used: Counter[str]) -> str:
    """Return the sync name of an identifier, noting which rule was used."""
    if word in NAMES:
        used[word] += 1
        return NAMES[word]
    return PREFIX.sub("", word)


def _prose(text: str, used: Counter[str]) -> str:
    """Rewrite identifiers and code in strings and comments."""
    text = re.sub(r"\b(?:await |async (?=with|for|def))", "", text)
    return WORD.sub(lambda found: rename(found.group(), used), text)


def convert(source: str, used: Counter[str]) -> str:
    """Return the sync form of a module, unformatted."""
    lines = [
        line
        for line in source.splitlines(keepends=True)
        if not any(pattern.match(line) for pattern in DROPPED_LINES)
    ]
    out: list[str] = []
    row, column = 1, 0
    text = "".join(lines)
    kept = text.splitlines(keepends=True)
    swallow_space = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER):
            continue
        start_row, start_column = token.start
        gap = ""
        while row < start_row:
            gap += kept[row - 1][column:]
            row, column = row + 1, 0
        gap += kept[row - 1][column:start_column] if row <= len(kept) else ""
        out.append(gap.lstrip(" ") if swallow_space else gap)
        swallow_space = False
        word = token.string
        if token.type == tokenize.NAME and word in ("async", "await"):
            swallow_space = True
            word = ""
        elif token.type == tokenize.NAME:
            word = rename(word, used)
        elif token.type in (tokenize.STRING, tokenize.COMMENT) or (
            tokenize.tok_name[token.type] == "FSTRING_MIDDLE"
        ):
            word = _prose(word, used)
        out.append(word)
        row, column = token.end
    converted = "".join(out)
    # ``Callable[[X], Awaitable[Y]]`` is ``Callable[[X], Y]``.
    converted = re.sub(r"_Plain\[([^\[\]]*(?:\[[^\[\]]*\])?)\]", r"\1", converted)
    converted = re.sub(r"\bimport _Plain,\s*", "import ", converted)
    return re.sub(r",?\s*\b_Plain\b", "", converted)


def tidy(text: str, path: Path) -> str:
    """Sort the imports and format, as the project's own settings say."""
    for command in (["check", "--select", "I,F401", "--fix-only", "-q"], ["format", "-q"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"ruff {command[0]} failed for {path}:\n{done.stderr}")
        text = done.stdout
    return text


def generate(root: Path, used: Counter[str]) -> dict[Path, str]:
    """Return what every generated file should hold."""
    result: dict[Path, str] = {}
    for source_dir, target_dir in PAIRS:
        for source in sorted((root / source_dir).glob("*.py")):
            target = root / target_dir / source.name
            body = convert(source.read_text(encoding="utf-8"), used)
            name = source.relative_to(root).as_posix()
            head = f"# Generated from {name} by tools/unasync.py. Do not edit.\n"
            result[target] = tidy(head + body, target)
    return result


def orphans(root: Path, wanted: dict[Path, str]) -> list[Path]:
    """Return the files of generated folders that no source stands behind."""
    return [
        path
        for _, target_dir in PAIRS
        for path in sorted((root / target_dir).glob("*.py"))
        if path not in wanted
    ]


def problems(root: Path) -> list[str]:
    """Compare the tree with what should stand there."""
    used: Counter[str] = Counter()
    wanted = generate(root, used)
    found = [
        f"{path.relative_to(root)}: no source stands behind it" for path in orphans(root, wanted)
    ]
    for path, text in wanted.items():
        have = path.read_text(encoding="utf-8") if path.exists() else ""
        if have != text:
            name = path.relative_to(root).as_posix()
            found.append(
                "".join(
                    difflib.unified_diff(
                        have.splitlines(keepends=True), text.splitlines(keepends=True), name, name
                    )
                )
            )
    if wanted:
        found += [f"rule {rule!r} matches nothing" for rule in NAMES if not used[rule]]
    return found


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Write the sync half, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args(argv).check:
        found = problems(root)
        for problem in found:
            print(problem)
        print("generated half: " + ("out of date, run make sync" if found else "up to date"))
        return 1 if found else 0
    wanted = generate(root, Counter())
    for path in orphans(root, wanted):
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
