"""The simulator draws real images that a person, and a test, can tell apart."""

from __future__ import annotations

import io
import itertools
import json
import struct
import sys
import zlib
from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops, ImageStat

from charimg.testing import Simulator
from charimg.testing.simulator.drawing import HEIGHT, WIDTH, Drawing, draw
from charimg.testing.simulator.shots import SHOTS

from .asking import asking

CLEAR = 5.0
"""Mean difference of a channel, of 255, that cannot be overlooked side by side."""

PROMPTS = [
    "Lena, 34, grey coat, black hair",
    "Lena, 34, grey coat, red hair",
    "Tom, an old fisherman",
    "龍",
    "   ",
    "\udc80 from a broken file",
]


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> float:
    means = ImageStat.Stat(ImageChops.difference(one, other)).mean
    return sum(means) / len(means)


def figure(image: Image.Image) -> Image.Image:
    """The image without the caption below."""
    return image.crop((0, 0, WIDTH, HEIGHT - 34))


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "PIL", None)
    draw.cache_clear()
    yield
    draw.cache_clear()


def test_every_shot_of_a_prompt_differs_clearly_even_without_its_caption() -> None:
    images = [figure(pixels(draw(PROMPTS[0], shot.name, shot, "PNG").data)) for shot in SHOTS]
    assert len(images) == 27
    for (one, first), (two, second) in itertools.combinations(enumerate(images), 2):
        assert difference(first, second) > CLEAR, (SHOTS[one].name, SHOTS[two].name)


@pytest.mark.parametrize("shot", [None, SHOTS[0], SHOTS[13]], ids=["reference", "first", "hands"])
def test_two_prompts_of_one_shot_differ_clearly(shot: object) -> None:
    images = [figure(pixels(draw(prompt, "x", shot, "PNG").data)) for prompt in PROMPTS]  # type: ignore[arg-type]
    for first, second in itertools.combinations(images, 2):
        assert difference(first, second) > CLEAR


def test_two_settings_of_one_prompt_differ_clearly_and_keep_the_figure() -> None:
    bar, street = (
        pixels(draw(PROMPTS[0], "Scene: action", None, "PNG", setting).data)
        for setting in ("a bar", "a street")
    )
    assert difference(bar, street) > CLEAR
    coat = (WIDTH // 2, HEIGHT - 60)
    assert bar.getpixel(coat) == street.getpixel(coat)


def test_a_back_has_no_face_and_a_profile_one_eye() -> None:
    def eyes(name: str) -> int:
        shot = next(shot for shot in SHOTS if shot.name.startswith(name))
        image = pixels(draw(PROMPTS[0], name, shot, "PNG").data)
        whites = (
            image.point(lambda tone: 255 * (tone == 245)).convert("L").point(lambda t: t // 255)
        )
        return sum(1 for tone in whites.get_flattened_data() if tone)

    back, profile, front = eyes("50mm BACK"), eyes("85mm PROFILE LEFT"), eyes("85mm FRONT MCU")
    assert back == 0
    assert 0 < profile < front


def test_the_same_call_gives_the_same_bytes() -> None:
    first = draw(PROMPTS[0], "Reference")
    draw.cache_clear()
    assert draw(PROMPTS[0], "Reference").data == first.data


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG"])
def test_the_form_is_the_one_asked_for(form: str) -> None:
    drawing = draw(PROMPTS[0], "Reference", None, form)
    image = Image.open(io.BytesIO(drawing.data))
    assert image.format == form
    assert image.size == (drawing.width, drawing.height) == (WIDTH, HEIGHT)
    assert drawing.mime_type == f"image/{form.lower()}"
    assert drawing.extension == {"JPEG": ".jpg", "WEBP": ".webp", "PNG": ".png"}[form]


def plain_rows(drawing: Drawing) -> list[bytes]:
    """Read a plain PNG without any library: its checksums hold, and these are its rows."""
    data = drawing.data
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    offset, chunks = 8, {}
    while offset < len(data):
        (size,) = struct.unpack_from(">I", data, offset)
        name, body = data[offset + 4 : offset + 8], data[offset + 8 : offset + 8 + size]
        assert struct.unpack_from(">I", data, offset + 8 + size) == (zlib.crc32(name + body),)
        chunks[name] = body
        offset += 12 + size
    assert chunks[b"IHDR"] == struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    raw = zlib.decompress(chunks[b"IDAT"])
    width = WIDTH * 3 + 1
    assert len(raw) == HEIGHT * width
    return [raw[row * width + 1 : (row + 1) * width] for row in range(HEIGHT)]


@pytest.mark.usefixtures("without_pillow")
def test_without_pillow_a_plain_png_differs_per_shot_and_per_prompt() -> None:
    drawings = [draw(PROMPTS[0], shot.name, shot) for shot in SHOTS]
    drawings += [draw(prompt, "Reference") for prompt in PROMPTS]
    assert {drawing.mime_type for drawing in drawings} == {"image/png"}
    assert {drawing.extension for drawing in drawings} == {".png"}
    # One pixel of each square of 32 by 32.
    images = [
        [row[x : x + 3] for row in plain_rows(each)[::32] for x in range(0, WIDTH * 3, 96)]
        for each in drawings
    ]
    for first, second in itertools.combinations(images, 2):
        changed = sum(one != other for one, other in zip(first, second, strict=True))
        assert changed > len(first) / 10


@pytest.mark.usefixtures("without_pillow")
def test_without_pillow_pillow_itself_would_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    data = draw(PROMPTS[0], "Reference", None, "WEBP").data
    monkeypatch.undo()
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))


