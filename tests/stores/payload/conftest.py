"""Real Payload servers, one of each kind per worker, started when a test first asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.servers.payload import PayloadServer, mongo, postgres

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
    servers: dict[str, PayloadServer] = {}
    with ExitStack() as stack:

        def get(kind: str) -> PayloadServer:
            if kind not in servers:
                options = KINDS[kind]
                work = tmp_path_factory.mktemp(f"payload-{kind}")
                servers[kind] = server = make(work, stack, **options)
                server.start()
            return servers[kind]

        yield get


def make(work: Path, stack: ExitStack, *, database: str, **options: Any) -> PayloadServer:
    """Make a server that goes with the stack."""
    url = None
    if database == "postgres":
        url = stack.enter_context(postgres(work))
    elif database == "mongo":
        url = stack.enter_context(mongo())
    server = PayloadServer(work, database=url, **options)
    stack.callback(server.kill)
    return server


@pytest.fixture
def server(payload_of: Callable[[str], PayloadServer]) -> PayloadServer:
    """The plain server: SQLite, numbers as ids, no field of charimg's."""
    return payload_of("sqlite")
