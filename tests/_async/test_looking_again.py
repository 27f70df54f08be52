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
from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = ("0" * 31 + number for number in "123")
GALLERY = "GET images"


async def drawn_elsewhere(world: AsyncWorld) -> tuple[str, ...]:
    """Draw a set as an older server does; return the names of what the gallery holds then."""
    await world.service.library.generate_360_set(world.db_id)
    gallery = await world.service.library.list_images(world.db_id, category="core")
    return tuple(f"image:{image.image_id}" for image in gallery.core)


@pytest.mark.parametrize("kind", ["reference", "scene"])
async def test_what_stood_there_before_the_newer_one_is_the_older_ones(kind: str) -> None:
    world, simulator = await rigged()
    drawn: str | None = simulator.set_reference(world.db_id, prompt="older")
    if kind == "scene":
        answer = await world.service.library.generate_scene_image(world.db_id, "older")
        drawn = answer.media_id
    await left_behind(world, id=FIRST, kind=kind, state=OperationState.POSTING, prompt="older")
    await left_behind(
        world,
        id=SECOND,
        kind=kind,
        state=OperationState.UNKNOWN,
        prompt="newer",
        baseline=(str(drawn),),
    )
    assert outcomes(await world.service.recover()) == ["adopted", "unknown"]
    assert await prompts(world) == ["older"]
    await settled(world)


async def test_a_waiting_job_counts_though_an_older_one_is_done() -> None:
    world, simulator = await rigged(job_policy=PATIENT)
    await world.service.generate_reference(LENA, prompt="master")
    await world.service.generate_portfolio(LENA)
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    await abandoned(world)
    simulator.switches.job_seconds = 0
    simulator.answer(STATUS, lambda job: {**job, "status": "processing", "results": None})
    assert outcomes(await world.service.recover()) == ["unknown", "waiting"]
    assert len(await world.images()) == 3
    del simulator.odd[STATUS]
    assert outcomes(await world.service.recover()) == ["unknown", "completed"]
    await settled(world)


@pytest.mark.parametrize("how", ["its images are known", "it failed"])
async def test_a_job_that_draws_no_more_does_not_stand_in_the_way(how: str) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.set360_mode = "images"
    before = await drawn_elsewhere(world)
    names = [name.removeprefix("image:") for name in before]
    items = tuple(
        OperationItem(key=f"{FIRST}-{index:03}", index=index, external_id=name)
        for index, name in enumerate(names)
    )
    known = how == "its images are known"
    await left_behind(
        world,
        id=FIRST,
        kind="portfolio",
        state=OperationState.RECEIVED if known else OperationState.FAILED,
        job_id="a-job",
        items=items if known else (),
    )
    await left_behind(
        world, id=SECOND, kind="portfolio", state=OperationState.POSTING, baseline=before
    )
    after = await drawn_elsewhere(world)
    report = await world.service.recover()
    assert outcomes(report) == (["completed", "adopted"] if known else ["adopted"])
    stored = {image.external_id for image in await world.images()}
    new = {name.removeprefix("image:") for name in after} - set(names)
    assert stored == (new | set(names) if known else new)
    await settled(world)


async def test_an_operation_that_is_gone_when_it_is_looked_at_is_no_error() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    gone = await left_behind(world, state=OperationState.POSTING)
    get = world.ledger.get

    async def forgetful(operation_id: str, /) -> Operation | None:
        return None if operation_id == gone.id else await get(operation_id)

    world.ledger.get = forgetful  # type: ignore[method-assign]
    assert (await world.service.recover()).operations == ()
    await world.service.generate_scene(LENA, "new")
    assert await prompts(world) == ["new"]


async def test_what_a_removal_has_just_closed_is_not_worked_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    item = OperationItem(key="k", index=0)
    await left_behind(world, id=FIRST, state=OperationState.RECEIVED, items=(item,))
    await left_behind(world, id=SECOND, kind="delete", options={"all": True})
    with caplog.at_level(logging.INFO, "charimg.recovery"):
        await world.service.generate_scene(LENA, "new")
    worked_on: list[Any] = [
        vars(each)["operation_id"]
        for each in caplog.records
        if each.message == "operation.recovered"
    ]
    assert worked_on == [SECOND]


async def test_the_newest_that_could_not_be_looked_at_says_why() -> None:
    world, simulator = await rigged()
    await left_behind(world, id=FIRST, kind="scene", state=OperationState.POSTING)
    await left_behind(world, id=SECOND, state=OperationState.POSTING)
    simulator.unheard.append(REFERENCE)
    simulator.answer(GALLERY, lambda _: {"error": "no gallery"}, status=500)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_scene(LENA, "new")
    assert caught.value.code == ErrorCode.UNAVAILABLE


