"""What says that a model drew an image: on the page, and in what leaves it."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from PIL import Image
from playwright.sync_api import Page, expect

from charimg import Provenance
from charimg._ingest.inspect import inspect
from charimg._ingest.xmp import AI, TRAINED

from ...ingest.test_wellformed import program
from .bench import image, portfolio
from .conftest import Looking, OpenPage
from .pages import accessible
from .parts import cards
from .studio import Studio
from .test_sheet import opened, saved
from .test_viewer import opened as viewed

SAID = {
    "digitalSourceType": TRAINED,
    "tool": "charimg 0.1.0",
    "credentials": True,
    "generator": "comfyui",
    "marked": "sign",
}
COMPOSITE = AI[1]
DRAW = """async ([type, quality, alpha, sourceType]) => {
  const canvas = new OffscreenCanvas(37, 21);
  const pen = canvas.getContext("2d", { alpha });
  pen.fillStyle = "rgb(200 30 90 / 0.5)";
  pen.fillRect(3, 3, 20, 11);
  const plain = await canvas.convertToBlob({ type, quality });
  const marked = await ours.marked(plain, sourceType);
  const text = async (blob) => {
    const bytes = Array.from(new Uint8Array(await blob.arrayBuffer()));
    return btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
  };
  return [marked.type, await text(plain), await text(marked)];
}"""


def says(document: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an image whose file says that a model drew it."""
    metrics = {**document["metrics"], "provenance": {**SAID, **changes}}
    return {**document, "metrics": metrics}


def source_type(data: bytes) -> str | None:
    found = inspect(io.BytesIO(data), max_pixels=10**9, foreign="refuse").provenance
    return None if found is None else found.digital_source_type


def read_by_exiftool(path: Path) -> dict[str, Any]:
    exiftool = program("exiftool", "libimage-exiftool-perl")
    asked = [exiftool, "-json", "-validate", "-warning", "-DigitalSourceType", str(path)]
    (told,) = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    found: dict[str, Any] = told
    return found


# On the page


def test_a_card_has_a_badge_where_its_file_says_so(open_page: OpenPage, studio: Studio) -> None:
    ids = studio.fill(3)
    for each, found in zip(
        ids,
        (Provenance(digital_source_type=TRAINED), Provenance(generator="a1111"), None),
        strict=True,
    ):
        record = studio.stores.metadata.get(each)
        metrics = evolve(record.metrics, provenance=found)
        studio.stores.metadata.update(evolve(record, metrics=metrics))
    page = open_page()
    expect(cards(page)).to_have_count(3)
    badges = page.locator(".ci-facts .ci-badge")
    expect(badges).to_have_text(["AI", "AI"])
    expect(badges.last).to_have_attribute("title", TRAINED)
    expect(page.get_by_role("gridcell", name=re.compile(r"\bAI\b"))).to_have_count(2)
    accessible(page)


def test_the_viewer_tells_what_the_file_says(looking: Looking) -> None:
    images = [
        says(image(0, "scene")),
        says(image(1, "scene"), marked="label", generator=None, credentials=False),
        image(2, "scene"),
    ]
    with looking() as (page, _):
        viewer = viewed(page, images)
        expect(viewer.locator(".vw-caption .ci-badge")).to_have_text("AI")
        told = viewer.locator(".dt-facts div", has_text="The file says")
        expect(told).to_contain_text(
            "trainedAlgorithmicMedia, made with charimg 0.1.0, content credentials, "
            "parameters of comfyui, signed by charimg"
        )
        accessible(page)
        page.keyboard.press("ArrowRight")
        expect(told).to_contain_text("made with charimg 0.1.0, labelled by charimg")
        page.keyboard.press("ArrowRight")
        expect(viewer.locator(".vw-caption .ci-badge")).to_have_count(0)
        expect(told).to_have_count(0)
        expect(viewer.locator(".vw-caption")).not_to_contain_text("false")


# In what leaves it


def test_the_sheet_as_png_is_labelled(looking: Looking, tmp_path: Path) -> None:
    whole = [says(each) for each in portfolio()[:4]]
    with looking() as (page, _):
        for images, expected in (
            (whole, TRAINED),
            ([*whole, image(9, "scene")], COMPOSITE),
            ([image(9, "scene")], None),
        ):
            sheet = opened(page, images)
            path = saved(page, sheet, "Save as PNG", tmp_path)
            assert source_type(path.read_bytes()) == expected
            told = read_by_exiftool(path)
            assert told["Validate"] == "OK"
            assert told.get("DigitalSourceType") == expected
            page.keyboard.press("Escape")


def test_the_sheet_as_html_is_labelled_and_so_are_its_images(
    looking: Looking, tmp_path: Path
) -> None:
    with looking() as (page, _):
        sheet = opened(page, [says(image(0, "scene"))])
        path = saved(page, sheet, "Save as HTML", tmp_path)
        text = path.read_text(encoding="utf-8")
        assert f'<meta name="Iptc4xmpExt:DigitalSourceType" content="{TRAINED}">' in text
        assert "<p>Images drawn by an AI model.</p>" in text
        page.keyboard.press("Escape")
        sheet = opened(page, [image(0, "scene")])
        plain = saved(page, sheet, "Save as HTML", tmp_path).read_text(encoding="utf-8")
        assert "DigitalSourceType" not in plain
        assert "AI model" not in plain
    (uri,) = re.findall(r'src="data:image/webp;base64,([^"]+)"', text)
    (other,) = re.findall(r'src="data:image/webp;base64,([^"]+)"', plain)
    # The bench's own files are smaller than what the page would draw, and stay as they are.
    assert uri == other


@pytest.mark.parametrize(
    ("kind", "quality", "alpha"),
    [
        ("image/png", 1, True),
        ("image/webp", 1, True),
        ("image/webp", 1, False),
        ("image/webp", 0.5, True),
        ("image/webp", 0.5, False),
    ],
)
def test_what_a_canvas_gives_keeps_its_pixels_when_it_is_labelled(
    looking: Looking, tmp_path: Path, kind: str, quality: float, alpha: bool
) -> None:
    with looking() as (page, _):
        told, plain, marked = page.evaluate(DRAW, [kind, quality, alpha, TRAINED])
    assert told == kind
    before, after = base64.b64decode(plain), base64.b64decode(marked)
    assert source_type(before) is None
    assert source_type(after) == TRAINED
    assert _seen(after) == _seen(before)
    path = tmp_path / f"marked.{kind.partition('/')[2]}"
    path.write_bytes(after)
    assert read_by_exiftool(path)["DigitalSourceType"] == TRAINED
    assert read_by_exiftool(path)["Validate"] == "OK"


def test_what_takes_no_label_stays(looking: Looking) -> None:
    with looking() as (page, _):
        told, plain, marked = page.evaluate(DRAW, ["image/jpeg", 1, False, TRAINED])
        assert told == "image/jpeg"
        assert marked == plain
        assert _unmarked(page)


def _unmarked(page: Page) -> bool:
    """Return whether a picture stays the same object where nothing is to be said."""
    same: bool = page.evaluate(
        "async () => { const blob = new Blob(['x'], { type: 'image/png' });"
        " return (await ours.marked(blob, null)) === blob; }"
    )
    return same


def _seen(data: bytes) -> tuple[str, tuple[int, int], bytes]:
    with Image.open(io.BytesIO(data)) as drawn:
        return drawn.mode, drawn.size, drawn.tobytes()
