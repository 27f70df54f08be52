# Generated from tests/_async/test_interrupted_removal.py by tools/unasync.py. Do not edit.
"""Removals that were cut off are carried out; what they must not touch stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from charimg import (
    CharacterImageService,
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


@pytest.mark.parametrize("nth", [1, 300, 510])
def test_delete_everything_over_several_pages_is_finished(
    nth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, simulator = rigged()
    monkeypatch.setattr("charimg._sync.removal._PAGE", world.many(500))
    world.service.generate_reference(LENA, prompt="one")
    for number in range(world.many(600)):
        world.record(key=f"k{number:04d}", kind="scene", status="failed", error="-")
    break_once(world.metadata, "delete", max(1, world.many(nth)))
    with pytest.raises(Crash):
        world.service.delete_all_images(LENA)
    report = world.service.recover()
    assert outcomes(report) == ["cleaned"]
    assert world.images() == []
    assert world.counts == (1, 1, 0, 0)
    assert simulator.reference_of(world.db_id) is None
    (operation, _) = world.operations()
    assert (operation.state, operation.remote_delete) == (OperationState.DONE, RemoteDelete.DONE)
    assert (world.service.recover()).operations == ()
    settled(world)


@pytest.mark.parametrize(
    ("port", "method", "nth"),
    [("metadata", "delete", 1), ("media", "delete", 1), ("ledger", "write", 3)],
)
@pytest.mark.parametrize("after", [False, True])
def test_deleting_the_master_is_finished_with_its_remote_delete(
    port: str, method: str, nth: int, after: bool
) -> None:
    world, simulator = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    break_once(getattr(world, port), method, nth, after=after)
    with pytest.raises(Crash):
        world.service.delete_image(LENA, image.id)
    assert world.counts == (1, 0, 0, 0)
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.images() == []
    assert world.counts == (1, 1, 0, 0)
    assert simulator.reference_of(world.db_id) is None
    assert (world.service.recover()).operations == ()
    settled(world)


def test_a_finished_removal_tells_why_the_remote_reference_was_left_alone() -> None:
    world, simulator = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    break_once(world.media, "delete")
    with pytest.raises(Crash):
        world.service.delete_image(LENA, image.id)
    other = simulator.set_reference(world.db_id)
    report = world.service.recover()
    assert outcomes(report) == ["cleaned"]
    assert "another master reference" in report.operations[0].message
    assert simulator.reference_of(world.db_id) == other
    assert world.counts == (1, 0, 0, 0)
    settled(world)


def test_a_removal_of_a_kept_image_is_finished_without_a_remote_delete() -> None:
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="one")
    scene = (world.service.generate_scene(LENA, "two")).image
    break_once(world.metadata, "delete", after=True)
    with pytest.raises(Crash):
        world.service.delete_image(LENA, scene.id)
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert prompts(world) == ["one"]
    assert world.counts == (1, 0, 0, 1)
    settled(world)


def test_another_master_than_the_deleted_one_is_left_alone() -> None:
    world, simulator = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    other = simulator.set_reference(world.db_id)
    result = world.service.delete_image(LENA, image.id)
    assert (result.removed, result.remote_deleted) == (1, False)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.NOT_MASTER
    assert simulator.reference_of(world.db_id) == other
    assert world.counts == (1, 0, 0, 0)
    settled(world)


@pytest.mark.parametrize("everything", [False, True])
def test_a_slug_in_place_of_the_id_is_a_warning(everything: bool) -> None:
    world, simulator = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    world.link(library_db_id="lena-marlow")
    if everything:
        result = world.service.delete_all_images(LENA)
    else:
        result = world.service.delete_image(LENA, image.id)
    assert (result.removed, result.remote_deleted) == (1, False)
    assert [warning.code for warning in result.warnings] == [ErrorCode.NOT_LINKED]
    assert world.images() == []
    assert simulator.reference_of(world.db_id) == image.external_id
    settled(world)


def test_delete_everything_takes_a_remote_reference_without_a_record_along() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    result = world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted, result.warnings) == (0, True, ())
    assert simulator.reference_of(world.db_id) is None
    assert world.counts == (0, 1, 0, 0)


@pytest.mark.parametrize("db_id", ["", "lena-marlow", None])
def test_delete_everything_survives_a_look_that_fails(db_id: str | None) -> None:
    world, simulator = rigged()
    world.record(key="k", kind="scene", status="failed", error="dark")
    if db_id == "":
        simulator.unheard.append(REFERENCE)
    else:
        world.link(library_db_id=db_id)
    result = world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted, result.warnings) == (1, None, ())
    assert world.images() == []
    assert world.counts == (0, 0, 0, 0)


def test_delete_everything_says_what_it_gives_up() -> None:
    world, simulator = rigged(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="one")
    job = abandoned(world)
    result = world.service.delete_all_images(LENA)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SUPERSEDED
    assert job.id in warning.message
    simulator.switches.job_seconds = 0
    assert (world.service.recover()).operations == ()
    assert world.images() == []
    settled(world)


def test_delete_everything_leaves_no_media_of_what_it_gives_up() -> None:
    world, simulator = rigged(concurrency=1)
    world.service.generate_reference(LENA, prompt="one")
    break_once(world.metadata, "add", 2)
    with pytest.raises(Crash):
        world.service.generate_portfolio(LENA)
    (portfolio, _) = world.operations()
    assert sorted(item.state for item in portfolio.items) == ["pending", "stored"]
    assert world.stores.keys() & {item.key for item in portfolio.items}
    simulator.switches.gallery_errors_after = 0
    result = world.service.delete_all_images(LENA)
    assert [warning.code for warning in result.warnings] == [ErrorCode.SUPERSEDED]
    assert world.stores.keys() == set()
    simulator.switches.gallery_errors_after = None
    assert (world.service.recover()).operations == ()
    assert world.images() == []
    settled(world)


def test_an_unknown_operation_stays_open_when_everything_goes() -> None:
    world, _ = rigged()
    lost = left_behind(world, kind="scene", state=OperationState.POSTING)
    world.service.delete_all_images(LENA)
    (_, operation) = world.operations()
    assert (operation.id, operation.state) == (lost.id, OperationState.UNKNOWN)


def test_a_retry_that_was_cut_off_leaves_no_media_behind_a_deletion() -> None:
    world, simulator = rigged()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt="one")
    image_id = caught.value.image_id or ""
    break_once(world.metadata, world.makes_good)
    with pytest.raises(Crash):
        world.service.retry_ingestion(LENA, image_id)
    assert world.stores.keys() != set()
    world.service.delete_image(LENA, image_id)
    assert world.images() == []
    assert world.stores.keys() == set()
    settled(world)
    assert world.images() == []


def test_media_of_a_failed_record_go_with_it() -> None:
    world, _ = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    # As a program that stores media by itself, or a crash in an earlier version, leaves it.
    world.metadata.delete(image.id)
    failed = world.record(key=image.key, kind="scene", status="failed", error="dark")
    world.service.delete_image(LENA, failed.id)
    assert world.stores.keys() == set()


def test_a_deleted_image_is_not_brought_back() -> None:
    world, _ = rigged()
    break_once(world.metadata, "add", after=True)
    with pytest.raises(Crash):
        world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    world.service.delete_image(LENA, image.id)
    assert (world.service.recover()).operations == ()
    assert world.images() == []
    assert world.stores.keys() == set()
    settled(world)


def everything(service: CharacterImageService) -> object:
    return service.delete_all_images(LENA)


def for_a_new_reference(service: CharacterImageService) -> object:
    return service.generate_reference(LENA, prompt="three")


@pytest.mark.parametrize("remove", [everything, for_a_new_reference])
@pytest.mark.parametrize(
    ("port", "method", "nth"),
    [("metadata", "delete", 2), ("media", "delete", 2), ("ledger", "write", 4)],
)
def test_what_a_store_broke_off_is_finished_with_its_remote_delete(
    port: str, method: str, nth: int, remove: Any
) -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_scene(LENA, "two")
    break_once(getattr(world, port), method, nth, error=StorageError)
    with pytest.raises(StorageError):
        remove(world.service)
    assert world.counts == (1, 0, 0, 1)
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.images() == []
    assert world.counts == (1, 1, 0, 1)
    # Nothing is drawn from what was deleted.
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_portfolio(LENA)
    assert caught.value.code == ErrorCode.NO_REFERENCE
    assert simulator.reference_of(world.db_id) is None
    settled(world)


def test_a_removal_that_removed_nothing_is_over() -> None:
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="one")
    break_once(world.metadata, "list", 2, error=StorageError)
    with pytest.raises(StorageError):
        world.service.delete_all_images(LENA)
    assert (world.service.recover()).operations == ()
    assert prompts(world) == ["one"]
    assert world.counts == (1, 0, 0, 0)


def test_the_remote_reference_stays_while_its_record_does() -> None:
    world, simulator = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    world.service.generate_scene(LENA, "two")
    refusal = Stubborn(world.metadata, "delete", refuses=lambda given: given == image.id)
    with pytest.raises(StorageError):
        world.service.generate_reference(LENA, prompt="three")
    assert outcomes(world.service.recover()) == ["error"]
    assert prompts(world) == ["one"]
    assert simulator.reference_of(world.db_id) == image.external_id
    refusal.relent()
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.images() == []
    assert world.counts == (1, 1, 0, 1)
    settled(world)


def test_a_remote_delete_that_is_due_is_sent_though_a_store_refuses_the_rest() -> None:
    world, simulator = rigged()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    scene = (world.service.generate_scene(LENA, "two")).image
    refusal = Stubborn(world.media, "delete", refuses=lambda given: given == scene.key)
    with pytest.raises(StorageError):
        world.service.delete_all_images(LENA)
    assert simulator.reference_of(world.db_id) == image.external_id
    result = world.service.generate_reference(LENA, prompt="three", policy="keep-history")
    assert {warning.code for warning in result.warnings} == {ErrorCode.UNFINISHED}
    assert world.counts == (2, 1, 0, 1)
    refusal.relent()
    assert outcomes(world.service.recover()) == ["cleaned"]
    # It was sent once, and what came after the removal stays.
    assert world.counts == (2, 1, 0, 1)
    assert prompts(world) == ["three"]
    assert simulator.reference_of(world.db_id) == result.image.external_id
    settled(world)


def test_a_later_master_is_not_what_a_resumed_removal_was_to_delete() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="one")
    break_once(world.media, "delete")
    with pytest.raises(Crash):
        world.service.delete_all_images(LENA)
    other = simulator.set_reference(world.db_id)
    report = world.service.recover()
    assert "another master reference" in report.operations[0].message
    assert simulator.reference_of(world.db_id) == other
    assert world.counts == (1, 0, 0, 0)
    settled(world)


def test_one_that_is_refused_does_not_keep_everything_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _ = rigged()
    monkeypatch.setattr("charimg._sync.removal._PAGE", 2)
    world.service.generate_reference(LENA, prompt="one")
    for number in range(4):
        world.record(key=f"k{number:04d}", kind="scene", status="failed", error="-")
    newest = (world.images())[0]
    refusal = Stubborn(world.metadata, "delete", refuses=lambda given: given == newest.id)
    with pytest.raises(StorageError):
        world.service.delete_all_images(LENA)
    assert [image.key for image in world.images()] == [newest.key]
    refusal.relent()
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.stores.keys() == set()
    assert world.counts == (1, 1, 0, 0)
    settled(world)


def test_what_was_received_after_a_removal_is_not_given_up_by_it() -> None:
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="one")
    left_behind(world, kind="delete", options={"all": True})
    item = OperationItem(key="later", index=0, prompt="later")
    left_behind(
        world,
        id="f" * 32,
        kind="scene",
        state=OperationState.RECEIVED,
        items=(item,),
        created_at=utcnow() + timedelta(seconds=1),
    )
    # The newest is looked at first, so a store keeps it open while the removal ends.
    refusal = Stubborn(world.media, "get")
    assert outcomes(world.service.recover()) == ["cleaned", "error"]
    refusal.relent()
    assert outcomes(world.service.recover()) == ["completed"]
    assert [image.key for image in world.images()] == ["later"]
