from __future__ import annotations

import importlib.util
import io

import pytest

from charimg._ingest.decode import decode_check, require_pillow
from charimg._ingest.inspect import inspect
from charimg._ingest.sniff import JPEG, PNG
from charimg._ingest.values import Inspection
from charimg.errors import ConfigurationError, ErrorCode, ImageRejected

from .samples import MANY, drawn, jpeg, png

Image = pytest.importorskip("PIL.Image")


def refusal(data: bytes, inspection: Inspection | None = None) -> ImageRejected:
    file = io.BytesIO(data)
    with pytest.raises(ImageRejected) as caught:
        decode_check(file, inspection or inspect(file, max_pixels=MANY))
    assert file.tell() == 0
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_whole_images_pass(kind: str) -> None:
    file = io.BytesIO(drawn(kind))
    decode_check(file, inspect(file, max_pixels=MANY))
    assert file.tell() == 0
    assert not file.closed


def test_a_hand_made_png_is_a_real_one() -> None:
    file = io.BytesIO(png(7, 5))
    decode_check(file, inspect(file, max_pixels=MANY))


def test_data_that_mean_nothing_are_refused() -> None:
    assert refusal(jpeg()).code == ErrorCode.NOT_AN_IMAGE


def test_only_the_type_of_the_bytes_is_tried() -> None:
    found = Inspection(type=JPEG, width=7, height=5)
    assert refusal(png(7, 5), found).code == ErrorCode.NOT_AN_IMAGE


def test_the_decoded_size_must_be_the_one_of_the_header() -> None:
    found = Inspection(type=PNG, width=7, height=6)
    error = refusal(png(7, 5), found)
    assert error.code == ErrorCode.NOT_AN_IMAGE
    assert "size" in str(error)


@pytest.mark.parametrize("cap", [10, 20])
def test_the_limit_of_pillow_holds(cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Twice the limit is an error of Pillow's, less a warning (an error in this suite).
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", cap)
    assert refusal(png(7, 5)).code == ErrorCode.TOO_MANY_PIXELS


def test_a_missing_pillow_is_told_early(monkeypatch: pytest.MonkeyPatch) -> None:
    require_pillow()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"charimg\[images\]"):
        require_pillow()
