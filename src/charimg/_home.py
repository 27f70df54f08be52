"""Where connections belong: an event loop's to it, and a process's to it.

What was opened in one event loop cannot be used in another: its end is waited for by a loop that is
gone. What was opened before a fork is still in use by the parent.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Generic, TypeVar

from .errors import ConfigurationError

if TYPE_CHECKING:
    from anyio.lowlevel import RunVar

__all__ = ["AsyncHome", "Home", "Reopened"]

T = TypeVar("T")


class Home:
    """The sync twin of `AsyncHome`: a thread may use what another one has used."""

    def __init__(self, what: str) -> None:
        self._what = what

    def check(self) -> None:
        """Refuse nothing."""

    def left(self) -> bool:
        """Return ``False``."""
        return False


class AsyncHome:
    """The event loop of an async object: the one in which it is first used.

    Args:
        what: Names the object in messages, e.g. ``async service``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._loop: object = None

    def check(self) -> None:
        """Come home, or refuse to be used elsewhere.

        Raises:
            ConfigurationError: Another event loop runs than the first time.
        """
        if self._loop is None:
            self._loop = _running()
        elif self._loop is not _running():
            raise ConfigurationError(
                f"This {self._what} belongs to another event loop, in which it was used first. "
                "Nothing was sent and nothing was changed. Make a new one in each asyncio.run() "
                "or trio.run(), or do everything in one."
            )

    def left(self) -> bool:
        """Tell whether another event loop runs than the one in which it was used."""
        return self._loop is not None and self._loop is not _running()


def _running() -> object:
    """Return what stands for the event loop that runs; it is kept as long as the loop is."""
    mark = _mark()
    try:
        return mark.get()
    except LookupError:
        here = object()
        mark.set(here)
        return here


@cache
def _mark() -> RunVar[object]:
    from anyio.lowlevel import RunVar

    return RunVar("charimg")


class Reopened(Generic[T]):
    """Something with connections of its own, made anew in a child of the process.

    A forked child has the parent's connections and whatever locks its threads held at that moment:
    it never touches them, not even to close them.

    Args:
        make: Makes it; called at once, and again in each process that asks for it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        # By process: the parent's is kept, for to let go of it would close it.
        self._made = {os.getpid(): make()}

    def get(self) -> T:
        """Return the one of this process."""
        process = os.getpid()
        if process not in self._made:
            self._made[process] = self._make()
        return self._made[process]
