"""The viewer and the comparison, in a browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ...patience import until
from .bench import image, portfolio
from .conftest import Looking
from .hostile import HOSTILE
from .pages import accessible, becomes, screenshots

OPEN = """async ({ images, options }) => {
  window.list = images;
  window.ran = [];
  window.seen = null;
  const viewer = await ours.openViewer({
    images: () => window.list,
    store: { subscribe: (fn) => { window.changed = fn; return () => { window.changed = null; }; } },
    actions: [
      { labelKey: "download", shortcut: "d", run: (image) => ran.push(["download", image.id]) },
      {
        labelKey: "delete",
        danger: true,
        available: (image) => image.kind !== "reference",
        run: (image) => ran.push(["delete", image.id]),
      },
    ],
    ...options,
  });
  viewer.closed.then((image) => { window.seen = image?.id ?? "nothing"; });
}"""


def mixed() -> list[dict[str, Any]]:
    return [
        image(0, "reference", run="ref"),
        image(1, "scene", run="scene"),
        *portfolio(failed=(2,))[:4],
    ]


def opened(page: Page, images: list[dict[str, Any]], **options: Any) -> Any:
    page.evaluate(OPEN, {"images": images, "options": options})
    viewer = page.get_by_role("dialog")
    expect(viewer).to_be_visible()
    return viewer


def shown(page: Page) -> Any:
    return page.locator(".vw-stage .zp-image:not(.zp-thumbnail)")


def view(page: Page, nth: int = 0) -> dict[str, float]:
    """Return where the drawn image is, in pixels of the page."""
    box = page.locator(".zp-image").nth(nth).bounding_box()
    assert box is not None
    return dict(box)


def test_by_the_keyboard_alone(looking: Looking) -> None:
    images = mixed()
    with looking() as (page, _):
        viewer = opened(page, images, startId=images[1]["id"])
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Scene, 2 of 6")
        expect(shown(page)).to_have_attribute("alt", images[1]["media"]["alt"])
        page.keyboard.press("ArrowRight")
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Portfolio shot, 3 of 6")
        expect(viewer.locator("> [role=status]")).to_have_text(
            f"Image 3 of 6: {images[2]['media']['alt']}"
        )
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Portfolio shot, 6 of 6")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowLeft")
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Reference, 1 of 6")
        page.keyboard.press("d")
        assert page.evaluate("ran") == [["download", images[0]["id"]]]
        page.keyboard.press("Escape")
        expect(viewer).to_have_count(0)
        expect(page.locator("#opener")).to_be_focused()
        becomes(page, "(id) => seen === id", images[0]["id"])
        # Its keys went with it.
        page.keyboard.press("d")
        assert len(page.evaluate("ran")) == 1


def test_the_whole_dialog_is_walked_by_tab_and_nothing_outside(looking: Looking) -> None:
    with looking() as (page, _):
        opened(page, mixed())
        names = set()
        for _ in range(30):
            page.keyboard.press("Tab")
            names.add(
                page.evaluate(
                    "document.activeElement.getAttribute('aria-label')"
                    " ?? document.activeElement.textContent.trim()"
                )
            )
        assert "Open" not in names
        assert {"Zoom in", "Next image", "Details", "Close", "Download"} <= names


def test_the_focus_returns_to_where_the_host_says_when_the_opener_is_gone(looking: Looking) -> None:
    with looking() as (page, _):
        page.evaluate(
            """(images) => {
              const other = document.createElement("button");
              other.textContent = "Card";
              document.getElementById("ci-main").append(other);
              ours.openViewer({ images, startId: images[0].id, returnFocus: () => other });
            }""",
            mixed(),
        )
        expect(page.get_by_role("dialog")).to_be_visible()
        page.evaluate("document.getElementById('opener').remove()")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Card")).to_be_focused()


def test_the_buttons_do_what_the_keys_do_and_stay_in_reach_at_the_ends(looking: Looking) -> None:
    images = mixed()[:2]
    with looking() as (page, _):
        viewer = opened(page, images)
        forward = viewer.get_by_role("button", name="Next image")
        forward.click()
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Scene, 2 of 2")
        expect(forward).to_have_attribute("aria-disabled", "true")
        expect(forward).to_be_focused()
        forward.click(force=True)
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Scene, 2 of 2")
        expect(viewer.get_by_role("button", name="Delete")).to_be_visible()
        viewer.get_by_role("button", name="Previous image").click()
        expect(viewer.get_by_role("button", name="Delete")).to_have_count(0)


def test_zoom_by_keys_and_buttons(looking: Looking) -> None:
    with looking() as (page, _):
        viewer = opened(page, mixed())
        expect(shown(page)).to_be_visible()
        fitted = view(page)
        stage = page.locator(".vw-stage").bounding_box()
        assert stage is not None
        assert fitted["height"] == pytest.approx(stage["height"], abs=1)
        foot = page.locator(".vw-foot").bounding_box()
        assert foot is not None
        assert foot["y"] + foot["height"] == pytest.approx(900, abs=1)
        page.keyboard.press("+")
        assert view(page)["width"] == pytest.approx(fitted["width"] * 1.4, rel=0.01)
        page.keyboard.press("-")
        assert view(page) == pytest.approx(fitted, abs=1)
        for _ in range(3):
            page.keyboard.press("-")
        # A small file is shown enlarged, and goes down to its own size.
        assert view(page)["width"] == pytest.approx(384, abs=1)
        page.keyboard.press("0")
        assert view(page) == pytest.approx(fitted, abs=1)
        viewer.get_by_role("button", name="Actual size").click()
        assert view(page)["width"] == pytest.approx(384, abs=1)
        expect(viewer.get_by_text("100 %")).to_be_visible()
        for _ in range(20):
            viewer.get_by_role("button", name="Zoom in").click()
        assert view(page)["width"] == pytest.approx(fitted["width"] * 4, rel=0.01)
        before = view(page)
        page.keyboard.press("Shift+ArrowRight")
        assert view(page)["x"] == pytest.approx(before["x"] - 80, abs=1)
        # The next image begins fitted again.
        page.keyboard.press("ArrowRight")
        expect(shown(page)).to_have_attribute("alt", re.compile("scene"))
        assert view(page) == pytest.approx(fitted, abs=1)


def test_the_wheel_keeps_the_point_below_it(looking: Looking) -> None:
    with looking() as (page, _):
        opened(page, mixed())
        expect(shown(page)).to_be_visible()
        before = view(page)
        point = {"x": before["x"] + before["width"] * 0.3, "y": before["y"] + 350}
        page.mouse.move(point["x"], point["y"])
        page.mouse.wheel(0, -400)
        expect(page.locator(".zp-zoomed")).to_have_count(1)
        page.mouse.wheel(0, -400)
        becomes(
            page,
            "(width) => document.querySelector('.zp-image').getBoundingClientRect().width > width",
            before["width"] * 2.2,
        )
        after = view(page)
        was = (point["y"] - before["y"]) / before["height"]
        assert (point["y"] - after["y"]) / after["height"] == pytest.approx(was, abs=0.01)
        # What is narrower than the pane stays in its middle.
        assert after["x"] < before["x"]


def test_a_double_click_zooms_and_a_drag_moves(looking: Looking) -> None:
    with looking() as (page, _):
        opened(page, mixed())
        expect(shown(page)).to_be_visible()
        fitted = view(page)
        page.mouse.dblclick(500, 450)
        zoomed = view(page)
        assert zoomed["width"] == pytest.approx(fitted["width"] * 2, rel=0.01)
        page.mouse.move(500, 450)
        page.mouse.down()
        page.mouse.move(460, 420, steps=4)
        page.mouse.up()
        moved = view(page)
        assert moved["y"] == pytest.approx(zoomed["y"] - 30, abs=2)
        # It cannot be lost: an edge of the image stays at the edge of the pane.
        page.mouse.down()
        page.mouse.move(460, 5000, steps=4)
        page.mouse.up()
        stage = page.locator(".vw-stage").bounding_box()
        assert stage is not None
        assert view(page)["y"] == pytest.approx(stage["y"], abs=1)
        page.mouse.dblclick(500, 450)
        assert view(page) == pytest.approx(fitted, abs=1)


def test_the_small_map_moves_without_dragging(looking: Looking) -> None:
    with looking() as (page, _):
        opened(page, mixed())
        expect(shown(page)).to_be_visible()
        small = page.locator(".zp-map")
        expect(small).to_be_hidden()
        for _ in range(4):
            page.keyboard.press("+")
        expect(small).to_be_visible()
        box = small.bounding_box()
        assert box is not None
        small.click(position={"x": box["width"] / 2, "y": 2})
        stage = page.locator(".vw-stage").bounding_box()
        assert stage is not None
        assert view(page)["y"] == pytest.approx(stage["y"], abs=1)


class Fingers:
    """Fingers on the page; each call tells where all of them are."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def _send(self, kind: str, points: tuple[tuple[float, float], ...]) -> None:
        at = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def down(self, *points: tuple[float, float]) -> None:
        self._send("touchStart", points)

    def move(self, *points: tuple[float, float]) -> None:
        self._send("touchMove", points)

    def up(self) -> None:
        self._send("touchEnd", ())


