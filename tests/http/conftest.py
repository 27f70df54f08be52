from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .raw_server import RawServer, Script, ServerFactory, raw_server


@pytest.fixture
def serve() -> Iterator[ServerFactory]:
    """Start servers that live as long as the test."""
    with ExitStack() as stack:

        def start(*scripts: Script) -> RawServer:
            return stack.enter_context(raw_server(*scripts))

        yield start
