# Generated from tests/_async/test_looking_again.py by tools/unasync.py. Do not edit.
"""What recovery asks the Character Library, what it does not ask, and whose answer it believes."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    Lease,
    Operation,
    OperationItem,
    OperationState,
)

from .mishaps import (
    PATIENT,
    REFERENCE,
    SET,
    STATUS,
    abandoned,
    left_behind,
    outcomes,
    prompts,
    rigged,
    settled,
)
from .world import LENA, World

FIRST, SECOND, THIRD = ("0" * 31 + number for number in "123")
GALLERY = "GET images"


def drawn_elsewhere(world: World) -> tuple[str, ...]:
    """Draw a set as an older server does; return the names of what the gallery holds then."""
    world.service.library.generate_360_set(world.db_id)
    gallery = world.service.library.list_images(world.db_id, category="core")
    return tuple(f"image:{image.image_id}" for image in gallery.core)


@pytest.mark.parametrize("kind", ["reference", "scene"])
def test_what_stood_there_before_the_newer_one_is_the_older_ones(kind: str) -> None:
    world, simulator = rigged()
    drawn: str | None = simulator.set_reference(world.db_id, prompt="older")
    if kind == "scene":
        answer = world.service.library.generate_scene_image(world.db_id, "older")
        drawn = answer.media_id
    left_behind(world, id=FIRST, kind=kind, state=OperationState.POSTING, prompt="older")
    left_behind(
        world,
        id=SECOND,
        kind=kind,
        state=OperationState.UNKNOWN,
        prompt="newer",
        baseline=(str(drawn),),
    )
    assert outcomes(world.service.recover()) == ["adopted", "unknown"]
    assert prompts(world) == ["older"]
    settled(world)


def test_a_waiting_job_counts_though_an_older_one_is_done() -> None:
    world, simulator = rigged(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="master")
    world.service.generate_portfolio(LENA)
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    abandoned(world)
    simulator.switches.job_seconds = 0
    simulator.answer(STATUS, lambda job: {**job, "status": "processing", "results": None})
    assert outcomes(world.service.recover()) == ["unknown", "waiting"]
    assert len(world.images()) == 3
    del simulator.odd[STATUS]
    assert outcomes(world.service.recover()) == ["unknown", "completed"]
    settled(world)


@pytest.mark.parametrize("how", ["its images are known", "it failed"])
def test_a_job_that_draws_no_more_does_not_stand_in_the_way(how: str) -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.set360_mode = "images"
    before = drawn_elsewhere(world)
    names = [name.removeprefix("image:") for name in before]
    items = tuple(
        OperationItem(key=f"{FIRST}-{index:03}", index=index, external_id=name)
        for index, name in enumerate(names)
    )
    known = how == "its images are known"
    left_behind(
        world,
        id=FIRST,
        kind="portfolio",
        state=OperationState.RECEIVED if known else OperationState.FAILED,
        job_id="a-job",
        items=items if known else (),
    )
    left_behind(world, id=SECOND, kind="portfolio", state=OperationState.POSTING, baseline=before)
    after = drawn_elsewhere(world)
    report = world.service.recover()
    assert outcomes(report) == (["completed", "adopted"] if known else ["adopted"])
    stored = {image.external_id for image in world.images()}
    new = {name.removeprefix("image:") for name in after} - set(names)
    assert stored == (new | set(names) if known else new)
    settled(world)


def test_an_operation_that_is_gone_when_it_is_looked_at_is_no_error() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    gone = left_behind(world, state=OperationState.POSTING)
    get = world.ledger.get

    def forgetful(operation_id: str, /) -> Operation | None:
        return None if operation_id == gone.id else get(operation_id)

    world.ledger.get = forgetful  # type: ignore[method-assign]
    assert (world.service.recover()).operations == ()
    world.service.generate_scene(LENA, "new")
    assert prompts(world) == ["new"]


def test_what_a_removal_has_just_closed_is_not_worked_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    item = OperationItem(key="k", index=0)
    left_behind(world, id=FIRST, state=OperationState.RECEIVED, items=(item,))
    left_behind(world, id=SECOND, kind="delete", options={"all": True})
    with caplog.at_level(logging.INFO, "charimg.recovery"):
        world.service.generate_scene(LENA, "new")
    worked_on: list[Any] = [
        vars(each)["operation_id"]
        for each in caplog.records
        if each.message == "operation.recovered"
    ]
    assert worked_on == [SECOND]


def test_the_newest_that_could_not_be_looked_at_says_why() -> None:
    world, simulator = rigged()
    left_behind(world, id=FIRST, kind="scene", state=OperationState.POSTING)
    left_behind(world, id=SECOND, state=OperationState.POSTING)
    simulator.unheard.append(REFERENCE)
    simulator.answer(GALLERY, lambda _: {"error": "no gallery"}, status=500)
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_scene(LENA, "new")
    assert caught.value.code == ErrorCode.UNAVAILABLE


def test_each_operation_is_looked_at_under_a_lease_with_its_full_life() -> None:
    world, simulator = rigged(lease_seconds=1000)
    simulator.set_reference(world.db_id)
    for number in (FIRST, SECOND, THIRD):
        left_behind(world, id=number, state=OperationState.POSTING, prompt=number)

    ends: list[float] = []
    left: list[float] = []
    renew = world.ledger.renew

    def told(lease: Lease, /, *, ttl: float) -> Lease:
        renewed = renew(lease, ttl=ttl)
        ends.append(renewed.expires_at.timestamp())
        return renewed

    def slow(document: object) -> object:
        left.append(ends[-1] - world.clock.now)
        world.clock.now += 600
        return document

    world.ledger.renew = told  # type: ignore[method-assign]
    simulator.answer(REFERENCE, slow)
    assert outcomes(world.service.recover()) == ["unknown", "unknown", "unknown"]
    assert left[:3] == [1000, 1000, 1000]


def test_a_restore_of_what_is_gone_has_failed() -> None:
    world, _ = rigged()
    options = {"image_id": "gone"}
    left_behind(world, kind="restore", state=OperationState.POSTING, options=options)
    assert outcomes(world.service.recover()) == ["failed"]
    settled(world)


def test_a_job_whose_images_are_known_is_not_asked_for_again() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    answer = world.service.library.generate_360_set(world.db_id)
    assert answer.job_id is not None
    world.service.library.get_job(answer.job_id)
    gallery = world.service.library.list_images(world.db_id, category="core")
    items = tuple(
        OperationItem(key=f"{FIRST}-{index:03}", index=index, external_id=image.image_id)
        for index, image in enumerate(gallery.core)
    )
    left_behind(
        world,
        kind="portfolio",
        state=OperationState.RECEIVED,
        job_id=answer.job_id,
        items=items,
    )
    simulator.answer(STATUS, lambda job: {**job, "status": "failed", "error": "since"})
    assert outcomes(world.service.recover()) == ["completed"]
    assert len(world.images()) == len(items) == 2
    settled(world)


def test_a_set_without_images_is_over() -> None:
    world, simulator = rigged()
    left_behind(world, kind="portfolio", state=OperationState.RECEIVED)
    simulator.answer(STATUS, lambda job: {**job, "status": "failed"}, status=404)
    assert outcomes(world.service.recover()) == ["completed"]
    assert world.images() == []
    settled(world)


def test_the_gallery_is_asked_for_a_received_set_alone() -> None:
    """What is adopted was just seen there, and other kinds have no use for it."""
    world, simulator = rigged()
    drawn = simulator.set_reference(world.db_id)
    item = OperationItem(key="k", index=0, prompt="one", external_id=drawn)
    left_behind(world, state=OperationState.RECEIVED, items=(item,))
    asked: list[object] = []

    def counted(document: object) -> object:
        asked.append(document)
        return document

    simulator.answer(GALLERY, counted)
    assert outcomes(world.service.recover()) == ["completed"]
    assert asked == []

    simulator.switches.set360_mode = "images"
    world.service.library.generate_360_set(world.db_id)
    left_behind(world, id=SECOND, kind="portfolio", state=OperationState.POSTING)
    assert outcomes(world.service.recover()) == ["adopted"]
    assert len(asked) == 1
    settled(world)


def test_a_job_that_cannot_be_asked_for_is_waited_for() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="master")
    job = abandoned(world)
    simulator.switches.job_seconds = 0
    world.service.library.get_job(job.job_id or "")
    # The gallery shows images already; whether they are all, only the job can tell.
    simulator.answer(STATUS, lambda _: {"error": "out of order"}, status=500)
    assert outcomes(world.service.recover()) == ["waiting"]
    assert prompts(world) == ["master"]
    del simulator.odd[STATUS]
    assert outcomes(world.service.recover()) == ["completed"]
    assert len(world.images()) == 3
    settled(world)


def test_a_job_that_failed_without_a_reason_is_over() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.fail_jobs = True
    answer = world.service.library.generate_360_set(world.db_id)
    left_behind(world, kind="portfolio", state=OperationState.RECEIVED, job_id=answer.job_id)
    simulator.answer(STATUS, lambda job: {"status": "failed", "jobId": answer.job_id})
    report = world.service.recover()
    assert outcomes(report) == ["failed"]
    assert f"Job {answer.job_id} failed at 0 of 0: no reason given." in report.operations[0].message
    settled(world)