def test_fingers_pinch_and_swipe(looking: Looking) -> None:
    with looking(size=(390, 844), has_touch=True) as (page, _):
        viewer = opened(page, mixed())
        expect(shown(page)).to_be_visible()
        fitted = view(page)
        fingers = Fingers(page)
        fingers.down((150, 400))
        fingers.down((150, 400), (240, 400))
        fingers.move((120, 400), (270, 400))
        fingers.move((60, 400), (330, 400))
        fingers.up()
        expect(page.locator(".zp-zoomed")).to_have_count(1)
        assert view(page)["width"] == pytest.approx(fitted["width"] * 3, rel=0.05)
        # A swipe over the zoomed image moves it, and leaves it there.
        fingers.down((300, 400))
        fingers.move((100, 410))
        fingers.up()
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Reference, 1 of 6")
        viewer.get_by_role("button", name="Fit to the window").click()
        fingers.down((300, 400))
        fingers.move((200, 405))
        fingers.move((100, 410))
        fingers.up()
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Scene, 2 of 6")


def test_neighbours_are_loaded_before_they_are_asked_for(looking: Looking) -> None:
    images = mixed()
    with looking() as (page, server):
        opened(page, images, startId=images[1]["id"])
        expect(shown(page)).to_be_visible()
        wanted = {images[at]["media"]["url"] for at in (0, 1, 2, 3)}
        until(lambda: wanted <= set(server.sent))
        # What is ready needs no server.
        server.held.clear()
        page.keyboard.press("ArrowRight")
        expect(shown(page)).to_have_attribute("alt", images[2]["media"]["alt"])


