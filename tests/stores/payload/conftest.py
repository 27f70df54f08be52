"""Real Payload servers, one of each kind per worker, started when a test first asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
from tests.servers.payload import PayloadServer, mongo
from tests.servers.postgres import PostgresServer, running

KINDS: dict[str, dict[str, Any]] = {
    "sqlite": {"database": "sqlite", "id_type": "integer"},
    "sqlite-uuid": {"database": "sqlite", "id_type": "uuid", "keyed": True, "loose": True},
    "postgres": {"database": "postgres", "id_type": "integer", "keyed": True},
    "postgres-uuid": {"database": "postgres", "id_type": "uuid"},
    "mongo": {"database": "mongo"},
    "mongo-keyed": {"database": "mongo", "keyed": True, "loose": True},
}


@pytest.fixture(scope="session")
def new_payload(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[str], PayloadServer]]:
    """Give a call that returns a new server of a kind, not yet started."""
    with ExitStack() as stack:

        @cache
        def postgres() -> PostgresServer:
            return stack.enter_context(running())

        def new(kind: str) -> PayloadServer:
            options = {**KINDS[kind]}
            database = options.pop("database")
            url = None
            if database == "postgres":
                url = postgres().new_database()
            elif database == "mongo":
                url = stack.enter_context(mongo())
            work = tmp_path_factory.mktemp(f"payload-{kind}")
            server = PayloadServer(work, database=url, **options)
            stack.callback(server.kill)
            return server

        yield new


@pytest.fixture(scope="session")
def payload_of(new_payload: Callable[[str], PayloadServer]) -> Callable[[str], PayloadServer]:
    """Give a call that returns the running server of a kind."""

    @cache
    def get(kind: str) -> PayloadServer:
        server = new_payload(kind)
        server.start()
        return server

    return get


@pytest.fixture
def server(payload_of: Callable[[str], PayloadServer]) -> PayloadServer:
    """The plain server: SQLite, numbers as ids, no field of charimg's."""
    return payload_of("sqlite")
