"""The check of an image, and thumbnails, by a process of their own."""

from __future__ import annotations

import importlib.util
import io
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import anyio
import pytest

from charimg import errors
from charimg._decoding import AsyncDecoder, Decoder, draw_thumbnail, thumbnails, worker
from charimg._decoding.protocol import Answer
from charimg._decoding.worker import Workers
from charimg._ingest.inspect import inspect
from charimg._ingest.sniff import JPEG, PNG
from charimg._ingest.values import Inspection
from charimg._spool import Spool

from ..ingest.samples import MANY, drawn, jpeg, png
from . import bombs

Image = pytest.importorskip("PIL.Image")

ALL = ("png", "jpeg", "webp", "gif", "avif")


def refusal(data: bytes, inspection: Inspection | None = None) -> errors.ImageRejected:
    file = io.BytesIO(data)
    with pytest.raises(errors.ImageRejected) as caught:
        Decoder(required=True).check(file, inspection or inspect(file, max_pixels=MANY))
    assert file.tell() == 0
    assert caught.value.code == errors.ErrorCode.NOT_AN_IMAGE
    return caught.value


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_whole_images_pass(kind: str) -> None:
    file = io.BytesIO(drawn(kind))
    file.seek(9)
    Decoder(required=True).check(file, inspect(file, max_pixels=MANY, formats=ALL))
    assert file.tell() == 0
    assert not file.closed


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_code_waits_in_a_thread(backend: str) -> None:
    async def check(data: bytes) -> None:
        file = io.BytesIO(data)
        await AsyncDecoder(required=True).check(file, inspect(file, max_pixels=MANY))

    anyio.run(check, png(7, 5), backend=backend)
    with pytest.raises(errors.ImageRejected):
        anyio.run(check, jpeg(), backend=backend)


def test_data_that_mean_nothing_are_refused() -> None:
    assert "cannot be decoded" in str(refusal(jpeg()))


def test_only_the_type_of_the_bytes_is_tried() -> None:
    refusal(png(7, 5), Inspection(type=JPEG, width=7, height=5))


def test_the_decoded_size_must_be_the_one_of_the_header() -> None:
    error = refusal(png(7, 5), Inspection(type=PNG, width=7, height=6))
    assert "size" in str(error)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        *((b"m", "memory"), (b"", "took too long"), (b"?", "cannot be decoded")),
        *((b"n", "more than 100 scans"), (b"f", "more than 10000 frames")),
        (b"t", "larger than 16 MiB"),
    ],
)
def test_each_answer_has_its_reason(
    answer: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker._WORKERS, "ask", lambda *args: Answer(answer))
    said = str(refusal(png(7, 5)))
    assert said.startswith("The file begins like a PNG, but ")
    assert why in said
    assert ("Downloader(decode=False)" in said) == (answer != b"?")


def test_where_none_can_be_started_the_host_says_what_that_means(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "_WORKERS", Workers())
    monkeypatch.setattr(sys, "executable", "/usr/bin/nuke")
    file = io.BytesIO(png(7, 5))
    found = inspect(file, max_pixels=MANY)
    with caplog.at_level(logging.WARNING, "charimg"):
        Decoder(required=False).check(file, found)
    assert [each.message for each in caplog.records] == ["download.not_decoded"]
    with pytest.raises(errors.ConfigurationError, match="nuke"):
        Decoder(required=True).check(file, found)


def test_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(Decoder.chosen(None), Decoder)
    assert isinstance(AsyncDecoder.chosen(True), AsyncDecoder)
    assert Decoder.chosen(False) is None
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Decoder.chosen(None) is None
    assert Decoder.chosen(False) is None
    with pytest.raises(errors.ConfigurationError, match=r"charimg\[images\]"):
        Decoder.chosen(True)


# Thumbnails


