"""An ASGI or a WSGI application behind a real HTTP server on loopback, in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


def listening() -> socket.socket:
    """Return a socket to which one can connect already; who answers comes later."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def answering(app: Any, *sockets: socket.socket, **config: Any) -> Iterator[None]:
    """Let uvicorn answer on these sockets, which are closed at the end."""
    options = {"lifespan": "off", "log_level": "critical", "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **{**options, "ws": "none", **config}))
    thread = threading.Thread(target=server.run, kwargs={"sockets": list(sockets)}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(600)
        for each in sockets:
            each.close()


@contextmanager
def serve_asgi(app: Any, **config: Any) -> Iterator[str]:
    """Serve with uvicorn; yields the base URL."""
    socket = listening()
    with answering(app, socket, **config):
        yield url_of(socket)


@contextmanager
def serve_wsgi(app: Any) -> Iterator[str]:
    """Serve with Werkzeug, each request in a thread; yields the base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(600)
        server.server_close()
