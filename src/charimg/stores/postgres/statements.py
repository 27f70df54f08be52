"""Work on the database as a program: it yields statements, gets their rows, and returns a result.

So what is asked, and what is made of the answer, is written once; a sync and an async connection
only carry it out.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

__all__ = ["Program", "Row", "Statement"]

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]


@frozen
class Statement:
    """One SQL statement.

    Attributes:
        sql: With ``{s}`` where the schema's name goes, and ``%s`` where a value goes.
        values: The values.
    """

    sql: str
    values: tuple[Any, ...] = field(default=(), repr=False)


Program: TypeAlias = Generator[Statement, list[Row], T]
"""Yields a `Statement`, is sent its rows (none for a statement without a result)."""
