"""What both databases are given and say: one source of connections, its checks, its name."""

from __future__ import annotations

import selectors
import time
from abc import ABC, abstractmethod
from typing import Any, Generic, Self, TypeVar

from ..._arguments import Unpicklable, checked
from ...errors import ConfigurationError, InvalidArgument, StorageError
from .failures import driver
from .settings import DEFAULT_SCHEMA, check_schema, conninfo_of, place_of, split_url

__all__ = ["Source", "is_fresh", "is_idle"]

_FRESH = 10.0
"""Seconds after which a firewall or pooler may have forgotten a connection without a word."""

# The reference shows these names.
Pool = TypeVar("Pool")
Connection = TypeVar("Connection")


@checked
class Source(Unpicklable, ABC, Generic[Pool, Connection]):
    """What `PostgresDatabase` and its async twin share; see there."""

    def __init__(
        self,
        conninfo: str | None = None,
        *,
        pool: Pool | None = None,
        connection: Connection | None = None,
        schema: str = DEFAULT_SCHEMA,
        max_connections: int = 10,
        timeout: float = 10.0,
    ) -> None:
        if sum(each is not None for each in (conninfo, pool, connection)) != 1:
            raise InvalidArgument("Give exactly one of conninfo, pool and connection.")
        if max_connections < 1:
            raise InvalidArgument(f"max_connections must be at least 1, not {max_connections!r}.")
        if not 0 < timeout <= 3600:
            raise InvalidArgument(f"timeout must be more than 0 s, at most 3600, not {timeout!r}.")
        driver()
        self._schema = check_schema(schema)
        self._conninfo = None if conninfo is None else conninfo_of(conninfo, timeout)
        self._host_pool = pool
        self._host_connection = connection
        self._timeout = timeout
        self._max = max_connections
        self._ready = False
        self._closed = False
        if self._conninfo is not None:
            self._place = place_of(self._conninfo)
        else:
            self._place = "the host's pool" if connection is None else "the host's connection"
        self._reset()

    @abstractmethod
    def _reset(self) -> None:
        """Begin without a connection."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Open the database of a URL; ``schema=`` in its query names the schema.

        Args:
            url: ``postgresql://user:password@host:port/database?schema=charimg``.
            **options: ``max_connections`` and ``timeout`` of the constructor.

        Raises:
            ConfigurationError: It is no such URL. The message does not show it.
        """
        conninfo, schema = split_url(url)
        try:
            return cls(conninfo, schema=schema, **options)
        except InvalidArgument as error:
            raise ConfigurationError(f"The PostgreSQL URL is wrong: {error}") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._place!r}, schema={self._schema!r})"

    def _may_go_without(self, *, atomic: bool) -> bool:
        """Tell whether a program needs no transaction around it."""
        return not atomic and self._conninfo is not None

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError(f"The database {self._place} is closed. Open a new one.")

    def _check_idle(self, connection: Connection) -> None:
        """Refuse what must hold at once on a connection of the host's inside a transaction."""
        if not is_idle(connection):
            raise StorageError(
                f"The connection to {self._place} is inside a transaction, so what the ledger "
                "writes would be lost with it. Give the ledger a database of its own: a URL or a "
                "pool."
            )

    def _all_in_use(self, users: str) -> StorageError:
        return StorageError(
            f"All {self._max} connections to {self._place} have been in use for "
            f"{self._timeout:g} s. Raise max_connections, or use fewer {users}."
        )


def is_idle(connection: Any) -> bool:
    """Tell whether the connection is in no transaction."""
    from psycopg.pq import TransactionStatus

    return bool(connection.info.transaction_status == TransactionStatus.IDLE)


def is_fresh(connection: Any, since: float) -> bool:
    """Tell whether a connection that is idle since a moment can be used without asking the server.

    A server or pooler that lets go of it says so or hangs up: then there is something to read.
    """
    if time.monotonic() - since > _FRESH:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(connection.fileno(), selectors.EVENT_READ)
        return not selector.select(0)
