"""The contact sheet and what it exports, in a browser; the files are opened again."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from . import bench
from .bench import image, portfolio
from .conftest import Looking
from .hostile import HOSTILE
from .pages import Pages, accessible, becomes, screenshots

OPEN = "(images) => ours.openContactSheet({ images, character: { name: 'Mira Kestrel' } })"
PAPER = (255, 255, 255)


def everything() -> list[dict[str, Any]]:
    return [
        image(1, "scene", run="scene"),
        image(0, "reference", run="ref-old", createdAt="2026-01-01T10:00:00Z"),
        *portfolio(failed=(0,)),
        image(3, "reference", run="ref-new"),
        image(4, "poster", run="poster"),
    ]


def opened(page: Page, images: list[dict[str, Any]]) -> Any:
    page.evaluate(OPEN, images)
    sheet = page.get_by_role("dialog", name="Contact sheet: Mira Kestrel")
    expect(sheet).to_be_visible()
    return sheet


def saved(page: Page, sheet: Any, button: str, folder: Path) -> Path:
    with page.expect_download() as download:
        sheet.get_by_role("button", name=button).click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_every_image_is_on_it_in_groups(looking: Looking) -> None:
    images = everything()
    with looking() as (page, _):
        sheet = opened(page, images)
        assert sheet.get_by_role("heading", level=3).all_inner_texts() == [
            "Reference 2 images",
            "Portfolio · 35 mm 7 images",
            "Portfolio · 50 mm 10 images",
            "Portfolio · 85 mm 10 images",
            "Scene 1 image",
            "poster 1 image",
        ]
        expect(sheet.get_by_role("listitem")).to_have_count(len(images))
        alts = [each["media"]["alt"] for each in images if each["media"]]
        shown = sheet.get_by_role("img")
        assert sorted(shown.evaluate_all("(all) => all.map((each) => each.alt)")) == sorted(alts)
        first = sheet.get_by_role("listitem").first
        expect(first).to_contain_text("Current reference")
        expect(first.get_by_role("img")).to_have_attribute("alt", images[-2]["media"]["alt"])
        captions = sheet.locator(".cs-group").nth(4).locator("figcaption > *").all_text_contents()
        assert captions[0] == "Scene"
        assert [re.sub(r"\d+", "0", each) for each in captions[1:]] == ["Nov 0, 0, 0:0 AM"]
        captions = sheet.locator(".cs-group").nth(1).locator("figcaption > *").all_text_contents()
        assert captions[:2] == ["35mm 45° LEFT 3Q (Enhanced)", "45° to the character’s left, level"]
        # The failed shot is a slot with its reason, where it belongs.
        expect(sheet.locator(".cs-slot")).to_have_text(images[2]["error"])
        names = sheet.locator(".cs-group").nth(2).locator("strong").all_text_contents()
        assert names[-3:] == [
            "50mm 25° RIGHT MCU (Enhanced)",
            "50mm 3Q RIGHT CU (Enhanced)",
            "50mm BACK 3Q (Enhanced)",
        ]
        accessible(page)
        screenshots(page, "sheet")
        page.keyboard.press("Escape")
        expect(page.locator("#opener")).to_be_focused()


def test_without_images_it_says_so_and_offers_no_file(looking: Looking) -> None:
    with looking() as (page, _):
        sheet = opened(page, [])
        expect(sheet.get_by_text("There are no images to show.")).to_be_visible()
        expect(sheet.get_by_role("button", name="Save")).to_have_count(0)
        accessible(page)


def test_the_png_holds_every_image(looking: Looking, tmp_path: Path) -> None:
    images = everything()
    with looking() as (page, _):
        sheet = opened(page, images)
        path = saved(page, sheet, "Save as PNG", tmp_path)
        assert re.fullmatch(r"mira-kestrel-contact-sheet-\d{4}-\d\d-\d\d\.png", path.name)
        expect(sheet.get_by_role("status").first).to_contain_text(f"Saved {path.name}")
        accessible(page)
    with Image.open(path) as opened_again:
        drawn = opened_again.convert("RGB")
    # 7 columns of 240 and 20 between, at twice the size.
    assert drawn.width == 2 * (2 * 32 + 7 * 260 - 20)
    cells = filled_cells(drawn)
    assert len(cells) == len(images)
    # One of them is the slot of what failed: it has a dashed edge and words, and no picture.
    pictures = [cell for cell in cells if len(cell.getcolors(maxcolors=10**6) or []) > 300]
    assert len(pictures) == len(images) - 1


def filled_cells(drawn: Image.Image) -> list[Image.Image]:
    """Find the boxes of a sheet: whatever is wide and tall and not paper."""
    step, box = 2 * 260, (2 * 240, 2 * 300)
    cells = []
    top = 0
    while top < drawn.height - box[1]:
        # The middle of the first column is paper but for pictures, slots and captions.
        if drawn.getpixel((2 * 32 + 240, top)) == PAPER or not _is_tall(drawn, top):
            top += 1
            continue
        for column in range(7):
            left = 2 * 32 + column * step
            cell = drawn.crop((left, top, left + box[0], top + box[1]))
            if cell.getpixel((240, 300)) != PAPER or len(cell.getcolors(10**6) or []) > 3:
                cells.append(cell)
        top += box[1]
    return cells


def _is_tall(drawn: Image.Image, top: int) -> bool:
    return all(drawn.getpixel((2 * 32 + 240, top + down)) != PAPER for down in range(0, 560, 40))


class Elements(HTMLParser):
    """Looks that every element is closed where it must be."""

    VOID = frozenset({"meta", "img", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]
        assert not any(name.startswith("on") for name, _ in attrs)
        assert tag not in ("script", "iframe", "object", "base", "form", "svg", "a")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_html_is_whole_and_loads_nothing(
    looking: Looking, pages: Pages, tmp_path: Path
) -> None:
    images = everything()
    for each, prompt in zip(images, HOSTILE, strict=False):
        each["prompt"] = prompt
    images[0]["metrics"]["promptOrigin"] = "reference"
    images[0]["media"]["alt"] = images[0]["metrics"]["shot"] = None
    images[1]["media"]["alt"] = HOSTILE[3]
    images[2]["error"] = HOSTILE[2]
    with looking() as (page, _):
        sheet = opened(page, images)
        path = saved(page, sheet, "Save as HTML", tmp_path)
    assert re.fullmatch(r"mira-kestrel-contact-sheet-\d{4}-\d\d-\d\d\.html", path.name)
    with path.open(encoding="utf-8", newline="") as file:
        source = file.read()
    elements = Elements()
    elements.feed(source)
    assert elements.open == []
    assert len(elements.urls) == len(images) - 1
    assert all(url.startswith("data:image/webp;base64,") for url in elements.urls)
    requests: list[str] = []
    page = pages.open("about:blank", offline=True)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    assert page.evaluate("document.compatMode") == "CSS1Compat"
    assert page.title() == "Contact sheet: Mira Kestrel"
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.get_by_role("heading", level=1)).to_have_text("Contact sheet: Mira Kestrel")
    expect(page.locator("header p")).to_have_text(re.compile(r"20\d\d.* · 31 images"))
    pictures = page.locator("img")
    assert pictures.evaluate_all("(all) => all.every((each) => each.naturalWidth === 384)")
    prompts = page.locator(".prompt").evaluate_all("(all) => all.map((each) => each.textContent)")
    assert sorted(prompts) == sorted(each["prompt"] for each in images)
    expect(page.locator("summary").get_by_text("Prompt of the reference")).to_have_count(1)
    expect(page.locator(".slot")).to_have_count(1)
    assert page.locator(".slot").evaluate("(each) => each.textContent") == HOSTILE[2]
    assert HOSTILE[3] in pictures.evaluate_all("(all) => all.map((each) => each.alt)")
    assert page.evaluate("window.hurt") is None
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    page.locator("summary").first.click()
    accessible(page)
    screenshots(page, "sheet-html")


def test_the_html_can_hold_the_files_as_they_are(looking: Looking, tmp_path: Path) -> None:
    with looking() as (page, _):
        sheet = opened(page, [image(1, "scene")])
        sheet.get_by_label("Full-size images in HTML").check()
        path = saved(page, sheet, "Save as HTML", tmp_path)
        data = page.evaluate(
            """async () => {
              const blob = await (await fetch("/media/run-a-001.webp")).blob();
              return new Promise((done) => {
                const reader = new FileReader();
                reader.onload = () => done(reader.result);
                reader.readAsDataURL(blob);
              });
            }"""
        )
    assert data in path.read_text(encoding="utf-8")


def test_what_another_origin_keeps_to_itself_is_explained(
    looking: Looking, pages: Pages, tmp_path: Path
) -> None:
    pages.tolerated.append("CORS policy")
    with (
        bench.serve(allow_reading=False) as other,
        looking(media_origin=other.url) as (page, _),
    ):
        foreign = [image(number, "scene", origin=other.url) for number in range(3)]
        sheet = opened(page, foreign)
        status = sheet.get_by_role("status").first
        # They are shown all the same.
        expect(sheet.get_by_role("img")).to_have_count(3)
        becomes(
            page,
            "() => [...document.querySelectorAll('.cs-grid img')].every((one) => one.naturalWidth)",
        )
        for button in ("Save as PNG", "Save as HTML"):
            sheet.get_by_role("button", name=button).click()
            expect(status).to_contain_text("Nothing was saved, for no image could be read.")
            expect(status).to_contain_text(f"They come from {other.url}")
            expect(status).to_contain_text("Access-Control-Allow-Origin")
        accessible(page)
        screenshots(page, "sheet-other-origin")
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)
        # Where some can be read, those are in the file, and the others are told.
        sheet = opened(page, [*foreign, image(9, "scene")])
        path = saved(page, sheet, "Save as HTML", tmp_path)
        expect(sheet.get_by_role("status").first).to_contain_text("3 images are left blank")
        assert path.read_text(encoding="utf-8").count("Could not be read") == 3
        assert saved(page, sheet, "Save as PNG", tmp_path).stat().st_size > 10_000


def test_another_origin_that_allows_it_is_read(looking: Looking, tmp_path: Path) -> None:
    with bench.serve() as other, looking(media_origin=other.url) as (page, _):
        sheet = opened(page, [image(1, "scene", origin=other.url)])
        path = saved(page, sheet, "Save as HTML", tmp_path)
        assert "data:image/webp;base64," in path.read_text(encoding="utf-8")


def test_a_file_that_is_gone_is_left_blank(looking: Looking, tmp_path: Path) -> None:
    with looking() as (page, _):
        sheet = opened(page, [image(1, "scene", run="broken"), image(2, "scene")])
        saved(page, sheet, "Save as PNG", tmp_path)
        status = sheet.get_by_role("status").first
        expect(status).to_contain_text("1 image is left blank. Check the connection")


def test_an_export_shows_how_far_it_is_and_can_be_cancelled(
    looking: Looking, tmp_path: Path
) -> None:
    with looking() as (page, server):
        sheet = opened(page, everything())
        page.wait_for_load_state("networkidle")
        server.held.clear()
        # What is asked for anew is held back.
        page.route("**/media/*", lambda route: route.continue_(url=route.request.url + "?again"))
        sheet.get_by_role("button", name="Save as HTML").click()
        bar = sheet.get_by_role("progressbar", name="Reading the images")
        expect(bar).to_be_visible()
        accessible(page)
        sheet.get_by_role("button", name="Cancel").click()
        expect(bar).to_have_count(0)
        expect(sheet.get_by_role("button", name="Save as HTML")).to_be_focused()
        # The second order takes the place of the first.
        sheet.get_by_role("button", name="Save as HTML").click()
        expect(bar).to_be_visible()
        with page.expect_download() as download:
            sheet.get_by_role("button", name="Save as PNG").click()
            server.held.set()
        assert download.value.suggested_filename.endswith(".png")
        expect(sheet.get_by_role("status").first).to_contain_text(".png")


def test_many_images_are_laid_out_on_sheets_that_a_canvas_can_hold(looking: Looking) -> None:
    with looking() as (page, _):
        found = page.evaluate(
            """(count) => {
              const entries = Array.from({ length: count }, () => ({ lines: ["a", "b"] }));
              const few = entries.slice(0, 3);
              const groups = [{ title: "One", entries: few }, { title: "Two", entries }];
              return ours.layOut(groups).sheets.map(({ width, height, rows }) => ({
                width,
                height,
                images: rows.reduce((sum, row) => sum + (row.entries?.length ?? 0), 0),
                lastIsHeading: Boolean(rows.at(-1).heading),
                tops: rows.map(({ top }) => top),
              }));
            }""",
            5000,
        )
        assert sum(sheet["images"] for sheet in found) == 5003
        assert len(found) > 1
        for sheet in found:
            assert max(sheet["width"], sheet["height"]) <= 16_000
            assert sheet["width"] * sheet["height"] <= 40_000_000
            assert not sheet["lastIsHeading"]
            assert sheet["tops"] == sorted(set(sheet["tops"]))
            assert sheet["tops"][-1] < sheet["height"]


def test_a_file_name_is_one_that_every_system_takes(looking: Looking) -> None:
    names = {
        "Mira Kestrel contact sheet": "mira-kestrel-contact-sheet-2026-03-09.png",
        "../../etc/passwd\x00": "etc-passwd-2026-03-09.png",
        "Äöü Çé": "aou-ce-2026-03-09.png",
        "日本 語": "日本-語-2026-03-09.png",
        '💥 /\\:*?"<>|': "images-2026-03-09.png",
        "x" * 300: "x" * 80 + "-2026-03-09.png",
    }
    with looking() as (page, _):
        made = page.evaluate(
            "(all) => all.map((words) => ours.fileName(words, 'png', new Date(2026, 2, 9)))",
            list(names),
        )
        assert made == list(names.values())
