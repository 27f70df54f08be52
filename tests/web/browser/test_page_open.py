"""What failed is tried again without paying twice, and what may exist is settled by a person."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from ...patience import until
from .conftest import OpenPage
from .pages import accessible, becomes, screenshots
from .parts import cards, generate, notice, panel, prompt, start, starting
from .studio import MARA, Studio


def ask_for_a_scene(page: Page, context: str = "She waits.") -> Locator:
    """Ask for a scene; gives the place where a failure is told."""
    box = panel(page, "Scene")
    box.get_by_label("What happens").fill(context)
    box.get_by_label("Type").select_option("action")
    box.get_by_role("button", name="Generate Scene").click()
    return box.get_by_role("alert")


def open_card(page: Page, name: str = "An image may exist") -> Locator:
    return page.get_by_role("article", name=name)


def lost(page: Page, studio: Studio) -> Locator:
    """Lose the answer of a scene where another client draws one, too; gives its card."""
    studio.switch(lost_answers=1)
    ask_for_a_scene(page)
    mara = studio.stores.directory.get(MARA)
    expect(open_card(page)).to_be_visible()
    assert mara is not None
    studio.simulator.draw_scene(mara.library_db_id or "", "theirs", "action")
    card = open_card(page)
    with page.expect_response("**/recover"):
        card.get_by_role("button", name="Look again").click()
    expect(card).not_to_have_attribute("aria-busy", "true")
    expect(card.get_by_role("listitem").filter(has=page.get_by_role("img"))).to_have_count(2)
    return card


def settle(page: Page, name: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()


def unknown(studio: Studio) -> list[str]:
    return [each["state"] for each in studio.ask("GET", "operations")["open"]]


def test_an_image_that_may_exist_is_shown_and_chosen(drawn: Page, studio: Studio) -> None:
    card = lost(drawn, studio)
    for picture in card.get_by_role("img", name=starting("Image ")).all():
        # Through this server: the page asks the Character Library for nothing.
        becomes(
            drawn,
            "(src) => document.querySelector(`img[src='${src}']`).naturalWidth > 0",
            picture.get_attribute("src"),
        )
    with drawn.expect_popup() as opened:
        link = card.get_by_role("link", name="Open the whole image").first
        expect(link).to_have_css("cursor", "zoom-in")
        link.click()
    whole = opened.value
    expect(whole.get_by_role("img")).to_be_visible()
    whole.close()
    expect(card).to_contain_text("She waits.")
    expect(card).to_contain_text("It is of the type that was asked for, action.")
    drawn.evaluate("scrollTo(0, 0)")
    accessible(drawn)
    screenshots(drawn, "open-candidates")
    drawn.reload()
    # It is told again to whoever opens the page, and chosen by keyboard.
    choice = open_card(drawn).get_by_role("button", name="This is it: Image 2")
    choice.focus()
    drawn.keyboard.press("Enter")
    asked = drawn.get_by_role("dialog", name="Is this the image?")
    expect(asked.get_by_role("img")).to_be_visible()
    screenshots(drawn, "open-confirm")
    expect(asked.get_by_role("button", name="Cancel")).to_be_focused()
    drawn.keyboard.press("Escape")
    expect(choice).to_be_focused()
    assert unknown(studio) == ["unknown"]
    drawn.keyboard.press("Enter")
    settle(drawn, "This is it")
    expect(notice(drawn, "1 image is stored now")).to_be_visible()
    expect(open_card(drawn)).to_have_count(0)
    expect(cards(drawn)).to_have_count(2)
    expect(drawn.get_by_role("heading", name=starting("Images"), level=2)).to_be_focused()
    assert unknown(studio) == []
    assert studio.counters.scene_posts == 1
    assert [each["prompt"] for each in studio.images(kind="scene")] == ["She waits."]


def test_none_of_them_closes_it_and_deletes_nothing(drawn: Page, studio: Studio) -> None:
    card = lost(drawn, studio)
    card.get_by_role("button", name="None of them").click()
    settle(drawn, "None of them")
    expect(notice(drawn, "The generation is closed.")).to_be_visible()
    expect(card).to_have_count(0)
    expect(cards(drawn)).to_have_count(1)
    assert unknown(studio) == []
    assert studio.counters.scene_posts == 1


def test_what_was_found_meanwhile_comes_in_by_looking_again(drawn: Page, studio: Studio) -> None:
    studio.switch(lost_answers=1)
    ask_for_a_scene(drawn)
    open_card(drawn).get_by_role("button", name="Look again").click()
    expect(notice(drawn, "1 image is stored now")).to_be_visible()
    expect(open_card(drawn)).to_have_count(0)
    expect(cards(drawn)).to_have_count(2)
    assert studio.counters.scene_posts == 1


def test_a_failure_while_settling_is_told_on_the_card(drawn: Page, studio: Studio) -> None:
    card = lost(drawn, studio)
    studio.switch(down=True)
    card.get_by_role("button", name="This is it: Image 1").click()
    settle(drawn, "This is it")
    expect(card.get_by_role("alert")).to_be_visible()
    accessible(drawn)
    studio.switch(down=False)
    assert unknown(studio) == ["unknown"]


def test_a_stranded_job_is_given_up(drawn: Page, studio: Studio) -> None:
    operation = studio.stranded()
    drawn.reload()
    card = open_card(drawn, "A portfolio has not ended")
    expect(card).to_be_visible()
    accessible(drawn)
    screenshots(drawn, "open-job")
    card.get_by_role("button", name="Give up waiting").click()
    settle(drawn, "Give up waiting")
    expect(notice(drawn, "The generation is closed.")).to_be_visible()
    expect(card).to_have_count(0)
    expect(cards(drawn)).to_have_count(1)
    told = studio.ask("GET", f"operations/{operation}")["operation"]
    assert told["state"] == "failed"
    assert unknown(studio) == []


def test_those_that_belong_to_a_set_are_chosen(drawn: Page, studio: Studio) -> None:
    other = studio.simulator.add_character(name="Mara Voss")
    studio.simulator.set_reference(other)
    studio.switch(shots=3, job_seconds=3.0, lost_shots=1)
    order = f"{studio.simulator.base_url}/api/v1/characters/{other}/generate-360-set"
    start(drawn).click()
    until(lambda: studio.counters.set360_posts == 1)
    studio.switch(lost_shots=1)
    studio.simulator.handle("POST", order, {}, b"{}")
    studio.simulator.now += 5
    card = open_card(drawn, "A portfolio may exist")
    boxes = card.get_by_role("checkbox")
    expect(boxes).to_have_count(4)
    expect(card).to_contain_text("It shows ")
    # What is true of all is said once, and what is in doubt is chosen by the reader alone.
    expect(card.get_by_text("drew for a character of the same name then")).to_have_count(1)
    expect(card.get_by_role("checkbox", checked=True)).to_have_count(0)
    accessible(drawn)
    screenshots(drawn, "open-set")
    # It may be paid for: another one is drawn only when that is meant.
    panel(drawn, "360° Portfolio").get_by_role("button", name="Try again").click()
    drawn.get_by_role("dialog", name="Draw it again?").get_by_role("button", name="Cancel").click()
    bring_in = card.get_by_role("button", name="Bring these in")
    bring_in.click()
    expect(drawn.get_by_role("dialog")).to_have_count(0)
    for box in boxes.all():
        box.press("Space")
    bring_in.click()
    settle(drawn, "Bring these in")
    expect(card.get_by_role("alert")).to_contain_text("cannot have all of these images")
    expect(card.get_by_role("alert")).to_contain_text(": Image 1, Image 3.")
    screenshots(drawn, "open-set-refused")
    for box in boxes.all()[1:]:
        box.press("Space")
        expect(box).not_to_be_checked()
    bring_in.click()
    expect(drawn.get_by_role("dialog")).to_contain_text("1 image is brought in")
    settle(drawn, "Bring these in")
    expect(card).to_have_count(0)
    assert len(studio.images(kind="portfolioItem", status="succeeded")) == 1
    assert unknown(studio) == []
    assert studio.counters.set360_posts == 2


def test_try_again_after_a_failed_download_fetches_and_pays_nothing(
    drawn: Page, studio: Studio
) -> None:
    studio.switch(file_errors=2)
    error = ask_for_a_scene(drawn)
    expect(error).to_contain_text("The image was drawn.")
    expect(error).not_to_contain_text("Nothing was sent")
    paid = studio.counters.scene_posts
    error.get_by_role("button", name="Try again").click()
    # It fails once more, and the way stays open.
    expect(notice(drawn, "could not be fetched and stored")).to_be_visible()
    error.get_by_role("button", name="Try again").click()
    expect(notice(drawn, "The image is stored now.")).to_be_visible()
    expect(error).to_be_hidden()
    assert [each["status"] for each in studio.images(kind="scene")] == ["succeeded"]
    assert studio.counters.scene_posts == paid == 1


def test_try_again_after_a_store_has_failed_brings_in_what_was_drawn(
    drawn: Page, studio: Studio, tmp_path: Path
) -> None:
    def change(statement: str) -> None:
        with closing(sqlite3.connect(tmp_path / "studio" / "charimg.sqlite")) as database:
            database.execute(statement)
            database.commit()

    change("CREATE TRIGGER full BEFORE INSERT ON images BEGIN SELECT RAISE(ABORT, 'full'); END")
    error = ask_for_a_scene(drawn)
    expect(error).to_contain_text("Try again looks for what was drawn")
    card = open_card(drawn, "What was drawn is not stored yet")
    expect(card).to_be_visible()
    with drawn.expect_response("**/recover") as first:
        error.get_by_role("button", name="Try again").click()
    assert first.value.json()["outcome"] == "error"
    expect(error).to_contain_text("could not be worked on")
    change("DROP TRIGGER full")
    error.get_by_role("button", name="Try again").click()
    expect(notice(drawn, "1 image is stored now")).to_be_visible()
    expect(error).to_be_hidden()
    expect(card).to_have_count(0)
    assert [each["status"] for each in studio.images(kind="scene")] == ["succeeded"]
    assert studio.counters.scene_posts == 1


def test_try_again_after_a_set_was_taken_on_brings_in_what_was_drawn(
    drawn: Page, studio: Studio
) -> None:
    studio.switch(shots=2, gallery_errors_after=1)
    start(drawn).click()
    expect(open_card(drawn, "What was drawn is not stored yet")).to_be_visible()
    error = panel(drawn, "360° Portfolio").get_by_role("alert")
    expect(error).to_contain_text("Try again looks for what was drawn")
    expect(error).not_to_contain_text("Nothing was sent")
    studio.switch(gallery_errors_after=None)
    error.get_by_role("button", name="Try again").click()
    expect(notice(drawn, "2 images are stored now")).to_be_visible()
    expect(error).to_be_hidden()
    assert studio.counters.set360_posts == 1


def test_what_may_have_been_drawn_is_not_drawn_again_unasked(drawn: Page, studio: Studio) -> None:
    studio.switch(lost_answers=1)
    error = ask_for_a_scene(drawn)
    expect(error).to_contain_text("may have been drawn, and paid for")
    again = error.get_by_role("button", name="Try again")
    again.click()
    asked = drawn.get_by_role("dialog", name="Draw it again?")
    asked.get_by_role("button", name="Cancel").click()
    expect(again).to_be_focused()
    assert studio.counters.scene_posts == 1
    again.click()
    asked.get_by_role("button", name="Draw again").click()
    expect(cards(drawn)).to_have_count(3)
    assert studio.counters.scene_posts == 2


def test_a_request_that_may_not_have_come_through_is_not_sent_again_unasked(
    drawn: Page, studio: Studio
) -> None:
    drawn.route("**/generate-scene-image", lambda route: route.abort())
    error = ask_for_a_scene(drawn)
    expect(error).to_contain_text("may have been drawn")
    error.get_by_role("button", name="Try again").click()
    expect(drawn.get_by_role("dialog", name="Draw it again?")).to_be_visible()
    assert studio.counters.scene_posts == 0


def test_a_set_that_is_here_is_not_paid_for_again_unasked(drawn: Page, studio: Studio) -> None:
    studio.switch(shots=2)
    start(drawn).click()
    expect(panel(drawn, "360° Portfolio")).to_contain_text("2/2 stored")
    start(drawn).click()
    asked = drawn.get_by_role("dialog", name="Draw another set?")
    expect(asked).to_contain_text("2 shots are here already")
    accessible(drawn)
    screenshots(drawn, "another-set")
    asked.get_by_role("button", name="Cancel").click()
    expect(start(drawn)).to_be_enabled()
    assert studio.counters.set360_posts == 1
    start(drawn).click()
    asked.get_by_role("button", name="Draw another set").click()
    expect(cards(drawn)).to_have_count(5)
    assert studio.counters.set360_posts == 2


def test_an_open_end_is_shown_to_whoever_comes(open_page: OpenPage, studio: Studio) -> None:
    first = open_page()
    expect(prompt(first)).not_to_have_value("")
    studio.switch(lost_answers=1)
    generate(first).click()
    expect(open_card(first)).to_be_visible()
    expect(open_card(open_page(apart=True))).to_be_visible()
