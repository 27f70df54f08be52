"""The reference panel: the prompt is the user's own, and what goes is told before it goes."""

from __future__ import annotations

from attrs import evolve
from playwright.sync_api import Page, Route, expect

from ...patience import until
from .conftest import OpenPage
from .pages import becomes
from .parts import cards, consequence, generate, holding, notice, panel, prompt, starting
from .studio import Studio


def test_from_empty_to_the_first_reference(page: Page, studio: Studio) -> None:
    expect(page.get_by_role("heading", name="Mara Voss", level=1)).to_be_visible()
    expect(page.get_by_text("No images yet", exact=True)).to_be_visible()
    expect(prompt(page)).to_have_value(starting("Photorealistic master reference"))
    expect(consequence(page)).to_contain_text("Nothing will be deleted")
    generate(page).click()
    # Nothing is deleted, so nothing is asked.
    expect(cards(page)).to_have_count(1)
    expect(cards(page).first).to_have_accessible_name(starting("Reference"))
    shown_large = panel(page, "Reference").get_by_role("img", name="Mara Voss")
    expect(shown_large).to_be_visible()
    assert studio.counters.initial_image_posts == 1
    shown = shown_large.get_attribute("src")
    assert shown is not None
    assert shown.startswith("/media/")


def test_a_suggestion_never_overwrites_what_was_typed(open_page: OpenPage, page: Page) -> None:
    expect(prompt(page)).not_to_have_value("")
    prompt(page).fill("My own words.")
    page.reload()
    # The draft outlives the reload, and the suggestion that comes late leaves it alone.
    expect(page.locator("#ci-prompt-note")).to_contain_text("Your text was kept")
    expect(prompt(page)).to_have_value("My own words.")
    page.get_by_role("button", name="Reset Prompt").click()
    expect(prompt(page)).to_have_value(starting("Photorealistic master reference"))
    page.get_by_role("button", name="Undo").click()
    expect(prompt(page)).to_have_value("My own words.")


def test_what_is_typed_while_a_suggestion_is_on_its_way_stays(page: Page) -> None:
    expect(prompt(page)).not_to_have_value("")
    held: list[Route] = []
    page.route("**/initial-image-prompt", lambda route: held.append(route))
    with page.expect_request("**/initial-image-prompt"):
        page.get_by_role("button", name="Reset Prompt").click()
    expect(page.locator("#ci-prompt-note")).to_contain_text("Fetching")
    prompt(page).fill("Typed meanwhile.")
    assert len(held) == 1
    held[0].continue_()
    expect(page.locator("#ci-prompt-note")).to_contain_text("Your text was kept")
    expect(prompt(page)).to_have_value("Typed meanwhile.")


def test_reset_fetches_the_latest_suggestion(page: Page, studio: Studio) -> None:
    expect(prompt(page)).to_have_value(starting("Photorealistic"))
    character = studio.stores.directory.get("mara-voss")
    assert character is not None
    studio.stores.directory.put(evolve(character, traits={"wardrobe": "a red raincoat"}))
    page.get_by_role("button", name="Reset Prompt").click()
    expect(prompt(page)).to_have_value(holding("a red raincoat"))


def test_a_blank_prompt_cannot_be_sent(page: Page, studio: Studio) -> None:
    # A suggestion that comes in later takes the place of a blank text.
    expect(prompt(page)).not_to_have_value("")
    prompt(page).fill("  \n ")
    expect(generate(page)).to_be_disabled()
    generate(page).click(force=True)
    expect(page.get_by_text("a blank one cannot be sent")).to_be_visible()
    expect(prompt(page)).to_be_focused()
    expect(prompt(page)).to_have_attribute("aria-invalid", "true")
    prompt(page).fill("A face.")
    expect(generate(page)).to_be_enabled()
    assert studio.counters.initial_image_posts == 0


def test_what_a_new_reference_deletes_is_told_before_it_happens(page: Page, studio: Studio) -> None:
    generate(page).click()
    expect(cards(page)).to_have_count(1)
    expect(consequence(page)).to_contain_text("Deletes the 1 image here")
    expect(consequence(page)).to_contain_text("The reference on the Character Library is deleted")
    generate(page).click()
    asked = page.get_by_role("dialog", name="Replace the reference?")
    expect(asked).to_contain_text("1 image is deleted here")
    expect(asked).to_contain_text("The reference on the Character Library is deleted")
    asked.get_by_role("button", name="Cancel").click()
    expect(asked).to_have_count(0)
    expect(generate(page)).to_be_focused()
    assert studio.counters.initial_image_posts == 1
    assert studio.counters.reference_deletes == 0
    before = cards(page).get_attribute("data-id")
    generate(page).click()
    asked.get_by_role("button", name="Replace and generate").click()
    expect(notice(page, "1 earlier image was deleted")).to_be_visible()
    expect(cards(page)).to_have_count(1)
    assert cards(page).get_attribute("data-id") != before
    assert studio.counters.reference_deletes == 1


