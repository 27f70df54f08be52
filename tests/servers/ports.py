"""Ports for servers that want to be told where to listen."""

from __future__ import annotations

import socket
import sys
import weakref

__all__ = ["Port"]


class Port:
    """A port of 127.0.0.1 that is kept for one server as long as this object lives.

    One that is merely free may be another process's before the server has it, or when the server
    starts again. What is bound and does not listen the kernel gives to nobody but those who ask
    for that very port, as servers do; until then it refuses every connection.

    Attributes:
        number: Which it is.
    """

    def __init__(self) -> None:
        held = socket.socket()
        # Servers set it, too; without it they could not bind.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        self.number = int(held.getsockname()[1])
        if sys.platform != "linux":
            # Elsewhere what is bound keeps the server away, too.
            held.close()
        weakref.finalize(self, held.close)
