"""Records tell what files say of themselves; what is marked stays so, wherever it goes."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve

from charimg import (
    AsyncDownloader,
    ErrorCode,
    MediaAltered,
    MediaNotFound,
    Provenance,
    ProvenancePolicy,
    RetryPolicy,
    StorageError,
    __version__,
    from_json,
    to_json,
)
from charimg._ingest.inspect import inspect
from charimg._ingest.label import Labelling, NotLabelled
from charimg._ingest.xmp import TRAINED
from charimg.models import CharacterImage, Media, Upload
from charimg.stores import AsyncDiskMediaStore

from ..ingest.samples import MANY
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio

ALL = ("png", "jpeg", "webp", "gif", "avif")
TOOL = f"charimg {__version__}"
LABELLED = Provenance(digital_source_type=TRAINED, tool=TOOL, marked="label")
PROMPT = "a lighthouse keeper"


def said(data: bytes) -> Provenance | None:
    return inspect(io.BytesIO(data), max_pixels=MANY, formats=ALL).provenance


def marking(world: AsyncWorld, provenance: str | ProvenancePolicy, *, decode: bool = False) -> Any:
    """Return a service over the world's stores whose files are marked."""
    client = httpx.AsyncClient(transport=world.simulator.transport())
    downloader = AsyncDownloader(
        client=client, retries=RetryPolicy.off(), provenance=provenance, decode=decode
    )
    return world.assemble(downloader=downloader)


async def a_world(**options: Any) -> AsyncWorld:
    world = AsyncWorld(**options)
    await world.link()
    return world


async def test_by_default_a_record_says_nothing_of_a_file_that_says_nothing() -> None:
    world = await a_world()
    image = (await world.service.generate_reference(LENA, prompt=PROMPT)).image
    assert image.metrics.provenance is None


async def test_every_image_is_labelled_and_its_record_says_so() -> None:
    world = await a_world()
    service = marking(world, "label")
    reference = await service.generate_reference(LENA, prompt=PROMPT)
    portfolio = await service.generate_portfolio(LENA)
    scene = await service.generate_scene(LENA, "A walk.")
    images = [reference.image, *portfolio.images, scene.image]
    assert not [*reference.warnings, *portfolio.warnings, *scene.warnings]
    for image in images:
        assert image.metrics.provenance == LABELLED
        assert image.metrics.source_sha256 != image.metrics.sha256
        data = await world.bytes_of(image)
        assert TRAINED.encode() in data
        assert PROMPT.encode() not in data
    await world.check()
    assert from_json(CharacterImage, to_json(images[0]), what="it") == images[0]
    assert to_json(images[0])["metrics"]["provenance"] == {
        "digitalSourceType": TRAINED,
        "tool": TOOL,
        "credentials": False,
        "generator": None,
        "marked": "label",
    }


async def test_the_prompt_is_told_where_that_is_asked_for_and_never_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    world = await a_world()
    service = marking(world, ProvenancePolicy(mode="label", prompt=True))
    image = (await service.generate_reference(LENA, prompt=PROMPT)).image
    assert PROMPT.encode() in await world.bytes_of(image)
    assert PROMPT not in caplog.text


async def test_what_could_not_be_marked_is_one_warning_for_each_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no(*_: Any) -> Any:
        raise NotLabelled("its XMP cannot be read")

    monkeypatch.setattr("charimg._ingest.label.Labelling.edits", no)
    world = await a_world()
    service = marking(world, "label")
    reference = await service.generate_reference(LENA, prompt=PROMPT)
    (warning,) = reference.warnings
    assert warning.code == ErrorCode.NOT_MARKED
    assert warning.message == (
        "One image is stored without the mark that was asked for: its XMP cannot be read."
    )
    portfolio = await service.generate_portfolio(LENA)
    (warning,) = portfolio.warnings
    assert warning.message.startswith(f"{world.shots} images are stored without the mark")
    await world.check()


