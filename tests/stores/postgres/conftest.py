"""Fixtures of the PostgreSQL stores' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from charimg.stores import PostgresDatabase

from ...servers.postgres import PostgresServer


@pytest.fixture
def url(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return postgres_server.new_database()


@pytest.fixture
def database(url: str) -> Iterator[PostgresDatabase]:
    with PostgresDatabase(url) as database:
        yield database
