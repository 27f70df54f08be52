"""One deadline over every step of a blocking download: DNS, connect, TLS, head and body.

httpx's time-outs begin anew with each step: a server that sends a byte now and then, or one
"100 Continue" after the other, is never too slow for them, and nothing interrupts a blocking call.
So whoever downloads says `within` how many seconds, and the network backend below hands only what
is left of them to each connect, handshake, read and write. Async code needs none of this: there a
cancel scope interrupts whatever is awaited.
"""

from __future__ import annotations

import math
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore

__all__ = ["DeadlineBackend", "DeadlineStream", "left", "lookup", "within"]

_end: ContextVar[float] = ContextVar("charimg_deadline", default=math.inf)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Give what is done inside so many seconds, or less if an outer block gives less."""
    end = math.inf if seconds is None else time.monotonic() + seconds
    token = _end.set(min(end, _end.get()))
    try:
        yield
    finally:
        _end.reset(token)


def left(timeout: float | None, error: type[Exception]) -> float | None:
    """Return the seconds that the next step may take; ``None`` is no limit.

    Args:
        timeout: The limit of the step itself.
        error: Raised when the deadline has passed.
    """
    remaining = _end.get() - time.monotonic()
    if remaining <= 0:
        raise error("the deadline has passed")
    least = min(remaining, math.inf if timeout is None else timeout)
    return None if least == math.inf else least


def lookup(host: str, port: int) -> list[str]:
    """Return the addresses of a host, in the system's order, by one look-up within the deadline.

    The system's resolver cannot be interrupted, so it runs in a thread of its own; at the deadline
    that thread is left alone and ends when the resolver gives up.

    Raises:
        httpcore.ConnectError: The name has no address.
        httpcore.ConnectTimeout: The deadline passed.
    """
    seconds = left(None, httpcore.ConnectTimeout)
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            # Whatever goes wrong belongs to the caller.
            answers.put([str(each[4][0]) for each in found])
        except Exception as error:  # noqa: BLE001
            answers.put(error)

    threading.Thread(target=look, name="charimg-dns", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty as error:
        raise httpcore.ConnectTimeout("the deadline passed while the name was looked up") from error
    if isinstance(answer, Exception):
        raise httpcore.ConnectError(str(answer)) from answer
    return list(dict.fromkeys(answer))


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every step gets only what is left of the deadline of its caller."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Receive what is there."""
        return self._stream.read(max_bytes, left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        self._stream.write(buffer, left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shake hands; Python's own handshake keeps one time limit over all of its reads."""
        seconds = left(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        """Return what is known about the connection."""
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Connects within the deadline: one look-up, then one address after the other.

    Args:
        inner: Connects to an address.
    """

    def __init__(self, inner: httpcore.NetworkBackend | None = None) -> None:
        self._inner = httpcore.SyncBackend() if inner is None else inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers."""
        options = None if socket_options is None else list(socket_options)
        failure: Exception = httpcore.ConnectError("the host has no address")
        with within(timeout):
            addresses = lookup(host, port)
            for number, address in enumerate(addresses):
                seconds = left(None, httpcore.ConnectTimeout)
                if seconds is not None:
                    # An address that stays silent leaves time for those after it.
                    seconds /= len(addresses) - number
                try:
                    stream = self._inner.connect_tcp(address, port, seconds, local_address, options)
                except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                    failure = error
                else:
                    return DeadlineStream(stream)
        raise failure
