"""A server on a real socket that sends exactly the bytes it was given."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias, cast

Script: TypeAlias = Sequence[bytes | float]
"""What one connection gets: bytes to send, and seconds to wait between them at most."""


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each connection by the next script, the last one again and again, and closes it.

    When it ends it waits for nothing: whatever a connection is at is cut short.
    """

    request_queue_size = 64

    def __init__(self, *scripts: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scripts = list(scripts)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.heads: list[str] = []
        self.ends = threading.Event()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, head: bytes) -> Script:
        """Return the script of the next connection."""
        with self._lock:
            self.heads.append(head.decode("latin-1"))
            return self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        self.ends.set()
        for each in list(self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        super().server_close()


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast("RawServer", self.server)
        # The client has seen enough, or the server ends.
        with suppress(OSError):
            received = b""
            while b"\r\n\r\n" not in received:
                received += (more := self.request.recv(65536))
                if not more:
                    return
            for step in server.take(received):
                if isinstance(step, bytes):
                    self.request.sendall(step)
                elif server.ends.wait(step):
                    return


@contextmanager
def raw_server(*scripts: Script) -> Iterator[RawServer]:
    """Run a server for the length of a block."""
    with RawServer(*scripts) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def head(status: str = "200 OK", **headers: str | int) -> bytes:
    """Return the head of an answer."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode()


ServerFactory: TypeAlias = Callable[..., RawServer]
