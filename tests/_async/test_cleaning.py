"""An image that is more than an image comes in as an image; its record says what was left out."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from charimg import (
    AsyncDownloader,
    CharacterImage,
    DownloadLimits,
    ErrorCode,
    ImageRejected,
    RetryPolicy,
)

from ..ingest.adorned import Adorned, adorned
from .world import LENA, URL, AsyncWorld

pytestmark = pytest.mark.anyio

OFF = RetryPolicy.off()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def downloader(simulator: Adorned, **limits: object) -> AsyncDownloader:
    client = httpx.AsyncClient(transport=simulator.transport())
    chosen = DownloadLimits(**limits)  # type: ignore[arg-type]
    return AsyncDownloader(client=client, retries=OFF, limits=chosen)


def adorned_world(**limits: object) -> AsyncWorld:
    simulator = Adorned(base_url=URL)
    return AsyncWorld(simulator, downloader=downloader(simulator, **limits))


async def reference(world: AsyncWorld) -> CharacterImage:
    await world.link()
    return (await world.service.generate_reference(LENA, prompt="one")).image


async def test_the_record_says_what_was_left_out() -> None:
    world = adorned_world()
    image = await reference(world)
    data = await world.bytes_of(image)
    assert b"svg" not in data
    assert not data.endswith(b"\n")
    assert image.metrics.sha256 == sha256(data)
    assert image.metrics.source_sha256 == sha256(adorned(data))
    text, trailer = image.metrics.cleaned
    assert text.endswith(" bytes)")
    assert " with markup or a script (" in text
    assert trailer == "trailer (2 bytes)"
    (listed,) = await world.images()
    assert listed.metrics == image.metrics
    await world.check()


async def test_of_an_image_alone_nothing_is_said() -> None:
    world = AsyncWorld()
    image = await reference(world)
    assert image.metrics.cleaned == ()
    assert image.metrics.source_sha256 == image.metrics.sha256


async def test_a_retry_obeys_a_changed_limit() -> None:
    world = adorned_world(foreign="refuse")
    with pytest.raises(ImageRejected, match=r'DownloadLimits\(foreign="clean"\)') as caught:
        await reference(world)
    assert caught.value.code == ErrorCode.NOT_AN_IMAGE
    failed = caught.value.image_id or ""
    with pytest.raises(ImageRejected):
        await world.service.retry_ingestion(LENA, failed)
    for limits, words in (
        ({"foreign": "clean", "max_pixels": 9}, "DownloadLimits.max_pixels"),
        ({"foreign": "clean", "formats": ["webp"]}, "DownloadLimits.formats"),
    ):
        again = world.assemble(downloader=downloader(world.simulator, **limits))  # type: ignore[arg-type]
        with pytest.raises(ImageRejected, match=words):
            await again.retry_ingestion(LENA, failed)
    again = world.assemble(downloader=downloader(world.simulator))  # type: ignore[arg-type]
    image = (await again.retry_ingestion(LENA, failed)).image
    assert image.status == "succeeded"
    assert len(image.metrics.cleaned) == 2
    assert world.counts == (1, 0, 0, 0)
    await world.check()


@pytest.mark.parametrize("stored", ["clean", "keep"])
@pytest.mark.parametrize("now", ["clean", "refuse", "keep"])
async def test_what_comes_back_is_what_was_stored(stored: str, now: str) -> None:
    world = adorned_world(foreign=stored)
    image = await reference(world)
    before = await world.bytes_of(image)
    assert (b"svg" in before) == (stored == "keep")
    world.stores.spoil(image.key, lambda _: None)
    service = world.assemble(downloader=downloader(world.simulator, foreign=now))  # type: ignore[arg-type]
    report = await service.verify(repair=True)
    assert [each.outcome for each in report.findings] == ["repaired"]
    assert await world.bytes_of(image) == before
    assert (await world.images())[0].metrics == image.metrics
    await world.check()
