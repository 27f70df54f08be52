"""Patterns of JSON answers, for the cases in ``cases/``.

A pattern is JSON itself. Everything in it must be there and nothing else, except that

- ``"$name"`` takes any string and remembers it; the second time it must be the same one;
- ``"<id>"``, ``"<uuid>"``, ``"<time>"``, ``"<url>"``, ``"<string>"``, ``"<number>"``, ``"<list>"``
  take a value of that kind, which is not empty;
- ``{"...": true, …}`` lets an object have more keys than those given;
- ``{"$count": n, "$first": …, "$each": …}`` is a list of n, each of which fits.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any


def _is_time(value: str) -> bool:
    return value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None


_KINDS = {
    "<id>": lambda value: re.fullmatch("[0-9a-f]{24}", value),
    "<uuid>": lambda value: re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value),
    "<time>": _is_time,
    "<url>": lambda value: re.fullmatch("(https?:/)?/[^ ]+", value),
    "<string>": lambda value: value != "",
}


def match(pattern: Any, value: Any, known: dict[str, str], where: str) -> None:
    """Fail unless the value fits."""
    if isinstance(pattern, dict) and "$count" in pattern:
        assert isinstance(value, list), f"{where}: no list: {value!r}"
        assert len(value) == pattern["$count"], f"{where}: {len(value)} entries"
        for each in value:
            match(pattern["$each"], each, known, f"{where}[]")
        if "$first" in pattern:
            match(pattern["$first"], value[0], known, f"{where}[0]")
    elif isinstance(pattern, dict):
        assert isinstance(value, dict), f"{where}: no object: {value!r}"
        wanted = set(pattern) - {"..."}
        found = set(value) & wanted if "..." in pattern else set(value)
        assert found == wanted, f"{where}: keys {sorted(value)}"
        for name in [each for each in pattern if each in wanted]:
            match(pattern[name], value[name], known, f"{where}.{name}")
    elif isinstance(pattern, list):
        assert isinstance(value, list), f"{where}: no list: {value!r}"
        assert len(value) == len(pattern), f"{where}: {len(value)} entries"
        for index, (one, other) in enumerate(zip(pattern, value, strict=True)):
            match(one, other, known, f"{where}[{index}]")
    elif pattern == "<list>":
        assert isinstance(value, list), f"{where}: no list: {value!r}"
        assert value, f"{where}: nothing in it"
    elif pattern == "<number>":
        assert type(value) in (int, float), f"{where}: no number: {value!r}"
    elif isinstance(pattern, str) and pattern in _KINDS:
        assert isinstance(value, str), f"{where}: no string: {value!r}"
        assert _KINDS[pattern](value), f"{where}: not {pattern}: {value!r}"
    elif isinstance(pattern, str) and pattern.startswith("$"):
        assert isinstance(value, str), f"{where}: no string: {value!r}"
        assert known.setdefault(pattern[1:], value) == value, f"{where}: not the same {pattern}"
    else:
        expected = filled(pattern, known)
        assert type(value) is type(expected), f"{where}: {value!r}"
        assert value == expected, f"{where}: {value!r}, not {expected!r}"


def filled(value: Any, known: dict[str, str]) -> Any:
    """Return a value in which ``{name}`` is what was remembered."""
    if isinstance(value, str):
        for name, text in known.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, dict):
        return {key: filled(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, known) for each in value]
    return value
