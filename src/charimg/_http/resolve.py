"""Looking a host name up within a time limit, which the system's resolver does not know of."""

from __future__ import annotations

import queue
import socket
import threading
import time

import httpcore

__all__ = ["Resolver"]


class Resolver:
    """Looks names up in threads of its own, so that one that hangs can be left behind.

    Such a thread ends when the system gives up; until then it counts against ``lookups``. It is a
    daemon, so it holds up nobody's exit.

    Args:
        lookups: How many may run at once, those left behind included.
    """

    def __init__(self, *, lookups: int) -> None:
        self._slots = threading.BoundedSemaphore(lookups)

    def addresses(self, host: str, port: int, timeout: float | None) -> list[str]:
        """Return every address of a host, in the system's order, by one lookup.

        Args:
            host: A name.
            port: Where to connect to.
            timeout: Seconds; ``None`` for as long as it takes.

        Raises:
            httpcore.ConnectTimeout: It took too long.
            httpcore.ConnectError: There is no such host, or no way to look it up.
        """
        end = None if timeout is None else time.monotonic() + timeout
        if not self._slots.acquire(timeout=timeout):
            raise httpcore.ConnectTimeout("too many lookups of host names are under way")
        answer: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()
        thread = threading.Thread(
            target=self._look_up, args=(host, port, answer), name="charimg-resolver", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the process has as many threads as it may have
            self._slots.release()
            raise httpcore.ConnectError("no thread for the lookup of the host name") from error
        try:
            found = answer.get(timeout=None if end is None else max(0, end - time.monotonic()))
        except queue.Empty as error:
            raise httpcore.ConnectTimeout("the lookup of the host name took too long") from error
        if isinstance(found, Exception):
            raise httpcore.ConnectError("the host name cannot be looked up") from found
        return found

    def _look_up(
        self, host: str, port: int, answer: queue.SimpleQueue[list[str] | Exception]
    ) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            # An address with a scope carries it behind a percent sign, and is refused for it.
            answer.put(list(dict.fromkeys(str(address[0]) for *_, address in found)))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            answer.put(error)
        finally:
            self._slots.release()
