# Generated from tests/_async/test_recovered_removals.py by tools/unasync.py. Do not edit.
"""Recovery finishes removals, and brings nothing back that was removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from attrs import evolve

from charimg import (
    Doomed,
    ItemState,
    OperationItem,
    OperationState,
    RemoteDelete,
)
from charimg.models import utcnow

from .mishaps import PATIENT, abandoned, left_behind, outcomes, ready, settled
from .world import LENA


def test_delete_after_success_is_finished() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    media = world.simulator.set_reference(world.db_id)
    item = OperationItem(key="f" * 32 + "-000", index=0, prompt="two", external_id=media)
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.RECEIVED,
        items=(item,),
        options={"policy": "delete-after-success"},
    )
    world.record(
        key="later",
        kind="scene",
        status="failed",
        error="dark",
        created_at=utcnow() + timedelta(hours=1),
    )
    assert outcomes(world.service.recover()) == ["completed"]
    images = world.images()
    assert [image.prompt for image in images] == ["", "two"], "what came afterwards stays"
    settled(world)


def test_delete_after_success_removes_nothing_when_the_new_one_failed() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    item = OperationItem(key="f" * 32 + "-000", index=0, prompt="two")
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.RECEIVED,
        items=(item,),
        options={"policy": "delete-after-success"},
    )
    world.service.recover()
    images = world.images()
    assert {image.status for image in images} == {"failed", "succeeded"}
    (failed,) = [image for image in images if image.status == "failed"]
    assert "neither a URL nor a media id" in (failed.error or "")
    settled(world)


def test_tombstones_are_finished() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    world.metadata.delete(image.id)
    assert image.media is not None
    left_behind(
        world,
        id="f" * 32,
        kind="delete",
        doomed=(Doomed(image_id=image.id, media_key=image.media.key),),
    )
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.stores.keys() == set()
    (operation, _) = world.operations()
    assert operation.state == OperationState.DONE
    settled(world)


def test_tombstones_of_a_failed_operation_are_finished_too() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    (image,) = world.images()
    left_behind(
        world,
        id="f" * 32,
        state=OperationState.FAILED,
        doomed=(
            Doomed(image_id=image.id, media_key=image.key),
            Doomed(image_id="x", media_key="x"),
        ),
    )
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.images() == []
    assert world.stores.keys() == set()
    settled(world)


def test_a_remote_delete_that_may_have_been_sent_is_not_sent_again() -> None:
    world = ready()
    world.simulator.set_reference(world.db_id)
    left_behind(world, kind="delete", remote_delete=RemoteDelete.INTENDED)
    report = world.service.recover()
    assert "not known" in report.operations[0].message
    assert world.counts == (0, 0, 0, 0)
    settled(world)


def test_a_removal_that_is_over_but_for_a_file_is_finished() -> None:
    world = ready()
    image = world.record(key="k", kind="scene", status="failed", error="dark")
    doomed = (Doomed(image_id=image.id, media_key=image.key),)
    left_behind(world, state=OperationState.DONE, doomed=doomed)
    report = world.service.recover()
    assert outcomes(report) == ["cleaned"]
    assert report.operations[0].message == "The removal was finished."
    settled(world)


def test_delete_everything_closes_what_is_waiting() -> None:
    world = ready(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="one")
    abandoned(world)
    items = (
        OperationItem(key="k", index=0, prompt="two"),
        OperationItem(key="l", index=1, prompt="two", state=ItemState.FAILED, error="dark"),
    )
    left_behind(world, state=OperationState.RECEIVED, items=items)
    world.service.delete_all_images(LENA)
    assert (world.service.recover()).operations == ()
    settled(world)


def test_a_deleted_image_does_not_come_back() -> None:
    # The record stood, its operation did not know of it yet, and then the image was deleted.
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_scene(LENA, "two")
    operation = (world.operations())[0]
    items = tuple(evolve(item, state=ItemState.PENDING, image_id=None) for item in operation.items)
    left_behind(
        world,
        id=operation.id,
        kind="scene",
        state=OperationState.RECEIVED,
        prompt="two",
        items=items,
    )
    (image,) = [each for each in world.images() if each.kind == "scene"]
    world.service.delete_image(LENA, image.id)
    assert [each.prompt for each in world.images()] == ["one"]
    settled(world)


def test_what_a_broken_save_left_goes_even_when_the_file_never_comes() -> None:
    world = ready()
    removed: list[str] = []
    media = world.media

    class Littered:
        concurrent_safe = False

        def __getattr__(self, name: str) -> Any:
            return getattr(media, name)

        def delete(self, key: str) -> bool:
            removed.append(key)
            return media.delete(key)

    item = OperationItem(key="k", index=0, prompt="lost")
    left_behind(world, state=OperationState.RECEIVED, items=(item,))
    world.assemble(media=Littered()).recover()
    assert removed == ["k"]


def test_what_a_removal_of_everything_gave_up_does_not_come_back() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    answer = world.service.library.generate_360_set(world.db_id)
    left_behind(
        world,
        id="f" * 31 + "1",
        kind="portfolio",
        state=OperationState.RECEIVED,
        job_id=answer.job_id,
    )
    left_behind(world, id="f" * 31 + "2", kind="delete", options={"all": True})
    world.service.generate_reference(LENA, prompt="two")
    assert [image.prompt for image in world.images()] == ["two"]
    states = {operation.kind: operation.state for operation in world.operations()}
    assert states["portfolio"] == OperationState.FAILED
    settled(world)


def test_an_image_that_came_after_a_removal_of_everything_stays() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    left_behind(world, id="f" * 32, kind="delete", options={"all": True})
    world.record(
        key="later",
        kind="scene",
        status="failed",
        error="dark",
        created_at=utcnow() + timedelta(seconds=1),
    )
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert [image.key for image in world.images()] == ["later"]
    settled(world)
