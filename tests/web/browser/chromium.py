"""Chromium, started once for all tests of a worker, in a thread of its own.

While Playwright is up, an event loop runs in its thread. All other tests of the worker have loops
of their own, in the main thread; so a test that wants the browser runs beside them, from its first
fixture to its last.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

_T = TypeVar("_T")
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # A process for each page would cost more than all that the page does.
    "--process-per-site",
)
_NAME = "chromium"
_THREAD = ThreadPoolExecutor(1, thread_name_prefix=_NAME)


def in_its_thread(work: Callable[[], _T]) -> _T:
    """Do something in the browser's thread."""
    if threading.current_thread().name.startswith(_NAME):
        return work()
    return _THREAD.submit(copy_context().run, work).result()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium, or skip the test."""
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        pytest.skip("Chromium is not installed. Install it with: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """Return what shares nothing with other contexts: as good as another browser."""
    context = browser.new_context(**options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    return context


@contextmanager
def shared_context(browser: Browser) -> Iterator[BrowserContext]:
    """What most pages are opened in. Each comes from a port, hence an origin, of its own."""
    context = new_context(browser)
    # One page stays, and with it the process of all that come from this machine.
    stays = context.new_page()
    stays.route("**", lambda route: route.fulfill(body=""))
    stays.goto("http://127.0.0.1/")
    yield context
    context.close()
