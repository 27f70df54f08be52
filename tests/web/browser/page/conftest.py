"""A studio of its own for every test, and a page in it that may not complain."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
)

from .house import Studio, studio_in

expect.set_options(timeout=30_000)


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    return chromium


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with studio_in(tmp_path / "studio") as studio:
        yield studio


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, studio: Studio) -> Iterator[OpenPage]:
    """Open pages, each in a browser context with the options told.

    When the test is over, no page may have thrown, broken its Content-Security-Policy or logged an
    error, but that a request failed, which pages are made to live with.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def open_one(
        url: str | None = None, *, context: BrowserContext | None = None, **options: Any
    ) -> Page:
        if context is None:
            options.setdefault("viewport", {"width": 1440, "height": 900})
            context = browser.new_context(**options)
            context.grant_permissions(["clipboard-read", "clipboard-write"])
            context.set_default_timeout(30_000)
            contexts.append(context)
        page = context.new_page()
        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(studio.page_of() if url is None else url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The images page of Mara Voss, whose studio is still empty."""
    return open_page()


@pytest.fixture
def shoot() -> Callable[[Page, str], None]:
    """Keep a screenshot to be looked at, where CHARIMG_SCREENSHOTS says."""

    folder = os.environ.get("CHARIMG_SCREENSHOTS")

    def keep(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")

    return keep