def test_a_slow_image_never_appears_under_another_title(looking: Looking) -> None:
    images = [image(number, "scene", run="slow") for number in range(9)]
    with looking() as (page, server):
        server.held.clear()
        viewer = opened(page, images)
        for _ in range(7):
            page.keyboard.press("ArrowRight")
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Scene, 8 of 9")
        expect(shown(page)).to_have_count(0)
        server.held.set()
        expect(shown(page)).to_have_attribute("alt", images[7]["media"]["alt"])
        page.wait_for_load_state("networkidle")
        expect(shown(page)).to_have_attribute("alt", images[7]["media"]["alt"])
        expect(page.locator(".zp-busy")).to_have_count(0)


def test_a_file_that_is_gone_is_told(looking: Looking) -> None:
    broken = image(0, "scene", run="broken")
    with looking() as (page, _):
        viewer = opened(page, [broken, image(1, "scene", run="fine")])
        expect(viewer.get_by_text("This image could not be loaded.")).to_be_visible()
        page.keyboard.press("ArrowRight")
        expect(shown(page)).to_be_visible()
        expect(viewer.get_by_text("This image could not be loaded.")).to_be_hidden()


def test_a_failed_shot_says_why(looking: Looking) -> None:
    images = mixed()
    with looking() as (page, _):
        viewer = opened(page, images, startId=images[4]["id"])
        expect(viewer.locator(".zp-note")).to_contain_text(images[4]["error"])
        page.keyboard.press("+")
        expect(viewer.locator(".ov-level")).to_have_text("")
        expect(viewer.get_by_role("button", name="Compare")).to_have_attribute(
            "aria-disabled", "true"
        )
        accessible(page)
        screenshots(page, "viewer-failed")