@pytest.fixture(params=["descriptor", "bytes", "pipe"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Each way in which a file reaches the process."""
    workers = Workers()
    monkeypatch.setattr(worker, "_WORKERS", workers)
    if request.param == "pipe":
        monkeypatch.setattr(worker, "HANDS", False)
    yield request.param
    workers.close()


def opened(way: str, data: bytes) -> IO[bytes]:
    file: IO[bytes] = io.BytesIO()
    if way == "descriptor":
        file = Spool(1)
    file.write(data)
    return file


def size_of(thumbnail: bytes | None) -> tuple[int, int]:
    with Image.open(io.BytesIO(thumbnail or b"")) as image:
        assert image.format == "WEBP"
        return image.width, image.height


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_a_thumbnail_comes_with_the_check_or_alone(kind: str, way: str) -> None:
    data = drawn(kind)
    with opened(way, data) as file:
        found = inspect(file, max_pixels=MANY, formats=ALL)
        decoder = Decoder(required=True)
        assert decoder.check(file, found) is None
        assert size_of(decoder.check(file, found, thumbnail_px=20)) == (20, 15)
        assert size_of(decoder.check(file, found, thumbnail_px=10**9)) == (61, 47)
        assert size_of(draw_thumbnail(file, 20)) == (20, 15)
        assert file.tell() == 0
        assert file.read() == data


@pytest.mark.parametrize("make", [png, jpeg], ids=["fine", "broken"])
def test_each_way_gives_the_same_verdict(make: Any, way: str) -> None:
    with opened(way, make()) as file:
        found = inspect(file, max_pixels=MANY)
        if make is png:
            Decoder(required=True).check(file, found)
        else:
            with pytest.raises(errors.ImageRejected):
                Decoder(required=True).check(file, found)


def skipped(file: IO[bytes], caplog: pytest.LogCaptureFixture, side: int = 16) -> str:
    """Return why there is no thumbnail."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "charimg"):
        assert draw_thumbnail(file, side) == b""
    (record,) = caplog.records
    assert (record.name, record.message) == ("charimg.thumbnails", "thumbnail.skipped")
    return str(record.__dict__["reason"])


def test_what_cannot_be_drawn_has_no_thumbnail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert skipped(io.BytesIO(b"no image"), caplog) == "it is no image"
    assert skipped(io.BytesIO(drawn("PNG")[:200]), caplog) == "it cannot be decoded"
    many = io.BytesIO(bombs.scans(64, 64, 100))
    assert skipped(many, caplog) == "it has more than 100 scans"
    monkeypatch.setattr(thumbnails, "_MAX_PIXELS", 61 * 47 - 1)
    assert skipped(io.BytesIO(drawn("PNG")), caplog) == "it has too many pixels"
    monkeypatch.setattr(worker, "_WORKERS", Workers())
    monkeypatch.setattr(sys, "executable", "/usr/bin/nuke")
    assert "nuke" in skipped(io.BytesIO(png()), caplog)


@pytest.mark.parametrize(
    ("thumbnail", "why"),
    [
        (b"", "it could not be drawn"),
        (b"<script>", "it could not be drawn"),
        (png(7, 5), "it could not be drawn"),
        (drawn("WEBP"), "it could not be drawn"),
        ("long", "it was drawn too large"),
        ("followed", "it could not be drawn"),
    ],
)
def test_only_a_thumbnail_counts_as_one(
    thumbnail: bytes | str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if isinstance(thumbnail, str):
        out = io.BytesIO()
        Image.new("RGB", (17 if thumbnail == "long" else 16, 1)).save(out, "WEBP")
        thumbnail = out.getvalue() + (b"PK" if thumbnail == "followed" else b"")
    answer = Answer(b"+", thumbnail)
    monkeypatch.setattr(worker._WORKERS, "ask", lambda *args: answer)
    assert skipped(io.BytesIO(png()), caplog) == why
    found = Inspection(type=PNG, width=3, height=2)
    assert Decoder(required=True).check(io.BytesIO(png()), found, thumbnail_px=16) == b""


def test_without_pillow_there_are_none(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with caplog.at_level(logging.INFO, "charimg"):
        assert draw_thumbnail(io.BytesIO(png()), 16) == b""
    assert caplog.records == []


def test_a_file_on_disk_can_be_given_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(drawn("PNG"))
    before = path.stat()
    for options in ({"buffering": 0}, {}):
        with path.open("rb", **options) as file:
            assert size_of(draw_thumbnail(file, 20)) == (20, 15)
    with tempfile.NamedTemporaryFile() as named:
        named.write(drawn("PNG"))
        assert size_of(draw_thumbnail(named, 20)) == (20, 15)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
