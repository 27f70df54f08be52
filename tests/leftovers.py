"""What a test leaves open is told in that test, and with its name wherever else it is found."""

from __future__ import annotations

import asyncio
import functools
import gc
import socket
import subprocess
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

__all__ = ["Leftovers"]

_OPEN: dict[type, Callable[[Any], bool]] = {
    socket.socket: lambda made: made.fileno() != -1,
    asyncio.BaseEventLoop: lambda made: not made.is_closed(),
    subprocess.Popen: lambda made: _is_at_work(made) and not _is_decoder(made),
    threading.Thread: lambda made: made.is_alive() and not made.daemon,
}
"""What is watched, and how one tells that its maker has not let go of it."""
_KINDS = tuple(_OPEN)


class Leftovers:
    """Knows which test made what. What the standard library makes is noted as it is made."""

    def __init__(self) -> None:
        self._test = "what came before the tests"
        # By identity: a weak reference is gone before what it refers to says its last word.
        self._makers: dict[int, str] = {}
        self._made: list[weakref.ref[Any]] = []

    def watch(self) -> None:
        """Begin to note what is made."""
        for kind in _KINDS:
            self._note_each(kind)
        tell = sys.unraisablehook
        sys.unraisablehook = lambda unraisable, /: tell(self._with_maker(unraisable))

    def begin(self, test: str) -> None:
        """Note what is made from now on as that of a test."""
        self._test = test
        self._made.clear()

    def end(self) -> list[str]:
        """Return what the test has left open; what nobody refers to any more says so itself."""
        if any(self._left()):
            # To look through all that is there takes too long to do it after each test.
            gc.collect()
        return [repr(each) for each in self._left()]

    def _left(self) -> Iterator[Any]:
        for reference in self._made:
            made = reference()
            if any(isinstance(made, kind) and is_open(made) for kind, is_open in _OPEN.items()):
                yield made

    def _note_each(self, kind: type) -> None:
        init: Callable[..., None] = vars(kind)["__init__"]

        @functools.wraps(init)
        def noted(made: Any, *args: Any, **options: Any) -> None:
            self._makers[id(made)] = self._test
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


def _is_at_work(process: Any) -> bool:
    pipes = (process.stdin, process.stdout, process.stderr)
    return process.poll() is None or not all(each is None or each.closed for each in pipes)


def _is_decoder(process: Any) -> bool:
    """Tell whether it waits for the next image of this process, which is what it is for."""
    return "charimg._decoding" in str(process.args)
