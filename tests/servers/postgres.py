"""A real PostgreSQL on loopback, for the tests of the PostgreSQL stores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .ports import Port

__all__ = ["PostgresServer", "opened_to_all", "running"]

ROLE = "charimg"
_SCRIPT = """
exec 3<&0
"$@" 3<&- & server=$!
{ read line <&3; kill -QUIT $server; } 2>/dev/null & reader=$!
wait $server
kill $reader
"""
"""Ends PostgreSQL when the shell's input ends, so also when the tests crash; ends with it."""


class PostgresServer:
    """One server; its data lie below ``work``, which its user must be able to enter.

    Unless it is to be durable, it does not wait for the disk.

    Attributes:
        said: The last lines that it wrote.
    """

    def __init__(self, work: Path, *, durable: bool = False) -> None:
        self._fsync = "on" if durable else "off"
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        program = str(found[-1]) if found else shutil.which("postgres")
        if program is None:
            pytest.skip("PostgreSQL is missing; install it with: apt-get install postgresql")
        self._program = program
        # PostgreSQL refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._data = work / "postgres"
        self._data.mkdir(mode=0o700)
        shutil.chown(self._data, self._user or os.geteuid())
        subprocess.run(
            [
                str(Path(program).with_name("initdb")),
                *("-D", str(self._data), "-U", ROLE),
                *("-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"),
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )
        # Its own also while it starts again.
        self._port = Port()
        self.port = self._port.number
        self.said: deque[bytes] = deque(maxlen=50)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._databases = 0

    def start(self) -> None:
        """Start it and wait until it answers; where it was before, if it was started before."""
        process = subprocess.Popen(
            [
                *("sh", "-c", _SCRIPT, "sh", self._program, "-D", str(self._data)),
                *("-p", str(self.port), "-k", "", "-c", "listen_addresses=127.0.0.1"),
                *("-c", f"fsync={self._fsync}", "-c", "max_connections=200"),
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=self._user,
            cwd="/",
        )
        assert process.stdin is not None
        assert process.stderr is not None
        said = b""
        for line in process.stderr:
            said += line
            if b"ready to accept connections" in line:
                self._process = process
                self._reader = threading.Thread(
                    target=self.said.extend, args=(process.stderr,), daemon=True
                )
                self._reader.start()
                return
        process.stdin.close()
        process.wait()
        process.stderr.close()
        raise AssertionError(f"PostgreSQL did not start: {said.decode(errors='replace')}")

    def stop(self) -> None:
        """End it at once, as a crash would."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.close()
        process.wait()
        if self._reader is not None:
            self._reader.join()
        process.stderr.close()

    def url(self, database: str = "postgres") -> str:
        """Return where a database is."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        import psycopg

        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def opened_to_all() -> Iterator[Path]:
    """Give a directory that another user may look into.

    Not below pytest's: every further run of pytest closes that to all others again.
    """
    with tempfile.TemporaryDirectory(prefix="charimg-", ignore_cleanup_errors=True) as made:
        directory = Path(made)
        directory.chmod(0o755)
        yield directory


@contextmanager
def running(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a server on a directory of its own."""
    with opened_to_all() as work:
        server = PostgresServer(work, durable=durable)
        try:
            server.start()
            yield server
        finally:
            server.stop()
