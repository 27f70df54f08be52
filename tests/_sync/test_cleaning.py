# Generated from tests/_async/test_cleaning.py by tools/unasync.py. Do not edit.
"""An image that is more than an image comes in as an image; its record says what was left out."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from charimg import (
    CharacterImage,
    Downloader,
    DownloadLimits,
    ErrorCode,
    ImageRejected,
    RetryPolicy,
)

from ..ingest.adorned import Adorned, adorned
from .world import LENA, URL, World

OFF = RetryPolicy.off()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def downloader(simulator: Adorned, **limits: object) -> Downloader:
    client = httpx.Client(transport=simulator.transport())
    chosen = DownloadLimits(**limits)  # type: ignore[arg-type]
    return Downloader(client=client, retries=OFF, limits=chosen)


def adorned_world(**limits: object) -> World:
    simulator = Adorned(base_url=URL)
    return World(simulator, downloader=downloader(simulator, **limits))


def reference(world: World) -> CharacterImage:
    world.link()
    return (world.service.generate_reference(LENA, prompt="one")).image


def test_the_record_says_what_was_left_out() -> None:
    world = adorned_world()
    image = reference(world)
    data = world.bytes_of(image)
    assert b"svg" not in data
    assert not data.endswith(b"\n")
    assert image.metrics.sha256 == sha256(data)
    assert image.metrics.source_sha256 == sha256(adorned(data))
    text, trailer = image.metrics.cleaned
    assert text.endswith(" bytes)")
    assert " with markup or a script (" in text
    assert trailer == "trailer (2 bytes)"
    (listed,) = world.images()
    assert listed.metrics == image.metrics
    world.check()


def test_of_an_image_alone_nothing_is_said() -> None:
    world = World()
    image = reference(world)
    assert image.metrics.cleaned == ()
    assert image.metrics.source_sha256 == image.metrics.sha256


def test_a_retry_obeys_a_changed_limit() -> None:
    world = adorned_world(foreign="refuse")
    with pytest.raises(ImageRejected, match=r'DownloadLimits\(foreign="clean"\)') as caught:
        reference(world)
    assert caught.value.code == ErrorCode.NOT_AN_IMAGE
    failed = caught.value.image_id or ""
    with pytest.raises(ImageRejected):
        world.service.retry_ingestion(LENA, failed)
    for limits, words in (
        ({"foreign": "clean", "max_pixels": 9}, "DownloadLimits.max_pixels"),
        ({"foreign": "clean", "formats": ["webp"]}, "DownloadLimits.formats"),
    ):
        again = world.assemble(downloader=downloader(world.simulator, **limits))  # type: ignore[arg-type]
        with pytest.raises(ImageRejected, match=words):
            again.retry_ingestion(LENA, failed)
    again = world.assemble(downloader=downloader(world.simulator))  # type: ignore[arg-type]
    image = (again.retry_ingestion(LENA, failed)).image
    assert image.status == "succeeded"
    assert len(image.metrics.cleaned) == 2
    assert world.counts == (1, 0, 0, 0)
    world.check()


@pytest.mark.parametrize("stored", ["clean", "keep"])
@pytest.mark.parametrize("now", ["clean", "refuse", "keep"])
def test_what_comes_back_is_what_was_stored(stored: str, now: str) -> None:
    world = adorned_world(foreign=stored)
    image = reference(world)
    before = world.bytes_of(image)
    assert (b"svg" in before) == (stored == "keep")
    world.stores.spoil(image.key, lambda _: None)
    service = world.assemble(downloader=downloader(world.simulator, foreign=now))  # type: ignore[arg-type]
    report = service.verify(repair=True)
    assert [each.outcome for each in report.findings] == ["repaired"]
    assert world.bytes_of(image) == before
    assert (world.images())[0].metrics == image.metrics
    world.check()
