"""The mutants of a module: every small change of its syntax tree."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "charimg"

Change = Callable[[ast.AST], ast.AST]

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
MEANT = {"startswith", "endswith", "partition", "rpartition", "split", "join", "compile", "get"}
"""Methods and functions whose texts decide something."""
TABLES = {"_table", "frozenset"}
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Place:
    """A node that may change.

    Attributes:
        node: It.
        where: The function it stands in.
        inside: Whether it is in that function's body, and not evaluated when it is defined.
        lines: The first and the last line of its statement, without the statements below that.
        put: Puts another node in its place.
    """

    node: ast.AST
    where: str
    inside: bool
    lines: tuple[int, int]
    put: Callable[[ast.AST], None]


@dataclass(frozen=True)
class Mutant:
    """One changed module.

    Attributes:
        module: Below ``src/charimg``.
        line: Where.
        label: Module, function, and the code before and after.
        place: What is changed.
        tree: The whole module, changed until the next mutant is asked for.
    """

    module: str
    line: int
    label: str
    place: Place
    tree: ast.Module


def mutants_of(module: str) -> Iterator[Mutant]:
    """Make every mutant of a module (``path`` or ``path:function,function``), in order."""
    path, _, only = module.partition(":")
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    wanted = set(only.split(",")) if only else None
    for statement in range(len(tree.body)):
        seen = {ast.unparse(tree.body[statement])}
        for place in list(places(tree, statement)):
            if wanted is not None and place.where.split(".")[0] not in wanted:
                continue
            before = shown(place.node)
            for change in list(changes(place.node)):
                replacement = change(place.node)
                label = f"{path} {place.where or 'module'}: {before} -> {shown(replacement)}"
                place.put(replacement)
                ast.fix_missing_locations(tree)
                text = ast.unparse(tree.body[statement])
                if text not in seen:
                    seen.add(text)
                    yield Mutant(path, getattr(place.node, "lineno", 0), label, place, tree)
                place.put(place.node)


def places(tree: ast.Module, statement: int | None = None) -> Iterator[Place]:
    """Yield every node that may change, of the whole module or of one statement at its top."""

    def walk(node: ast.AST, where: str, inside: bool, lines: tuple[int, int]) -> Iterator[Place]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            body = name == "body" and isinstance(
                node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            )
            for at, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(child, ast.AST) or silent(child):
                    continue
                if node is tree and statement not in (None, at):
                    continue
                deeper = where
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    deeper = f"{where}.{child.name}".lstrip(".")
                of = _lines(child) if isinstance(child, ast.stmt | ast.excepthandler) else lines
                in_it = inside or body
                yield Place(child, deeper, in_it, of, partial(_put, node, name, at))
                yield from walk(child, deeper, in_it, of)

    yield from walk(tree, "", False, (0, 0))


def _lines(node: Any) -> tuple[int, int]:
    below = getattr(node, "body", None) or getattr(node, "cases", None)
    first = below[0] if isinstance(below, list) else None
    if isinstance(first, ast.match_case):
        return node.lineno, first.pattern.lineno - 1
    return node.lineno, node.end_lineno if first is None else max(node.lineno, first.lineno - 1)


def _put(parent: ast.AST, name: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[at] = node


def silent(node: ast.AST) -> bool:
    """Tell whether nothing that the package does can change here."""
    if isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        value = node.value
        return isinstance(value, ast.Constant) or (
            isinstance(value, ast.Call) and ast.unparse(value.func).startswith("_log.")
        )
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0]) in ("__all__", "_log", "_UNREADABLE")
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def changes(node: ast.AST) -> Iterator[Change]:
    """Yield the ways to change a node; each returns what takes its place."""
    match node:
        case ast.Compare():
            for at, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    yield partial(with_item, name="ops", at=at, value=other())
            yield from other_texts("comparators", node.comparators)
        case ast.BoolOp():
            swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield partial(with_field, name="op", value=swapped)
            yield from each_left_out(node.values, "values")
        case ast.UnaryOp(op=ast.Not()):
            yield partial(part, name="operand")
        case ast.BinOp() if type(node.op) in ARITHMETIC and not of_texts(node):
            yield partial(with_field, name="op", value=ARITHMETIC[type(node.op)]())
        case ast.If() | ast.IfExp() | ast.While():
            yield negated
        case ast.comprehension():
            yield from each_left_out(node.ifs, "ifs")
        case ast.Constant(value=bool() as value):
            yield partial(instead, other=ast.Constant(not value))
        case ast.Constant(value=int() | float() as value):
            yield partial(instead, other=ast.Constant(value + 1))
        # False and None are both no.
        case ast.Return(value=ast.expr() as result) if ast.unparse(result) not in ("None", "False"):
            yield partial(instead, other=ast.Return(ast.Constant(None)))
        case ast.Raise() | ast.AugAssign() | ast.Expr() | ast.Continue():
            yield partial(instead, other=ast.Pass())
        case ast.Assign(targets=[ast.Attribute()]):
            yield partial(instead, other=ast.Pass())
        case ast.Tuple(ctx=ast.Load()) | ast.List(ctx=ast.Load()) | ast.Set():
            yield from each_left_out(node.elts, "elts")
        case ast.Dict():
            for at in range(len(node.keys)):
                yield partial(without_pair, at=at)
        case ast.Call():
            yield from changed_calls(node)


def changed_calls(node: ast.Call) -> Iterator[Change]:
    """Yield the ways to change a call."""
    name = ast.unparse(node.func).rpartition(".")[2]
    if name in TABLES:
        yield from each_left_out(node.args, "args")
    if name in MEANT:
        yield from other_texts("args", node.args)
    if name in OPPOSITES:
        other = ast.Name(OPPOSITES[name], ast.Load())
        yield partial(with_field, name="func", value=other)
    if isinstance(node.func, ast.Attribute) and name in ("strip", "lower", "casefold"):
        yield partial(instead, other=node.func.value)


def other_texts(name: str, items: list[ast.expr]) -> Iterator[Change]:
    """Yield changes of each text of a field into one that nothing says."""
    for at, each in enumerate(items):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            other = ast.Constant("\N{MIDDLE DOT}mutant")
            yield partial(with_item, name=name, at=at, value=other)


def each_left_out(items: list[ast.expr], name: str) -> Iterator[Change]:
    """Yield changes that leave out one item of a field."""
    for at in range(len(items)):
        yield partial(without, name=name, at=at)


def of_texts(node: ast.BinOp) -> bool:
    """Tell whether a sum joins texts: the difference is a `TypeError`, which says nothing."""
    sides = (node.left, node.right)
    return any(
        isinstance(each, ast.JoinedStr)
        or (isinstance(each, ast.Constant) and isinstance(each.value, str))
        for each in sides
    )


def instead(_: ast.AST, other: ast.AST) -> ast.AST:
    """Return another node, whatever this one is."""
    return copy.deepcopy(other)


def part(node: Any, name: str) -> ast.AST:
    """Return a field of the node."""
    return getattr(node, name)  # type: ignore[no-any-return]


def negated(node: Any) -> ast.AST:
    """Return a copy of the node with the opposite condition."""
    return with_field(node, "test", ast.UnaryOp(ast.Not(), node.test))


def without_pair(node: ast.AST, at: int) -> ast.AST:
    """Return a copy of a dictionary without one entry."""
    return without(without(node, "keys", at), "values", at)


def with_field(node: Any, name: str, value: object) -> ast.AST:
    """Return a copy of the node with another field."""
    changed = copy.copy(node)
    setattr(changed, name, value)
    return changed  # type: ignore[no-any-return]


def with_item(node: Any, name: str, at: int, value: object) -> ast.AST:
    """Return a copy of the node with another item of a field."""
    items = list(getattr(node, name))
    items[at] = value
    return with_field(node, name, items)


def without(node: Any, name: str, at: int) -> ast.AST:
    """Return a copy of the node without one item of a field."""
    items = list(getattr(node, name))
    del items[at]
    if name == "values" and isinstance(node, ast.BoolOp) and len(items) == 1:
        return items[0]  # type: ignore[no-any-return]
    return with_field(node, name, items)


def shown(node: ast.AST) -> str:
    """Return a node as a short line of code."""
    if isinstance(node, ast.If | ast.While):
        node = node.test
    if isinstance(node, ast.comprehension):
        text = " ".join(f"if {ast.unparse(each)}" for each in node.ifs) or "(no if)"
    else:
        text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(node)))
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."