def test_a_set_on_the_wire_is_27_different_images_of_the_reference() -> None:
    simulator = Simulator()
    db_id = simulator.add_character("Lena")
    with asking(simulator) as ask:
        path = f"/api/v1/characters/{db_id}"
        url = ask("POST", f"{path}/generate-initial-image", json={"prompt": PROMPTS[0]}).json()
        reference = pixels(ask("GET", url["data"]["publicUrl"]).content)
        ask("POST", f"{path}/generate-360-set", json={})
        shots = ask("GET", f"{path}/images").json()["images"]["coreReferenceSet"]
        images = [pixels(ask("GET", shot["url"]).content) for shot in shots]
    assert [shot["referenceShot"]["shotName"] for shot in shots] == [shot.name for shot in SHOTS]
    for first, second in itertools.combinations([reference, *images], 2):
        assert difference(first, second) > CLEAR
    coat = (WIDTH // 2, HEIGHT - 60)
    for image in (images[0], images[20]):
        for one, other in zip(image.getpixel(coat), reference.getpixel(coat), strict=True):  # type: ignore[arg-type]
            assert abs(one - other) < 16


def test_scenes_of_other_contexts_differ() -> None:
    simulator = Simulator()
    db_id = simulator.add_character("Lena")
    simulator.set_reference(db_id, PROMPTS[0])
    with asking(simulator) as ask:
        images = []
        for context in ("a smoky bar", "a bright street", "a forest at night"):
            answer = ask(
                "POST",
                f"/api/v1/characters/{db_id}/generate-scene-image",
                content=json.dumps({"sceneContext": context, "sceneType": "dialogue"}),
            ).json()
            images.append(pixels(ask("GET", answer["imageUrl"]).content))
    for first, second in itertools.combinations(images, 2):
        assert difference(first, second) > CLEAR


@pytest.mark.parametrize("pillow", [True, False])
def test_small_images_are_as_different_as_large_ones(
    pillow: bool, request: pytest.FixtureRequest
) -> None:
    if not pillow:
        request.getfixturevalue("without_pillow")
    drawings = [draw(prompt, shot.name, shot, width=48) for prompt in PROMPTS for shot in SHOTS]
    assert len({each.data for each in drawings}) == len(drawings)
    for each in drawings[:3]:
        assert Image.open(io.BytesIO(each.data)).size == (each.width, each.height) == (48, 64)
