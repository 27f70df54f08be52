"""What a store can do is seen within another object, too, on every Python."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import charimg
from charimg import capabilities, protocols
from charimg._offers import offers
from charimg.stores import MemoryCharacterDirectory, MemoryMediaStore, MemoryMetadataRepository

SOURCE = Path(charimg.__file__).parent
PROTOCOLS = {
    name: getattr(module, name)
    for module in (protocols, capabilities)
    for name in module.__all__
    if getattr(getattr(module, name), "_is_protocol", False)
}


class Within:
    """Hands everything on, as something that caches or writes a log does."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize(
    "store", [MemoryCharacterDirectory(), MemoryMediaStore(), MemoryMetadataRepository()]
)
def test_within_another_object_a_store_can_do_what_it_can(store: Any) -> None:
    able = {name for name, each in PROTOCOLS.items() if offers(store, each)}
    assert able
    assert {name for name, each in PROTOCOLS.items() if offers(Within(store), each)} == able
    assert not any(offers(type(store), each) for each in PROTOCOLS.values())


def test_no_code_asks_python_whether_a_protocol_is_met() -> None:
    wrong = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("isinstance", "issubclass")
        and any(
            isinstance(each, ast.Name) and each.id in PROTOCOLS for each in ast.walk(node.args[1])
        )
    ]
    assert wrong == []
