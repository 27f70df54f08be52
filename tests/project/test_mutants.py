"""The tool that changes the code in small ways changes what it should, and nothing else."""

from __future__ import annotations

import ast

import pytest

from .tools import ROOT, load_tool

TOOL = load_tool("mutants")


def variants(text: str) -> set[str]:
    """Return every mutant of a piece of code."""
    found = set()
    tree = ast.parse(text)
    for at, (node, _) in enumerate(TOOL.places(tree)):
        for change in TOOL.changes(node):
            copy = ast.parse(text)
            place = [each for each, _ in TOOL.places(copy)][at]
            TOOL.replace(copy, place, change(place))
            found.add(ast.unparse(ast.fix_missing_locations(copy)))
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
    labels: set[str] = set()
    for area in TOOL.AREAS:
        for module in area.modules:
            made = list(TOOL.mutants_of(module))
            assert made, module
            labels |= {each.label for each in made}
        for test in area.tests:
            assert (ROOT / "tests" / test.partition("::")[0]).is_file(), test
    assert labels >= set(TOOL.EQUIVALENT)
