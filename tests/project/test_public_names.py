"""The public names: listed in two places that agree, documented, and errors that pickle."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any

import attrs
import pytest

import charimg
from charimg import errors, otel

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    importlib.import_module(name)
    for name in ("charimg", "charimg.bulk", "charimg.stores", "charimg.testing", "charimg.web")
]
PUBLIC = [
    pytest.param(module, name, id=f"{module.__name__}.{name}")
    for module in (*MODULES, otel)
    for name in module.__all__
    if name != "__version__"
]
CLASSES = [each for each in PUBLIC if inspect.isclass(getattr(*each.values))]
ERRORS = [
    getattr(errors, name)
    for name in errors.__all__
    if issubclass(getattr(errors, name), BaseException)
]


def typed_names(module: ModuleType) -> dict[str, str]:
    """Return what a module's stub, for type checkers, says: name to module."""
    stub = Path(str(module.__file__)).with_suffix(".pyi")
    found = {}
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 1
            for alias in node.names:
                assert alias.asname == alias.name, "or a type checker takes it for private"
                found[alias.name] = str(node.module)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_lists_of_names_agree(module: ModuleType) -> None:
    names = [name for name in module.__all__ if name != "__version__"]
    assert names == sorted(module._HOME)
    assert typed_names(module) == module._HOME
    assert set(dir(module)) >= set(module.__all__)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_an_unknown_name_is_an_ordinary_attribute_error(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nix'"):
        _ = module.nix
    assert not hasattr(module, "import_modules")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_star_import_brings_every_name(module: ModuleType) -> None:
    namespace: dict[str, Any] = {}
    exec(f"from {module.__name__} import *", namespace)
    assert set(namespace) - {"__builtins__"} == set(module.__all__)


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_a_name_resolves_to_what_bears_it(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if isinstance(value, UnionType):
        return
    assert value.__name__ == name
    assert value.__module__.startswith("charimg.")
    assert getattr(importlib.import_module(value.__module__), name) is value


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert charimg.__version__ == project["version"]


def documented(value: Any) -> str:
    """Return the docstring that a thing has itself, not one that it inherits."""
    text = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
    return text or ""


def functions(owner: type) -> Iterator[tuple[str, Any]]:
    """Yield the public functions that a class defines itself, properties included."""
    for name, value in vars(owner).items():
        if isinstance(value, classmethod | staticmethod):
            value = value.__func__
        if isinstance(value, property):
            value = value.fget
        if not name.startswith("_") and inspect.isfunction(value):
            yield name, value


def sections(text: str) -> dict[str, list[str]]:
    """Return the entries of the sections of a docstring: ``{"Args": ["prompt", …]}``."""
    found: dict[str, list[str]] = {}
    for title, body in re.findall(
        r"^(\w+):\n((?:(?: +.*)?\n)+)", inspect.cleandoc(text) + "\n", re.MULTILINE
    ):
        found[title] = re.findall(r"^ {4}\**(\w+):", body, re.MULTILINE)
    return found


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_everything_public_says_what_it_is(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if isinstance(value, UnionType):
        return
    assert documented(value).strip()
    if inspect.isclass(value):
        bare = [method for method, function in functions(value) if not documented(function)]
        assert bare == []


@pytest.mark.parametrize(("module", "name"), PUBLIC)
def test_no_docstring_names_an_argument_that_is_gone(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    if isinstance(value, UnionType):
        return
    told = []
    if "__init__" in vars(value) or not inspect.isclass(value):
        told.append((name, documented(value), inspect.signature(value).parameters))
    if inspect.isclass(value):
        told += [
            (each, documented(function), inspect.signature(function).parameters)
            for each, function in functions(value)
        ]
    for what, text, parameters in told:
        entries = sections(text).get("Args", [])
        assert set(entries) <= set(parameters), what
        if inspect.isfunction(value) or what != name:
            # A method names all of them in its section, or has none.
            assert not entries or set(entries) == set(parameters) - {"self", "cls"}, what


@pytest.mark.parametrize(("module", "name"), CLASSES)
def test_every_field_and_option_is_documented(module: ModuleType, name: str) -> None:
    value = getattr(module, name)
    explained = [base for base in value.__mro__ if base.__module__.startswith("charimg")]
    # The async twin of a store need not say again what the sync one says.
    explained.append(getattr(module, name.removeprefix("Async"), value))
    if attrs.has(value):
        names = {each.name for each in attrs.fields(value)}
    elif "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
        names = set(inspect.signature(value.__init__).parameters) - {"self", "message", "details"}
    else:
        names = set()
    told = set(re.findall(r"\w+", " ".join(documented(each) for each in explained)))
    assert {each for each in names if not each.startswith("_")} - told == set()


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_survives_pickling(error: type[errors.CharimgError]) -> None:
    def options(cls: type) -> dict[str, str]:
        """Return a telling value for every option of a constructor, those of its bases too."""
        own = inspect.signature(cls.__init__).parameters.values()
        found = {each.name: f"a {each.name}" for each in own if each.kind == each.KEYWORD_ONLY}
        if any(each.kind == each.VAR_KEYWORD for each in own) and cls.__base__ is not None:
            found |= options(cls.__base__)
        return found

    given = options(error)
    first = error("What failed, and what to do.", **given)
    copy = pickle.loads(pickle.dumps(first))
    assert type(copy) is error
    assert (str(copy), copy.args) == (str(first), first.args)
    assert vars(copy) == vars(first) == given


def test_the_tree_in_the_docstring_is_the_tree_of_errors() -> None:
    drawn: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        found = re.match(r"    ([ │├└─]*)([A-Z]\w+)(?:\s|$)", line)
        if found is None:
            continue
        depth = len(found[1])
        path = [each for each in path if each[0] < depth]
        drawn[found[2]] = path[-1][1] if path else "Exception"
        path.append((depth, found[2]))
    real = {error.__name__: error.__bases__[0].__name__ for error in ERRORS}
    assert drawn == real
