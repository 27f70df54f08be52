# Generated from src/charimg/_async/sparing.py by tools/unasync.py. Do not edit.
"""One image that a store refuses must not keep it from taking, or letting go, the others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import LeaseLost

__all__ = ["Sparing"]

_PATIENCE = 60.0
"""Seconds that calls may fail for until the rest is left to recovery. Refusals are quick; a store
that hangs would take this for each image."""

T = TypeVar("T")


class Sparing:
    """Does steps that a store may refuse, and keeps what it raised until all are done."""

    def __init__(self) -> None:
        self._refused: list[Exception] = []
        self._wasted = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether the store has been failing for too long: nothing more is asked of it."""
        return bool(self._refused) and self._wasted >= _PATIENCE

    def run(self, step: Callable[[], T]) -> T | None:
        """Do one step; return what it returns, or ``None`` when it was refused or not even tried.

        Raises:
            LeaseLost: Nobody may go on.
        """
        if self.exhausted:
            return None
        began = time.monotonic()
        try:
            return step()
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - raised by `end`
            self._wasted += time.monotonic() - began
            self.note(error)
            return None

    def note(self, refusal: Exception) -> None:
        """Keep a refusal that came otherwise."""
        self._refused.append(refusal)

    def end(self) -> None:
        """Raise the first refusal, if there was any."""
        if self._refused:
            raise self._refused[0]
