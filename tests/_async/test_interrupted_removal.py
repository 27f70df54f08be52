"""Removals that were cut off are carried out; what they must not touch stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from charimg import (
    AsyncCharacterImageService,
    CharacterLibraryError,
    ErrorCode,
    IngestionError,
    OperationItem,
    OperationState,
    RemoteDelete,
    StorageError,
)
from charimg.models import utcnow

from .mishaps import (
    PATIENT,
    REFERENCE,
    Crash,
    Stubborn,
    abandoned,
    break_once,
    left_behind,
    outcomes,
    prompts,
    rigged,
    settled,
)
from .world import LENA

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("nth", [1, 300, 510])
async def test_delete_everything_over_several_pages_is_finished(
    nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, simulator = await rigged()
    monkeypatch.setattr("charimg._async.removal._PAGE", world.many(500))
    await world.service.generate_reference(LENA, prompt="one")
    for number in range(world.many(600)):
        await world.record(key=f"k{number:04d}", kind="scene", status="failed", error="-")
    break_once(world.metadata, "delete", max(1, world.many(nth)))
    with pytest.raises(Crash):
        await world.service.delete_all_images(LENA)
    report = await world.service.recover()
    assert outcomes(report) == ["cleaned"]
    assert await world.images() == []
    assert world.counts == (1, 1, 0, 0)
    assert simulator.reference_of(world.db_id) is None
    (operation, _) = await world.operations()
    assert (operation.state, operation.remote_delete) == (OperationState.DONE, RemoteDelete.DONE)
    assert (await world.service.recover()).operations == ()
    await settled(world)


@pytest.mark.parametrize(
    ("port", "method", "nth"),
    [("metadata", "delete", 1), ("media", "delete", 1), ("ledger", "write", 3)],
)
@pytest.mark.parametrize("after", [False, True])
async def test_deleting_the_master_is_finished_with_its_remote_delete(
    port: str, method: str, nth: int, after: bool
) -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    break_once(getattr(world, port), method, nth, after=after)
    with pytest.raises(Crash):
        await world.service.delete_image(LENA, image.id)
    assert world.counts == (1, 0, 0, 0)
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert await world.images() == []
    assert world.counts == (1, 1, 0, 0)
    assert simulator.reference_of(world.db_id) is None
    assert (await world.service.recover()).operations == ()
    await settled(world)


async def test_a_finished_removal_tells_why_the_remote_reference_was_left_alone() -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    break_once(world.media, "delete")
    with pytest.raises(Crash):
        await world.service.delete_image(LENA, image.id)
    other = simulator.set_reference(world.db_id)
    report = await world.service.recover()
    assert outcomes(report) == ["cleaned"]
    assert "another master reference" in report.operations[0].message
    assert simulator.reference_of(world.db_id) == other
    assert world.counts == (1, 0, 0, 0)
    await settled(world)


async def test_a_removal_of_a_kept_image_is_finished_without_a_remote_delete() -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    scene = (await world.service.generate_scene(LENA, "two")).image
    break_once(world.metadata, "delete", after=True)
    with pytest.raises(Crash):
        await world.service.delete_image(LENA, scene.id)
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert await prompts(world) == ["one"]
    assert world.counts == (1, 0, 0, 1)
    await settled(world)


async def test_another_master_than_the_deleted_one_is_left_alone() -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    other = simulator.set_reference(world.db_id)
    result = await world.service.delete_image(LENA, image.id)
    assert (result.removed, result.remote_deleted) == (1, False)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.NOT_MASTER
    assert simulator.reference_of(world.db_id) == other
    assert world.counts == (1, 0, 0, 0)
    await settled(world)


@pytest.mark.parametrize("everything", [False, True])
async def test_a_slug_in_place_of_the_id_is_a_warning(everything: bool) -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    await world.link(library_db_id="lena-marlow")
    if everything:
        result = await world.service.delete_all_images(LENA)
    else:
        result = await world.service.delete_image(LENA, image.id)
    assert (result.removed, result.remote_deleted) == (1, False)
    assert [warning.code for warning in result.warnings] == [ErrorCode.NOT_LINKED]
    assert await world.images() == []
    assert simulator.reference_of(world.db_id) == image.external_id
    await settled(world)


async def test_delete_everything_takes_a_remote_reference_without_a_record_along() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    result = await world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted, result.warnings) == (0, True, ())
    assert simulator.reference_of(world.db_id) is None
    assert world.counts == (0, 1, 0, 0)


@pytest.mark.parametrize("db_id", ["", "lena-marlow", None])
async def test_delete_everything_survives_a_look_that_fails(db_id: str | None) -> None:
    world, simulator = await rigged()
    await world.record(key="k", kind="scene", status="failed", error="dark")
    if db_id == "":
        simulator.unheard.append(REFERENCE)
    else:
        await world.link(library_db_id=db_id)
    result = await world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted, result.warnings) == (1, None, ())
    assert await world.images() == []
    assert world.counts == (0, 0, 0, 0)


async def test_delete_everything_says_what_it_gives_up() -> None:
    world, simulator = await rigged(job_policy=PATIENT)
    await world.service.generate_reference(LENA, prompt="one")
    job = await abandoned(world)
    result = await world.service.delete_all_images(LENA)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SUPERSEDED
    assert job.id in warning.message
    simulator.switches.job_seconds = 0
    assert (await world.service.recover()).operations == ()
    assert await world.images() == []
    await settled(world)


async def test_delete_everything_leaves_no_media_of_what_it_gives_up() -> None:
    world, simulator = await rigged(concurrency=1)
    await world.service.generate_reference(LENA, prompt="one")
    break_once(world.metadata, "add", 2)
    with pytest.raises(Crash):
        await world.service.generate_portfolio(LENA)
    (portfolio, _) = await world.operations()
    assert sorted(item.state for item in portfolio.items) == ["pending", "stored"]
    assert world.stores.keys() & {item.key for item in portfolio.items}
    simulator.switches.gallery_errors_after = 0
    result = await world.service.delete_all_images(LENA)
    assert [warning.code for warning in result.warnings] == [ErrorCode.SUPERSEDED]
    assert world.stores.keys() == set()
    simulator.switches.gallery_errors_after = None
    assert (await world.service.recover()).operations == ()
    assert await world.images() == []
    await settled(world)


async def test_an_unknown_operation_stays_open_when_everything_goes() -> None:
    world, _ = await rigged()
    lost = await left_behind(world, kind="scene", state=OperationState.POSTING)
    await world.service.delete_all_images(LENA)
    (_, operation) = await world.operations()
    assert (operation.id, operation.state) == (lost.id, OperationState.UNKNOWN)


async def test_a_retry_that_was_cut_off_leaves_no_media_behind_a_deletion() -> None:
    world, simulator = await rigged()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_reference(LENA, prompt="one")
    image_id = caught.value.image_id or ""
    break_once(world.metadata, world.makes_good)
    with pytest.raises(Crash):
        await world.service.retry_ingestion(LENA, image_id)
    assert world.stores.keys() != set()
    await world.service.delete_image(LENA, image_id)
    assert await world.images() == []
    assert world.stores.keys() == set()
    await settled(world)
    assert await world.images() == []


async def test_media_of_a_failed_record_go_with_it() -> None:
    world, _ = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    # As a program that stores media by itself, or a crash in an earlier version, leaves it.
    await world.metadata.delete(image.id)
    failed = await world.record(key=image.key, kind="scene", status="failed", error="dark")
    await world.service.delete_image(LENA, failed.id)
    assert world.stores.keys() == set()


async def test_a_deleted_image_is_not_brought_back() -> None:
    world, _ = await rigged()
    break_once(world.metadata, "add", after=True)
    with pytest.raises(Crash):
        await world.service.generate_reference(LENA, prompt="one")
    (image,) = await world.images()
    await world.service.delete_image(LENA, image.id)
    assert (await world.service.recover()).operations == ()
    assert await world.images() == []
    assert world.stores.keys() == set()
    await settled(world)


async def everything(service: AsyncCharacterImageService) -> object:
    return await service.delete_all_images(LENA)


async def for_a_new_reference(service: AsyncCharacterImageService) -> object:
    return await service.generate_reference(LENA, prompt="three")


@pytest.mark.parametrize("remove", [everything, for_a_new_reference])
@pytest.mark.parametrize(
    ("port", "method", "nth"),
    [("metadata", "delete", 2), ("media", "delete", 2), ("ledger", "write", 4)],
)
async def test_what_a_store_broke_off_is_finished_with_its_remote_delete(
    port: str, method: str, nth: int, remove: Any
) -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_scene(LENA, "two")
    break_once(getattr(world, port), method, nth, error=StorageError)
    with pytest.raises(StorageError):
        await remove(world.service)
    assert world.counts == (1, 0, 0, 1)
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert await world.images() == []
    assert world.counts == (1, 1, 0, 1)
    # Nothing is drawn from what was deleted.
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.NO_REFERENCE
    assert simulator.reference_of(world.db_id) is None
    await settled(world)


async def test_a_removal_that_removed_nothing_is_over() -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    break_once(world.metadata, "list", 2, error=StorageError)
    with pytest.raises(StorageError):
        await world.service.delete_all_images(LENA)
    assert (await world.service.recover()).operations == ()
    assert await prompts(world) == ["one"]
    assert world.counts == (1, 0, 0, 0)


async def test_the_remote_reference_stays_while_its_record_does() -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    await world.service.generate_scene(LENA, "two")
    refusal = Stubborn(world.metadata, "delete", refuses=lambda given: given == image.id)
    with pytest.raises(StorageError):
        await world.service.generate_reference(LENA, prompt="three")
    assert outcomes(await world.service.recover()) == ["error"]
    assert await prompts(world) == ["one"]
    assert simulator.reference_of(world.db_id) == image.external_id
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert await world.images() == []
    assert world.counts == (1, 1, 0, 1)
    await settled(world)


async def test_a_remote_delete_that_is_due_is_sent_though_a_store_refuses_the_rest() -> None:
    world, simulator = await rigged()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    scene = (await world.service.generate_scene(LENA, "two")).image
    refusal = Stubborn(world.media, "delete", refuses=lambda given: given == scene.key)
    with pytest.raises(StorageError):
        await world.service.delete_all_images(LENA)
    assert simulator.reference_of(world.db_id) == image.external_id
    result = await world.service.generate_reference(LENA, prompt="three", policy="keep-history")
    assert {warning.code for warning in result.warnings} == {ErrorCode.UNFINISHED}
    assert world.counts == (2, 1, 0, 1)
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["cleaned"]
    # It was sent once, and what came after the removal stays.
    assert world.counts == (2, 1, 0, 1)
    assert await prompts(world) == ["three"]
    assert simulator.reference_of(world.db_id) == result.image.external_id
    await settled(world)


async def test_a_later_master_is_not_what_a_resumed_removal_was_to_delete() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    break_once(world.media, "delete")
    with pytest.raises(Crash):
        await world.service.delete_all_images(LENA)
    other = simulator.set_reference(world.db_id)
    report = await world.service.recover()
    assert "another master reference" in report.operations[0].message
    assert simulator.reference_of(world.db_id) == other
    assert world.counts == (1, 0, 0, 0)
    await settled(world)


async def test_one_that_is_refused_does_not_keep_everything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _ = await rigged()
    monkeypatch.setattr("charimg._async.removal._PAGE", 2)
    await world.service.generate_reference(LENA, prompt="one")
    for number in range(4):
        await world.record(key=f"k{number:04d}", kind="scene", status="failed", error="-")
    newest = (await world.images())[0]
    refusal = Stubborn(world.metadata, "delete", refuses=lambda given: given == newest.id)
    with pytest.raises(StorageError):
        await world.service.delete_all_images(LENA)
    assert [image.key for image in await world.images()] == [newest.key]
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["cleaned"]
    assert world.stores.keys() == set()
    assert world.counts == (1, 1, 0, 0)
    await settled(world)


async def test_what_was_received_after_a_removal_is_not_given_up_by_it() -> None:
    world, _ = await rigged()
    await world.service.generate_reference(LENA, prompt="one")
    await left_behind(world, kind="delete", options={"all": True})
    item = OperationItem(key="later", index=0, prompt="later")
    await left_behind(
        world,
        id="f" * 32,
        kind="scene",
        state=OperationState.RECEIVED,
        items=(item,),
        created_at=utcnow() + timedelta(seconds=1),
    )
    # The newest is looked at first, so a store keeps it open while the removal ends.
    refusal = Stubborn(world.media, "get")
    assert outcomes(await world.service.recover()) == ["cleaned", "error"]
    refusal.relent()
    assert outcomes(await world.service.recover()) == ["completed"]
    assert [image.key for image in await world.images()] == ["later"]
