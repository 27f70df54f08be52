"""What a store can do is seen within another object, too, on every Python."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import charimg
from charimg import capabilities, protocols
from charimg._offers import _STANDS_FOR, offers
from charimg.stores import (
    DiskMediaStore,
    MemoryCharacterDirectory,
    MemoryMediaStore,
    MemoryMetadataRepository,
    SqliteDatabase,
    SqliteMetadataRepository,
)

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


class Changed:
    """What a host changes of a store: it has to be asked, whatever would be faster."""

    def add(self, image: Any, /) -> Any:
        return image

    def list(self, character_id: str, /, **_: Any) -> Any:
        return character_id

    def locate(self, media: Any, /) -> Any:
        return media


FASTER = [
    (SqliteMetadataRepository, capabilities.VersionedMetadataRepository, "list"),
    (SqliteMetadataRepository, capabilities.BatchingMetadataRepository, "add"),
    (DiskMediaStore, capabilities.PermanentMediaStore, "locate"),
]


@pytest.mark.parametrize(("base", "protocol", "name"), FASTER)
def test_what_passes_a_change_of_a_hosts_over_is_not_offered(
    base: Any, protocol: Any, name: str, tmp_path: Path
) -> None:
    def make(cls: Any) -> Any:
        return cls(SqliteDatabase(tmp_path / "x") if name != "locate" else tmp_path)

    changed = getattr(Changed, name)
    below = type("Below", (base,), {name: changed})
    around = type("Around", (Within,), {name: changed})
    patched = make(base)
    setattr(patched, name, changed)
    assert offers(make(base), protocol)
    for store in (make(below), around(make(base)), Within(make(below)), patched):
        assert not offers(store, protocol)


@pytest.mark.parametrize(("base", "protocol", "name"), FASTER)
def test_what_was_changed_with_it_is_offered(
    base: Any, protocol: Any, name: str, tmp_path: Path
) -> None:
    (faster,) = set(_STANDS_FOR) & set(vars(protocol))
    both = {name: getattr(Changed, name), faster: lambda *_: None}
    place = SqliteDatabase(tmp_path / "x") if name != "locate" else tmp_path
    for cls in (type("Both", (base,), both), type("Faster", (base,), {faster: both[faster]})):
        assert offers(cls(place), protocol)
        assert offers(Within(cls(place)), protocol)
