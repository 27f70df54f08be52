"""The Payload server that most tests here use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.servers.payload import PayloadServer


@pytest.fixture
def server(payload_of: Callable[[str], PayloadServer]) -> PayloadServer:
    """The plain server: SQLite, numbers as ids, no field of charimg's."""
    return payload_of("sqlite")
