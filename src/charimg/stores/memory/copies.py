"""Copies of free-form values (traits, options), the only mutable parts of charimg's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["copy_of"]


def copy_of(value: Any) -> Any:
    """Return the value as it would come back from JSON: new dicts and lists all the way down."""
    if isinstance(value, Mapping):
        return {key: copy_of(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [copy_of(each) for each in value]
    return value
