"""The servers that tests share: each is started once per worker, when a test first asks for it.

A plugin, not a module to import from: a fixture that is imported is another one in each module.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from .payload import PayloadServer, mongo
from .postgres import PostgresServer
from .postgres import running as running_postgres
from .rooms import PayloadRoom, PostgresRoom
from .s3 import S3Server, radosgw, rclone
from .unflushed import CONNECT, FSYNC, unflushed

PAYLOAD_KINDS: dict[str, dict[str, Any]] = {
    "sqlite": {"database": "sqlite", "id_type": "integer"},
    "sqlite-uuid": {"database": "sqlite", "id_type": "uuid", "keyed": True, "loose": True},
    "postgres": {"database": "postgres", "id_type": "integer", "keyed": True},
    "postgres-uuid": {"database": "postgres", "id_type": "uuid"},
    "mongo": {"database": "mongo"},
    "mongo-keyed": {"database": "mongo", "keyed": True, "loose": True},
    "sqlite-owned": {"database": "sqlite", "owned": True},
    "sqlite-uuid-owned": {"database": "sqlite", "id_type": "uuid", "owned": True},
    "postgres-owned": {"database": "postgres", "owned": True},
    "postgres-uuid-owned": {"database": "postgres", "id_type": "uuid", "owned": True},
    "mongo-owned": {"database": "mongo", "owned": True},
}


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk() -> Iterator[None]:
    with unflushed():
        yield


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the disk all the same."""
    monkeypatch.setattr(sqlite3, "connect", CONNECT)
    monkeypatch.setattr(os, "fsync", FSYNC)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_postgres() as server, pytest.MonkeyPatch.context() as patch:
        # However busy the machine is: a connection takes its time, and is no failure.
        patch.setenv("PGCONNECT_TIMEOUT", "600")
        yield server


@pytest.fixture(scope="session")
def rclone_server() -> Iterator[S3Server]:
    """The quick server, which accepts a second ``If-None-Match: *``."""
    with rclone() as server:
        yield server


@pytest.fixture(scope="session")
def radosgw_server() -> Iterator[S3Server]:
    """The strict server."""
    with radosgw() as server:
        yield server


@pytest.fixture(scope="session")
def new_payload(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], PayloadServer]]:
    """Give a call that returns a new server of a kind, not yet started."""
    with ExitStack() as stack:

        def new(kind: str) -> PayloadServer:
            options = {**PAYLOAD_KINDS[kind]}
            database = options.pop("database")
            url = None
            if database == "postgres":
                url = request.getfixturevalue("postgres_server").new_database()
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


@pytest.fixture(scope="session")
def postgres_room(postgres_server: PostgresServer) -> Iterator[PostgresRoom]:
    with PostgresRoom.opened(postgres_server.new_database()) as room:
        yield room


@pytest.fixture(scope="session")
def payload_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PayloadRoom]:
    work = tmp_path_factory.mktemp("payload-room")
    server = PayloadServer(work)
    try:
        server.start()
        room = PayloadRoom(server, work)
        yield room
        room.close()
    finally:
        server.kill()
