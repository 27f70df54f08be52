"""The fixtures of all tests in the browser: a studio that serves a page, and pages of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from playwright.sync_api import Browser, BrowserContext, Page, expect

from . import bench
from .bench import Bench
from .chromium import chromium, in_its_thread, shared_context
from .pages import SECONDS, Pages
from .parts import cards, generate, start
from .studio import Studio, in_this_process

expect.set_options(timeout=SECONDS * 1000)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run the tests that want a browser in its thread."""
    if "browser" not in getattr(item, "fixturenames", ()):
        return None
    # What lives as long as the session began in any thread; it ends in the main one.
    after = item.session if nextitem is None else nextitem
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    in_its_thread(lambda: runtestprotocol(item, nextitem=after))  # type: ignore[arg-type]
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(scope="session")
def _running() -> Iterator[tuple[Browser, BrowserContext]]:
    with ExitStack() as stack:
        browser = stack.enter_context(chromium())
        yield browser, stack.enter_context(shared_context(browser))
        ending = stack.pop_all()
    # The session ends in the main thread, as a rule.
    in_its_thread(ending.close)


@pytest.fixture
def browser(_running: tuple[Browser, BrowserContext]) -> Browser:
    return _running[0]


@pytest.fixture
def pages(_running: tuple[Browser, BrowserContext], browser: Browser) -> Iterator[Pages]:
    """Opens pages. At the end none may have complained; see `Pages`."""
    pages = Pages(*_running)
    yield pages
    pages.close()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """A studio whose only character, Mara Voss, has no images yet."""
    with in_this_process(tmp_path / "studio") as studio:
        yield studio


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(studio: Studio, pages: Pages) -> OpenPage:
    """Open pages of the studio: Mara's images, unless told otherwise."""

    pages.forbidden.append(studio.simulator.base_url)

    def open_one(url: str | None = None, **options: Any) -> Page:
        return pages.open(studio.page_of() if url is None else url, **options)

    return open_one


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The images page of Mara Voss."""
    return open_page()


@pytest.fixture
def drawn(page: Page) -> Page:
    """The images page of Mara Voss with a reference, and nothing at work.

    The image comes before its operation ends, and nothing starts another one until then.
    """
    generate(page).click()
    expect(cards(page)).to_have_count(1)
    expect(start(page)).to_be_enabled()
    return page


Looking = Callable[..., AbstractContextManager[tuple[Page, Bench]]]


@pytest.fixture
def looking(pages: Pages) -> Looking:
    """Look at a page with nothing on it but our modules, and its server; see `bench.looking`."""
    return partial(bench.looking, pages)
