"""The simulator behind a real HTTP server, in a thread or in the foreground."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import Any

from attrs import frozen

from ..errors import ConfigurationError
from .simulator import SimulatedResponse, Simulator

__all__ = ["SimulatorServer", "run", "serve"]

_Message = MutableMapping[str, Any]
_SECONDS_TO_START = 30.0


@frozen(kw_only=True)
class SimulatorServer:
    """A running server.

    Attributes:
        url: Its base URL.
        simulator: What answers.
    """

    url: str
    simulator: Simulator


@contextmanager
def serve(
    simulator: Simulator | None = None, *, host: str = "127.0.0.1", port: int = 0
) -> Iterator[SimulatorServer]:
    """Serve a simulator over HTTP for as long as the context lasts.

    Args:
        simulator: By default a new one. Its ``base_url`` becomes that of the server.
        host: Where to listen.
        port: 0 takes a free one.

    Raises:
        ConfigurationError: uvicorn is not installed, or the port is taken.
    """
    simulator = Simulator() if simulator is None else simulator
    server = _server(simulator)
    listening, url = listen(host, port, "The simulator")
    simulator.base_url = url
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listening]}, name="charimg-simulator", daemon=True
    )
    thread.start()
    try:
        # The socket listens already: connections wait for the server to come up.
        yield SimulatorServer(url=url, simulator=simulator)
    finally:
        server.should_exit = True
        thread.join(_SECONDS_TO_START)
        listening.close()


def run(
    simulator: Simulator | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8700,
    ready: Callable[[str], object] | None = None,
) -> None:
    """Serve a simulator until interrupted (Ctrl-C), then return.

    Args:
        simulator: By default a new one. Its ``base_url`` becomes that of the server.
        host: Where to listen.
        port: 0 takes a free one.
        ready: Called with the base URL as soon as connections are accepted.

    Raises:
        ConfigurationError: uvicorn is not installed, or the port is taken.
    """
    simulator = Simulator() if simulator is None else simulator
    server = _server(simulator)
    listening, url = listen(host, port, "The simulator")
    simulator.base_url = url
    try:
        if ready is not None:
            ready(url)
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        listening.close()


def _server(simulator: Simulator) -> Any:
    try:
        import uvicorn
    except ImportError as error:
        raise ConfigurationError(
            "Serving the simulator needs uvicorn: pip install 'charimg[local]'."
        ) from error
    config = uvicorn.Config(
        _application(simulator),
        lifespan="off",
        # A connection that breaks on purpose would be an error with a traceback.
        log_level="critical",
        access_log=False,
        # The simulator has a clock of its own.
        date_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return uvicorn.Server(config)


def listen(host: str, port: int, who: str) -> tuple[socket.socket, str]:
    """Listen on an address; return the socket and its URL.

    Raises:
        ConfigurationError: It cannot be listened on.
    """
    try:
        listening = socket.create_server((host, port), backlog=128)
    except OSError as error:
        raise ConfigurationError(
            f"{who} cannot listen on {host}:{port}: {error.strerror}. Choose another port; 0 "
            "takes a free one."
        ) from error
    # asyncio would set it only where the socket names its protocol. Without it every answer waits
    # for the client's delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening, f"http://{host}:{listening.getsockname()[1]}"


def _application(simulator: Simulator) -> Callable[..., Awaitable[None]]:
    """Return the simulator as an ASGI application."""

    async def application(
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                # Nobody acts on half a request.
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        target = scope["raw_path"].decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        url = f"{simulator.base_url}{target}" + (f"?{query}" if query else "")
        loop = asyncio.get_running_loop()
        # Drawing takes a while: the server goes on answering meanwhile.
        response = await loop.run_in_executor(
            None, simulator.handle, scope["method"], url, headers, body
        )
        with simulator.delivering(response):
            await asyncio.sleep(response.seconds)
            if response.broken in ("lost", "refused"):
                # Not a byte: uvicorn's own cycle, whose method this is, knows the connection.
                send.__self__.transport.abort()  # type: ignore[attr-defined]
                await receive()
            else:
                await _send(response, send)

    return application


async def _send(response: SimulatedResponse, send: Callable[[_Message], Awaitable[None]]) -> None:
    headers = dict(response.headers)
    body = response.body
    if response.broken == "cut":
        # A length that is never reached makes the server cut the connection.
        headers["content-length"] = str(len(body) + 1)
        body = body[: len(body) // 2]
    elif "content-length" not in headers:
        headers["content-length"] = str(len(body))
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [
                (name.encode(), value.encode("latin-1")) for name, value in headers.items()
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": False})
