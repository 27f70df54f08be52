"""The whole story of a character's images, told in a browser on each host."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ...servers.hosts import HOSTS, NAME, PASSWORD
from .conftest import OpenPage
from .pages import screenshots
from .parts import start
from .studio import Studio, on_command, on_host

COMMAND = "charimg serve"


@pytest.fixture
def studio(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Studio]:
    """A studio as a process of its own: the command, or one of the examples."""
    host = request.param
    with on_command(tmp_path) if host == COMMAND else on_host(host, tmp_path / "host") as studio:
        yield studio


@pytest.fixture
def page(open_page: OpenPage, studio: Studio) -> Page:
    """The images page, signed in."""
    credentials = {"username": NAME, "password": PASSWORD}
    page = open_page(http_credentials=credentials, viewport={"width": 1440, "height": 900})
    # Some hosts show a form instead of the page.
    if page.locator("input[name=password]").count():
        page.locator("input[name=username]").fill(NAME)
        page.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
    return page


def told_on(host: str, *others: str) -> Any:
    """Tell it on one host; on the others in the long series."""
    later = [pytest.param(other, marks=pytest.mark.long) for other in others]
    return pytest.mark.parametrize("studio", [host, *later], indirect=True)


def card(page: Page, name: str) -> Any:
    return page.get_by_role("gridcell").filter(has_text=name)


@told_on(COMMAND, *HOSTS)
def test_the_whole_story(studio: Studio, page: Page, request: pytest.FixtureRequest) -> None:
    host = request.node.callspec.id
    switches = studio.simulator.switches
    counters = studio.simulator.counters

    # Empty
    expect(page.get_by_role("heading", name="Mara Voss", level=1)).to_be_visible()
    expect(page.get_by_text("No images yet", exact=True)).to_be_visible()
    prompt = page.get_by_label("Prompt", exact=True)
    suggestion = studio.ask("GET", "initial-image-prompt")["prompt"]
    expect(prompt).to_have_value(suggestion)
    screenshots(page, f"{host}-01-empty")

    # Edit, blank, reset
    generate = page.get_by_role("button", name="Generate Reference")
    prompt.fill("   ")
    expect(page.get_by_text("a blank one cannot be sent")).to_be_visible()
    generate.click(force=True)
    screenshots(page, f"{host}-02-blank")
    prompt.fill("My own words.")
    page.get_by_role("button", name="Reset Prompt").click()
    expect(prompt).to_have_value(suggestion)
    assert counters.initial_image_posts == 0, "a blank prompt was sent"
    own = f"{suggestion} A scar on the chin."
    prompt.fill(own)

    # The reference
    generate.click()
    expect(page.get_by_role("gridcell")).to_have_count(1)
    expect(page.locator("#ci-latest img")).to_be_visible()
    assert studio.images()[0]["prompt"] == own
    screenshots(page, f"{host}-03-reference")

    # The portfolio, of which two files are no images
    switches.change({"html_files": 2, "job_seconds": 2.0})
    start(page).click()
    studio.wait(1.0)
    expect(page.get_by_text("/27").first).to_be_visible()
    screenshots(page, f"{host}-04-portfolio-running")
    studio.wait(1.0)
    expect(page.get_by_text("2 shots failed").first).to_be_visible()
    screenshots(page, f"{host}-05-two-failed")
    assert len(studio.images(status="failed")) == 2

    # Retry
    page.get_by_role("button", name="Retry 2 failed").click()
    expect(page.get_by_text("27/27 stored")).to_be_visible()
    expect(page.locator("#ci-count")).to_contain_text("28")
    assert studio.images(status="failed") == []
    assert counters.set360_posts == 1

    # Around the character
    page.get_by_role("button", name="Turntable").first.click()
    turntable = page.get_by_role("dialog")
    slider = turntable.get_by_role("slider").first
    before = slider.get_attribute("aria-valuetext")
    slider.press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuetext", before or "")
    screenshots(page, f"{host}-06-turntable")
    page.keyboard.press("Escape")
    expect(turntable).to_be_hidden()

    # A scene
    page.get_by_label("What happens").fill("Mara reads a letter at the window.")
    page.get_by_label("Mood").fill("quiet")
    page.get_by_role("button", name="Generate Scene").click()
    expect(page.locator("#ci-count")).to_contain_text("29")
    screenshots(page, f"{host}-07-all")

    # Delete, undo, delete
    first = page.get_by_role("gridcell").first
    first.focus()
    page.keyboard.press("Delete")
    expect(page.locator("#ci-count")).to_contain_text("28")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.locator("#ci-count")).to_contain_text("29")
    assert len(studio.images(limit=100)) == 29

    # Several at once: as a file, then away
    toolbar = page.get_by_role("toolbar", name="Selection")
    page.get_by_role("gridcell").nth(1).focus()
    page.keyboard.press("Space")
    expect(toolbar).to_contain_text("1 selected")
    page.keyboard.press("Shift+ArrowRight")
    expect(toolbar).to_contain_text("2 selected")
    page.keyboard.press("Shift+ArrowRight")
    expect(toolbar).to_contain_text("3 selected")
    screenshots(page, f"{host}-08-selected")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download zip").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        names = archive.namelist()
        assert len(names) == 3
        assert all(archive.read(name) for name in names)
    toolbar.get_by_role("button", name="Delete").click()
    expect(page.locator("#ci-count")).to_contain_text("26")

    # Replaced by a new one, which deletes the rest
    prompt.fill("Another face.")
    generate.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("deleted here, before the new one is drawn")
    screenshots(page, f"{host}-09-replace")
    dialog.get_by_role("button", name="Replace and generate").click()
    expect(page.locator("#ci-count")).to_have_text("1")
    images = studio.images()
    assert [image["prompt"] for image in images] == ["Another face."]
    assert counters.initial_image_posts == 2


def tab_to(page: Page, name: str, *, most: int = 60) -> None:
    """Press Tab until the element with that accessible name has the focus."""
    seen: list[object] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        told = page.evaluate(
            "(() => { const e = document.activeElement;"
            " return [e.ariaLabel, e.labels?.[0]?.innerText, e.innerText].filter(Boolean); })()"
        )
        seen.append(told)
        if any(name in each for each in told):
            return
    raise AssertionError(f"{name!r} is out of the keyboard's reach: {seen}")


@told_on("django_host.py", COMMAND)
def test_the_story_by_the_keyboard_alone(studio: Studio, page: Page) -> None:
    expect(page.get_by_label("Prompt", exact=True)).not_to_have_value("")
    tab_to(page, "Prompt")
    page.keyboard.press("End")
    page.keyboard.type(" She smiles.")
    tab_to(page, "Generate Reference")
    page.keyboard.press("Enter")
    expect(page.get_by_role("gridcell")).to_have_count(1)
    tab_to(page, "What happens")
    page.keyboard.type("Mara waits for the night train.")
    tab_to(page, "Generate Scene")
    page.keyboard.press("Enter")
    expect(page.get_by_role("gridcell")).to_have_count(2)
    tab_to(page, ", Stored")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("gridcell").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_role("img").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.get_by_role("gridcell").nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Delete")
    expect(page.get_by_role("gridcell")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.get_by_role("gridcell")).to_have_count(2)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.keyboard.press("Escape")
    prompts = {image["prompt"] for image in studio.images()}
    assert "Mara waits for the night train." in prompts
    assert any(prompt.endswith(" She smiles.") for prompt in prompts)


@pytest.mark.long
@pytest.mark.parametrize("studio", [COMMAND], indirect=True)
def test_a_slow_network_changes_nothing_but_the_time(studio: Studio, open_page: OpenPage) -> None:
    page = open_page("about:blank")
    slow = page.context.new_cdp_session(page)
    slow.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": 400,
            "downloadThroughput": 100_000,
            "uploadThroughput": 50_000,
        },
    )
    page.goto(studio.page_of())
    page.evaluate(
        "window.moved = 0; new PerformanceObserver((list) => { for (const e of list.getEntries())"
        " if (!e.hadRecentInput) window.moved += e.value; })"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    page.get_by_label("Prompt", exact=True).fill("Typed before anything had arrived.")
    page.get_by_role("button", name="Generate Reference").click()
    expect(page.get_by_role("gridcell")).to_have_count(1)
    expect(page.locator("#ci-latest img")).to_be_visible(timeout=30_000)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(
        "Typed before anything had arrived."
    )
    assert studio.images()[0]["prompt"] == "Typed before anything had arrived."
    assert studio.simulator.counters.initial_image_posts == 1
    assert page.evaluate("window.moved") < 0.1