async def test_each_operation_is_looked_at_under_a_lease_with_its_full_life() -> None:
    world, simulator = await rigged(lease_seconds=1000)
    simulator.set_reference(world.db_id)
    for number in (FIRST, SECOND, THIRD):
        await left_behind(world, id=number, state=OperationState.POSTING, prompt=number)

    ends: list[float] = []
    left: list[float] = []
    renew = world.ledger.renew

    async def told(lease: Lease, /, *, ttl: float) -> Lease:
        renewed = await renew(lease, ttl=ttl)
        ends.append(renewed.expires_at.timestamp())
        return renewed

    def slow(document: object) -> object:
        left.append(ends[-1] - world.clock.now)
        world.clock.now += 600
        return document

    world.ledger.renew = told  # type: ignore[method-assign]
    simulator.answer(REFERENCE, slow)
    assert outcomes(await world.service.recover()) == ["unknown", "unknown", "unknown"]
    assert left[:3] == [1000, 1000, 1000]


async def test_a_restore_of_what_is_gone_has_failed() -> None:
    world, _ = await rigged()
    options = {"image_id": "gone"}
    await left_behind(world, kind="restore", state=OperationState.POSTING, options=options)
    assert outcomes(await world.service.recover()) == ["failed"]
    await settled(world)


async def test_a_job_whose_images_are_known_is_not_asked_for_again() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    answer = await world.service.library.generate_360_set(world.db_id)
    assert answer.job_id is not None
    await world.service.library.get_job(answer.job_id)
    gallery = await world.service.library.list_images(world.db_id, category="core")
    items = tuple(
        OperationItem(key=f"{FIRST}-{index:03}", index=index, external_id=image.image_id)
        for index, image in enumerate(gallery.core)
    )
    await left_behind(
        world,
        kind="portfolio",
        state=OperationState.RECEIVED,
        job_id=answer.job_id,
        items=items,
    )
    simulator.answer(STATUS, lambda job: {**job, "status": "failed", "error": "since"})
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == len(items) == 2
    await settled(world)


async def test_a_set_without_images_is_over() -> None:
    world, simulator = await rigged()
    await left_behind(world, kind="portfolio", state=OperationState.RECEIVED)
    simulator.answer(STATUS, lambda job: {**job, "status": "failed"}, status=404)
    assert outcomes(await world.service.recover()) == ["completed"]
    assert await world.images() == []
    await settled(world)


async def test_the_gallery_is_asked_for_a_received_set_alone() -> None:
    """What is adopted was just seen there, and other kinds have no use for it."""
    world, simulator = await rigged()
    drawn = simulator.set_reference(world.db_id)
    item = OperationItem(key="k", index=0, prompt="one", external_id=drawn)
    await left_behind(world, state=OperationState.RECEIVED, items=(item,))
    asked: list[object] = []

    def counted(document: object) -> object:
        asked.append(document)
        return document

    simulator.answer(GALLERY, counted)
    assert outcomes(await world.service.recover()) == ["completed"]
    assert asked == []

    simulator.switches.set360_mode = "images"
    await world.service.library.generate_360_set(world.db_id)
    await left_behind(world, id=SECOND, kind="portfolio", state=OperationState.POSTING)
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert len(asked) == 1
    await settled(world)


async def test_a_job_that_cannot_be_asked_for_is_waited_for() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    job = await abandoned(world)
    simulator.switches.job_seconds = 0
    await world.service.library.get_job(job.job_id or "")
    # The gallery shows images already; whether they are all, only the job can tell.
    simulator.answer(STATUS, lambda _: {"error": "out of order"}, status=500)
    assert outcomes(await world.service.recover()) == ["waiting"]
    assert await prompts(world) == ["master"]
    del simulator.odd[STATUS]
    assert outcomes(await world.service.recover()) == ["completed"]
    assert len(await world.images()) == 3
    await settled(world)


async def test_a_job_that_failed_without_a_reason_is_over() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.fail_jobs = True
    answer = await world.service.library.generate_360_set(world.db_id)
    await left_behind(world, kind="portfolio", state=OperationState.RECEIVED, job_id=answer.job_id)
    simulator.answer(STATUS, lambda job: {"status": "failed", "jobId": answer.job_id})
    report = await world.service.recover()
    assert outcomes(report) == ["failed"]
    assert f"Job {answer.job_id} failed at 0 of 0: no reason given." in report.operations[0].message
    await settled(world)
