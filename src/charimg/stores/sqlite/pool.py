"""Connections that are lent one transaction at a time, and what happens to them when forking.

SQLite keeps its locks on a file per process and shares them between connections. A forked child
inherits that book-keeping without the locks: even a connection that it opens itself would then
believe in locks that nobody holds, and could write into a log that another process has just
deleted. So before a fork every connection is closed, and both sides open new ones when they need
them.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from weakref import WeakSet

__all__ = ["Pool"]


class Pool:
    """Connections to one file.

    Args:
        connect: Opens a new connection.
        patience: Seconds that a fork waits for transactions of other threads.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, patience: float) -> None:
        self._connect = connect
        self._patience = patience
        self._closed = False
        self._reset()
        with _forking:
            _pools.add(self)

    def _reset(self) -> None:
        # Guards what follows, and is held while this process forks.
        self._gate = threading.Condition()
        self._idle: list[sqlite3.Connection] = []
        self._lent = 0

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """Give a connection to the caller alone. After an exception it is closed, not kept."""
        with self._gate:
            connection = self._idle.pop() if self._idle else None
            self._lent += 1
        try:
            connection = connection or self._connect()
            try:
                yield connection
            except BaseException:
                # Rolled back first: a cursor that the exception's traceback still holds would keep
                # the transaction, and so its lock, even past the closing.
                with suppress(sqlite3.Error):
                    connection.rollback()
                connection.close()
                raise
        except BaseException:
            self._returned()
            raise
        self._returned(connection)

    def close(self) -> None:
        """Close what is idle now, and what is lent as soon as it comes back."""
        with self._gate:
            self._closed = True
            self._close_idle()

    def _returned(self, *connections: sqlite3.Connection) -> None:
        with self._gate:
            self._idle.extend(connections)
            self._lent -= 1
            self._gate.notify_all()
            if self._closed:
                self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def before_fork(self) -> None:
        """Close every connection, and let nobody open one until the fork is over."""
        self._gate.acquire()
        self._gate.wait_for(lambda: not self._lent, timeout=self._patience)
        with suppress(sqlite3.Error):
            self._close_idle()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._gate.release()

    def after_fork_in_child(self) -> None:
        """Start anew; nothing of the parent's is touched."""
        self._reset()


_forking = threading.Lock()
_pools: WeakSet[Pool] = WeakSet()
_held: list[Pool] = []


def _before() -> None:
    _forking.acquire()
    _held.extend(_pools)
    for pool in _held:
        pool.before_fork()


def _after_in_parent() -> None:
    for pool in _held:
        pool.after_fork_in_parent()
    _held.clear()
    _forking.release()


def _after_in_child() -> None:
    for pool in _held:
        pool.after_fork_in_child()
    _held.clear()
    _forking.release()


# Where there is no fork, nothing needs to be registered: `dict` takes the same arguments.
getattr(os, "register_at_fork", dict)(
    before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
)
