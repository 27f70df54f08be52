"""A simulated Character Library, a real server with the images page, and Chromium looking at it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import define

from charimg import CharacterReference
from charimg._assembly.embedded import embedded
from charimg.testing import Simulator, serve

from ...cli.process import COMMAND, environment
from ...servers.hosts import NAME, PASSWORD, host_process

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
CHARACTER = "mara"
TRAITS = {"age": 34, "gender": "woman", "hair": "auburn, shoulder-length", "eyes": "grey-green"}


def browser_path() -> str:
    """Return where Chromium is, or skip the test."""
    for name in BROWSERS:
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.skip("Chromium is not installed. Install it with: apt-get install chromium")


@define
class Studio:
    """One running server of the page, and the simulator behind it.

    Attributes:
        url: Of the server.
        prefix: Where the routes are mounted.
        client: Asks the routes, signed in.
        simulator: What draws; its switches make it fail.
    """

    url: str
    simulator: Simulator
    client: httpx.Client
    prefix: str = ""

    @property
    def page_url(self) -> str:
        """Of the character's images page."""
        return f"{self.url}{self.prefix}/screenplay/characters/{CHARACTER}/images"

    def fetch(self, path: str, **query: Any) -> Any:
        """Ask a route for JSON."""
        answer = self.client.get(
            f"{self.url}{self.prefix}/v1/characters/{CHARACTER}/{path}", params=query
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


def link(directory: Path, simulator: Simulator, **changes: Any) -> None:
    """Put the character into the embedded directory, linked."""
    db_id = simulator.add_character(name="Mara Voss")
    fields: dict[str, Any] = {
        "id": CHARACTER,
        "name": "Mara Voss",
        "library_db_id": db_id,
        "library_character_id": "mara-voss",
        "traits": TRAITS,
        **changes,
    }
    stores = embedded(directory)
    try:
        stores.directory.put(CharacterReference(**fields))
    finally:
        stores.database.close()


@contextmanager
def served(directory: Path, **changes: Any) -> Iterator[Studio]:
    """Serve the page with ``charimg serve`` over a simulator of its own."""
    with serve(Simulator()) as library:
        link(directory, library.simulator, **changes)
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", "0", "--json", "--directory", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(CHARACTER_LIBRARY_API_URL=library.url),
        )
        try:
            with httpx.Client(timeout=60, trust_env=False) as client:
                yield Studio(url=_told_url(process), simulator=library.simulator, client=client)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def hosted(name: str, directory: Path) -> Iterator[Studio]:
    """Run one of the examples, which mount the page below a prefix and behind a sign-in."""
    with (
        serve(Simulator()) as library,
        host_process(name, library.url, directory) as host,
        host.signed_in() as client,
    ):
        yield Studio(url=host.url, simulator=library.simulator, client=client, prefix="/studio")


def sign_in(page: Any) -> None:
    """Fill in the form that a host shows instead of the page, if it shows one."""
    if page.locator("input[name=password]").count():
        page.locator("input[name=username]").fill(NAME)
        page.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")


def _told_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or lines[-1] != "}\n":
        line = process.stdout.readline()
        assert line, "the server ended before it said where it is"
        lines.append(line)
    url: str = json.loads("".join(lines))["url"]
    return url


class Watched:
    """What a page must never do, gathered while a test looks at it."""

    def __init__(self, page: Any, library_url: str) -> None:
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("console", self._console)
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self._request(request.url, library_url))

    def _console(self, message: Any) -> None:
        # A 4xx or 5xx that a test provokes is written there by the browser itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"a script's dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, url: str, library_url: str) -> None:
        if url.startswith(library_url):
            self.complaints.append(f"an image of the remote server was asked for: {url}")


def screenshot(page: Any, name: str) -> None:
    """Keep a picture of the page where CHARIMG_SCREENSHOTS says, in both schemes and two widths."""
    folder = os.environ.get("CHARIMG_SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(250)
            page.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)
