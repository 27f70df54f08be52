"""Arguments of the wrong type are refused by their annotations, before anything else happens."""

from __future__ import annotations

import ast
import functools
import inspect
import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NoReturn, TypeVar, cast, get_origin

from ._offers import offers
from .errors import ConfigurationError, InvalidArgument

__all__ = ["Unpicklable", "check_texts", "checked"]

_Checked = TypeVar("_Checked", bound=Callable[..., Any])
_Test = Callable[[object], bool]
_Rule = tuple[str, str, _Test]
"""Of a parameter: its name, its annotation, and what tells whether a value fits that."""


class Unpicklable:
    """Something with connections or locks: it stays in its process."""

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise ConfigurationError(
            f"This {name} holds connections or locks, so it can be neither pickled nor copied. "
            "Make one in each process: hand on the function that makes it."
        )


def checked(called: _Checked) -> _Checked:
    """Refuse arguments of the wrong type in a function, or in a class's constructor and methods.

    A wrong one is `ConfigurationError` in the constructor, else `InvalidArgument`; it is not shown,
    for it may be anything. Foreign objects are taken for what they say that they are.
    """
    if not isinstance(called, type):
        return cast("_Checked", _guarded(called, bound=0))
    for name, found in list(vars(called).items()):
        if name.startswith("_") and name != "__init__":
            continue
        if inspect.isfunction(found):
            setattr(called, name, _guarded(found))
        elif isinstance(found, classmethod):
            setattr(called, name, classmethod(_guarded(found.__func__)))
    return cast("_Checked", called)


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


def _guarded(function: Callable[..., Any], *, bound: int = 1) -> Callable[..., Any]:
    """Check what a function is given, but the first arguments that Python itself hands over."""

    @functools.cache
    def rules() -> tuple[list[_Rule], dict[str, _Rule]]:
        # Only now: what the annotations name may be defined after the class.
        return _rules(function, bound)

    def check(args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        by_place, by_name = rules()
        given = list(zip(by_place, args[bound:], strict=False))
        given += [(by_name[name], value) for name, value in options.items() if name in by_name]
        for (name, said, test), value in given:
            if not test(value):
                raise _wrong(function, name, said, value)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def in_task(*args: Any, **options: Any) -> Any:
            check(args, options)
            return await function(*args, **options)

        return in_task

    @functools.wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        check(args, options)
        return function(*args, **options)

    return called


def _wrong(
    function: Callable[..., Any], name: str, said: str, value: object
) -> ConfigurationError | InvalidArgument:
    given = "None" if value is None else f"a value of type {type(value).__name__}"
    text = f"{name} must be {said}, not {given}. Nothing was sent and nothing was changed."
    if function.__name__ == "__init__":
        return ConfigurationError(text)
    return InvalidArgument(f"{function.__name__}: {text}")


def _rules(function: Callable[..., Any], bound: int) -> tuple[list[_Rule], dict[str, _Rule]]:
    """Return the rules of what is given by its place, and of what is given by its name."""
    by_place, by_name = [], {}
    for parameter in list(inspect.signature(function).parameters.values())[bound:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        said = str(parameter.annotation)
        test = _test(ast.parse(said, mode="eval").body, function.__globals__)
        rule = (parameter.name, said, test)
        if parameter.kind != parameter.KEYWORD_ONLY:
            by_place.append(rule)
        if parameter.kind != parameter.POSITIONAL_ONLY:
            by_name[parameter.name] = rule
    return by_place, by_name


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
    if get_origin(kind) is Callable:
        return callable
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
