"""What a store refuses for ever is kept, and stands in the way of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import (
    AsyncCharacterImageService,
    ErrorCode,
    IngestionError,
    LeaseLost,
    OperationState,
    ReferencePolicy,
    StorageError,
)

from .mishaps import Crash, Stubborn, left_behind, outcomes, prompts, ready, rigged, settled
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio

KEEP = ReferencePolicy.KEEP_HISTORY


def stubborn(world: AsyncWorld, port: str, end: str, **options: Any) -> Stubborn:
    """Have records or files be refused whose keys end so."""
    names = ("add", "add_many", "update") if port == "metadata" else ("save",)
    return Stubborn(
        getattr(world, port), *names, refuses=lambda each: each.key.endswith(end), **options
    )


async def reference(service: AsyncCharacterImageService) -> Any:
    return await service.generate_reference(LENA, prompt="refused", policy=KEEP)


async def scene(service: AsyncCharacterImageService) -> Any:
    return await service.generate_scene(LENA, "refused")


async def portfolio(service: AsyncCharacterImageService) -> Any:
    return await service.generate_portfolio(LENA)


async def begun() -> tuple[AsyncWorld, str, str]:
    """Return a world with a reference, and a scene that did not come in, with both their ids."""
    world, simulator = await rigged()
    first = (await world.service.generate_reference(LENA, prompt="one")).image.id
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_scene(LENA, "another scene")
    return world, first, caught.value.image_id or ""


async def every_other_operation(world: AsyncWorld, first: str, failed: str) -> list[Any]:
    """Do everything that can be done with a character; return what each result warns of."""
    service = world.service
    results: list[Any] = [
        await service.generate_scene(LENA, "a scene"),
        await service.generate_portfolio(LENA, reference_id=first),
        await service.generate_reference(LENA, prompt="a reference", policy=KEEP),
    ]
    await service.restore_reference(LENA, first)
    results.append(await service.retry_ingestion(LENA, failed))
    results.append(await service.delete_image(LENA, results[0].image.id))
    return [[warning.code for warning in each.warnings] for each in results]


@pytest.mark.parametrize("error", [StorageError, OSError])
@pytest.mark.parametrize("port", ["metadata", "media"])
@pytest.mark.parametrize("work", [reference, scene, portfolio])
async def test_an_image_that_is_refused_for_ever_stands_in_the_way_of_nothing(
    work: Any, port: str, error: type[Exception]
) -> None:
    world, *made = await begun()
    # The image of this operation alone: the others' keys begin otherwise.
    refusal = stubborn(world, port, "-000", error=error)
    with pytest.raises(error) as caught:
        await work(world.service)
    assert error is not StorageError or caught.value.recoverable
    key = (await world.operations())[0].items[0].key
    refusal.relent()
    refusal = stubborn(world, port, key, error=error)
    for codes in await every_other_operation(world, *made):
        assert ErrorCode.UNFINISHED in codes
    assert refusal.asked > 5, "it was tried again each time"
    assert outcomes(await world.service.recover()) == ["error"]
    assert world.counts[0] == 2 + (work is reference)

    refusal.relent()
    before = {image.key for image in await world.images()}
    assert outcomes(await world.service.recover()) == ["completed"]
    assert {image.key for image in await world.images()} - before == {key}
    await settled(world)


@pytest.mark.parametrize("port", ["metadata", "media"])
async def test_one_image_of_a_set_does_not_keep_the_others_from_coming_in(port: str) -> None:
    world, simulator = await rigged()
    simulator.switches.shots = 5
    await world.service.generate_reference(LENA, prompt="one")
    refusal = stubborn(world, port, "-000")
    with pytest.raises(StorageError):
        await world.service.generate_portfolio(LENA)
    assert len(await world.images()) == 1 + 4
    assert outcomes(await world.service.recover()) == ["error"]
    assert world.counts == (1, 0, 1, 0)
    refusal.relent()
    await world.service.recover()
    assert len(await world.images()) == 1 + 5
    await settled(world)


async def test_neither_does_one_that_was_stored_before_a_crash_or_was_never_drawn() -> None:
    world, simulator = await rigged(concurrency=1)
    simulator.switches.shots = 4
    simulator.switches.failing_shots = 1
    await world.service.generate_reference(LENA, prompt="one")
    refusal = stubborn(world, "metadata", "-000")
    # The server lists what it could not draw last.
    undrawn = stubborn(world, "metadata", "-003")
    crash = stubborn(world, "metadata", "-001", error=Crash)
    with pytest.raises(Crash):
        await world.service.generate_portfolio(LENA)
    crash.relent()
    unread = Stubborn(world.media, "get", refuses=lambda key: key.endswith("-001"))
    assert outcomes(await world.service.recover()) == ["error"]
    (operation, _) = await world.operations()
    assert [item.state for item in operation.items] == ["pending", "pending", "stored", "failed"]
    unread.relent()
    undrawn.relent()
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == 1 + 4
    await settled(world)


async def test_a_store_that_hangs_is_not_asked_for_each_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charimg._async.sparing._PATIENCE", 0.0)
    # Two records that come at once would be written together.
    world, _ = await rigged(concurrency=1)
    await world.service.generate_reference(LENA, prompt="one")
    refusal = Stubborn(world.metadata, "add")
    with pytest.raises(StorageError):
        await world.service.generate_portfolio(LENA)
    assert refusal.asked == 1
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["completed"]
    await settled(world)


async def test_a_lease_that_is_lost_ends_everything() -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    refusal = Stubborn(world.metadata, "add", error=LeaseLost)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            await world.service.generate_scene(LENA, "two")
    assert world.counts == (1, 0, 0, 1)
    assert refusal.asked == 2
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["completed"]
    await settled(world)


@pytest.mark.parametrize(("port", "name"), [("metadata", "delete"), ("media", "delete")])
async def test_an_image_that_cannot_be_deleted_stands_in_the_way_of_nothing(
    port: str, name: str
) -> None:
    world, *made = await begun()
    doomed = (await world.service.generate_scene(LENA, "two")).image
    given = doomed.id if port == "metadata" else doomed.key
    refusal = Stubborn(getattr(world, port), name, refuses=lambda each: each == given)
    with pytest.raises(StorageError):
        await world.service.delete_image(LENA, doomed.id)
    for codes in await every_other_operation(world, *made):
        assert codes == [ErrorCode.UNFINISHED]
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert "two" not in await prompts(world)
    await settled(world)


async def test_what_may_have_been_drawn_and_cannot_be_looked_for_is_waited_for() -> None:
    world = await ready()
    await left_behind(world, kind="scene", state=OperationState.POSTING)

    async def broken(*_: object, **__: object) -> None:
        raise StorageError("The ledger cannot be read.")

    world.ledger.list = broken
    with pytest.raises(StorageError, match="cannot be read"):
        await world.service.generate_scene(LENA, "two")
    assert world.counts == (0, 0, 0, 0)


async def test_everything_is_deleted_though_one_image_was_refused() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    refusal = stubborn(world, "metadata", "-000")
    with pytest.raises(StorageError):
        await world.service.generate_scene(LENA, "two")
    result = await world.service.delete_all_images(LENA)
    assert {warning.code for warning in result.warnings} == {
        ErrorCode.UNFINISHED,
        ErrorCode.SUPERSEDED,
    }
    assert await world.images() == []
    assert world.stores.keys() == set()
    refusal.relent()
    assert (await world.service.recover()).operations == ()
    assert simulator.reference_of(world.db_id) is None


async def test_a_store_that_hangs_is_not_asked_for_each_image_to_delete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_scene(LENA, "two")
    monkeypatch.setattr("charimg._async.sparing._PATIENCE", 0.0)
    refusal = Stubborn(world.metadata, "delete")
    with pytest.raises(StorageError):
        await world.service.delete_all_images(LENA)
    assert refusal.asked == 1
    # Whoever has lost the lease sends nothing more, either.
    refusal.relent()
    lost = Stubborn(world.metadata, "delete", error=LeaseLost)
    assert outcomes(await world.service.recover()) == ["error"]
    assert world.counts == (1, 0, 0, 1)
    lost.relent()
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert world.counts == (1, 1, 0, 1)
    await settled(world)
