"""Real Payload servers, one of each kind per worker, started when a test first asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.servers.payload import PayloadServer, mongo
from tests.servers.postgres import PostgresServer, running
from tests.servers.postgres import postgres_server as postgres_server

KINDS: dict[str, dict[str, Any]] = {
    "sqlite": {"database": "sqlite", "id_type": "integer"},
    "sqlite-uuid": {"database": "sqlite", "id_type": "uuid", "keyed": True, "loose": True},
    "postgres": {"database": "postgres", "id_type": "integer", "keyed": True},
    "postgres-uuid": {"database": "postgres", "id_type": "uuid"},
    "mongo": {"database": "mongo"},
    "mongo-keyed": {"database": "mongo", "keyed": True, "loose": True},
}


@pytest.fixture(scope="session")
def payload_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], PayloadServer]]:
    """Give a call that returns the running server of a kind."""
    with ExitStack() as stack:

        @cache
        def postgres() -> PostgresServer:
            return stack.enter_context(running())

        @cache
        def get(kind: str) -> PayloadServer:
            work = tmp_path_factory.mktemp(f"payload-{kind}")
            server = make(work, stack, postgres, **KINDS[kind])
            server.start()
            return server

        yield get


def make(
    work: Path,
    stack: ExitStack,
    postgres: Callable[[], PostgresServer],
    *,
    database: str,
    **options: Any,
) -> PayloadServer:
    """Make a server that goes with the stack."""
    url = None
    if database == "postgres":
        url = postgres().new_database()
    elif database == "mongo":
        url = stack.enter_context(mongo())
    server = PayloadServer(work, database=url, **options)
    stack.callback(server.kill)
    return server


@pytest.fixture
def server(payload_of: Callable[[str], PayloadServer]) -> PayloadServer:
    """The plain server: SQLite, numbers as ids, no field of charimg's."""
    return payload_of("sqlite")