def test_a_shot_says_that_the_prompt_is_its_references(looking: Looking) -> None:
    images = mixed()
    images[0]["metrics"]["promptOrigin"] = "reference"
    with looking() as (page, _):
        details = opened(page, images).get_by_role("complementary", name="Details")
        expect(details.get_by_role("heading", name="Prompt of the reference")).to_be_visible()


def test_details_tell_everything_and_copy_it(looking: Looking) -> None:
    images = mixed()
    prompt = HOSTILE[0] + HOSTILE[6]
    images[0]["prompt"] = prompt
    images[0]["sourceUrl"] = "javascript:window.hurt=1"
    with looking() as (page, _):
        viewer = opened(page, images)
        details = viewer.get_by_role("complementary", name="Details")
        for text in (images[0]["media"]["sha256"], "384 × 512", "1 min 21 s", "character-library"):
            expect(details.get_by_text(text)).to_be_visible()
        assert details.locator(".dt-prompt").evaluate("(each) => each.textContent") == prompt
        details.get_by_role("button", name="Copy Prompt").click()
        expect(details.get_by_role("button", name="Copied Prompt")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == prompt
        # Where it came from is told, and cannot be followed.
        expect(details.get_by_text("javascript:window.hurt=1")).to_be_visible()
        expect(viewer.get_by_role("link")).to_have_count(0)
        page.keyboard.press("i")
        expect(details).to_be_hidden()
        button = viewer.get_by_role("button", name="Details")
        expect(button).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("Escape")
        # It is remembered for the next time.
        opened(page, images)
        expect(page.get_by_role("complementary", name="Details")).to_have_count(0)


def test_hostile_texts_are_shown_as_they_are(looking: Looking) -> None:
    images = []
    for number, text in enumerate(HOSTILE):
        hostile = image(number, "scene", prompt=text, error=text, createdBy=text, provider=text)
        hostile["media"]["alt"] = hostile["media"]["filename"] = text
        hostile["metrics"]["shot"] = {"name": text, "lensMm": 50, "cameraAzimuthDeg": 1}
        images.append(hostile)
    with looking() as (page, _):
        viewer = opened(page, images)
        for number, text in enumerate(HOSTILE, start=1):
            expect(viewer.get_by_role("heading", level=2)).to_have_text(
                f"Scene, {number} of {len(HOSTILE)}"
            )
            assert page.locator(".dt-prompt").evaluate("(each) => each.textContent") == text
            page.keyboard.press("ArrowRight")
        assert page.evaluate("window.hurt") is None
        assert page.locator("dialog :is(script, iframe, b, style, a)").count() == 0


def test_buttons_follow_what_can_be_done_now(looking: Looking) -> None:
    images = mixed()
    with looking() as (page, _):
        page.evaluate(
            """(images) => {
              window.can = false;
              const available = () => window.can;
              ours.openViewer({
                images,
                startId: images[0].id,
                store: { subscribe: (fn) => { window.changed = fn; } },
                actions: [{ labelKey: "restore", available, run: () => {} }],
              });
            }""",
            images,
        )
        viewer = page.get_by_role("dialog")
        expect(viewer).to_be_visible()
        expect(viewer.locator(".vw-actions button")).to_have_count(0)
        page.evaluate("window.can = true; changed()")
        expect(viewer.locator(".vw-actions button")).to_have_count(1)


def test_it_follows_what_is_deleted_and_added(looking: Looking) -> None:
    images = mixed()
    with looking() as (page, _):
        viewer = opened(page, images, startId=images[1]["id"])
        change = "(list) => { window.list = list; changed(); }"
        page.evaluate(change, [images[0], *images[2:]])
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Portfolio shot, 2 of 5")
        expect(shown(page)).to_have_attribute("alt", images[2]["media"]["alt"])
        page.evaluate(change, [image(50, "scene", run="new"), *images])
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Portfolio shot, 4 of 7")
        page.evaluate(change, images[:2])
        expect(viewer.get_by_role("heading", level=2)).to_have_text("Scene, 2 of 2")
        page.evaluate(change, [])
        expect(viewer).to_have_count(0)
        assert page.evaluate("changed") is None


def test_notices_are_within_reach_and_take_no_focus_away(looking: Looking) -> None:
    with looking() as (page, _):
        viewer = opened(page, mixed())
        page.evaluate(
            """() => {
              const undo = document.createElement("button");
              undo.textContent = "Undo";
              undo.className = "ci-toast";
              undo.addEventListener("click", () => undo.remove());
              document.getElementById("ci-toasts").append(undo);
            }"""
        )
        viewer.get_by_role("button", name="Undo").click()
        expect(viewer.get_by_role("heading", level=2)).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.locator("#charimg > #ci-toasts")).to_have_count(1)


