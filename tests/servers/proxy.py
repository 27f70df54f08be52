"""A proxy on loopback between a store and its server, which can do what networks do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import define, field, frozen


@frozen(kw_only=True)
class Answer:
    """Given instead of the server's."""

    status: int
    body: bytes = b""


class Drop:
    """The connection breaks before the server sees the request."""


class Lose:
    """The server does it, and its answer is lost."""


class Half:
    """The answer breaks off in the middle."""


@frozen(kw_only=True)
class Wait:
    """The request stands still until the test goes on.

    Attributes:
        reached: Set when it does.
        go: What it waits for; the connection is dropped then.
        after: Whether the server has done it by then.
    """

    reached: threading.Event = field(factory=threading.Event)
    go: threading.Event = field(factory=threading.Event)
    after: bool = False


@frozen(kw_only=True)
class Request:
    """One request that passed."""

    method: str
    path: str
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@define
class Proxy:
    """What happens to each request, and what happened.

    Attributes:
        port: Where it listens.
        rule: Returns what happens to a request; ``None`` lets it pass.
        requests: Every request so far.
    """

    port: int = 0
    rule: Callable[[Request], Any] = lambda request: None
    requests: list[Request] = field(factory=list)

    @property
    def endpoint(self) -> str:
        """The URL of the proxy."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def proxying(upstream: int) -> Iterator[Proxy]:
    """Run a proxy before a port of 127.0.0.1."""
    proxy = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def handle_any(self) -> None:
            request = Request(
                method=self.command, path=self.path, headers=dict(self.headers.items())
            )
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            proxy.requests.append(request)
            what = proxy.rule(request)
            if isinstance(what, Wait) and not what.after:
                what.reached.set()
                what.go.wait()
                what = Drop
            if what is Drop:
                self.close_connection = True
                return
            if isinstance(what, Answer):
                self._send(what.status, {}, what.body)
                return
            status, headers, data = self._forward(body)
            if isinstance(what, Wait):
                what.reached.set()
                what.go.wait()
                what = Lose
            if what is Lose:
                self.close_connection = True
            elif what is Half:
                self._send(status, headers, data, sent=len(data) // 2)
                self.close_connection = True
            else:
                self._send(status, headers, data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any  # noqa: N815

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=600)
            try:
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                answer = connection.getresponse()
                data = answer.read()
                kept = {k: v for k, v in answer.getheaders() if k.lower() not in _OWN}
                if self.command == "HEAD":
                    kept["Content-Length"] = answer.getheader("Content-Length", "0")
                return answer.status, kept, data
            finally:
                connection.close()

        def _send(
            self, status: int, headers: dict[str, str], data: bytes, *, sent: int | None = None
        ) -> None:
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data[:sent])

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                # The store was killed, or gave up.
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *args: object) -> None:
            # A client that is gone is no error of the test's.
            pass

    server = Server(("127.0.0.1", 0), Handler)
    proxy.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_OWN = ("connection", "keep-alive", "transfer-encoding", "content-length")