async def test_a_store_that_makes_another_file_of_it_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await a_world()
    real = world.media.save

    async def anew(upload: Upload) -> Media:
        return evolve(await real(upload), sha256="0" * 64)

    monkeypatch.setattr(world.media, "save", anew)
    result = await marking(world, "label").generate_reference(LENA, prompt=PROMPT)
    assert result.image.metrics.provenance is None
    (warning,) = result.warnings
    assert "the media store makes another file of it" in warning.message


async def test_a_labelled_file_comes_back_from_its_source_with_its_label() -> None:
    world = await a_world()
    policy = ProvenancePolicy(mode="label", prompt=True)
    image = (await marking(world, policy).generate_reference(LENA, prompt=PROMPT)).image
    before = await world.bytes_of(image)
    world.stores.spoil(image.key, lambda _: None)
    # Even where nothing is labelled any more; what the label told must be told again.
    again = marking(world, ProvenancePolicy(prompt=True))
    report = await again.verify(repair=True)
    assert [each.outcome for each in report.findings] == ["repaired"]
    assert await world.bytes_of(image) == before


@pytest.mark.parametrize("lost", [None, MediaNotFound("gone"), MediaAltered("changed")])
async def test_what_a_crash_left_without_a_record_says_what_its_file_says(
    lost: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await a_world()

    async def full(*_: object) -> Any:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as crash:
        crash.setattr(world.metadata, "add", full)
        with pytest.raises(StorageError):
            await marking(world, "label").generate_reference(LENA, prompt=PROMPT)
    with monkeypatch.context() as damage:
        if lost is not None:
            damage.setattr(world.media, "open", raising(lost))
        await world.service.recover()
    (image,) = await world.images()
    assert image.metrics.provenance == (LABELLED if lost is None else None)
    if lost is None:
        # So it can come back as it was.
        before = await world.bytes_of(image)
        world.stores.spoil(image.key, lambda _: None)
        await world.service.verify(repair=True)
        assert await world.bytes_of(image) == before
    await world.check()


def raising(error: Exception) -> Any:
    def call(*_: object) -> Any:
        raise error

    return call


async def test_recovery_tells_of_what_is_not_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: Any) -> Any:
        raise NotLabelled("its XMP cannot be read")

    world = await a_world()
    with monkeypatch.context() as crash:
        crash.setattr(world.media, "save", raising(StorageError("The disk is full.")))
        with pytest.raises(StorageError):
            await world.service.generate_reference(LENA, prompt=PROMPT)
    monkeypatch.setattr("charimg._ingest.label.Labelling.edits", no)
    (told,) = (await marking(world, "label").recover()).operations
    assert told.outcome == "completed"
    assert told.message.endswith("the mark that was asked for: its XMP cannot be read.")


@pytest.mark.parametrize("decode", [True, False], ids=["drawn when checked", "drawn when stored"])
async def test_thumbnails_say_what_their_image_says(decode: bool, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    world = await a_world(media=AsyncDiskMediaStore(tmp_path, thumbnail_px=32))
    for provenance, expected in (
        ("label", Provenance(digital_source_type=TRAINED, tool=TOOL)),
        ("read", None),
    ):
        service = marking(world, provenance, decode=decode)
        await service.generate_reference(LENA, prompt=PROMPT)
        (thumbnail,) = tmp_path.rglob("_thumbnail.webp")
        assert said(thumbnail.read_bytes()) == expected


async def test_a_thumbnail_is_labelled_where_its_image_takes_no_label(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("PIL")
    real = Labelling.edits

    def not_there(self: Labelling, *args: Any) -> Any:
        if self.kind.name == "JPEG":
            raise NotLabelled("its XMP cannot be read")
        return real(self, *args)

    monkeypatch.setattr(Labelling, "edits", not_there)
    world = await a_world(media=AsyncDiskMediaStore(tmp_path, thumbnail_px=32))
    await marking(world, "label", decode=True).generate_reference(LENA, prompt=PROMPT)
    (thumbnail,) = tmp_path.rglob("_thumbnail.webp")
    told = said(thumbnail.read_bytes())
    assert told is not None
    assert told.digital_source_type == TRAINED
