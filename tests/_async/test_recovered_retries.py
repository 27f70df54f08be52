"""Recovery finishes retries that were cut off."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg import CharacterImage, IngestionError, ItemState, OperationItem, OperationState

from .mishaps import Crash, break_once, left_behind, outcomes, ready, settled
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def test_a_retry_that_was_cut_off_is_finished() -> None:
    world = await ready()
    media = world.simulator.set_reference(world.db_id)
    failed = await world.record(
        key="k",
        kind="reference",
        status="failed",
        error="-",
        external_id=media,
    )
    item = OperationItem(key="k", index=0, external_id=media)
    await left_behind(
        world,
        kind="retry",
        state=OperationState.RECEIVED,
        items=(item,),
        options={"image_id": failed.id},
    )
    assert outcomes(await world.service.recover()) == ["completed"]
    (image,) = await world.images()
    assert (image.id, image.status) == (failed.id, "succeeded")
    await settled(world)


@pytest.mark.parametrize("gone", [True, False])
async def test_a_retry_of_what_is_gone_or_good_is_over(gone: bool) -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    (image,) = await world.images()
    if gone:
        await world.service.delete_image(LENA, image.id)
    await left_behind(
        world,
        id="f" * 32,
        kind="retry",
        state=OperationState.RECEIVED,
        items=(OperationItem(key=image.key, index=0, external_id=image.external_id),),
        options={"image_id": image.id},
    )
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert report.operations[0].images == ()
    await settled(world)


async def refused(world: AsyncWorld, **options: Any) -> CharacterImage:
    """Generate a reference whose file does not come in; return its failed record."""
    world.simulator.switches.html_files = 1
    with pytest.raises(IngestionError):
        await world.service.generate_reference(LENA, prompt="refused", **options)
    return (await world.images())[0]


async def interrupted_retry(world: AsyncWorld, failed: CharacterImage, *, recorded: bool) -> None:
    """Retry, and lose the process when the file is stored, or when the record is made good."""
    break_once(world.metadata, world.makes_good, after=recorded)
    with pytest.raises(Crash):
        await world.service.retry_ingestion(LENA, failed.id)


async def test_a_failed_record_is_made_good_when_recovery_gets_the_file() -> None:
    # The process died when the failed record stood, and its operation did not know of it yet.
    world = await ready()
    failed = await refused(world)
    (operation,) = await world.operations()
    items = tuple(
        evolve(item, state=ItemState.PENDING, image_id=None, error=None) for item in operation.items
    )
    await left_behind(
        world, id=operation.id, state=OperationState.RECEIVED, prompt="refused", items=items
    )
    assert outcomes(await world.service.recover()) == ["completed"]
    (image,) = await world.images()
    assert world.identity(image) == world.identity(failed)
    assert (image.status, image.error) == ("succeeded", None)
    await settled(world)


async def test_an_interrupted_retry_still_removes_what_the_reference_replaces() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    failed = await refused(world, policy="delete-after-success")
    await interrupted_retry(world, failed, recorded=True)
    assert outcomes(await world.service.recover()) == ["completed"]
    assert [image.prompt for image in await world.images()] == ["refused"]
    await settled(world)


async def test_the_file_of_an_interrupted_retry_goes_with_its_record() -> None:
    world = await ready()
    failed = await refused(world)
    await interrupted_retry(world, failed, recorded=False)
    assert world.stores.keys() == {failed.key}
    await world.service.delete_image(LENA, failed.id)
    assert world.stores.keys() == set()
    assert await world.images() == []
    await settled(world)


async def test_the_file_of_an_interrupted_retry_goes_with_a_record_that_a_host_removed() -> None:
    world = await ready()
    failed = await refused(world)
    await interrupted_retry(world, failed, recorded=False)
    await world.metadata.delete(failed.id)
    assert outcomes(await world.service.recover()) == ["completed"]
    await settled(world)
