"""The servers that some contests need: those of the tests, started on loopback for one contest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .measure import Missing

__all__ = ["postgres", "s3"]

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def _from_tests() -> Iterator[None]:
    """Let the packages of the tests be found; what they would skip for is `Missing`."""
    sys.path.insert(0, str(_ROOT))
    try:
        import pytest
    except ImportError as error:
        raise Missing("pytest is missing; install it with: pip install -e '.[dev]'") from error
    try:
        yield
    except pytest.skip.Exception as skipped:
        raise Missing(str(skipped)) from None
    finally:
        sys.path.remove(str(_ROOT))


@contextmanager
def postgres() -> Iterator[str]:
    """Run PostgreSQL, durable as it is by default; give the URL of an empty database.

    Raises:
        Missing: It is not installed; the message says how to get it.
    """
    with ExitStack() as stack:
        with _from_tests():
            from tests.servers.postgres import running

            server = stack.enter_context(running(durable=True))
        yield server.new_database()


@contextmanager
def s3() -> Iterator[tuple[str, str, Path]]:
    """Run rclone's S3 server; give its URL, its bucket, and where the objects lie.

    The credentials stand in the environment meanwhile.

    Raises:
        Missing: It is not installed; the message says how to get it.
    """
    with ExitStack() as stack:
        with _from_tests():
            from tests.servers.s3 import BUCKET, credentials, rclone

            server = stack.enter_context(rclone())
        import pytest

        credentials(stack.enter_context(pytest.MonkeyPatch.context()))
        yield server.endpoint, BUCKET, server.directory / "data" / BUCKET
