"""Every operation first looks at what earlier ones of the character have left open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    AsyncCharacterImageService,
    CharacterImage,
    CharacterLibraryError,
    ErrorCode,
    GenerationInProgress,
    IngestionError,
    OperationState,
    ReferencePolicy,
    RemoteDelete,
)
from charimg.models import utcnow

from .mishaps import (
    PATIENT,
    REFERENCE,
    Rigged,
    abandoned,
    left_behind,
    outcomes,
    prompts,
    rigged,
    settled,
)
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio

KEEP = ReferencePolicy.KEEP_HISTORY
Work = Callable[[AsyncCharacterImageService, CharacterImage], Awaitable[object]]


async def reference(service: AsyncCharacterImageService, _: CharacterImage) -> object:
    return await service.generate_reference(LENA, prompt="new", policy=KEEP)


async def portfolio(service: AsyncCharacterImageService, _: CharacterImage) -> object:
    return await service.generate_portfolio(LENA)


async def scene(service: AsyncCharacterImageService, _: CharacterImage) -> object:
    return await service.generate_scene(LENA, "new")


async def restore(service: AsyncCharacterImageService, first: CharacterImage) -> object:
    return await service.restore_reference(LENA, first.id)


async def delete(service: AsyncCharacterImageService, first: CharacterImage) -> object:
    return await service.delete_image(LENA, first.id)


async def delete_all(service: AsyncCharacterImageService, _: CharacterImage) -> object:
    return await service.delete_all_images(LENA)


async def drawn_and_lost(**options: Any) -> tuple[AsyncWorld, Rigged, CharacterImage]:
    """Return a world where "first" is stored and "lost" was drawn after it, its answer lost."""
    world, simulator = await rigged(**options)
    first = (await world.service.generate_reference(LENA, prompt="first", policy=KEEP)).image
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="lost", policy=KEEP)
    return world, simulator, first


async def test_a_restore_first_brings_in_what_was_drawn() -> None:
    world, simulator, first = await drawn_and_lost()
    await world.service.restore_reference(LENA, first.id)
    assert await prompts(world) == ["lost", "first"]
    lost = (await world.images())[0]
    assert simulator.reference_of(world.db_id) == first.external_id != lost.external_id
    assert (await world.service.recover()).operations == ()
    await settled(world)


async def test_a_deletion_first_brings_in_what_was_drawn() -> None:
    world, simulator, first = await drawn_and_lost()
    result = await world.service.delete_image(LENA, first.id)
    assert result.remote_deleted is None, "the deleted one is no longer the master"
    (lost,) = await world.images()
    assert lost.prompt == "lost"
    assert simulator.reference_of(world.db_id) == lost.external_id
    assert world.counts == (2, 1, 0, 0)
    await settled(world)


async def test_a_retry_first_brings_in_what_was_drawn() -> None:
    world, simulator = await rigged()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_reference(LENA, prompt="first")
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="lost", policy=KEEP)
    assert caught.value.image_id is not None
    await world.service.retry_ingestion(LENA, caught.value.image_id)
    assert [(image.prompt, image.status) for image in await world.images()] == [
        ("lost", "succeeded"),
        ("first", "succeeded"),
    ]
    await settled(world)


@pytest.mark.parametrize("work", [reference, portfolio, scene, restore])
async def test_nothing_is_sent_while_an_earlier_one_cannot_be_looked_at(work: Work) -> None:
    world, simulator, first = await drawn_and_lost()
    before, sent = world.counts, simulator.reference_of(world.db_id)
    simulator.unheard.append(REFERENCE)
    with pytest.raises(CharacterLibraryError) as caught:
        await work(world.service, first)
    assert caught.value.code == ErrorCode.UNAVAILABLE
    which, what = caught.value.__notes__
    (lost,) = await world.ledger.unfinished(LENA)
    assert f"Operation {lost.id} may have drawn" in which
    assert "not begun" in what
    assert world.counts == before
    assert simulator.reference_of(world.db_id) == sent
    assert await prompts(world) == ["first"]
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["lost", "first"]
    await settled(world)


@pytest.mark.parametrize("work", [delete, delete_all])
async def test_a_deletion_goes_on_and_leaves_alone_what_nobody_has_seen(work: Work) -> None:
    world, simulator, first = await drawn_and_lost()
    remote = simulator.reference_of(world.db_id)
    simulator.unheard.append(REFERENCE)
    result: Any = await work(world.service, first)
    assert (result.removed, result.remote_deleted) == (1, False)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.UNAVAILABLE
    assert "was not deleted" in warning.message
    (operation, *_) = await world.operations()
    assert (operation.state, operation.remote_delete) == (OperationState.DONE, RemoteDelete.FAILED)
    assert simulator.reference_of(world.db_id) == remote is not None
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["lost"]
    await settled(world)


async def test_delete_everything_takes_along_what_was_drawn_and_lost() -> None:
    world, simulator, _ = await drawn_and_lost()
    result = await world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted, result.warnings) == (2, True, ())
    assert simulator.reference_of(world.db_id) is None
    assert (await world.service.recover()).operations == ()
    await settled(world)


@pytest.mark.parametrize("work", [reference, portfolio])
async def test_a_running_job_refuses_what_would_replace_it(work: Work) -> None:
    world, simulator = await rigged(job_policy=PATIENT)
    first = (await world.service.generate_reference(LENA, prompt="first")).image
    job = await abandoned(world)
    before = world.counts
    with pytest.raises(GenerationInProgress) as caught:
        await work(world.service, first)
    assert job.id in str(caught.value)
    assert job.job_id is not None
    assert job.job_id in str(caught.value)
    assert world.counts == before
    assert len(await world.operations()) == 2, "nothing is written down"
    await world.service.generate_scene(LENA, "a scene disturbs no job")
    simulator.switches.job_seconds = 0
    assert outcomes(await world.service.recover()) == ["completed"]
    await work(world.service, first)
    await settled(world)


async def test_a_new_reference_says_which_job_it_gives_up() -> None:
    world, _ = await rigged(job_policy=PATIENT)
    await world.service.generate_reference(LENA, prompt="first")
    job = await abandoned(world)
    # Nobody believes in it any more.
    hasty = world.assemble(job_policy=evolve(PATIENT, deadline=1e-6))
    result = await hasty.generate_reference(LENA, prompt="second")
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SUPERSEDED
    assert job.id in warning.message
    (_, given_up, _) = await world.operations()
    assert (given_up.id, given_up.state) == (job.id, OperationState.FAILED)
    assert result.operation_id in (given_up.error or "")
    assert await prompts(world) == ["second"]


@pytest.mark.parametrize("kind", ["reference", "scene", "portfolio"])
async def test_an_old_unknown_operation_is_looked_at_by_recovery_alone(kind: str) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    if kind == "portfolio":
        await world.service.library.generate_360_set(world.db_id)
    old = await left_behind(
        world,
        kind=kind,
        state=OperationState.UNKNOWN,
        created_at=utcnow() - timedelta(days=1, minutes=1),
        baseline=("drawn before",),
    )
    await world.service.library.generate_scene_image(world.db_id, "drawn late")
    await world.service.generate_scene(LENA, "new")
    assert await prompts(world) == ["new"]
    stored = await world.ledger.get(old.id)
    assert stored is not None
    assert stored.state == OperationState.UNKNOWN
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert len(await world.images()) == (3 if kind == "portfolio" else 2)
    await settled(world)


async def test_a_young_unknown_operation_is_looked_at_by_the_next_operation() -> None:
    world, simulator = await rigged()
    await left_behind(
        world, state=OperationState.UNKNOWN, created_at=utcnow() - timedelta(hours=23)
    )
    simulator.set_reference(world.db_id)
    await world.service.generate_scene(LENA, "new")
    assert await prompts(world) == ["new", "lost"]
    await settled(world)


async def test_an_old_operation_that_nobody_has_looked_at_is_looked_at_by_the_next() -> None:
    world, simulator = await rigged()
    await left_behind(world, state=OperationState.POSTING, created_at=utcnow() - timedelta(days=2))
    simulator.set_reference(world.db_id, prompt="lost")
    await world.service.generate_scene(LENA, "new")
    assert await prompts(world) == ["new", "lost"]
    await settled(world)


@pytest.mark.parametrize("state", [OperationState.POSTING, OperationState.UNKNOWN])
async def test_an_open_operation_that_cannot_be_looked_at_stops_the_next(state: str) -> None:
    world, simulator = await rigged()
    await left_behind(world, state=state)
    simulator.set_reference(world.db_id, prompt="lost")
    simulator.unheard.append(REFERENCE)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "new")
    assert world.counts == (0, 0, 0, 0)


async def test_a_lost_job_that_still_runs_refuses_what_would_replace_it() -> None:
    world, simulator = await rigged(job_policy=PATIENT)
    simulator.set_reference(world.db_id)
    simulator.switches.job_seconds = 1_000_000
    await world.service.library.generate_360_set(world.db_id)
    await left_behind(world, kind="portfolio", state=OperationState.POSTING)
    with pytest.raises(GenerationInProgress):
        await world.service.generate_portfolio(LENA)
    assert world.counts == (0, 0, 1, 0)