def test_the_sheet_of_keys_begins_with_those_that_hold(looking: Looking) -> None:
    with looking() as (page, _):
        opened(page, mixed())
        page.keyboard.press("?")
        sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
        expect(sheet.get_by_role("heading", level=3).first).to_have_text("Viewer")
        expect(sheet.get_by_text("Compare with another image")).to_be_visible()
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)
        expect(page.get_by_role("dialog")).to_have_count(1)


def test_nothing_is_wrong_with_it_for_axe(looking: Looking) -> None:
    images = mixed()
    images[1]["prompt"] = HOSTILE[-1]
    with looking() as (page, _):
        opened(page, images, startId=images[1]["id"])
        expect(shown(page)).to_be_visible()
        accessible(page)
        screenshots(page, "viewer")
        for _ in range(5):
            page.keyboard.press("+")
        accessible(page)
        screenshots(page, "viewer-zoomed")


def compared(page: Page, images: list[dict[str, Any]]) -> Any:
    page.evaluate(
        "([a, b, ...rest]) => ours.openCompare(a, b, { images: [a, b, ...rest] })", images
    )
    dialog = page.get_by_role("dialog", name="Compare two images")
    expect(dialog.locator(".zp-image:not(.zp-thumbnail)")).to_have_count(2)
    return dialog


def test_two_images_zoom_together(looking: Looking) -> None:
    images = [each for each in mixed() if each["media"]]
    with looking() as (page, _):
        dialog = compared(page, images)
        page.mouse.move(200, 500)
        page.mouse.wheel(0, -300)
        expect(page.locator(".zp-zoomed")).to_have_count(2)
        left, right = view(page, 0), view(page, 1)
        assert left["width"] == pytest.approx(right["width"], abs=1)
        assert right["x"] - left["x"] == pytest.approx(720, abs=2)
        # Apart, one stays where it is.
        dialog.get_by_label("Zoom together").uncheck()
        page.keyboard.press("+")
        assert view(page, 1) == pytest.approx(right, abs=1)
        assert view(page, 0)["width"] > left["width"] * 1.3
        dialog.get_by_label("Zoom together").check()
        assert view(page, 1)["width"] == pytest.approx(view(page, 0)["width"], abs=1)
        page.keyboard.press("0")
        expect(page.locator(".zp-zoomed")).to_have_count(0)


