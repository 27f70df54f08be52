"""How heavy and how quick the page is, with 200 and with ten thousand images."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from ....figures import Figure
from .conftest import OpenPage
from .house import Studio
from .parts import cards, prompt

_KB = 1000
OBSERVE = """
window.shifts = []; window.paint = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) shifts.push(entry.value);
}).observe({ type: 'layout-shift', buffered: true });
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) paint = entry.startTime;
}).observe({ type: 'largest-contentful-paint', buffered: true });
"""


def test_the_first_view_weighs_under_60_kb(
    open_page: OpenPage, studio: Studio, figure: Figure
) -> None:
    studio.fill(30)
    page = open_page("about:blank")
    sizes: dict[str, int] = {}

    def weigh(response: Any) -> None:
        path = response.url.removeprefix(studio.url).partition("?")[0]
        if path.startswith("/screenplay/") and response.status == 200:
            sizes[path] = len(gzip.compress(response.body(), 6))

    page.on("response", weigh)
    page.goto(studio.page_of())
    expect(cards(page).first).to_be_visible()
    expect(prompt(page)).not_to_have_value("")
    page.wait_for_load_state("networkidle")
    total = sum(sizes.values())
    figure("the page's own assets at first view, compressed", f"{total / _KB:.1f} kB, at most 60")
    assert len(sizes) > 10
    assert total < 60 * _KB, sizes


@pytest.mark.parametrize("width", [390, 1440])
def test_200_images_are_painted_soon_and_nothing_moves(
    open_page: OpenPage, studio: Studio, figure: Figure, width: int
) -> None:
    studio.fill(200)
    page = open_page("about:blank", viewport={"width": width, "height": 900})
    page.add_init_script(OBSERVE)
    paints = []
    shifts = []
    # Another process may hold the machine up: what the page itself needs is the best of a few.
    while not paints or (min(paints) >= 1000 and len(paints) < 6):
        page.goto(studio.page_of())
        expect(cards(page).first.get_by_role("img")).to_be_attached()
        expect(prompt(page)).not_to_have_value("")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        paints.append(page.evaluate("paint"))
        shifts.append(sum(page.evaluate("shifts")))
    figure(f"largest paint with 200 images at {width} px", f"{min(paints):.0f} ms, at most 1,000")
    figure(f"layout shift while 200 images load at {width} px", f"{max(shifts):.4f}, at most 0.02")
    assert max(shifts) < 0.02
    assert 0 < min(paints) < 1000


def test_scrolling_ten_thousand_images_has_no_long_task(
    open_page: OpenPage, browser: Browser, studio: Studio, figure: Figure
) -> None:
    studio.fill(10_000, files=30)
    page = open_page()
    expect(page.locator("#ci-count")).to_have_text("10,000")
    page.get_by_label("Order").select_option("oldest")
    expect(page.locator("#ci-foot")).to_be_empty(timeout=120_000)
    page.mouse.move(900, 500)
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    for _ in range(60):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(30)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    page.wait_for_timeout(300)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_timeout(500)
    tasks = _main_thread_tasks(json.loads(browser.stop_tracing()))
    longest = max(tasks)
    nodes = page.evaluate("document.querySelectorAll('*').length")
    figure(
        "longest task of the page while scrolling 10,000 images",
        f"{longest:.1f} ms of processor time, at most 50; {nodes} elements in the document",
    )
    last = page.evaluate("[...document.querySelectorAll('[role=gridcell]')].at(-1).dataset.id")
    assert last == "fill-009999"
    assert len(tasks) > 100
    assert nodes < 3000
    # Time of the thread's own: another process on the machine makes no task long.
    assert longest < 50


def _main_thread_tasks(trace: dict[str, Any]) -> list[float]:
    events = trace["traceEvents"]
    main = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    return [
        each.get("tdur", 0) / 1000
        for each in events
        if each["ph"] == "X"
        and each["name"].endswith("RunTask")
        and (each["pid"], each["tid"]) in main
    ]
