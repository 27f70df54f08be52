# Generated from tests/_async/test_settling.py by tools/unasync.py. Do not edit.
"""Every operation first looks at what earlier ones of the character have left open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterImage,
    CharacterImageService,
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
from .world import LENA, World

KEEP = ReferencePolicy.KEEP_HISTORY
Work = Callable[[CharacterImageService, CharacterImage], object]


def reference(service: CharacterImageService, _: CharacterImage) -> object:
    return service.generate_reference(LENA, prompt="new", policy=KEEP)


def portfolio(service: CharacterImageService, _: CharacterImage) -> object:
    return service.generate_portfolio(LENA)


def scene(service: CharacterImageService, _: CharacterImage) -> object:
    return service.generate_scene(LENA, "new")


def restore(service: CharacterImageService, first: CharacterImage) -> object:
    return service.restore_reference(LENA, first.id)


def delete(service: CharacterImageService, first: CharacterImage) -> object:
    return service.delete_image(LENA, first.id)


def delete_all(service: CharacterImageService, _: CharacterImage) -> object:
    return service.delete_all_images(LENA)


def drawn_and_lost(**options: Any) -> tuple[World, Rigged, CharacterImage]:
    """Return a world where "first" is stored and "lost" was drawn after it, its answer lost."""
    world, simulator = rigged(**options)
    first = (world.service.generate_reference(LENA, prompt="first", policy=KEEP)).image
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="lost", policy=KEEP)
    return world, simulator, first


def test_a_restore_first_brings_in_what_was_drawn() -> None:
    world, simulator, first = drawn_and_lost()
    world.service.restore_reference(LENA, first.id)
    assert prompts(world) == ["lost", "first"]
    lost = (world.images())[0]
    assert simulator.reference_of(world.db_id) == first.external_id != lost.external_id
    assert (world.service.recover()).operations == ()
    settled(world)


def test_a_deletion_first_brings_in_what_was_drawn() -> None:
    world, simulator, first = drawn_and_lost()
    result = world.service.delete_image(LENA, first.id)
    assert result.remote_deleted is None, "the deleted one is no longer the master"
    (lost,) = world.images()
    assert lost.prompt == "lost"
    assert simulator.reference_of(world.db_id) == lost.external_id
    assert world.counts == (2, 1, 0, 0)
    settled(world)


def test_a_retry_first_brings_in_what_was_drawn() -> None:
    world, simulator = rigged()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt="first")
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="lost", policy=KEEP)
    assert caught.value.image_id is not None
    world.service.retry_ingestion(LENA, caught.value.image_id)
    assert [(image.prompt, image.status) for image in world.images()] == [
        ("lost", "succeeded"),
        ("first", "succeeded"),
    ]
    settled(world)


@pytest.mark.parametrize("work", [reference, portfolio, scene, restore])
def test_nothing_is_sent_while_an_earlier_one_cannot_be_looked_at(work: Work) -> None:
    world, simulator, first = drawn_and_lost()
    before, sent = world.counts, simulator.reference_of(world.db_id)
    simulator.unheard.append(REFERENCE)
    with pytest.raises(CharacterLibraryError) as caught:
        work(world.service, first)
    assert caught.value.code == ErrorCode.UNAVAILABLE
    which, what = caught.value.__notes__
    (lost,) = world.ledger.unfinished(LENA)
    assert f"Operation {lost.id} may have drawn" in which
    assert "not begun" in what
    assert world.counts == before
    assert simulator.reference_of(world.db_id) == sent
    assert prompts(world) == ["first"]
    assert outcomes(world.service.recover()) == ["adopted"]
    assert prompts(world) == ["lost", "first"]
    settled(world)


@pytest.mark.parametrize("work", [delete, delete_all])
def test_a_deletion_goes_on_and_leaves_alone_what_nobody_has_seen(work: Work) -> None:
    world, simulator, first = drawn_and_lost()
    remote = simulator.reference_of(world.db_id)
    simulator.unheard.append(REFERENCE)
    result: Any = work(world.service, first)
    assert (result.removed, result.remote_deleted) == (1, False)
    (warning,) = result.warnings
    assert warning.code == ErrorCode.UNAVAILABLE
    assert "was not deleted" in warning.message
    (operation, *_) = world.operations()
    assert (operation.state, operation.remote_delete) == (OperationState.DONE, RemoteDelete.FAILED)
    assert simulator.reference_of(world.db_id) == remote is not None
    assert outcomes(world.service.recover()) == ["adopted"]
    assert prompts(world) == ["lost"]
    settled(world)


def test_delete_everything_takes_along_what_was_drawn_and_lost() -> None:
    world, simulator, _ = drawn_and_lost()
    result = world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted, result.warnings) == (2, True, ())
    assert simulator.reference_of(world.db_id) is None
    assert (world.service.recover()).operations == ()
    settled(world)


@pytest.mark.parametrize("work", [reference, portfolio])
def test_a_running_job_refuses_what_would_replace_it(work: Work) -> None:
    world, simulator = rigged(job_policy=PATIENT)
    first = (world.service.generate_reference(LENA, prompt="first")).image
    job = abandoned(world)
    before = world.counts
    with pytest.raises(GenerationInProgress) as caught:
        work(world.service, first)
    assert job.id in str(caught.value)
    assert job.job_id is not None
    assert job.job_id in str(caught.value)
    assert world.counts == before
    assert len(world.operations()) == 2, "nothing is written down"
    world.service.generate_scene(LENA, "a scene disturbs no job")
    simulator.switches.job_seconds = 0
    assert outcomes(world.service.recover()) == ["completed"]
    work(world.service, first)
    settled(world)


def test_a_new_reference_says_which_job_it_gives_up() -> None:
    world, _ = rigged(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="first")
    job = abandoned(world)
    # Nobody believes in it any more.
    hasty = world.assemble(job_policy=evolve(PATIENT, deadline=1e-6))
    result = hasty.generate_reference(LENA, prompt="second")
    (warning,) = result.warnings
    assert warning.code == ErrorCode.SUPERSEDED
    assert job.id in warning.message
    (_, given_up, _) = world.operations()
    assert (given_up.id, given_up.state) == (job.id, OperationState.FAILED)
    assert result.operation_id in (given_up.error or "")
    assert prompts(world) == ["second"]


@pytest.mark.parametrize("kind", ["reference", "scene", "portfolio"])
def test_an_old_unknown_operation_is_looked_at_by_recovery_alone(kind: str) -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    if kind == "portfolio":
        world.service.library.generate_360_set(world.db_id)
    old = left_behind(
        world,
        kind=kind,
        state=OperationState.UNKNOWN,
        created_at=utcnow() - timedelta(days=1, minutes=1),
        baseline=("drawn before",),
    )
    world.service.library.generate_scene_image(world.db_id, "drawn late")
    world.service.generate_scene(LENA, "new")
    assert prompts(world) == ["new"]
    stored = world.ledger.get(old.id)
    assert stored is not None
    assert stored.state == OperationState.UNKNOWN
    assert outcomes(world.service.recover()) == ["adopted"]
    assert len(world.images()) == (3 if kind == "portfolio" else 2)
    settled(world)


def test_a_young_unknown_operation_is_looked_at_by_the_next_operation() -> None:
    world, simulator = rigged()
    left_behind(world, state=OperationState.UNKNOWN, created_at=utcnow() - timedelta(hours=23))
    simulator.set_reference(world.db_id)
    world.service.generate_scene(LENA, "new")
    assert prompts(world) == ["new", "lost"]
    settled(world)


def test_an_old_operation_that_nobody_has_looked_at_is_looked_at_by_the_next() -> None:
    world, simulator = rigged()
    left_behind(world, state=OperationState.POSTING, created_at=utcnow() - timedelta(days=2))
    simulator.set_reference(world.db_id, prompt="lost")
    world.service.generate_scene(LENA, "new")
    assert prompts(world) == ["new", "lost"]
    settled(world)


@pytest.mark.parametrize("state", [OperationState.POSTING, OperationState.UNKNOWN])
def test_an_open_operation_that_cannot_be_looked_at_stops_the_next(state: str) -> None:
    world, simulator = rigged()
    left_behind(world, state=state)
    simulator.set_reference(world.db_id, prompt="lost")
    simulator.unheard.append(REFERENCE)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "new")
    assert world.counts == (0, 0, 0, 0)


def test_a_lost_job_that_still_runs_refuses_what_would_replace_it() -> None:
    world, simulator = rigged(job_policy=PATIENT)
    simulator.set_reference(world.db_id)
    simulator.switches.job_seconds = 1_000_000
    world.service.library.generate_360_set(world.db_id)
    left_behind(world, kind="portfolio", state=OperationState.POSTING)
    with pytest.raises(GenerationInProgress):
        world.service.generate_portfolio(LENA)
    assert world.counts == (0, 0, 1, 0)
