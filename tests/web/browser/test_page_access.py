"""Every state, light and dark, narrow and wide: axe finds nothing, and nothing sticks out."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .conftest import OpenPage
from .pages import NARROW, WIDE, becomes, screenshot, violations
from .parts import cards, consequence, count, generate, panel, prompt, start
from .studio import Studio


class Look:
    """Looks at one state after the other."""

    def __init__(self, page: Page, view: str) -> None:
        self.page = page
        self._view = view
        self.looked: list[str] = []

    def at(self, state: str) -> None:
        screenshot(self.page, f"page-{state}-{self._view}")
        assert violations(self.page) == [], state
        inside = "document.documentElement.scrollWidth <= innerWidth"
        assert self.page.evaluate(inside), state
        self.looked.append(state)


def unfold(page: Page, name: str) -> None:
    fold = page.get_by_role("button", name=name, exact=True)
    if fold.get_attribute("aria-expanded") == "false":
        fold.click()
    fold.scroll_into_view_if_needed()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        # Both widths and both schemes.
        pytest.param(NARROW, "dark", id="narrow-dark"),
        pytest.param(WIDE, "light", id="wide-light"),
        # The whole.
        pytest.param(NARROW, "light", id="narrow-light", marks=pytest.mark.long),
        pytest.param(WIDE, "dark", id="wide-dark", marks=pytest.mark.long),
    ],
)
def test_every_state_of_the_story(
    open_page: OpenPage, studio: Studio, size: tuple[int, int], scheme: str
) -> None:
    touch: dict[str, Any] = {"has_touch": True} if size == NARROW else {}
    page = open_page(size=size, scheme=scheme, **touch)
    look = Look(page, f"{size[0]}-{scheme}")
    expect(prompt(page)).not_to_have_value("")
    expect(consequence(page)).to_contain_text("Nothing will be deleted")
    look.at("empty")
    prompt(page).fill(" ")
    look.at("blank")
    page.get_by_role("button", name="Reset Prompt").click()
    expect(prompt(page)).not_to_have_value(" ")
    studio.switch(generation_errors=1)
    generate(page).click()
    expect(panel(page, "Reference").get_by_role("alert")).to_be_visible()
    panel(page, "Reference").get_by_role("alert").scroll_into_view_if_needed()
    look.at("library-500")
    with studio.held():
        generate(page).click()
        expect(page.get_by_text("Drawing the reference").first).to_be_visible()
        look.at("drawing")
    expect(cards(page)).to_have_count(1)
    look.at("reference")
    studio.switch(job_seconds=9.0, shots=9, file_errors=2)
    unfold(page, "360° Portfolio")
    start(page).click()
    studio.wait(4.0)
    expect(panel(page, "360° Portfolio")).to_contain_text("4/9 shots drawn")
    look.at("portfolio-running")
    studio.wait(5.0)
    expect(panel(page, "360° Portfolio")).to_contain_text("7/9 stored")
    look.at("portfolio-failures")
    unfold(page, "Scene")
    page.get_by_label("What happens").fill("She runs through the rain.")
    page.get_by_role("button", name="Generate Scene").click()
    expect(count(page)).to_have_text("11")
    look.at("scene")
    cards(page).first.scroll_into_view_if_needed()
    look.at("grid")
    cards(page).first.get_by_role("button", name="Show the whole prompt").click()
    look.at("prompt")
    cards(page).nth(1).get_by_role("button", name="Actions").click()
    expect(page.get_by_role("menu")).to_be_visible()
    look.at("menu")
    page.keyboard.press("Escape")
    cards(page).nth(1).get_by_role("checkbox").check()
    cards(page).nth(2).get_by_role("checkbox").check()
    look.at("selection")
    page.get_by_role("toolbar", name="Selection").get_by_role("button", name="Delete").click()
    expect(count(page)).to_have_text("9")
    look.at("deleted")
    page.keyboard.press("Control+z")
    expect(count(page)).to_have_text("11")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    look.at("shortcuts")
    page.keyboard.press("Escape")
    generate(page).click()
    expect(page.get_by_role("dialog", name="Replace the reference?")).to_be_visible()
    look.at("replace")
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_text("No image matches.")).to_be_visible()
    look.at("no-match")
    page.route("**/images?*", lambda route: route.abort())
    page.goto(studio.page_of())
    expect(page.get_by_text("The images cannot be listed now.").last).to_be_visible()
    look.at("list-failed")
    studio.add_character("nobody", "Nobody", linked=False)
    page.unroute("**/images?*")
    page.goto(studio.page_of("nobody"))
    expect(page.get_by_text("Not linked to the Character Library")).to_be_visible()
    expect(page.get_by_text("No images yet", exact=True)).to_be_visible()
    look.at("not-linked")
    page.goto(studio.url)
    expect(page.get_by_role("link", name="Mara Voss")).to_be_visible()
    look.at("characters")
    assert len(look.looked) == 19


def test_nothing_sticks_out_at_any_width(open_page: OpenPage, studio: Studio) -> None:
    studio.fill(40)
    for width in (320, 768, 1024, 2560):
        page = open_page(size=(width, 900))
        expect(cards(page).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        screenshot(page, f"page-width-{width}")


def test_the_page_grows_with_the_users_own_spacing_of_text(
    open_page: OpenPage, studio: Studio
) -> None:
    studio.fill(6)
    page = open_page(bypass_csp=True)
    expect(cards(page)).to_have_count(6)
    page.add_style_tag(
        content="* { line-height: 1.5 !important; letter-spacing: 0.12em !important; "
        "word-spacing: 0.16em !important; }"
    )
    becomes(
        page,
        """() => [...document.querySelectorAll('.ci-card')].every((card) =>
            card.scrollHeight <= card.clientHeight + 1)""",
    )
    screenshot(page, "page-text-spacing")


def test_targets_are_large_enough(open_page: OpenPage, studio: Studio) -> None:
    studio.fill(6)
    page = open_page(size=NARROW, has_touch=True)
    expect(count(page)).to_have_text("6")
    small = page.evaluate(
        """[...document.querySelectorAll('button, select, input, a[href], summary')]
        .filter((each) => each.checkVisibility({ checkVisibilityCSS: true }))
        .map((each) => [each, (each.closest('label') ?? each).getBoundingClientRect()])
        .filter(([each, box]) => box.width > 1 && (box.width < 24 || box.height < 24))
        .map(([each]) => each.outerHTML.slice(0, 120))"""
    )
    assert small == []


def test_what_happens_is_told(page: Page, studio: Studio) -> None:
    page.evaluate(
        """() => {
        window.told = [];
        for (const id of ['ci-status', 'ci-alert'])
          new MutationObserver(() => told.push(document.getElementById(id).textContent.trim()))
            .observe(document.getElementById(id), { childList: true, subtree: true });
        }"""
    )
    expect(prompt(page)).not_to_have_value("")
    generate(page).click()
    # The card comes with the image, and this when the operation has ended.
    expect(page.locator("#ci-status")).to_have_text("The new reference is here.")
    expect(cards(page)).to_have_count(1)
    cards(page).first.focus()
    page.keyboard.press("Delete")
    expect(cards(page)).to_have_count(0)
    deleted = "The current reference is deleted; it goes on the Character Library, too."
    expect(page.locator("#ci-status")).to_have_text(deleted)
    told = page.evaluate("told")
    assert told.index("The new reference is here.") < told.index(deleted)
