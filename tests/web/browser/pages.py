"""Opening pages, watching over them, and looking at them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page

from .chromium import new_context

SECONDS = 60
"""How long anything is waited for that must come."""

WIDE, NARROW = (1440, 900), (390, 844)
SCHEMES = ("light", "dark")
_VIEWS = [(size, scheme) for size in (WIDE, NARROW) for scheme in SCHEMES]
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_TIME = """
  const { setTimeout: start, clearTimeout: stop } = window;
  const waiting = new Map();
  const isNotice = (run) => String(run).includes("handle.close");
  window.setTimeout = (run, ms = 0, ...given) => {
    const go = () => {
      waiting.delete(id);
      run(...given);
    };
    const id = start(go, isNotice(run) ? 2 ** 31 - 1 : ms);
    waiting.set(id, { go, ms, held: isNotice(run) });
    return id;
  };
  window.clearTimeout = (id) => {
    waiting.delete(id);
    stop(id);
  };
  window.timers = () => [...waiting.values()].filter(({ held }) => !held).map(({ ms }) => ms);
  window.endNotices = () => {
    const held = [...waiting].filter(([, { held }]) => held);
    for (const [id, { go }] of held) {
      stop(id);
      go();
    }
    return held.map(([, { ms }]) => ms);
  };
"""
"""A slow machine takes no notice away that a test is about to use: they stay until they are ended.

``timers()`` tells what else will run later, ``endNotices()`` lets the time of the notices be over.
"""


class Pages:
    """The pages of one test. None may throw, break its policy, open a dialog or log an error.

    That a request failed is no complaint: pages are made to live with it.

    Attributes:
        forbidden: URLs that no page may ask for, by how they begin.
        tolerated: What the browser may say nevertheless.
    """

    def __init__(self, browser: Browser, shared: BrowserContext) -> None:
        self.forbidden: list[str] = []
        self.tolerated: list[str] = []
        self._browser = browser
        self._shared = shared
        self._contexts: list[BrowserContext] = []
        self._opened: list[Page] = []
        self._complaints: list[str] = []

    def open(
        self,
        url: str,
        *,
        size: tuple[int, int] = WIDE,
        motion: bool = False,
        scheme: Any = "light",
        apart: bool = False,
        init: str = "",
        **options: Any,
    ) -> Page:
        """Open a page.

        Args:
            url: Its address.
            size: Of the window.
            motion: Whether the reader is fine with movement.
            scheme: ``light`` or ``dark``.
            apart: In another browser, which shares nothing with the pages opened before.
            init: A script that runs before those of the page.
            **options: Of the context, which is then another one, too.
        """
        context = self._shared
        if apart or options:
            context = new_context(self._browser, **options)
            self._contexts.append(context)
        page = context.new_page()
        self._opened.append(page)
        page.set_default_timeout(SECONDS * 1000)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(
            reduced_motion="no-preference" if motion else "reduce", color_scheme=scheme
        )
        page.add_init_script(f"{{{_TIME}}}\n{init}")
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._complaints.append(f"exception: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("request", lambda request: self._on_request(request.url))
        page.goto(url)
        return page

    def close(self) -> None:
        """Close them all, and complain."""
        for page in self._opened:
            page.close()
        for context in self._contexts:
            context.close()
        self._shared.clear_cookies()
        told = [
            each for each in self._complaints if not any(words in each for words in self.tolerated)
        ]
        assert told == []

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._complaints.append(f"console: {message.text}")

    def _on_dialog(self, dialog: Dialog) -> None:
        self._complaints.append(f"a script's dialog: {dialog.message}")
        dialog.dismiss()

    def _on_request(self, url: str) -> None:
        if url.startswith(tuple(self.forbidden)):
            self._complaints.append(f"asked for: {url}")


def becomes(page: Page, condition: str, arg: Any = None) -> None:
    """Wait until a function of JavaScript says that something has come true.

    Playwright's own ``wait_for_function`` evaluates a text again and again, which the policy of our
    pages forbids it from the second time on. This one is evaluated once.
    """
    page.evaluate(
        f"""async ([arg, seconds]) => {{
          const holds = {condition};
          for (const begun = performance.now(); !holds(arg); ) {{
            if (performance.now() - begun > seconds * 1000) throw new Error("it never came true");
            await new Promise((done) => setTimeout(done, 10));
          }}
        }}""",
        [arg, SECONDS],
    )


def drawn(page: Page) -> None:
    """Wait until what scripts have changed is drawn."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def violations(page: Page) -> list[str]:
    """Return what axe finds."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = {"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(options).then((all) => all.violations)", options)
    return [
        f"{each['id']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
        for each in found
        for node in each["nodes"]
    ]


def accessible(page: Page) -> None:
    """Let axe look at the page in both schemes and two widths, where nothing may stick out."""
    before = page.viewport_size
    assert before is not None
    for (width, height), scheme in _VIEWS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert violations(page) == [], (width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of the page as it is now, where CHARIMG_SCREENSHOTS says."""
    if folder := os.environ.get("CHARIMG_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")


def screenshots(page: Page, name: str) -> None:
    """Keep pictures of the page in both schemes and two widths."""
    if "CHARIMG_SCREENSHOTS" not in os.environ:
        return
    before = page.viewport_size
    assert before is not None
    for (width, height), scheme in _VIEWS:
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        screenshot(page, f"{name}-{width}-{scheme}")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)
