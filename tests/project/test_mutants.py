"""The tool that changes the code in small ways changes what it should, and nothing else."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .tools import ROOT, load_package

load_package("mutants")

from mutants import areas, changes, trial  # noqa: E402


def variants(text: str) -> set[str]:
    """Return every mutant of a piece of code."""
    found = set()
    tree = ast.parse(text)
    for place in list(changes.places(tree)):
        for change in list(changes.changes(place.node)):
            place.put(change(place.node))
            found.add(ast.unparse(ast.fix_missing_locations(tree)))
            place.put(place.node)
    assert ast.unparse(tree) == ast.unparse(ast.parse(text))
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("x = a < b", {"x = a <= b", "x = a >= b"}),
        ("x = a == 'k'", {"x = a != 'k'", "x = a == '·mutant'"}),
        ("x = a and b", {"x = a or b", "x = a", "x = b"}),
        ("x = not a", {"x = a"}),
        ("x = 3", {"x = 4"}),
        ("x = True", {"x = False"}),
        ("x = a - b", {"x = a + b"}),
        ("x = f'{a}' + b", set()),
        ("x = min(a, b)", {"x = max(a, b)"}),
        ("x = [a for a in b if a]", {"x = [a for a in b]"}),
        ("x = _table('a', 'b')", {"x = _table('a')", "x = _table('b')"}),
        ("x = {a: 'p', b: 'q'}", {"x = {a: 'p'}", "x = {b: 'q'}"}),
        ("x.y = a", {"pass"}),
        ("x: int = a", set()),
        ("'''Text.'''", set()),
        ("_log.info('text')", set()),
        ("if a:\n    raise b", {"if not a:\n    raise b", "if a:\n    pass"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("def f():\n    return False", {"def f():\n    return True"}),
    ],
)
def test_each_change_is_made(text: str, wanted: set[str]) -> None:
    assert variants(text) == wanted


@pytest.mark.long
def test_the_areas_are_there_and_no_exception_is_left_over() -> None:
    equivalent = set(areas.EQUIVALENT)
    for area in areas.AREAS:
        for module in area.modules:
            path = module.partition(":")[0]
            left = {label for label in equivalent if label.startswith(f"{path} ")}
            made = changes.mutants_of(module)
            assert next(made, None), module
            if left:
                equivalent -= {each.label for each in changes.mutants_of(module)}
        for test in area.tests:
            assert (ROOT / "tests" / test.partition("::")[0]).is_file(), test
    assert equivalent == set()


def module(text: str) -> ModuleType:
    """Return a module that is imported."""
    made = ModuleType("made")
    exec(compile(text, "made.py", "exec"), made.__dict__)
    return made


FUNCTIONS = """
class Counter:
    def __init__(self): self.count = 1
    @property
    def twice(self): return self.count + self.count
def outer(a):
    def inner(): return a + 1
    return inner
"""


@pytest.mark.parametrize(
    ("change", "twice", "outer"),
    [
        (("count = 1", "count = 2"), 4, 4),
        (("count + self", "count - self"), 0, 4),
        (("a + 1", "a - 1"), 2, 2),
    ],
)
def test_functions_are_exchanged_where_they_are(
    change: tuple[str, str], twice: int, outer: int
) -> None:
    made = module(FUNCTIONS)
    kept, inner = made.Counter, made.outer
    functions = [kept.__init__, kept.__dict__["twice"].fget, inner]
    assert trial.exchanged(functions, compile(FUNCTIONS.replace(*change), "made.py", "exec"))
    assert (kept().twice, inner(3)()) == (twice, outer)


@pytest.mark.parametrize(
    "text",
    [
        FUNCTIONS.replace("return a + 1", "return 1"),
        FUNCTIONS.replace("def outer", "def other"),
    ],
)
def test_functions_that_cannot_be_exchanged_are_told(text: str) -> None:
    inner = module(FUNCTIONS).outer(1)
    assert not trial.exchanged([inner], compile(text, "made.py", "exec"))


def test_a_mutant_is_tried_by_the_tests_that_can_see_it_the_quickest_first() -> None:
    seen = trial.Seen(
        ok=True,
        seconds={"slow": 2.0, "quick": 1.0, "far": 0.5},
        lines={"journal.py": {2: {"slow", "quick"}, 3: {"slow"}, 1: {""}}},
    )

    def at(line: int, *, inside: bool = True) -> changes.Mutant:
        place = changes.Place(ast.Pass(), "f", inside, (line, line), lambda _: None)
        return changes.Mutant("journal.py", line, "", place, ast.Module([], []))

    assert seen.tests(at(2)) == ["quick", "slow"]
    assert seen.tests(at(3)) == ["slow"]
    assert seen.tests(at(4)) == []
    # What is seen when it is imported may matter to any.
    for mutant in (at(1), at(3, inside=False)):
        assert seen.when_imported(mutant)
        assert seen.tests(mutant) == ["quick", "slow", "far"]


@pytest.mark.long
def test_the_command_writes_down_what_became_of_each(tmp_path: Path) -> None:
    written = tmp_path / "mutants.txt"
    subprocess.run(
        [sys.executable, "-m", "mutants", "job watch", "--every", "30", "--write", written],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
    )
    lines = written.read_text().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("killed\t_library/jobs.py ") for line in lines)
