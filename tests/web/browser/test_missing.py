"""A file that somebody deleted is told on the page, and comes back by a button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import OpenPage
from .pages import accessible, screenshots
from .parts import cards, notice, panel
from .studio import Studio


def folder(studio: Studio, image: dict[str, Any]) -> Path:
    """Return the directory that holds an image's file and its thumbnail."""
    root = studio.stores.media.path(studio.stores.media.get(image["key"])).parent
    return Path(root)


def card(page: Page, name: str) -> Locator:
    return cards(page).filter(has_text=name)


@pytest.fixture
def images(studio: Studio) -> dict[str, Any]:
    """Draw a reference and a scene."""
    studio.ask("POST", "generate-initial-image", json={})
    studio.ask("POST", "generate-scene-image", json={"sceneContext": "Mara reads a letter."})
    return {each["kind"]: each for each in studio.images()}


def test_a_tile_says_that_the_file_is_missing_and_brings_it_back(
    images: dict[str, Any], studio: Studio, open_page: OpenPage
) -> None:
    where = folder(studio, images["scene"])
    file, thumbnail = where / images["scene"]["media"]["filename"], where / "_thumbnail.webp"
    data = file.read_bytes()
    for path in (file, thumbnail):
        path.unlink()
    page = open_page()
    tile = card(page, "Mara reads a letter.")
    expect(tile).to_contain_text("This file cannot be loaded. It may have been deleted.")
    expect(tile).to_contain_text("File missing")
    expect(tile.get_by_role("img")).to_have_count(0)
    accessible(page)
    screenshots(page, "missing-tile")
    # Not by the view of a picture that is none, nor by a download that would fail.
    tile.get_by_role("button", name="Actions").click()
    expect(page.get_by_role("menuitem", name="Bring back")).to_be_visible()
    expect(page.get_by_role("menuitem", name="Download")).to_have_count(0)
    page.keyboard.press("Escape")
    tile.focus()
    page.keyboard.press("r")
    expect(notice(page, "The file is in its place.")).to_be_visible()
    expect(tile.get_by_role("img")).to_be_visible()
    expect(tile).to_contain_text("Stored")
    assert file.read_bytes() == data
    assert thumbnail.exists()
    assert studio.counters.scene_posts == 1


def test_a_file_without_its_thumbnail_is_shown_itself(
    images: dict[str, Any], studio: Studio, open_page: OpenPage
) -> None:
    (folder(studio, images["scene"]) / "_thumbnail.webp").unlink()
    picture = card(open_page(), "Mara reads a letter.").get_by_role("img")
    expect(picture).to_have_attribute("src", images["scene"]["media"]["url"])
    assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 0


def test_the_reference_is_brought_back_from_its_panel(
    images: dict[str, Any], studio: Studio, open_page: OpenPage
) -> None:
    where = folder(studio, images["reference"])
    file = where / images["reference"]["media"]["filename"]
    file.unlink()
    page = open_page()
    latest = panel(page, "Reference")
    expect(latest).to_contain_text("This file cannot be loaded.")
    screenshots(page, "missing-reference")
    studio.switch(file_errors=9)
    latest.get_by_role("button", name="Bring back").click()
    expect(notice(page, "The file could not be brought back.")).to_be_visible()
    studio.switch(file_errors=0)
    latest.get_by_role("button", name="Bring back").click()
    expect(latest.get_by_role("button", name="View")).to_be_visible()
    assert file.exists()
    accessible(page)


def test_a_shot_is_brought_back_from_its_slot(studio: Studio, open_page: OpenPage) -> None:
    studio.ask("POST", "generate-initial-image", json={})
    studio.switch(shots=3)
    studio.ask("POST", "generate-360-set", json={})
    shot = studio.images(kind="portfolioItem")[0]
    where = folder(studio, shot)
    for path in where.glob("*.webp"):
        path.unlink()
    (where / shot["media"]["filename"]).unlink(missing_ok=True)
    page = open_page()
    slot = page.get_by_role("button", name=f"Bring back {shot['metrics']['shot']['name']}")
    slot.click()
    expect(slot).to_have_count(0)
    assert (where / shot["media"]["filename"]).exists()


def test_a_connection_that_is_back_shows_the_pictures_again(
    images: dict[str, Any], studio: Studio, open_page: OpenPage
) -> None:
    page = open_page("about:blank")
    page.route("**/media/**", lambda route: route.abort())
    page.goto(studio.page_of())
    expect(cards(page).filter(has_text="File missing")).to_have_count(len(images))
    page.unroute("**/media/**")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(cards(page).get_by_role("img")).to_have_count(len(images))
