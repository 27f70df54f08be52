"""The host applications of ``examples/``, each as a server process of its own, and who signs in."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
from attrs import frozen

from .ports import Port

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

    @property
    def login(self) -> str | None:
        """The path of its sign-in, where it has a page for that."""
        return _LOGINS.get(self.name)

    @contextmanager
    def signed_in(self) -> Iterator[httpx.Client]:
        """Yield a client that has signed in as the example's own page wants it."""
        with httpx.Client(base_url=self.url, timeout=600, follow_redirects=True) as client:
            if self.login is None:
                client.auth = (NAME, PASSWORD)
            else:
                answer = _submit(client, self.login, NAME, PASSWORD)
                assert str(answer.url).endswith("/characters/mara")
            yield client

    def sign_in(self, there: str) -> httpx.Response:
        """Return what its page answers to the right password, when one shall go on to there."""
        assert self.login is not None
        path = f"{self.login}?{urlencode({'next': there})}"
        with httpx.Client(base_url=self.url, timeout=600) as client:
            return _submit(client, path, NAME, PASSWORD)

    def refuses(self, name: str, password: str) -> bool:
        """Tell whether it does not know a user, and says so."""
        with httpx.Client(base_url=self.url, timeout=600) as client:
            if self.login is None:
                given = base64.b64encode(f"{name}:{password}".encode()).decode()
                headers = {"Authorization": f"Basic {given}"}
                return client.get("/characters/mara", headers=headers).status_code == 401
            # With a known name, so that the password is looked at.
            answers = [_submit(client, self.login, each, password) for each in (name, NAME)]
            return all(each.status_code == 200 and "<form" in each.text for each in answers)


def _submit(client: httpx.Client, path: str, name: str, password: str) -> httpx.Response:
    form = {"username": name, "password": password}
    page = client.get(path).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    if token is not None:
        form["csrfmiddlewaretoken"] = token[1]
    return client.post(path, data=form)


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

    port = Port()
    url = f"http://127.0.0.1:{port.number}"
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
            [sys.executable, "-W", "error", str(EXAMPLES / name), str(port.number)],
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
    deadline = time.monotonic() + 600
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            httpx.get(f"{url}/characters/mara", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
