"""Viewer, turntable and contact sheet upon the real page, with a portfolio that failed in part."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from .pages import accessible
from .parts import cards, count, holding
from .studio import Studio


@pytest.fixture
def studio(studio: Studio) -> Studio:
    """A studio with a reference, a scene and a set of which four shots are not there."""
    studio.ask("POST", "generate-initial-image", json={})
    studio.switch(failing_shots=2, html_files=2)
    studio.ask("POST", "generate-360-set", json={})
    studio.switch(failing_shots=0)
    studio.ask("POST", "generate-scene-image", json={"sceneContext": "Mara reads a letter."})
    return studio


def test_the_turntable_shows_what_failed_and_a_retry_mends_it(studio: Studio, page: Page) -> None:
    expect(count(page)).to_have_text("29")
    page.get_by_role("button", name="Turntable").first.click()
    table = page.get_by_role("dialog", name="Turntable")
    failed = 0
    lenses = table.get_by_role("group", name="Lens").get_by_role("radio")
    expect(lenses).to_have_count(3)
    for lens in range(3):
        lenses.nth(lens).check()
        for place in range(table.locator(".tt-ticks .tt-tick").count()):
            table.locator(".rg .rg-hit").nth(place).click()
            views = table.locator(".tt-views").get_by_role("radio")
            for view in range(views.count()):
                views.nth(view).check()
                if table.locator(".tt-slot").is_visible():
                    failed += 1
                    expect(table.locator(".tt-slot")).to_contain_text("This shot failed.")
    # Two that the Library could not draw, told by their names alone, and two files that were none.
    assert failed == 4
    accessible(page)
    # What was drawn and came as no image is had by a retry; what could not be drawn is not.
    for shot in studio.images(status="failed"):
        page.evaluate(
            "(id) => document.dispatchEvent(new CustomEvent('charimg:turntable', { detail: id }))",
            shot["id"],
        )
        expect(table.locator(".tt-slot")).to_be_visible()
        expect(table.locator(".tt-slot")).to_contain_text(shot["error"])
        if shot["sourceUrl"] is None:
            expect(table.get_by_role("button", name="Retry")).to_have_count(0)
            continue
        table.get_by_role("button", name="Retry").click()
        expect(table.locator(".tt-stage img")).to_have_count(1)
    assert len(studio.images(status="failed")) == 2


def test_a_deleted_image_is_brought_back_within_the_viewer(studio: Studio, page: Page) -> None:
    cards(page).nth(1).focus()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    heading = viewer.get_by_role("heading", level=2)
    total = int(heading.inner_text().rpartition(" ")[2])
    expect(heading).to_have_text(re.compile(rf"^Portfolio shot, \d+ of {total}$"))
    name = viewer.locator(".vw-caption strong").inner_text()
    page.keyboard.press("Delete")
    expect(heading).to_have_text(re.compile(rf" of {total - 1}$"))
    expect(viewer.locator(".vw-caption strong")).not_to_have_text(name)
    accessible(page)
    viewer.get_by_role("button", name="Undo").click()
    expect(heading).to_have_text(re.compile(rf" of {total}$"))
    expect(heading).to_be_focused()
    seen = viewer.locator(".vw-caption strong").inner_text()
    page.keyboard.press("Escape")
    # The focus is on the card of what was seen last.
    expect(page.locator("[role=gridcell]:focus")).to_have_accessible_name(holding(seen))
    expect(count(page)).to_have_text("29")


def test_the_last_image_seen_is_deleted_and_the_focus_finds_a_place(
    studio: Studio, page: Page
) -> None:
    page.get_by_label("Kind").select_option("scene")
    expect(cards(page)).to_have_count(1)
    cards(page).first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Delete")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator("#ci-images-title")).to_be_focused()
    page.keyboard.press("Control+z")
    expect(cards(page)).to_have_count(1)


def test_the_viewer_leads_to_the_turntable_and_back(studio: Studio, page: Page) -> None:
    page.get_by_label("Kind").select_option("portfolioItem")
    page.get_by_label("Status").select_option("succeeded")
    expect(cards(page).first).to_be_visible()
    cards(page).first.focus()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    expect(viewer).to_be_visible()
    name = viewer.locator(".vw-caption strong").inner_text()
    page.keyboard.press("t")
    table = page.get_by_role("dialog", name="Turntable")
    expect(table.locator(".tt-name")).to_contain_text(name)
    page.keyboard.press("Escape")
    expect(table).to_have_count(0)
    expect(viewer.get_by_role("heading", level=2)).to_be_focused()


def test_the_contact_sheet_holds_what_the_filter_shows(
    studio: Studio, page: Page, tmp_path: Path
) -> None:
    page.get_by_label("Kind").select_option("portfolioItem")
    expect(count(page)).to_have_text("27")
    page.get_by_role("button", name="Contact sheet").first.click()
    sheet = page.get_by_role("dialog", name="Contact sheet: Mara Voss")
    expect(sheet.get_by_role("listitem")).to_have_count(27)
    expect(sheet.locator(".cs-slot")).to_have_count(4)
    with page.expect_download() as png:
        sheet.get_by_role("button", name="Save as PNG").click()
    png.value.save_as(tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as drawn:
        assert len(drawn.convert("RGB").getcolors(10**7) or []) > 1000
    with page.expect_download() as html:
        sheet.get_by_role("button", name="Save as HTML").click()
    html.value.save_as(tmp_path / "sheet.html")
    text = (tmp_path / "sheet.html").read_text("utf-8")
    assert text.count("data:image/") == 23
    accessible(page)


def test_the_details_of_a_scene_tell_how_it_was_asked_for(studio: Studio, page: Page) -> None:
    given = {"sceneType": "action", "mood": "tense", "lighting": "neon"}
    studio.ask("POST", "generate-scene-image", json={"sceneContext": "She runs.", **given})
    page.reload()
    expect(count(page)).to_have_text("30")
    cards(page).first.focus()
    page.keyboard.press("Enter")
    details = page.get_by_role("complementary", name="Details")
    for text in ("Action", "tense", "neon"):
        expect(details.get_by_text(text, exact=True)).to_be_visible()
    # What was asked for with nothing, or is no scene, has no such rows.
    page.keyboard.press("End")
    expect(details.get_by_text("Status", exact=True)).to_be_visible()
    expect(details.get_by_text("Mood", exact=True)).to_have_count(0)
