"""What a test leaves open is told with the name of that test, wherever it is found."""

from __future__ import annotations

import asyncio
import functools
import gc
import socket
import sqlite3
import subprocess
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

__all__ = ["Leftovers", "NotedConnection", "is_open"]

CONNECT = sqlite3.connect


class NotedConnection(sqlite3.Connection):
    """A connection that complains when it is let go of while it is open.

    From Python 3.13 on they all do.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)

    def __del__(self) -> None:
        if is_open(self):
            self.close()
            warnings.warn(f"unclosed database in {self!r}", ResourceWarning, 2, self)


def is_open(connection: sqlite3.Connection) -> bool:
    """Tell whether a connection was not closed."""
    try:
        _ = connection.total_changes
    except sqlite3.ProgrammingError:
        return False
    return True


_OPEN: dict[type, Callable[[Any], bool]] = {
    socket.socket: lambda made: made.fileno() != -1,
    asyncio.BaseEventLoop: lambda made: not made.is_closed(),
    subprocess.Popen: lambda made: made.returncode is None,
    NotedConnection: is_open,
}
"""What complains when it is let go of while it is open, and how one tells that it is."""
_KINDS = tuple(_OPEN)


class Leftovers:
    """Knows which test made what.

    Attributes:
        test: The test that runs now.
    """

    def __init__(self) -> None:
        self.test = "what came before the tests"
        # By identity: a weak reference is gone before what it refers to says its last word.
        self._makers: dict[int, str] = {}
        self._made: list[weakref.ref[Any]] = []

    def watch(self) -> None:
        """Begin to note what is made."""
        for kind in _KINDS:
            self._note_each(kind)
        sqlite3.connect = functools.partial(CONNECT, factory=NotedConnection)
        tell = sys.unraisablehook
        sys.unraisablehook = lambda unraisable, /: tell(self._with_maker(unraisable))

    def look(self) -> None:
        """Have what is open and what nobody refers to any more say so now."""
        made, self._made = [each() for each in self._made], []
        # A database is often a fixture's, and open still; to collect for each would take long.
        kinds = [kind for kind in _KINDS if kind is not NotedConnection]
        if any(isinstance(each, kind) and _OPEN[kind](each) for each in made for kind in kinds):
            del made
            gc.collect()

    def _note_each(self, kind: type) -> None:
        init: Callable[..., None] = vars(kind)["__init__"]

        @functools.wraps(init)
        def noted(made: Any, *args: Any, **options: Any) -> None:
            self._makers[id(made)] = self.test
            self._made.append(weakref.ref(made))
            init(made, *args, **options)

        type.__setattr__(kind, "__init__", noted)

    def _with_maker(self, unraisable: Any) -> Any:
        """Name the maker of what was not let go of in good order."""
        frames = traceback.walk_tb(unraisable.exc_traceback)
        concerned = [unraisable.object, *(frame.f_locals.get("self") for frame, _ in frames)]
        makers = [self._makers.get(id(each)) for each in concerned if isinstance(each, _KINDS)]
        for maker in filter(None, makers):
            told = unraisable.err_msg or "Exception ignored in"
            return SimpleNamespace(
                exc_type=unraisable.exc_type,
                exc_value=unraisable.exc_value,
                exc_traceback=unraisable.exc_traceback,
                err_msg=f"Left open by {maker}: {told}",
                object=unraisable.object,
            )
        return unraisable