def test_earlier_references_are_kept_and_can_be_made_current_again(
    page: Page, studio: Studio
) -> None:
    generate(page).click()
    expect(cards(page)).to_have_count(1)
    first = cards(page).get_attribute("data-id")
    page.get_by_label("Earlier images").select_option("keep-history")
    expect(consequence(page)).to_contain_text("Keeps the 1 image here")
    generate(page).click()
    page.get_by_role("button", name="Replace and generate").click()
    expect(cards(page)).to_have_count(2)
    expect(page.get_by_role("radio")).to_have_count(2)
    expect(cards(page).filter(has_text="Current")).not_to_have_attribute("data-id", first or "")
    cards(page).last.get_by_role("button", name="Actions").click()
    page.get_by_role("menuitem", name="Make current").click()
    expect(cards(page).filter(has_text="Current")).to_have_attribute("data-id", first or "")


def test_an_error_of_the_library_is_shown_and_never_retried(page: Page, studio: Studio) -> None:
    expect(prompt(page)).not_to_have_value("")
    studio.switch(generation_errors=1)
    generate(page).click()
    error = panel(page, "Reference").get_by_role("alert")
    expect(error).to_contain_text("not asked for again by itself")
    # Nor will it be.
    becomes(page, "() => timers().length === 0")
    assert studio.counters.initial_image_posts == 1
    expect(cards(page)).to_have_count(0)
    error.get_by_role("button", name="Try again").click()
    expect(cards(page)).to_have_count(1)
    expect(error).to_be_hidden()
    assert studio.counters.initial_image_posts == 2


def test_a_second_tab_is_told_that_the_first_is_at_work(
    open_page: OpenPage, studio: Studio
) -> None:
    first = open_page()
    expect(prompt(first)).not_to_have_value("")
    # Another browser: it learns of nothing but by asking.
    second = open_page(apart=True)
    expect(prompt(second)).not_to_have_value("")
    with studio.held():
        generate(first).click()
        expect(first.get_by_role("progressbar")).to_be_visible()
        expect(generate(first)).to_be_disabled()
        generate(second).click()
        error = panel(second, "Reference").get_by_role("alert")
        expect(error).to_contain_text("Something is at work")
        expect(error.get_by_role("button", name="Try again")).to_have_count(0)
        # It follows the other's work to its end.
        expect(second.get_by_role("progressbar")).to_be_visible()
    expect(cards(second)).to_have_count(1)
    expect(cards(first)).to_have_count(1)
    assert studio.counters.initial_image_posts == 1


def test_a_reload_in_the_middle_finds_the_work_again(page: Page, studio: Studio) -> None:
    expect(prompt(page)).not_to_have_value("")
    with studio.held():
        generate(page).click()
        expect(page.get_by_text("Drawing the reference").first).to_be_visible()
        # A reload takes back what has not left the browser.
        until(lambda: studio.ask("GET", "operations?limit=1")["open"])
        page.reload()
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(generate(page)).to_be_disabled()
    expect(cards(page)).to_have_count(1)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(generate(page)).to_be_enabled()
    assert studio.counters.initial_image_posts == 1


def test_a_character_that_is_not_linked_shows_how_to_link_it(
    open_page: OpenPage, studio: Studio
) -> None:
    studio.add_character("nobody", "Nobody <b>yet</b>", linked=False)
    page = open_page(studio.page_of("nobody"))
    guidance = page.get_by_role("region", name="Not linked to the Character Library")
    expect(guidance).to_contain_text("24 hexadecimal digits")
    expect(page.get_by_role("heading", level=1)).to_have_text("Nobody <b>yet</b>")
    for name in ("Generate Reference", "Start Portfolio", "Generate Scene"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()


def test_an_id_is_copied(page: Page) -> None:
    for label in ("Database id", "Character id"):
        button = page.get_by_role("button", name=label)
        button.click()
        expect(notice(page, "Id copied.")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied
        expect(button).to_contain_text(copied)
        page.evaluate("endNotices()")


def test_a_reference_that_only_the_library_has_is_replaced_and_that_is_told(
    page: Page, studio: Studio
) -> None:
    expect(prompt(page)).not_to_have_value("")
    character = studio.stores.directory.get("mara-voss")
    assert character is not None
    studio.simulator.set_reference(character.library_db_id)
    generate(page).click()
    expect(notice(page, "The Character Library still had a reference")).to_be_visible()
    expect(cards(page)).to_have_count(1)
    assert studio.counters.reference_deletes == 1
    assert studio.counters.initial_image_posts == 2


def test_an_answer_that_is_lost_may_have_been_paid_for(page: Page, studio: Studio) -> None:
    expect(prompt(page)).not_to_have_value("")
    studio.switch(lost_answers=1)
    generate(page).click()
    error = panel(page, "Reference").get_by_role("alert")
    expect(error).to_contain_text("may have been drawn")
    error.get_by_role("button", name="Dismiss").click()
    expect(error).to_be_hidden()
    assert studio.counters.initial_image_posts == 1
