"""Who holds httpx's clients: what is closed, forked, or in another event loop is not used."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from .._home import AsyncHome, Reopened
from .._surely import unbroken
from ..errors import ConfigurationError

__all__ = ["AsyncClients", "Clients"]


class Clients:
    """The clients of one object: its own, made anew in a forked child, or an injected one.

    Attributes:
        in_one_loop: Whether they belong to an event loop.

    Args:
        make: Makes the own ones.
        injected: Used instead, and never closed.
        what: Names the object in messages, e.g. ``downloader``.
    """

    in_one_loop = False

    def __init__(
        self, make: Callable[[], tuple[httpx.Client, ...]], injected: httpx.Client | None, what: str
    ) -> None:
        self._owned = injected is None
        self._clients = Reopened(make if injected is None else lambda: (injected,))
        self._what = what
        self._closed = False

    def get(self) -> tuple[httpx.Client, ...]:
        """Return them.

        Raises:
            ConfigurationError: They are closed.
        """
        clients = self._clients.get()
        if self._closed or any(client.is_closed for client in clients):
            raise _closed(self._what)
        return clients

    def close(self) -> None:
        """Close the own ones. Idempotent."""
        if self._owned and not self._closed:
            self._closed = True
            for client in self._clients.get():
                client.close()


class AsyncClients:
    """The async twin of `Clients`, for one event loop.

    An injected one belongs to it, too, unless its transport has no connections: one that makes
    answers up works everywhere.
    """

    def __init__(
        self,
        make: Callable[[], tuple[httpx.AsyncClient, ...]],
        injected: httpx.AsyncClient | None,
        what: str,
    ) -> None:
        self._owned = injected is None
        self._clients = make() if injected is None else (injected,)
        transport = getattr(injected, "_transport", None)
        self.in_one_loop = self._owned or isinstance(transport, httpx.AsyncHTTPTransport)
        self._home = AsyncHome(what)
        self._what = what
        self._closed = False

    def get(self) -> tuple[httpx.AsyncClient, ...]:
        """Return them.

        Raises:
            ConfigurationError: They are closed, or were used in another event loop.
        """
        if self._closed or any(client.is_closed for client in self._clients):
            raise _closed(self._what)
        if self.in_one_loop:
            self._home.check()
        return self._clients

    async def aclose(self) -> None:
        """Close the own ones. Idempotent."""
        if self._owned and not self._closed:
            self._closed = True
            if self._home.left():
                # Their connections ended with their event loop.
                return
            for client in self._clients:
                await unbroken(client.aclose)


def _closed(what: str) -> ConfigurationError:
    return ConfigurationError(f"The HTTP client of this {what} is closed. Make a new one.")
