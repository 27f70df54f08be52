"""The host applications of ``examples/``, each as a server process of its own, and who signs in."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HOSTS = ("fastapi_host.py", "django_host.py", "flask_host.py")
NAME, PASSWORD = "ada", "engine"
_LOGINS = {"django_host.py": "/accounts/login/", "flask_host.py": "/login"}


@frozen(kw_only=True)
class HostProcess:
    """A running example.

    Attributes:
        name: Its file.
        url: Where it listens.
    """

    name: str
    url: str

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """Yield a client that has signed in as the example's own page wants it."""
        with httpx.Client(base_url=self.url, timeout=60, follow_redirects=True) as client:
            login = _LOGINS.get(self.name)
            if login is None:
                client.auth = (NAME, PASSWORD)
            else:
                form = {"username": NAME, "password": PASSWORD}
                page = client.get(login).text
                token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
                if token is not None:
                    form["csrfmiddlewaretoken"] = token[1]
                assert str(client.post(login, data=form).url).endswith("/characters/mara")
            yield client


def csrf(page: str) -> dict[str, str]:
    """Return the header that the page sends with every write."""
    config: dict[str, Any] = json.loads(page.split('id="charimg-config">')[1].split("</script>")[0])
    wanted = config["csrf"]
    return {} if wanted is None else {wanted["header"]: wanted["token"]}


@contextmanager
def host_process(name: str, library_url: str | None, directory: Path) -> Iterator[HostProcess]:
    """Run an example against a Character Library until the end of the context.

    Args:
        name: One of `HOSTS`.
        library_url: The Character Library's; ``None`` leaves the example to its own, simulated.
        directory: Empty; the example keeps everything in it.
    """

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    directory.mkdir(exist_ok=True)
    log = directory / "log.txt"
    environment = {
        **os.environ,
        "CHARIMG_DIR": str(directory / "data"),
    }
    if library_url is not None:
        environment["CHARACTER_LIBRARY_API_URL"] = library_url
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(EXAMPLES / name), str(port)],
            env=environment,
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(process, url, log)
        yield HostProcess(name=name, url=url)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            httpx.get(f"{url}/characters/mara", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
