"""Tests in the browser wait for what must come, in no way that a policy or a load breaks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
WAITS = {
    "wait_for_timeout": "wait for what must come: expect(), becomes(), until()",
    # From its second look on, the policy of our pages forbids what it does.
    "wait_for_function": "it evaluates a text again and again: becomes() does so once",
}


def waits(text: str) -> Iterator[str]:
    """Yield the calls of a module that wait in a wrong way."""
    if not any(each in text for each in WAITS):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in WAITS:
            yield f"{node.lineno}: {node.attr}: {WAITS[node.attr]}"


def test_no_test_waits_for_a_while_or_by_a_text_that_is_evaluated() -> None:
    modules = sorted(TESTS.rglob("*.py"))
    assert len(modules) > 100
    assert [
        f"{path.relative_to(TESTS)}:{each}"
        for path in modules
        for each in waits(path.read_text(encoding="utf-8"))
    ] == []


def test_a_wrong_wait_is_noticed() -> None:
    found = list(waits("page.wait_for_timeout(300)\npage.wait_for_function('done')\n"))
    assert [each.partition(":")[0] for each in found] == ["1", "2"]
