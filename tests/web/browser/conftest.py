"""Chromium, one per module; each test has a context of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ...servers.hosts import NAME, PASSWORD
from .studio import ARGUMENTS, Studio, Watched, browser_path, hosted, served


# Of a module: while it is up, no other event loop may run in this thread, and the suite has many.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def host() -> str:
    """Who serves the page: the command, or one of the examples."""
    return "serve"


@pytest.fixture
def studio(tmp_path: Path, host: str) -> Iterator[Studio]:
    with served(tmp_path) if host == "serve" else hosted(host, tmp_path / "host") as running:
        yield running


@pytest.fixture
def page(chromium: Any, studio: Studio) -> Iterator[Any]:
    """A page that fails the test if a script fails, or the remote server is asked by it."""
    context = chromium.new_context(
        viewport={"width": 1440, "height": 900},
        reduced_motion="reduce",
        accept_downloads=True,
        http_credentials={"username": NAME, "password": PASSWORD},
    )
    context.set_default_timeout(20_000)
    shown = context.new_page()
    watched = Watched(shown, studio.simulator.base_url)
    yield shown
    context.close()
    assert watched.complaints == []