def test_either_side_can_show_another_image(looking: Looking) -> None:
    images = [each for each in mixed() if each["media"]]
    with looking() as (page, _):
        dialog = compared(page, images)
        left, right = dialog.get_by_label("Left image"), dialog.get_by_label("Right image")
        pictures = dialog.locator(".zp-image:not(.zp-thumbnail)")
        page.keyboard.press("ArrowRight")
        expect(pictures.nth(1)).to_have_attribute("alt", images[2]["media"]["alt"])
        page.keyboard.press("x")
        expect(pictures.nth(0)).to_have_attribute("alt", images[2]["media"]["alt"])
        expect(pictures.nth(1)).to_have_attribute("alt", images[0]["media"]["alt"])
        dialog.get_by_role("combobox", name="Left image").select_option(images[3]["id"])
        expect(pictures.nth(0)).to_have_attribute("alt", images[3]["media"]["alt"])
        expect(left.locator("select")).to_have_value(images[3]["id"])
        expect(right.locator("select")).to_have_value(images[0]["id"])
        accessible(page)
        screenshots(page, "compare")
        page.keyboard.press("Escape")
        expect(page.locator("#opener")).to_be_focused()


def test_the_viewer_compares_with_the_latest_reference(looking: Looking) -> None:
    images = mixed()
    with looking() as (page, _):
        opened(page, images, startId=images[2]["id"])
        page.keyboard.press("v")
        dialog = page.get_by_role("dialog", name="Compare two images")
        expect(dialog.get_by_role("combobox", name="Left image")).to_have_value(images[2]["id"])
        expect(dialog.get_by_role("combobox", name="Right image")).to_have_value(images[0]["id"])
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("heading", name="Portfolio shot, 3 of 6")).to_be_visible()


OPENERS = {
    "viewer": "(images) => ours.openViewer({ images, startId: images[2].id })",
    "compare": "(images) => ours.openCompare(images[0], images[1], { images })",
    "turntable": "(images) => ours.openTurntable({ images })",
    "sheet": "(images) => ours.openContactSheet({ images, character: { name: 'Mira' } })",
}


def fits(page: Page, name: str) -> None:
    page.evaluate(OPENERS[name], mixed())
    dialog = page.get_by_role("dialog")
    wide = dialog.evaluate(
        """(dialog) => [...dialog.querySelectorAll("*")]
          .filter((each) => !each.closest(".zp, .rg, .ov-unseen"))
          .filter((each) => each.getBoundingClientRect().right > innerWidth + 0.5)
          .map((each) => each.className)"""
    )
    assert wide == []
    title = dialog.get_by_role("heading", level=2).bounding_box()
    close = dialog.get_by_role("button", name="Close").bounding_box()
    assert title is not None
    assert close is not None
    # In one line, at the end of it.
    assert abs(close["y"] + close["height"] / 2 - title["y"] - title["height"] / 2) < 6
    assert close["x"] > title["x"]
    picture = dialog.locator(".vw-stage, .cm-side, .tt-stage, .cs-sheet").first.bounding_box()
    assert picture is not None
    assert picture["height"] > 70
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("name", OPENERS)
def test_every_window_has_room_for_it(looking: Looking, name: str) -> None:
    """Nothing is scrolled sideways, and what closes it is always there, at 400 % zoom, too."""
    with looking() as (page, _):
        for width, height in [(320, 256), (640, 360), (320, 568), (2560, 1300)]:
            page.set_viewport_size({"width": width, "height": height})
            fits(page, name)


def test_the_viewer_can_be_left_behind_by_what_opens_upon_it(looking: Looking) -> None:
    """Viewer, turntable, viewer: each step back finds the focus where it can be used."""
    images = portfolio()
    with looking() as (page, _):
        page.evaluate(OPENERS["viewer"], images)
        expect(page.get_by_role("dialog")).to_have_count(1)
        page.evaluate(OPENERS["turntable"], images)
        expect(page.get_by_role("dialog", name="Turntable")).to_be_visible()
        page.keyboard.press("e")
        viewer = page.get_by_role("heading", name=re.compile("Portfolio shot, . of 10"))
        expect(viewer).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", name="Turntable")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        # The first viewer gave way to the second, and its heading with it.
        expect(page.locator("#ci-images-title")).to_be_focused()
