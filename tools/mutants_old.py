"""Change the code in small ways, and demand that the tests see it.

Each mutant is one change of one place: a comparison turned, a condition negated, a constant moved,
a result replaced by ``None``, a statement or an element of a table left out. The tests that belong
to the module run against a copy of the package with that change. If they fail, or do not end, the
mutant is killed; if they pass, it survives and is shown.

The tool leaves out what cannot change what the package does: annotations, docstrings, messages,
logging.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60.0
TIMES = 6
"""A mutant whose tests take longer than both, and so many times what they take without it, is
killed: it never ends."""

OPTIONS = (
    *("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist"),
    # `load` has imported some plugins.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)

Change = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Area:
    """Modules, the tests that belong to them, and which part of the mutants those must kill.

    Attributes:
        name: What it is called in the report.
        modules: Below ``src/charimg``; after a colon, the functions that count.
        tests: Below ``tests``; the quickest first.
        floor: Percent.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    floor: int


AREAS = (
    Area(
        "address policy",
        ("_ingest/addresses.py", "_ingest/origins.py", "_ingest/urls.py"),
        ("guard/test_addresses.py", "guard/test_origins.py", "ingest/test_urls.py"),
        100,
    ),
    Area(
        "retry rules",
        (
            "_library/retry.py",
            "_library/errors.py:failure,refusal,undecodable,_code,_means_not_found,_retryable",
        ),
        ("library/test_retry.py", "library/test_errors.py", "library/test_redaction.py"),
        90,
    ),
    Area("job watch", ("_library/jobs.py",), ("library/test_jobs.py",), 90),
    Area(
        "journal and removal",
        ("journal.py", "_sync/operation.py", "_sync/removal.py"),
        (
            "_sync/test_one_run.py",
            "_sync/test_manage_images.py",
            "_sync/test_interrupted_removal.py",
            "_sync/test_refusals.py",
            "_sync/test_looking_again.py",
            "_sync/test_settling.py",
            "_sync/test_recovery.py",
            "_sync/test_generate_reference.py",
            "_sync/test_generate_portfolio.py",
            "_sync/test_crashes.py",
        ),
        90,
    ),
    Area(
        "recovery",
        ("_sync/adoption.py", "_sync/recovery.py"),
        (
            "_sync/test_adoption.py",
            "_sync/test_looking_again.py",
            "_sync/test_recovery.py",
            "_sync/test_settling.py",
            "_sync/test_interrupted_removal.py",
            "_sync/test_retry_fallback.py",
            "_sync/test_crashes.py",
            "machines/test_machines.py::test_nothing_is_lost_in_any_history[sync]",
        ),
        90,
    ),
)

NARROWS = "tells the type checker what is always so"
EQUIVALENT: dict[str, str] = {
    "_ingest/origins.py FetchPolicy._hop: parts.hostname or '' -> parts.hostname": NARROWS,
    "_library/errors.py _retryable: said or '' -> said": NARROWS,
    "_sync/adoption.py find: op.library_db_id or '' -> op.library_db_id": NARROWS,
    "_sync/adoption.py _new_core: op.library_db_id or '' -> op.library_db_id": NARROWS,
    **{
        f"_sync/recovery.py _Recovery.{name}: run.op.library_db_id or '' -> run.op.library_db_id": (
            NARROWS
        )
        for name in ("_bring_in", "_look_at_job", "_finish_restore")
    },
    "_sync/adoption.py module: 200 -> 201": "how much is read at once, not what",
    "_sync/removal.py module: 500 -> 501": "as above",
    "_sync/removal.py remove_replaced: "
    "drawn_by is None or policy != ReferencePolicy.DELETE_AFTER_SUCCESS -> "
    "policy != ReferencePolicy.DELETE_AFTER_SUCCESS": NARROWS,
    "_sync/removal.py remove_replaced: "
    "item.state == ItemState.STORED and current and (current.id == item.image_id) -> "
    "item.state == ItemState.STORED and current.id == item.image_id": NARROWS,
    "_sync/removal.py supersede: op.id == run.op.id or op.state != OperationState.RECEIVED -> "
    "op.state != OperationState.RECEIVED": "a removal has received nothing",
    "_sync/recovery.py module: 3600.0 -> 3601.0": "24 seconds in a day of patience",
    "_sync/recovery.py settle: age > _LATE -> age >= _LATE": "the age is never exactly that",
    "_sync/recovery.py settle: "
    "age < parts.job_policy.deadline -> age <= parts.job_policy.deadline": "as above",
    "_sync/adoption.py _taken: other.id > op.id -> other.id >= op.id": "its own id was passed over",
    "_sync/adoption.py _taken: continue -> pass": "what is looked for has nothing of its own yet",
    "_sync/adoption.py _taken: if item.external_id -> (no if)": NARROWS,
}
"""Mutants that do what the code does, as the report names them without the line; and why."""

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
class Mutant:
    """One changed module.

    Attributes:
        module: Below ``src/charimg``.
        line: Where.
        label: Function, and the code before and after.
        text: The whole module, changed.
    """

    module: str
    line: int
    label: str
    text: str


