"""The parts of the page by their roles and names, as a user finds them."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page

__all__ = [
    "cards",
    "consequence",
    "count",
    "generate",
    "holding",
    "notice",
    "panel",
    "prompt",
    "start",
    "starting",
]


def starting(text: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(text)}")


def holding(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


def panel(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def prompt(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt", exact=True)


def generate(page: Page) -> Locator:
    return page.get_by_role("button", name="Generate Reference")


def start(page: Page) -> Locator:
    return page.get_by_role("button", name="Start Portfolio")


def consequence(page: Page) -> Locator:
    """What a new reference will delete."""
    return page.locator("#ci-consequence")


def cards(page: Page) -> Locator:
    return page.get_by_role("gridcell")


def count(page: Page) -> Locator:
    """How many images there are, in the heading of the grid."""
    return page.locator("#ci-count")


def notice(page: Page, text: str) -> Locator:
    return page.get_by_role("region", name="Notices").get_by_text(text)
