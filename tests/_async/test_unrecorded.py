"""Failed images where a record cannot stand without media: the ledger lists and retries them."""

from __future__ import annotations

import pytest

from charimg import (
    CharacterImage,
    ImageMismatch,
    ImageNotFound,
    IngestionError,
    InvalidArgument,
    OperationPage,
    OperationState,
    ReferencePolicy,
)

from .mishaps import Crash, Rigged, break_once, outcomes, rigged, settled
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def picky() -> tuple[AsyncWorld, Rigged]:
    """Return a world whose repository keeps no record without media, with a reference."""
    world, simulator = await rigged()
    if not world.metadata.requires_media:
        world.metadata.requires_media = True
    await world.service.generate_reference(LENA, prompt="one")
    return world, simulator


async def failures(world: AsyncWorld, **options: str) -> list[CharacterImage]:
    page = await world.service.list_images(LENA, status="failed", **options)
    assert page.total == len(page.images)
    return list(page.images)


async def lost(world: AsyncWorld, simulator: Rigged, count: int = 1) -> list[CharacterImage]:
    """Draw a set of which some images do not come in; return these."""
    simulator.switches.file_errors = count
    return list((await world.service.generate_portfolio(LENA)).failures)


async def test_failed_shots_are_listed_and_retried() -> None:
    world, simulator = await picky()
    (failed,) = await lost(world, simulator)
    (listed,) = await failures(world)
    assert (listed.id, listed.kind, listed.status) == (failed.id, "portfolioItem", "failed")
    assert (listed.prompt, listed.source_url) == (failed.prompt, failed.source_url)
    assert listed.error
    assert listed.metrics.shot == failed.metrics.shot
    assert await world.service.get_image(LENA, failed.id) == listed
    assert failed.id not in {image.id async for image in world.service.iter_images(LENA)}

    image = (await world.service.retry_ingestion(LENA, failed.id)).image
    assert (image.key, image.status, image.kind) == (failed.key, "succeeded", "portfolioItem")
    assert image.metrics.shot == failed.metrics.shot
    assert await failures(world) == []
    assert image.id in {each.id async for each in world.service.iter_images(LENA)}
    await settled(world)


async def test_a_retry_may_fail_again() -> None:
    world, simulator = await picky()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_scene(LENA, "On a roof.")
    (failed,) = await failures(world)
    assert (failed.kind, failed.prompt) == ("scene", "On a roof.")
    assert caught.value.image_id == failed.id
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as again:
        await world.service.retry_ingestion(LENA, failed.id)
    assert again.value.image_id == failed.id
    assert await failures(world) == [failed]
    image = (await world.service.retry_ingestion(LENA, failed.id)).image
    assert (image.key, image.status) == (failed.key, "succeeded")
    await settled(world)


async def test_pages_and_kinds() -> None:
    world, simulator = await picky()
    expected = sorted((image.id for image in await lost(world, simulator, 2)), reverse=True)
    assert [image.id for image in await failures(world, kind="portfolioItem")] == expected
    assert await failures(world, kind="scene") == []
    one = await world.service.list_images(LENA, status="failed", limit=1)
    assert one.next_cursor is not None
    two = await world.service.list_images(LENA, status="failed", cursor=one.next_cursor)
    assert [image.id for image in (*one.images, *two.images)] == expected
    assert (one.total, two.total, two.next_cursor) == (2, 2, None)
    for options in ({"limit": 0}, {"limit": 1_001}, {"cursor": "foreign"}):
        with pytest.raises(InvalidArgument):
            await world.service.list_images(LENA, status="failed", **options)  # type: ignore[arg-type]


async def test_what_nobody_knows_is_not_found() -> None:
    world, simulator = await picky()
    (failed,) = await lost(world, simulator)
    for unknown in ("nothing", f"{'0' * 32}-000", f"{failed.id}9"):
        with pytest.raises(ImageNotFound):
            await world.service.get_image(LENA, unknown)
    with pytest.raises(ImageMismatch):
        await world.service.get_image("somebody-else", failed.id)


async def test_the_whole_ledger_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    world, simulator = await picky()
    (failed,) = await lost(world, simulator)
    await world.service.generate_scene(LENA, "On a roof.")
    read = world.ledger.list

    async def one_by_one(character_id: str, /, *, limit: int, cursor: str | None) -> OperationPage:
        assert limit > 1
        return await read(character_id, limit=1, cursor=cursor)

    monkeypatch.setattr(world.ledger, "list", one_by_one)
    assert [image.id for image in await failures(world)] == [failed.id]
    # A character without a reference has no operation that removed everything.
    monkeypatch.undo()
    assert (await world.service.list_images("nobody", status="failed")).total == 0


async def test_removing_everything_removes_them() -> None:
    world, simulator = await picky()
    await lost(world, simulator)
    await world.service.delete_all_images(LENA)
    assert await failures(world) == []
    await world.service.generate_reference(LENA, prompt="two")
    await lost(world, simulator)
    await world.service.generate_reference(LENA, prompt="three")
    assert await failures(world) == []


async def test_a_kept_history_keeps_them() -> None:
    world, simulator = await picky()
    (failed,) = await lost(world, simulator)
    await world.service.generate_reference(LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY)
    assert [image.id for image in await failures(world)] == [failed.id]
    await world.service.generate_reference(
        LENA, prompt="three", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
    )
    assert await failures(world) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("port", ["media", "metadata"])
async def test_an_interrupted_retry_is_finished(port: str, after: bool) -> None:
    world, simulator = await picky()
    (failed,) = await lost(world, simulator)
    store, method = (world.media, "save") if port == "media" else (world.metadata, "add")
    break_once(store, method, after=after)
    with pytest.raises(Crash):
        await world.service.retry_ingestion(LENA, failed.id)
    assert outcomes(await world.service.recover()) == ["completed"]
    assert await failures(world) == []
    (image,) = [each for each in await world.images() if each.key == failed.key]
    assert (image.status, image.kind) == ("succeeded", "portfolioItem")
    assert all(each.state == OperationState.DONE for each in await world.operations())
    await settled(world)