def mutants_of(module: str) -> Iterator[Mutant]:
    """Make every mutant of a module (``path`` or ``path:function,function``), in order."""
    path, _, only = module.partition(":")
    tree = ast.parse((ROOT / "src/charimg" / path).read_text(encoding="utf-8"))
    wanted = set(only.split(",")) if only else None
    seen = set()
    for at, (node, where) in enumerate(places(tree)):
        if wanted is not None and where.split(".")[0] not in wanted:
            continue
        for change in changes(node):
            changed = copy.deepcopy(tree)
            place = next(each for n, (each, _) in enumerate(places(changed)) if n == at)
            before = shown(node)
            replacement = change(place)
            after = shown(replacement)
            replace(changed, place, replacement)
            text = ast.unparse(ast.fix_missing_locations(changed))
            if text in seen:
                continue
            seen.add(text)
            label = f"{path} {where or 'module'}: {before} -> {after}"
            yield Mutant(path, getattr(node, "lineno", 0), label, text)


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Yield every node that may change, with the function it stands in."""

    def walk(node: ast.AST, where: str) -> Iterator[tuple[ast.AST, str]]:
        yield node, where
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or silent(child):
                    continue
                deeper = where
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    deeper = f"{where}.{child.name}".lstrip(".")
                yield from walk(child, deeper)

    yield from walk(tree, "")


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


def replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    """Put a node in the place of another."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list):
                for at, each in enumerate(value):
                    if each is old:
                        value[at] = new
                        return


def load() -> None:
    """Import, once for all mutants, what the tests import of others; never the package."""
    import anyio.pytest_plugin  # noqa: F401
    import cattrs  # noqa: F401
    import httpx  # noqa: F401
    import stamina  # noqa: F401
    from hypothesis import Phase, settings

    # The same examples each time, and no search for a smaller one: failing is enough.
    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
    )
    settings.load_profile("mutants")


def passes(source: Path, tests: tuple[str, ...], seconds: float) -> bool | None:
    """Run tests against a copy of the package, in a process of their own.

    Returns:
        Whether they pass; ``None`` if they do not end.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setsid()
            quiet = os.open(os.devnull, os.O_RDWR)
            for each in (0, 1, 2):
                os.dup2(quiet, each)
            os.chdir(ROOT)
            sys.path.insert(0, str(source))
            sys.dont_write_bytecode = True
            import pytest

            code = int(pytest.main([*OPTIONS, *(f"tests/{each}" for each in tests)]))
        finally:
            os._exit(code)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def survives(
    mutant: Mutant | None, tests: tuple[str, ...], *, folder: str, seconds: float
) -> bool | None:
    """Tell whether the tests pass on the mutant; ``None`` is the package as it is."""
    source = Path(folder) / str(os.getpid())
    if not source.exists():
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src/charimg", source / "charimg", ignore=ignored)
    if mutant is None:
        return passes(source, tests, seconds)
    path = source / "charimg" / mutant.module
    kept = path.read_text(encoding="utf-8")
    path.write_text(mutant.text, encoding="utf-8")
    try:
        return passes(source, tests, seconds)
    finally:
        path.write_text(kept, encoding="utf-8")


def judge(area: Area, folder: str, *, part: int, processes: int) -> bool:
    """Try an area's mutants, print the survivors and the figure; tell whether it is reached."""
    attempt = partial(survives, tests=area.tests, folder=folder)
    begun = time.monotonic()
    if not attempt(None, seconds=10 * SECONDS):
        print(f"{area.name}: its tests fail without any mutant")
        return False
    attempt = partial(attempt, seconds=max(SECONDS, TIMES * (time.monotonic() - begun)))
    everything = [each for module in area.modules for each in mutants_of(module)]
    same = [each for each in everything if each.label in EQUIVALENT]
    tried = [each for each in everything if each.label not in EQUIVALENT][::part]
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        lives = list(pool.map(attempt, tried))
    survivors = [mutant for mutant, alive in zip(tried, lives, strict=True) if alive]
    killed = len(tried) - len(survivors)
    for each in survivors:
        print(f"  survived, line {each.line}: {each.label}")
    percent = 100 * killed / len(tried)
    print(
        f"{area.name}: {killed} of {len(tried)} mutants killed ({percent:.1f} %, "
        f"at least {area.floor} %), {lives.count(None)} of them because their tests did not end; "
        f"{len(same)} left out that change nothing"
        + (f"; every {part}th was tried" if part > 1 else ""),
        flush=True,
    )
    return percent >= area.floor


def main() -> int:
    """Try all areas, or those named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("areas", nargs="*", choices=[[], *(each.name for each in AREAS)])
    parser.add_argument("--every", type=int, default=1, help="try only every nth mutant")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    load()
    with tempfile.TemporaryDirectory() as folder:
        reached = [
            judge(area, folder, part=options.every, processes=options.processes)
            for area in AREAS
            if not options.areas or area.name in options.areas
        ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main())
