"""The turntable, in a browser."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import Page, expect

from charimg.testing.simulator.shots import SHOTS

from .bench import image, portfolio, shot_document
from .conftest import Looking
from .hostile import HOSTILE
from .pages import accessible, becomes, screenshots

OPEN = """async ({ images, options }) => {
  window.list = images;
  window.retried = [];
  await ours.openTurntable({
    images: () => window.list,
    store: { subscribe: (fn) => { window.changed = fn; return () => { window.changed = null; }; } },
    retry: (image) => retried.push(image.id),
    ...options,
  });
}"""
FRONT, LEFT, RIGHT, BACK = (
    "front",
    "{}° to the character’s left",
    "{}° to the character’s right",
    "back",
)


def opened(page: Page, images: list[dict[str, Any]], **options: Any) -> Any:
    page.evaluate(OPEN, {"images": images, "options": options})
    table = page.get_by_role("dialog", name="Turntable")
    expect(table).to_be_visible()
    return table


def where(lens: int, azimuth: int, elevation: str = "level") -> str:
    place = {0: FRONT, 180: BACK}.get(azimuth)
    if place is None:
        place = (LEFT if azimuth < 0 else RIGHT).format(abs(azimuth))
    return f"{lens} mm · {place} · {elevation}"


def picture(page: Page) -> Any:
    return page.locator(".tt-stage img")


LENSES = {
    35: [-45, -35, 0, 35, 45, 180],
    50: [-35, -25, 0, 25, 35, 180],
    85: [-90, -35, -25, -15, 0, 15, 35, 90],
}


def test_each_lens_goes_around_by_true_azimuth(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, portfolio())
        slider = table.get_by_role("slider", name="Camera position around the character")
        for lens, azimuths in LENSES.items():
            table.get_by_role("radio", name=f"{lens} mm").check()
            slider.focus()
            page.keyboard.press("Home")
            told = []
            for azimuth in azimuths:
                expect(picture(page)).to_have_count(1)
                told.append(slider.get_attribute("aria-valuetext") or "")
                assert float(slider.input_value()) == azimuth
                page.keyboard.press("ArrowRight")
            assert [each.rpartition(" · ")[0] for each in told] == [
                where(lens, azimuth).rpartition(" · ")[0] for azimuth in azimuths
            ]
            # Around: after the last comes the first.
            expect(slider).to_have_attribute("aria-valuetext", told[0])
            page.keyboard.press("ArrowLeft")
            expect(slider).to_have_attribute("aria-valuetext", told[-1])


def test_all_27_shots_are_reached_by_the_arrow_keys(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, portfolio())
        seen = set()
        for _ in range(3):
            places = page.locator(".tt-ticks .tt-tick").count()
            for _ in range(places):
                page.keyboard.press("ArrowRight")
                for _ in range(4):
                    page.keyboard.press("ArrowUp")
                for _ in range(5):
                    expect(picture(page)).to_have_count(1)
                    seen.add(table.locator(".tt-name").inner_text().partition(" · ")[0])
                    page.keyboard.press("ArrowDown")
            page.keyboard.press("l")
        assert seen == {shot.name for shot in SHOTS}
        page.keyboard.press("Escape")
        expect(page.locator("#opener")).to_be_focused()


def test_the_picture_is_that_of_the_place(looking: Looking) -> None:
    images = portfolio()
    by_name = {each["metrics"]["shot"]["name"]: each for each in images}
    with looking() as (page, _):
        table = opened(page, images)
        for _ in range(7):
            page.keyboard.press("ArrowRight")
            name = table.locator(".tt-name").inner_text().partition(" · ")[0]
            expect(picture(page)).to_have_attribute("src", by_name[name]["media"]["url"])
            expect(picture(page)).to_have_attribute("alt", by_name[name]["media"]["alt"])


def test_what_failed_and_what_is_missing_keeps_its_place(looking: Looking) -> None:
    # 50 mm 25° right failed, 85 mm profile right never came.
    images = portfolio(failed=(0,), missing=(16,))
    with looking() as (page, _):
        table = opened(page, images)
        table.get_by_role("radio", name="50 mm").check()
        expect(page.locator(".rg:not(.rg-heights) .rg-failed")).to_have_count(1)
        expect(page.locator(".tt-ticks .tt-failed")).to_have_count(1)
        expect(table.get_by_text("1 shot of this lens failed.")).to_be_visible()
        page.keyboard.press("Home")
        table.get_by_role("button", name="Turn to the next position").click()
        expect(table.locator(".tt-where")).to_have_text(where(50, 25))
        expect(picture(page)).to_have_count(0)
        expect(table.locator(".tt-slot")).to_contain_text(images[0]["error"])
        expect(table.get_by_role("slider")).to_have_attribute(
            "aria-valuetext", f"{where(50, 25)} · failed"
        )
        table.get_by_role("button", name="Retry").click()
        assert page.evaluate("retried") == [images[0]["id"]]
        accessible(page)
        screenshots(page, "turntable-failed")
        # Once it is stored, it appears where one stands.
        page.evaluate("(list) => { window.list = list; changed(); }", portfolio(missing=(16,)))
        expect(picture(page)).to_have_count(1)
        expect(table.locator(".tt-where")).to_have_text(where(50, 25))

        table.get_by_role("radio", name="85 mm").check()
        expect(table.get_by_text("1 shot of this lens has no image.")).to_be_visible()
        expect(page.locator(".rg:not(.rg-heights) .rg-missing")).to_have_count(1)
        table.get_by_role("slider").focus()
        page.keyboard.press("End")
        expect(table.locator(".tt-slot")).to_contain_text("There is no image of this shot.")
        expect(table.get_by_role("button", name="Retry")).to_have_count(0)
        accessible(page)
        screenshots(page, "turntable-missing")


def test_a_retry_takes_its_time_and_keeps_the_focus(looking: Looking) -> None:
    images = portfolio(failed=(0,))
    with looking() as (page, _):
        page.evaluate(
            """(images) => {
              window.list = images;
              window.retries = 0;
              ours.openTurntable({
                images: () => window.list,
                startId: images[0].id,
                store: { subscribe: (fn) => { window.changed = fn; } },
                retry: () => new Promise((done) => { window.retries += 1; window.end = done; }),
              });
            }""",
            images,
        )
        button = page.get_by_role("button", name="Retry")
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_have_attribute("aria-disabled", "true")
        # The page tells that it is busy; nothing is drawn anew for that.
        page.evaluate("changed()")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        assert page.evaluate("retries") == 1
        page.evaluate("end()")
        expect(button).not_to_have_attribute("aria-disabled", "true")
        # At once, however soon the picture is there: nobody is left without a place.
        place = page.evaluate(
            """async (list) => {
              window.list = list;
              changed();
              await null;
              return document.activeElement.textContent;
            }""",
            portfolio(),
        )
        assert place == "Turntable"
        expect(picture(page)).to_have_count(1)
        expect(page.get_by_role("heading", name="Turntable")).to_be_focused()


def test_wide_arcs_without_a_picture_are_drawn_and_told(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, portfolio())
        table.get_by_role("radio", name="85 mm").check()
        expect(page.locator(".rg-gap")).to_have_count(3)
        expect(
            table.get_by_text(
                "No image for 180°: from 90° to the character’s right around to"
                " 90° to the character’s left."
            )
        ).to_be_visible()


def test_the_ring_shows_where_the_camera_stands(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, portfolio())
        table.get_by_role("radio", name="85 mm").check()
        ring = table.get_by_role("img", name="8 camera positions around it")
        expect(ring).to_have_accessible_name(
            "The character from above, with 8 camera positions around it."
            " The camera stands at: front."
        )
        heights = table.get_by_role("img", name="Heights of the camera")
        expect(heights).to_have_accessible_name(
            "Heights of the camera seen from the side:"
            " 5° from above, level, 15° from below. Now: level."
        )
        # The character's right is to the right, as on the slider; a click goes there.
        marks = ring.locator(".rg-mark")
        boxes = [marks.nth(index).bounding_box() for index in range(8)]
        assert all(boxes)
        lefts = [box["x"] for box in boxes if box]
        assert lefts == sorted(lefts)
        marks.nth(7).click()
        expect(table.locator(".tt-where")).to_have_text(where(85, 90))
        expect(marks.nth(7)).to_have_class("rg-mark rg-shown rg-current")
        # The hands are looked at from below.
        page.keyboard.press("Home")
        table.get_by_role("radio", name="hands").check()
        expect(heights).to_have_accessible_name(
            "Heights of the camera seen from the side:"
            " 5° from above, level, 15° from below. Now: 15° from below."
        )


def test_a_drag_turns_and_the_slider_snaps(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, portfolio())
        table.get_by_role("radio", name="85 mm").check()
        stage = page.locator(".tt-stage").bounding_box()
        assert stage is not None
        middle = stage["x"] + stage["width"] / 2
        page.mouse.move(middle, 300)
        page.mouse.down()
        # A drag over the whole stage is 300°.
        page.mouse.move(middle + stage["width"] * 36 / 300, 300, steps=5)
        expect(table.locator(".tt-where")).to_have_text(where(85, 35))
        page.mouse.move(middle - stage["width"] * 24 / 300, 300, steps=5)
        expect(table.locator(".tt-where")).to_have_text(where(85, -25, "5° from above"))
        page.mouse.up()
        expect(table.locator("> [role=status]")).to_have_text(where(85, -25, "5° from above"))
        page.mouse.move(middle, 300)
        expect(table.locator(".tt-where")).to_have_text(where(85, -25, "5° from above"))
        slider = table.get_by_role("slider")
        box = slider.bounding_box()
        assert box is not None
        slider.click(position={"x": box["width"] * 0.72, "y": box["height"] / 2})
        expect(table.locator(".tt-where")).to_have_text(where(85, 90))
        assert float(slider.input_value()) == 90


def test_nothing_plays_by_itself_and_play_is_not_there_for_those_who_want_no_motion(
    looking: Looking,
) -> None:
    with looking() as (page, _):
        table = opened(page, portfolio())
        expect(table.get_by_role("button", name="Play")).to_have_count(0)
        page.keyboard.press("p")
        assert page.evaluate("timers()") == []
        page.emulate_media(reduced_motion="no-preference")
        expect(table.get_by_role("button", name="Play")).to_be_visible()


def test_play_goes_around_until_it_is_stopped(looking: Looking) -> None:
    with looking(motion=True) as (page, _):
        table = opened(page, portfolio())
        # Not by itself.
        expect(table.locator(".tt-where")).to_have_text(where(50, 0))
        assert page.evaluate("timers()") == []
        table.get_by_role("button", name="Play").click()
        expect(table.locator(".tt-where")).to_have_text(where(50, 25))
        expect(table.locator(".tt-where")).to_have_text(where(50, 180))
        table.get_by_role("button", name="Pause").click()
        expect(table.get_by_role("button", name="Play")).to_be_focused()
        assert page.evaluate("timers()") == []
        # Any step of one's own, and the wish for less motion, end it.
        page.keyboard.press("p")
        expect(table.get_by_role("button", name="Pause")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(table.get_by_role("button", name="Play")).to_be_visible()
        page.keyboard.press("p")
        page.emulate_media(reduced_motion="reduce")
        expect(table.get_by_role("button", name="Pause")).to_have_count(0)
        assert page.evaluate("timers()") == []


WATCH = """() => {
  window.empty = 0;
  window.frames = 0;
  const look = () => {
    const images = [...document.querySelectorAll(".tt-stage img")];
    frames += 1;
    if (images.length !== 1 || !images[0].complete || images[0].naturalWidth === 0) empty += 1;
    requestAnimationFrame(look);
  };
  look();
}"""


def test_no_frame_is_without_a_picture_while_it_turns(looking: Looking) -> None:
    with looking(motion=True) as (page, server):
        table = opened(page, portfolio())
        expect(picture(page)).to_have_count(1)
        # What comes next is not there yet, whatever is turned to.
        server.held.clear()
        table.get_by_role("radio", name="85 mm").check()
        page.evaluate(WATCH)
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        becomes(page, "() => frames > 10")
        server.held.set()
        for _ in range(40):
            page.keyboard.press("ArrowRight")
        expect(page.locator(".fr-busy")).to_have_count(0)
        becomes(page, "() => frames > 20")
        assert page.evaluate("empty") == 0


def test_another_portfolio_can_be_looked_at(looking: Looking) -> None:
    old = portfolio(run="run-old", missing=tuple(range(20, 27)))
    for each in old:
        each["createdAt"] = "2025-03-01T10:00:00Z"
    with looking() as (page, _):
        table = opened(page, [*portfolio(), *old])
        choice = table.get_by_role("combobox", name="Portfolio")
        expect(choice).to_have_value("run-a")
        choice.select_option("run-old")
        expect(table.get_by_text("3 shots of this lens have no image.")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(picture(page)).to_have_attribute("src", re.compile("/media/run-old-"))
        accessible(page)


def test_an_image_is_enlarged_upon_it(looking: Looking) -> None:
    images = portfolio()
    with looking() as (page, _):
        table = opened(page, images, startId=images[14]["id"])
        expect(table.locator(".tt-where")).to_have_text(where(50, 180))
        table.get_by_role("button", name="Enlarge this image").click()
        heading = page.get_by_role("heading", name="Portfolio shot, 10 of 10")
        expect(heading).to_be_visible()
        page.keyboard.press("Escape")
        expect(heading).to_have_count(0)
        expect(table.get_by_role("button", name="Enlarge this image")).to_be_focused()


def test_without_images_it_says_so(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, [image(1, "reference")])
        expect(table.get_by_text("There are no portfolio images yet.")).to_be_visible()
        for key in ("ArrowRight", "ArrowUp", "Home", "l", "e", "p"):
            page.keyboard.press(key)
        accessible(page)
        # They land while it is open.
        page.evaluate("(list) => { window.list = list; changed(); }", portfolio())
        expect(picture(page)).to_have_count(1)


def test_images_without_a_camera_are_told(looking: Looking) -> None:
    with looking() as (page, _):
        table = opened(page, [*portfolio(), image(40, "portfolioItem")])
        expect(table.get_by_text("1 image tells no camera and is not shown here.")).to_be_visible()


def test_hostile_names_are_shown_as_they_are(looking: Looking) -> None:
    images = [
        image(
            number,
            "portfolioItem",
            shot={**shot_document(SHOTS[0]), "slug": f"s{number}", "name": text}
            | {"crop": text, "expression": text, "cameraAzimuthDeg": number * 10},
        )
        for number, text in enumerate(HOSTILE)
    ]
    with looking() as (page, _):
        table = opened(page, images)
        page.keyboard.press("Home")
        for text in HOSTILE:
            shown = table.locator(".tt-name").evaluate("(each) => each.textContent")
            assert shown == f"{text} · {text}, {text}"
            page.keyboard.press("ArrowRight")
        assert page.evaluate("window.hurt") is None


def test_however_quickly_it_is_opened_again_it_is_there_once(looking: Looking) -> None:
    images = portfolio()
    with looking() as (page, _):
        opened(page, images)
        page.evaluate(
            "(images) => Promise.all([1, 2, 3].map(() => ours.openTurntable({ images })))", images
        )
        expect(page.locator("dialog.ov-turntable")).to_have_count(1)
        page.keyboard.press("Escape")
        expect(page.locator("dialog.ov-turntable")).to_have_count(0)


def test_nothing_is_wrong_with_it_for_axe(looking: Looking) -> None:
    with looking(motion=True) as (page, _):
        table = opened(page, portfolio(failed=(0, 14), missing=(16, 25)))
        expect(picture(page)).to_have_count(1)
        accessible(page)
        screenshots(page, "turntable")
        table.get_by_role("radio", name="50 mm").check()
        accessible(page)
