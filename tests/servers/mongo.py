"""A server that speaks MongoDB's protocol on loopback, for a Payload CMS with ObjectIds.

It is NX-27017: what keeps the documents is SQLite. So Payload's adapter for MongoDB, its driver,
BSON and the ids are the real ones, and MongoDB's own engine is not what is proven.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

__all__ = ["MongoServer"]


class MongoServer:
    """One server; its data are in memory."""

    def __init__(self) -> None:
        if importlib.util.find_spec("nx_27017") is None:
            pytest.skip("NX-27017 is missing; install it with: pip install nx-27017")
        # Not above: this file is run by itself, too.
        from .ports import Port

        self._port = Port()
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where its database is."""
        return f"mongodb://127.0.0.1:{self._port.number}/payload"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, str(self._port.number)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if b"Listening" in line:
                break
        else:
            raise AssertionError(f"NX-27017 did not start:\n{b''.join(told).decode()[-3000:]}")
        # Nobody else reads what it prints, and a full pipe would stop it.
        self._reader = threading.Thread(target=process.stderr.read, daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """End it. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if self._reader is not None:
                self._reader.join()
            for pipe in (process.stdin, process.stderr):
                assert pipe is not None
                pipe.close()


def main(port: int) -> None:
    """Serve until standard input ends, which it does also when the tests crash."""
    import asyncio
    import logging

    from neosqlite.collection import Collection
    from nx_27017.handler import NeoSQLiteHandler
    from nx_27017.server import run_server
    from nx_27017.utils import convert_bson_to_neo_objectids

    def end_with_the_tests() -> None:
        sys.stdin.read()
        os._exit(0)

    # A pipeline, and a count is one, finds by ids only in the form that `find` turns them into.
    plain = Collection.aggregate

    def aggregate(self: Any, pipeline: Any, *args: Any, **options: Any) -> Any:
        return plain(self, convert_bson_to_neo_objectids(pipeline), *args, **options)

    Collection.aggregate = aggregate
    logging.basicConfig(level=logging.INFO)
    threading.Thread(target=end_with_the_tests, daemon=True).start()
    asyncio.run(run_server("127.0.0.1", port, NeoSQLiteHandler()))


if __name__ == "__main__":
    main(int(sys.argv[1]))
