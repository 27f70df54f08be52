"""Arguments of the wrong type are refused by their annotations, before anything else happens."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NoReturn, TypeVar, cast

from ._offers import offers
from .errors import ConfigurationError, InvalidArgument

__all__ = ["Unpicklable", "check_texts", "checked"]

_Class = TypeVar("_Class", bound=type)
_Test = Callable[[object], bool]
_Rules = tuple[tuple[str, ...], dict[str, tuple[str, _Test]]]


class Unpicklable:
    """Something with connections or locks: it stays in its process."""

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise ConfigurationError(
            f"This {name} holds connections or locks, so it can be neither pickled nor copied. "
            "Make one in each process: hand on the function that makes it."
        )


def checked(cls: _Class) -> _Class:
    """Refuse arguments of the wrong type in the constructor and the public methods of a class.

    A wrong one is `ConfigurationError` in the constructor, else `InvalidArgument`; it is not shown,
    for it may be anything. Foreign objects are taken for what they say that they are.
    """
    for name, found in list(vars(cls).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(found):
            setattr(cls, name, _guarded(found))
        elif isinstance(found, classmethod):
            setattr(cls, name, classmethod(_guarded(found.__func__)))
    return cls


def check_texts(**values: object) -> None:
    """Refuse texts, also inside of lists, that no JSON in UTF-8 could hold.

    Raises:
        InvalidArgument: One holds a lone surrogate.
    """
    for name, value in values.items():
        try:
            json.dumps(value, ensure_ascii=False, default=str).encode()
        except UnicodeEncodeError as error:
            raise InvalidArgument(
                f"{name} holds half a character (a lone surrogate), so it cannot be kept as it is. "
                "Nothing was sent and nothing was changed."
            ) from error


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.cache
    def rules() -> _Rules:
        # Only now: what the annotations name may be defined after the class.
        return _rules(function)

    def check(args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        names, tests = rules()
        for name, value in (*zip(names, args, strict=False), *options.items()):
            said, test = tests.get(name, ("", _anything))
            if not test(value):
                raise _wrong(function, name, said, value)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_task(self: Any, *args: Any, **options: Any) -> Any:
            check(args, options)
            return await function(self, *args, **options)

        return in_task

    @functools.wraps(function)
    def called(self: Any, *args: Any, **options: Any) -> Any:
        check(args, options)
        return function(self, *args, **options)

    return called


def _wrong(
    function: Callable[..., Any], name: str, said: str, value: object
) -> ConfigurationError | InvalidArgument:
    given = "None" if value is None else f"a value of type {type(value).__name__}"
    text = f"{name} must be {said}, not {given}. Nothing was sent and nothing was changed."
    if function.__name__ == "__init__":
        return ConfigurationError(text)
    return InvalidArgument(f"{function.__name__}: {text}")


def _rules(function: Callable[..., Any]) -> _Rules:
    names, tests = [], {}
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            annotation = str(parameter.annotation)
            test = _test(ast.parse(annotation, mode="eval").body, function.__globals__)
            tests[parameter.name] = (annotation, test)
    return tuple(names), tests


def _test(node: ast.expr, known: Mapping[str, Any]) -> _Test:
    """Return what tells whether a value fits an annotation."""
    if isinstance(node, ast.BinOp):
        left, right = _test(node.left, known), _test(node.right, known)
        return lambda value: left(value) or right(value)
    if isinstance(node, ast.Constant):
        return lambda value: value is None
    if isinstance(node, ast.Subscript):
        node = node.value
    name = node.id if isinstance(node, ast.Name) else ""
    return _SIMPLE.get(name) or _named(known.get(name))


def _named(kind: Any) -> _Test:
    if kind is None or isinstance(kind, TypeVar):
        # Known to type checkers alone.
        return _foreign
    if not isinstance(kind, type):
        return _anything
    if getattr(kind, "_is_protocol", False):
        return lambda value: offers(value, kind)
    return lambda value: isinstance(value, kind) or _foreign(value)


def _anything(_: object) -> bool:
    return True


def _foreign(value: object) -> bool:
    """Tell whether a value is an object of somebody's own class, and no plain value."""
    return type(value).__module__ != "builtins"


def _of(*kinds: type) -> _Test:
    return lambda value: isinstance(value, kinds)


def _several(kind: type) -> _Test:
    # A text is a collection of texts, too, but nobody means that.
    return lambda value: isinstance(value, kind) and not isinstance(value, str | bytes)


_SIMPLE: dict[str, _Test] = {
    "Any": _anything,
    "object": _anything,
    "str": _of(str),
    "bytes": _of(bytes),
    "bool": _of(bool),
    "int": _of(Integral),
    "float": _of(Real),
    "PathLike": _of(os.PathLike),
    "Callable": callable,
    "Mapping": _of(Mapping),
    **{kind.__name__: _several(cast("type", kind)) for kind in (Collection, Iterable, Sequence)},
}
