"""Whether the server that runs us is about to end: then nobody may make it wait."""

from __future__ import annotations

import signal

__all__ = ["LOOK", "ServerEnds", "server_ends"]

LOOK = 0.5
"""Seconds between two looks."""


class ServerEnds(BaseException):
    """Breaks the watching of a job off. The ledger has what whoever comes next needs."""


def server_ends() -> bool:
    """Return whether uvicorn was told to end, alone or below gunicorn.

    It waits for open streams, and tells an application only when the last one has ended. But its
    own handler stands for the signals, and its server knows.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        server = getattr(signal.getsignal(number), "__self__", None)
        if getattr(server, "should_exit", False) is True:
            return True
    return False
