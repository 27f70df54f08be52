"""A real Payload CMS on loopback, on SQLite, PostgreSQL or MongoDB, for its stores' tests."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from .mongo import MongoServer
from .ports import Port

HERE = Path(__file__).parent / "payload"
COLLECTIONS = Path(__file__).parents[2] / "examples" / "payload"
API_KEY = "5f0c4f0e-6a3b-4c52-9d5c-2f6d1f1d9a11"
PASSWORD = "a password of the tests"


def modules() -> Path:
    """Install Payload once for each version of package.json; return where it is."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing; install it with: apt-get install nodejs npm")
    digest = hashlib.sha256((HERE / "package.json").read_bytes()).hexdigest()[:16]
    # In the virtual environment: outside the tree, and gone with it.
    home = Path(sys.prefix) / f"charimg-payload-{digest}"
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "installed").exists():
            shutil.copy(HERE / "package.json", home)
            subprocess.run(
                [
                    "npm",
                    "install",
                    "--ignore-scripts",
                    "--no-audit",
                    "--no-fund",
                    "--no-package-lock",
                    "--loglevel=error",
                ],
                cwd=home,
                check=True,
                timeout=600,
            )
            (home / "installed").touch()
    return home


class PayloadServer:
    """One server; it can be killed and started again on its data and port.

    Args:
        work: Where its data go.
        database: The URL of a database of PostgreSQL or MongoDB; SQLite without one.
        id_type: ``integer`` or ``uuid``; MongoDB has ObjectIds.
        keyed: Whether the collections have the optional operation key.
        loose: Whether a record stands without media, and takes any kind and status.
        owned: Whether ``createdBy`` is a relation to the users, instead of text.
    """

    def __init__(
        self,
        work: Path,
        *,
        database: str | None = None,
        id_type: str = "integer",
        keyed: bool = False,
        loose: bool = False,
        owned: bool = False,
    ) -> None:
        self.api_key = API_KEY
        self.files = work / "media"
        self._home = modules()
        self._port = Port()
        self._settings = {
            "db": "sqlite" if database is None else database.partition(":")[0],
            "url": database or f"file:{work / 'payload.db'}",
            "idType": id_type if id_type == "uuid" else "serial",
            "keyed": keyed,
            "loose": loose,
            "owned": owned,
            "work": str(work),
            "files": str(self.files),
            "port": self._port.number,
            "collections": str(COLLECTIONS),
            "apiKey": API_KEY,
            "password": PASSWORD,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self.log = work / "log"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port.number}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Beside node_modules, which is where node looks for packages.
        with tempfile.NamedTemporaryFile(
            dir=self._home, prefix="server-", suffix=".mjs", delete=False
        ) as program:
            program.write((HERE / "server.mjs").read_bytes())
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    ["node", "--import", "tsx/esm", program.name, json.dumps(self._settings)],
                    cwd=self._home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
            output = self._process.stdout
            assert output is not None
            watchdog = threading.Timer(900, self._process.kill)
            watchdog.start()
            try:
                for line in output:
                    if line.startswith(b'{"port"'):
                        break
                else:
                    raise AssertionError(f"Payload did not start:\n{self.log.read_text()[-3000:]}")
            finally:
                watchdog.cancel()
            # Nobody else reads what it prints, and a full pipe would stop it.
            self._reader = threading.Thread(target=output.read, daemon=True)
            self._reader.start()
        finally:
            Path(program.name).unlink()

    def kill(self) -> None:
        """End it at once, as a crash does. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            if self._reader is not None:
                self._reader.join()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request past the stores; return the answer's JSON."""
        import httpx

        response = httpx.request(
            method,
            f"{self.url}/api{path}",
            json=body,
            headers={"Authorization": f"users API-Key {API_KEY}"},
            timeout=600,
            # Nothing is encrypted, and certificates take longer to load than an answer to come.
            verify=False,
        )
        return response.json()

    def character(self, name: str = "Mira", **fields: Any) -> str:
        """Make a character; return its id."""
        fields = {"projectCharacterName": name, **fields}
        return str(self.ask("POST", "/character-references", fields)["doc"]["id"])


@contextmanager
def mongo() -> Iterator[str]:
    """Start what speaks MongoDB's protocol; give the URL of an empty database."""
    server = MongoServer()
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
