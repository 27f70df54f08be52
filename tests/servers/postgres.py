"""A real PostgreSQL on loopback, for the tests of the PostgreSQL stores."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

__all__ = ["PostgresServer", "opened_to_all", "postgres_server", "running"]

ROLE = "charimg"


class PostgresServer:
    """One server; its data lie below ``work`` and are gone with it.

    Unless it is to be durable, it does not wait for the disk.
    """

    def __init__(self, work: Path, *, durable: bool = False) -> None:
        self._fsync = "on" if durable else "off"
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        program = str(found[-1]) if found else shutil.which("postgres")
        if program is None:
            pytest.skip("PostgreSQL is missing; install it with: apt-get install postgresql")
        self._program = program
        self._data = work / "postgres"
        self._data.mkdir(mode=0o700)
        self._user = None
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            self._user = "postgres"
            for directory in (self._data, *self._data.parents):
                if directory == Path(tempfile.gettempdir()):
                    break
                directory.chmod(directory.stat().st_mode | 0o011)
            shutil.chown(self._data, self._user)
            self._data.chmod(0o700)
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
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._databases = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        # The shell ends PostgreSQL when its input does, so also when the tests crash.
        script = '"$@" & read line; kill -QUIT $!; wait'
        self._process = process = subprocess.Popen(
            [
                *("sh", "-c", script, "sh", self._program, "-D", str(self._data)),
                *("-p", str(self.port), "-k", "", "-c", "listen_addresses=127.0.0.1"),
                *("-c", f"fsync={self._fsync}", "-c", "max_connections=200"),
            ],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            user=self._user,
            cwd="/",
        )
        assert process.stderr is not None
        for line in process.stderr:
            if b"ready to accept connections" in line:
                break
        else:
            raise AssertionError("PostgreSQL did not start.")
        self._reader = threading.Thread(target=process.stderr.read, daemon=True)
        self._reader.start()

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
def running() -> Iterator[PostgresServer]:
    """Run a server on a directory of its own."""
    with opened_to_all() as work:
        server = PostgresServer(work)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for each worker."""
    with running() as server:
        yield server
