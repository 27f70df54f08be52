"""Who imports whom, read from the syntax tree: at load, inside functions, for types, by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

When = Literal["load", "call", "types"]
PACKAGE = "charimg"
LAZY_TABLES = ("_NAMES", "_HOME")
"""Module-level dicts of a lazy ``__getattr__``: module to names, or name to module."""


@dataclass(frozen=True)
class Import:
    """One module imports another, or takes a name from it."""

    importer: str
    target: str
    name: str | None
    when: When
    line: int


def read_tree(source: Path) -> dict[str, str]:
    """Return the text of every module below a folder, by its dotted name (a package's: without
    ``__init__``, but with a dot at the end, so that relative imports can be told)."""
    tree = {}
    for path in sorted((source / PACKAGE).rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        name = ".".join(parts[:-1]) + "." if parts[-1] == "__init__" else ".".join(parts)
        tree[name] = path.read_text(encoding="utf-8")
    return tree


def read_imports(tree: Mapping[str, str]) -> list[Import]:
    """Return every import of every module of a tree (`read_tree`), lazily named ones included."""
    known = {name.rstrip(".") for name in tree}
    found: list[Import] = []
    for name, text in tree.items():
        module = name.rstrip(".")
        package = module if name.endswith(".") else module.rpartition(".")[0]
        reader = _Reader(module, package, known)
        reader.visit(ast.parse(text))
        found += reader.found
    return found


class _Reader(ast.NodeVisitor):
    def __init__(self, module: str, package: str, known: set[str]) -> None:
        self.module = module
        self.package = package
        self.known = known
        self.when: When = "load"
        self.found: list[Import] = []
        self.named: set[str] = set()

    def note(self, target: str, name: str | None, line: int) -> None:
        if name is not None and f"{target}.{name}" in self.known:
            target, name = f"{target}.{name}", None
        self.found.append(Import(self.module, target, name, self.when, line))

    def inside(self, when: When, nodes: list[ast.stmt]) -> None:
        before, self.when = self.when, when
        for node in nodes:
            self.visit(node)
        self.when = before

    def visit_Module(self, node: ast.Module) -> None:
        for statement in node.body:
            if (
                isinstance(statement, ast.Assign)
                and isinstance(statement.targets[0], ast.Name)
                and statement.targets[0].id in LAZY_TABLES
            ):
                self.named |= set(_modules_of(statement.value))
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.note(alias.name, None, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1]
            base = ".".join([*above, base]).rstrip(".")
        for alias in node.names:
            self.note(base, alias.name, node.lineno)

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            self.inside("types", node.body)
            self.inside(self.when, node.orelse)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.inside("call", node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.inside("call", node.body)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        if called in ("import_module", "importlib.import_module", "__import__"):
            first = node.args[0]
            names = [first.value] if isinstance(first, ast.Constant) else sorted(self.named)
            if not names:
                raise AssertionError(
                    f"{self.module}:{node.lineno} imports a module whose name cannot be read"
                )
            relative = not isinstance(first, ast.Constant)
            for name in names:
                target = str(name)
                if target.startswith(".") or relative:
                    target = f"{self.package}.{target.lstrip('.')}"
                self.note(target, None, node.lineno)
        self.generic_visit(node)


def _modules_of(table: ast.expr) -> Iterator[str]:
    """Yield the modules that a lazy table names, as written there."""
    if isinstance(table, ast.Dict):
        for key, value in zip(table.keys, table.values, strict=True):
            assert key is not None
            yield ast.literal_eval(value if isinstance(value, ast.Constant) else key)


def circles(edges: Mapping[str, set[str]]) -> list[tuple[str, ...]]:
    """Return the groups of modules that import each other, directly or round a circle (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[tuple[str, ...]] = []

    def enter(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in index:
                enter(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1 or node in edges.get(node, ()):
                found.append(tuple(sorted(group)))

    for node in sorted(edges):
        if node not in index:
            enter(node)
    return sorted(found)
