"""What errors and warnings say: only what is known, with its id, and what can be done then."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    DownloadError,
    JobError,
    JobPolicy,
    OperationItem,
    OperationState,
    StorageError,
)
from charimg._async.sources import source_of

from .mishaps import STATUS, rigged
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("away", ["status", "gallery"])
async def test_what_fails_after_a_set_was_ordered_must_not_be_asked_for_again(away: str) -> None:
    policy = JobPolicy(interval=0.001, interval_max=0.002, deadline=0.02, stall=0.02)
    world, simulator = await rigged(**({"job_policy": policy} if away == "status" else {}))
    simulator.set_reference(world.db_id)
    if away == "status":
        simulator.switches.job_seconds = 60
        simulator.unheard += [STATUS] * 100
    else:
        simulator.switches.gallery_errors_after = 1
    with pytest.raises(CharacterLibraryError, match="do not ask again") as caught:
        await world.service.generate_portfolio(LENA)
    assert (caught.value.retryable, caught.value.outcome_unknown) == (False, True)
    assert caught.value.may_arrive
    (operation,) = await world.operations()
    assert operation.state == OperationState.RECEIVED
    assert operation.id in str(caught.value)


async def test_a_job_that_says_it_is_cancelled_may_go_on() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.answer(STATUS, lambda said: {**said, "status": "cancelled"})
    with pytest.raises(JobError, match=r"go on all the same.*recover\(\) looks again") as caught:
        await world.service.generate_portfolio(LENA)
    assert (caught.value.retryable, caught.value.outcome_unknown) == (False, True)


async def test_a_store_that_says_try_again_does_not_mean_the_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)

    async def refuses(*_: object) -> None:
        raise StorageError("The disk is full. Try again.")

    monkeypatch.setattr(world.media, "save", refuses)
    with pytest.raises(StorageError, match="do not ask again") as caught:
        await world.service.generate_scene(LENA, "a bar")
    assert caught.value.recoverable
    (operation,) = await world.operations()
    assert operation.id in str(caught.value)


async def test_a_remote_delete_without_an_answer_may_have_been_done() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="first")
    simulator.unheard.append("DELETE reference-image")
    (warning,) = (await world.service.delete_all_images(LENA)).warnings
    assert "may not be deleted" in warning.message


async def unknown_scene() -> tuple[AsyncWorld, Any, str]:
    """Return a world with a scene of unknown outcome, of which the server has two."""
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "a bar")
    simulator.draw_scene(world.db_id, "theirs", "dialogue")
    (operation,) = await world.operations()
    return world, simulator, operation.id


async def test_what_stays_unknown_is_told_with_its_candidates_in_mind() -> None:
    world, _, operation_id = await unknown_scene()
    (told,) = (await world.service.recover()).operations
    assert len(await world.service.candidates(operation_id)) == 2
    assert "2 images are there that may be its own, but nothing is sure" in told.message
    assert "settle()" in told.message


async def test_what_failed_by_itself_was_not_settled() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "a bar")
    (operation,) = await world.operations()
    assert (await world.service.settle(operation.id)).message == "It was closed before."


@pytest.mark.parametrize(("down", "code"), [(True, "UNAVAILABLE"), (False, "NO_SOURCE")])
async def test_a_library_that_cannot_be_asked_is_not_an_image_without_a_source(
    down: bool, code: str
) -> None:
    world, simulator = await rigged()
    simulator.switches.down = down
    item = OperationItem(key="k", index=0, external_id="f" * 24)
    with pytest.raises(DownloadError) as caught:
        await source_of(world.service._parts, item)
    assert (caught.value.code, caught.value.retryable) == (code, down)
    # There may be no failed image yet.
    assert "retry_ingestion" not in str(caught.value)


async def test_a_file_is_not_given_up_while_the_library_cannot_be_asked() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    image = (await world.service.generate_scene(LENA, "a bar")).image
    world.stores.spoil(image.key, lambda _: None)
    simulator.switches.down = True
    with pytest.raises(DownloadError, match="Try again later, or restore") as caught:
        await world.service.bring_back(LENA, image.id)
    assert caught.value.retryable
    assert "delete the image" not in str(caught.value)
