"""The grid: one tab stop, keys, selection, deleting with a way back, filters, and many images."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from charimg import StorageError

from ...figures import Figure
from ...patience import until
from .conftest import OpenPage
from .hostile import PROMPTS
from .pages import becomes, drawn
from .parts import cards, count, holding, notice, prompt
from .studio import MARA, Studio


def selected(page: Page) -> Locator:
    return page.get_by_role("gridcell", selected=True)


def focused_id(page: Page) -> str | None:
    return page.evaluate("document.activeElement.dataset.id ?? null")


def ids(page: Page) -> list[str]:
    return page.evaluate(
        "[...document.querySelectorAll('[role=gridcell]')].map((cell) => cell.dataset.id)"
    )


@pytest.fixture
def filled(open_page: OpenPage, studio: Studio) -> Page:
    """The page with twelve images; the newest comes first."""
    studio.fill(12)
    page = open_page()
    expect(cards(page)).to_have_count(12)
    expect(prompt(page)).not_to_have_value("")
    return page


def test_the_grid_has_one_tab_stop_and_arrows_move(filled: Page) -> None:
    page = filled
    expect(page.locator('[role="grid"] [tabindex="0"]')).to_have_count(1)
    assert page.locator('[role="grid"] button:not([tabindex="-1"])').count() == 0
    page.get_by_role("slider").focus()
    page.keyboard.press("Tab")
    listed = ids(page)
    assert focused_id(page) == listed[0]
    columns = int(page.get_by_role("grid").get_attribute("aria-colcount") or 0)
    assert columns > 1
    for key, index in [
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("ArrowUp", 0),
        ("ArrowLeft", 0),
        ("End", columns - 1),
        ("Home", 0),
        ("Control+End", 11),
        ("ArrowRight", 11),
        ("Control+Home", 0),
    ]:
        page.keyboard.press(key)
        assert focused_id(page) == listed[index], key
    expect(page.locator('[role="grid"] [tabindex="0"]')).to_have_count(1)
    page.keyboard.press("Shift+Tab")
    assert focused_id(page) is None


def test_a_range_is_selected_with_shift_by_keys_and_by_pointer(filled: Page) -> None:
    page = filled
    cards(page).nth(1).focus()
    page.keyboard.press(" ")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(selected(page)).to_have_count(3)
    bar = page.get_by_role("toolbar", name="Selection")
    expect(bar).to_contain_text("3 selected")
    page.keyboard.press("Escape")
    expect(selected(page)).to_have_count(0)
    expect(bar).to_be_hidden()
    cards(page).nth(2).get_by_role("checkbox").check()
    cards(page).nth(6).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(selected(page)).to_have_count(5)
    cards(page).nth(8).get_by_role("img").click(modifiers=["Control"])
    expect(selected(page)).to_have_count(6)
    page.keyboard.press("Control+a")
    expect(selected(page)).to_have_count(12)


def test_after_a_delete_the_focus_goes_on_and_undo_brings_it_back(
    filled: Page, studio: Studio
) -> None:
    page = filled
    listed = ids(page)
    sent: list[str] = []
    page.on("request", lambda each: each.method == "DELETE" and sent.append(each.url))
    cards(page).nth(3).focus()
    page.keyboard.press("Delete")
    expect(cards(page)).to_have_count(11)
    assert focused_id(page) == listed[4]
    expect(count(page)).to_have_text("11")
    page.keyboard.press("Delete")
    assert focused_id(page) == listed[5]
    # The last one is taken back first; nothing was sent.
    page.keyboard.press("Control+z")
    expect(cards(page)).to_have_count(11)
    expect(page.locator(f'[data-id="{listed[4]}"]')).to_be_focused()
    assert sent == []
    page.keyboard.press("Control+z")
    expect(cards(page)).to_have_count(12)
    assert ids(page) == listed
    assert sent == []
    assert studio.stores.metadata.list(MARA, limit=50).total == 12


def test_the_last_card_hands_the_focus_to_the_one_before(filled: Page) -> None:
    listed = ids(filled)
    cards(filled).last.focus()
    filled.keyboard.press("Delete")
    expect(cards(filled)).to_have_count(11)
    assert focused_id(filled) == listed[-2]


def test_a_delete_is_sent_when_its_time_is_over(filled: Page, studio: Studio) -> None:
    gone = ids(filled)[0]
    cards(filled).first.get_by_role("button", name="Actions").click()
    filled.get_by_role("menuitem", name="Delete").click()
    expect(cards(filled)).to_have_count(11)
    with filled.expect_response(lambda each: each.request.method == "DELETE"):
        assert filled.evaluate("endNotices()") == [8000]
    expect(cards(filled)).to_have_count(11)
    left = [image.id for image in studio.stores.metadata.list(MARA, limit=50).images]
    assert gone not in left
    assert len(left) == 11


def test_a_delete_that_is_waiting_is_sent_when_the_page_goes(filled: Page, studio: Studio) -> None:
    cards(filled).first.focus()
    filled.keyboard.press("Delete")
    expect(cards(filled)).to_have_count(11)
    filled.goto(studio.url)
    until(lambda: studio.stores.metadata.list(MARA, limit=50).total == 11)


def test_a_delete_that_fails_brings_the_card_back_with_the_reason(filled: Page) -> None:
    page = filled
    listed = ids(page)

    def refuse(route: Route) -> None:
        if route.request.method != "DELETE":
            route.fallback()
            return
        error = {"success": False, "error": "The disk is full.", "code": "STORAGE"}
        route.fulfill(status=500, json=error)

    page.route("**/images/**", refuse)
    cards(page).nth(2).focus()
    page.keyboard.press("Delete")
    expect(cards(page)).to_have_count(11)
    notices = page.get_by_role("region", name="Notices")
    notices.get_by_role("button", name="Dismiss").click()
    expect(cards(page)).to_have_count(12)
    assert ids(page) == listed
    expect(cards(page).nth(2)).to_contain_text("Not deleted: The disk is full.")
    expect(cards(page).nth(2)).to_have_accessible_name(holding("Not deleted: The disk is full."))
    expect(notices).to_contain_text("1 image could not be deleted")
    page.unroute("**/images/**")
    notices.get_by_role("button", name="Try again").click()
    notices.get_by_role("button", name="Dismiss").click()
    expect(cards(page)).to_have_count(11)


def test_deleting_the_current_reference_says_that_it_goes_remotely_too(filled: Page) -> None:
    cards(filled).last.focus()
    filled.keyboard.press("Delete")
    expect(notice(filled, "The current reference is deleted; it goes on")).to_be_visible()
    cards(filled).last.focus()
    filled.keyboard.press("Delete")
    expect(notice(filled, "2 images deleted; the current reference among them")).to_be_visible()
    filled.keyboard.press("Control+z")
    filled.keyboard.press("Control+z")
    cards(filled).first.focus()
    filled.keyboard.press("Delete")
    expect(notice(filled, "1 image deleted.")).to_be_visible()


def test_what_comes_back_has_the_focus_at_once_so_that_the_next_key_means_what_is_seen(
    filled: Page,
) -> None:
    cards(filled).last.focus()
    restored = focused_id(filled)
    filled.keyboard.press("Delete")
    expect(cards(filled)).to_have_count(11)
    assert restored == filled.evaluate(
        """() => {
          const keys = { key: "z", ctrlKey: true, bubbles: true, cancelable: true };
          document.activeElement.dispatchEvent(new KeyboardEvent("keydown", keys));
          return document.activeElement.dataset.id;
        }"""
    )


def test_many_are_deleted_in_one_request(filled: Page, studio: Studio) -> None:
    page = filled
    sent: list[str] = []
    page.on("request", lambda each: each.method == "DELETE" and sent.append(each.url))
    cards(page).nth(1).get_by_role("checkbox").check()
    cards(page).nth(4).get_by_role("checkbox").click(modifiers=["Shift"])
    expect(selected(page)).to_have_count(4)
    page.get_by_role("toolbar", name="Selection").get_by_role("button", name="Delete").click()
    expect(cards(page)).to_have_count(8)
    expect(notice(page, "4 images deleted.")).to_be_visible()
    page.get_by_role("region", name="Notices").get_by_role("button", name="Dismiss").click()
    expect(count(page)).to_have_text("8")
    until(lambda: studio.stores.metadata.list(MARA, limit=50).total == 8)
    # A page that goes sends what it still holds back: nothing.
    page.reload()
    expect(count(page)).to_have_text("8")
    assert len(sent) == 1


def test_filter_search_and_order_stand_in_the_address(filled: Page) -> None:
    page = filled
    page.get_by_label("Kind").select_option("reference")
    expect(cards(page)).to_have_count(1)
    page.get_by_label("Kind").select_option("portfolioItem")
    expect(cards(page)).to_have_count(11)
    page.get_by_label("Order").select_option("oldest")
    page.get_by_role("heading", name="Images").click()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search prompts")).to_be_focused()
    page.keyboard.type("PROMPT 1.")
    expect(cards(page)).to_have_count(2)
    assert [each[-2:] for each in ids(page)] == ["01", "11"]
    page.reload()
    expect(cards(page)).to_have_count(2)
    assert [each[-2:] for each in ids(page)] == ["01", "11"]
    page.get_by_role("searchbox", name="Search prompts").fill("nothing like it")
    expect(page.get_by_text("No image matches.")).to_be_visible()
    page.get_by_role("button", name="Clear the filter").click()
    expect(cards(page)).to_have_count(12)


def test_pages_are_read_as_one_scrolls(open_page: OpenPage, studio: Studio) -> None:
    studio.fill(200, files=4)
    page = open_page()
    expect(count(page)).to_have_text("200")
    assert cards(page).count() < 60
    page.mouse.move(900, 500)
    seen: set[str] = set()

    def scrolled_to_the_end() -> bool:
        seen.update(ids(page))
        page.mouse.wheel(0, 500)
        drawn(page)
        return len(seen) == 200

    until(scrolled_to_the_end)


def test_an_order_and_a_search_read_what_is_not_read_yet(
    open_page: OpenPage, studio: Studio
) -> None:
    studio.fill(200, files=4)
    page = open_page()
    expect(cards(page).first).to_contain_text("Prompt 199.")
    page.get_by_label("Order").select_option("oldest")
    expect(cards(page).first).to_contain_text("Prompt 0.")
    page.reload()
    expect(cards(page).first).to_contain_text("Prompt 0.")
    page.get_by_role("searchbox").fill("prompt 7.")
    expect(count(page)).to_have_text("20")
    expect(cards(page).first).to_contain_text("Prompt 7.")


def test_the_whole_prompt_is_shown_copied_and_reused(filled: Page) -> None:
    card = cards(filled).first
    card.get_by_role("button", name="Show the whole prompt").click()
    expect(card.get_by_text("Prompt of the reference")).to_be_visible()
    card.get_by_role("button", name="Copy").click()
    expect(notice(filled, "Prompt copied.")).to_be_visible()
    assert filled.evaluate("navigator.clipboard.readText()") == "Prompt 11."
    card.get_by_role("button", name="Reuse").click()
    expect(prompt(filled)).to_have_value("Prompt 11.")


def test_a_link_is_whole_and_a_file_is_downloaded(filled: Page, studio: Studio) -> None:
    cards(filled).first.focus()
    filled.keyboard.press("c")
    expect(notice(filled, "Link copied.")).to_be_visible()
    link = filled.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{studio.url}/media/")
    with filled.expect_download() as download:
        filled.keyboard.press("d")
    name = download.value.suggested_filename
    assert re.fullmatch(r"shared-\d+\.\w+", name)


def test_a_hundred_hostile_prompts_are_shown_byte_for_byte_and_never_run(
    open_page: OpenPage, studio: Studio, figure: Figure
) -> None:
    assert len(set(PROMPTS)) == 100
    studio.fill(100, files=8, prompts=PROMPTS)
    page = open_page()
    expect(count(page)).to_have_text("100")
    expect(cards(page).first).to_be_visible()
    cards(page).first.focus()
    for index, text in enumerate(reversed(PROMPTS)):
        if index:
            page.keyboard.press("ArrowRight")
        page.keyboard.press("p")
        shown = page.locator(":focus .ci-prompt-over p")
        expect(shown).to_be_attached()
        assert shown.evaluate("(element) => element.textContent") == text
        line = page.locator(":focus .ci-prompt-line span")
        assert line.evaluate("(element) => element.textContent") == text
        page.keyboard.press("p")
    assert page.evaluate("window.hurt") is None
    assert page.url.startswith(studio.url)
    assert page.locator("[role=grid] :is(script, iframe, style, form, object, base)").count() == 0
    figure("hostile prompts shown byte for byte", "100, 0 executed")


def test_a_hostile_prompt_is_sent_and_comes_back_as_it_was_typed(
    page: Page, studio: Studio
) -> None:
    expect(prompt(page)).not_to_have_value("")
    page.get_by_label("Earlier images").select_option("keep-history")
    for number, text in enumerate(PROMPTS[::11], start=1):
        prompt(page).fill(text)
        typed = prompt(page).input_value()
        page.get_by_role("button", name="Generate Reference").click()
        if number > 1:
            page.get_by_role("button", name="Replace and generate").click()
        expect(cards(page)).to_have_count(number)
        assert studio.simulator.posts("generate-initial-image")[-1]["prompt"] == typed
        assert studio.stores.metadata.list(MARA, limit=1).images[0].prompt == typed
        line = cards(page).first.locator(".ci-prompt-line span")
        expect(line).to_be_attached()
        assert line.evaluate("(element) => element.textContent") == typed
    assert page.evaluate("window.hurt") is None


def test_a_list_that_cannot_be_read_says_so_and_is_tried_again_by_hand(
    open_page: OpenPage, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.fill(3)
    page = open_page("about:blank")
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        error = {"success": False, "error": str(StorageError("No disk.")), "code": "STORAGE"}
        route.fulfill(status=500, json=error)

    page.route("**/images?*", fail)
    page.goto(studio.page_of())
    expect(page.get_by_text("The images cannot be listed now.").last).to_be_visible()
    expect(page.get_by_text("No disk.")).to_be_visible()
    becomes(page, "() => timers().length === 0")
    assert len(asked) == 1
    page.unroute("**/images?*")
    page.get_by_role("button", name="Try again").click()
    expect(cards(page)).to_have_count(3)


def test_the_sheet_tells_every_key_and_single_keys_can_be_turned_off(filled: Page) -> None:
    page = filled
    cards(page).first.focus()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    for text in ("Move among the images", "Select a range", "Undo the last delete", "Copy link"):
        expect(sheet.get_by_text(text)).to_be_visible()
    sheet.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(cards(page).first).to_be_focused()
    # It would come before the one that the button opens.
    page.keyboard.press("?")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(sheet).to_have_count(1)
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
