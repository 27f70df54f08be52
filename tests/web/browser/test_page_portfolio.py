"""The portfolio and scene panels: progress, slots, retries, and other tabs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from charimg.stores import AsyncSqliteMetadataRepository

from .conftest import OpenPage
from .parts import cards, generate, holding, notice, panel, start, starting
from .studio import Studio
from .wire import wire_to


def slots(page: Page) -> Locator:
    return page.get_by_role("toolbar", name="Shots of the latest portfolio").get_by_role("listitem")


@pytest.mark.parametrize("strict", [False, True], ids=["", "no-record-without-media"])
def test_a_portfolio_with_two_failed_shots_is_mended_from_its_slots(
    drawn: Page, studio: Studio, strict: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AsyncSqliteMetadataRepository, "requires_media", strict)
    page = drawn
    studio.switch(job_seconds=3.0, file_errors=2)
    expect(page.get_by_role("radio")).to_have_count(1)
    expect(page.get_by_role("radio")).to_be_checked()
    start(page).click()
    studio.wait(1.0)
    progress = panel(page, "360° Portfolio").get_by_role("progressbar")
    expect(progress).to_be_visible()
    # Never a percentage of nothing: shots of 27.
    expect(panel(page, "360° Portfolio")).to_contain_text("/27 shots drawn")
    expect(page.get_by_role("button", name=starting("Portfolio "))).to_be_visible()
    expect(panel(page, "360° Portfolio")).to_contain_text("Generating")
    expect(start(page)).to_be_disabled()
    expect(generate(page)).to_be_disabled()
    studio.wait(3.0)
    expect(notice(page, "2 shots failed")).to_be_visible()
    expect(slots(page)).to_have_count(27)
    expect(panel(page, "360° Portfolio")).to_contain_text("25/27 stored")
    expect(page.locator("#ci-count")).to_have_text("28")
    retries = slots(page).get_by_role("button", name=starting("Retry"))
    expect(retries).to_have_count(2)
    retries.first.click()
    expect(retries).to_have_count(1)
    page.get_by_label("Status").select_option("failed")
    expect(cards(page)).to_have_count(1)
    expect(cards(page)).to_have_accessible_name(holding("Failed"))
    cards(page).get_by_role("button", name="Retry").click()
    expect(cards(page)).to_have_count(0)
    expect(panel(page, "360° Portfolio")).to_contain_text("27/27 stored")
    assert studio.counters.set360_posts == 1
    # Of all the slots, one is a tab stop; arrows lead to the others.
    assert slots(page).locator('button[tabindex="0"]').count() == 1
    slots(page).first.get_by_role("button").focus()
    for key, index in [("ArrowRight", 1), ("ArrowDown", 10), ("End", 26), ("ArrowRight", 26)]:
        page.keyboard.press(key)
        expect(slots(page).nth(index).get_by_role("button")).to_be_focused()
    assert slots(page).locator('button[tabindex="0"]').count() == 1


def test_all_failed_shots_are_retried_at_once(drawn: Page, studio: Studio) -> None:
    studio.switch(shots=4, file_errors=2)
    start(drawn).click()
    drawn.get_by_role("button", name="Retry 2 failed").click()
    expect(notice(drawn, "2 images are stored now")).to_be_visible()
    expect(panel(drawn, "360° Portfolio")).to_contain_text("4/4 stored")


def test_a_shot_that_was_never_drawn_says_why_and_offers_no_retry(
    drawn: Page, studio: Studio
) -> None:
    studio.switch(shots=3, failing_shots=1)
    start(drawn).click()
    expect(panel(drawn, "360° Portfolio")).to_contain_text("2/3 stored")
    failed = cards(drawn).filter(has_text="Failed")
    expect(failed).to_have_count(1)
    expect(failed.get_by_role("button", name="Retry")).to_have_count(0)
    expect(drawn.get_by_role("button", name="Retry 1 failed")).to_have_count(0)
    expect(slots(drawn).locator("button")).to_have_count(2)


def test_a_shot_that_fails_again_says_why_on_its_card(drawn: Page, studio: Studio) -> None:
    studio.switch(shots=2, file_errors=1)
    start(drawn).click()
    failed = cards(drawn).filter(has_text="Failed")
    expect(failed).to_have_count(1)
    studio.switch(file_errors=1)
    failed.get_by_role("button", name="Retry").click()
    expect(notice(drawn, "The image could not be fetched and stored.")).to_be_visible()
    expect(failed).to_have_count(1)
    expect(failed.get_by_role("button", name="Retry")).to_be_enabled()


def test_a_reload_and_a_second_browser_see_the_job(
    open_page: OpenPage, drawn: Page, studio: Studio
) -> None:
    studio.switch(job_seconds=6.0, shots=6)
    start(drawn).click()
    studio.wait(1.0)
    expect(panel(drawn, "360° Portfolio")).to_contain_text("1/6 shots drawn")
    drawn.reload()
    expect(panel(drawn, "360° Portfolio").get_by_role("progressbar")).to_be_visible()
    other = open_page(apart=True)
    expect(panel(other, "360° Portfolio").get_by_role("progressbar")).to_be_visible()
    studio.wait(6.0)
    for page in (drawn, other):
        expect(page.locator("#ci-count")).to_have_text("7")
        expect(panel(page, "360° Portfolio")).to_contain_text("6/6 stored")
        expect(panel(page, "360° Portfolio").get_by_role("progressbar")).to_have_count(0)
    assert studio.counters.set360_posts == 1


def test_another_tab_of_the_browser_follows_at_once(
    open_page: OpenPage, drawn: Page, studio: Studio
) -> None:
    other = open_page()
    expect(cards(other)).to_have_count(1)
    studio.switch(job_seconds=3.0, shots=3)
    start(drawn).click()
    expect(panel(other, "360° Portfolio").get_by_role("progressbar")).to_be_visible()
    expect(panel(other, "360° Portfolio")).to_contain_text("Started in another tab")
    studio.wait(3.0)
    expect(cards(other)).to_have_count(4)


def test_a_scene_takes_context_type_mood_and_lighting(drawn: Page, studio: Studio) -> None:
    go = drawn.get_by_role("button", name="Generate Scene")
    expect(go).to_be_disabled()
    go.click(force=True)
    expect(drawn.get_by_text("a blank scene cannot be sent")).to_be_visible()
    context = "Mara <i>reads</i> a letter & smiles."
    drawn.get_by_label("What happens").fill(context)
    drawn.get_by_label("Type").select_option("emotional")
    drawn.get_by_label("Mood").fill("quiet")
    drawn.get_by_label("Lighting").fill("candles")
    go.click()
    expect(cards(drawn)).to_have_count(2)
    expect(cards(drawn).first).to_have_accessible_name(starting("Scene"))
    expect(cards(drawn).first).to_contain_text(context)
    (sent,) = studio.simulator.posts("generate-scene-image")
    assert sent["sceneType"] == "emotional"
    assert (sent["mood"], sent["lightingStyle"]) == ("quiet", "candles")


def test_a_reused_prompt_goes_where_it_belongs_and_can_be_taken_back(drawn: Page) -> None:
    drawn.get_by_label("What happens").fill("She runs.")
    drawn.keyboard.press("Control+Enter")
    expect(cards(drawn)).to_have_count(2)
    drawn.get_by_label("What happens").fill("Something else.")
    cards(drawn).first.get_by_role("button", name="Actions").click()
    drawn.get_by_role("menuitem", name="Reuse prompt").click()
    expect(drawn.get_by_label("What happens")).to_have_value("She runs.")
    expect(drawn.get_by_label("What happens")).to_be_focused()
    drawn.get_by_role("button", name="Undo").click()
    expect(drawn.get_by_label("What happens")).to_have_value("Something else.")


def test_a_connection_that_breaks_off_is_taken_up_again(
    open_page: OpenPage, studio: Studio
) -> None:
    with wire_to(studio.url) as wire:
        page = open_page(studio.page_of().replace(studio.url, wire.url))
        generate(page).click()
        expect(cards(page)).to_have_count(1)
        streams: list[str] = []

        def on_request(request: Request) -> None:
            if "text/event-stream" in request.headers.get("accept", ""):
                after = request.headers.get("last-event-id", "")
                streams.append(f"{request.method} {after.partition('.')[2]}".strip())

        page.on("request", on_request)
        studio.switch(job_seconds=5.0, shots=5)
        start(page).click()
        for shots, seconds in ((1, 1.0), (3, 2.0)):
            studio.wait(seconds)
            expect(panel(page, "360° Portfolio")).to_contain_text(f"{shots}/5 shots drawn")
            expect(page).to_have_title(f"{shots}/5 Images of Mara Voss")
            wire.cut()
        studio.wait(2.0)
        expect(panel(page, "360° Portfolio")).to_contain_text("5/5 stored")
        expect(notice(page, "The portfolio is here.")).to_be_visible()
        expect(cards(page)).to_have_count(6)
        expect(page).to_have_title("Images of Mara Voss")
        # Asked for once; then followed from where it broke off.
        assert [each.split()[0] for each in streams] == ["POST", "GET", "GET"]
        assert all(int(each.split()[1]) > 0 for each in streams[1:])
        assert studio.counters.set360_posts == 1


def test_a_delete_that_is_waiting_is_sent_before_a_generation(drawn: Page, studio: Studio) -> None:
    studio.switch(shots=3)
    start(drawn).click()
    expect(cards(drawn)).to_have_count(4)
    cards(drawn).first.focus()
    drawn.keyboard.press("Delete")
    expect(cards(drawn)).to_have_count(3)
    drawn.get_by_label("What happens").fill("She waits.")
    drawn.get_by_role("button", name="Generate Scene").click()
    expect(notice(drawn, "The scene is here.")).to_be_visible()
    expect(cards(drawn)).to_have_count(4)
    assert studio.stores.metadata.list("mara-voss", limit=50).total == 4
