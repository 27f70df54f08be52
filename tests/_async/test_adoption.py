"""What an operation of unknown outcome has drawn is its own, and never another operation's."""

from __future__ import annotations

import pytest
from attrs import evolve

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    OperationItem,
    OperationState,
    ReferencePolicy,
)

from .mishaps import (
    INITIAL,
    PATIENT,
    REFERENCE,
    SCENE,
    SET,
    STATUS,
    Rigged,
    abandoned,
    left_behind,
    outcomes,
    prompts,
    rigged,
    settled,
)
from .world import LENA, ZED, AsyncWorld

pytestmark = pytest.mark.anyio


async def one_lost_scene() -> tuple[AsyncWorld, Rigged]:
    """Return a world with a reference, where the request for the scene "one" never arrived."""
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_scene(LENA, "one")
    assert caught.value.outcome_unknown
    return world, simulator


async def test_a_lost_scene_is_not_given_the_next_one() -> None:
    world, _ = await one_lost_scene()
    await world.service.generate_scene(LENA, "two")
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == ["two", "master"]
    assert world.counts == (1, 0, 0, 1)
    await settled(world)


async def test_a_lost_scene_is_not_given_one_that_was_deleted() -> None:
    world, _ = await one_lost_scene()
    second = (await world.service.generate_scene(LENA, "two")).image
    await world.service.delete_image(LENA, second.id)
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == ["master"], "what the user has deleted stays deleted"
    await settled(world)


async def two_lost_scenes(scene_type: str) -> tuple[AsyncWorld, Rigged]:
    """Return a world where the scene "one" never arrived, and the answer of "two" was lost."""
    world, simulator = await one_lost_scene()
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "two", scene_type=scene_type)
    return world, simulator


async def test_what_either_of_two_lost_scenes_may_be_is_given_to_neither() -> None:
    world, _ = await two_lost_scenes("dialogue")
    assert outcomes(await world.service.recover()) == ["unknown", "unknown"]
    assert await prompts(world) == ["master"]


async def test_of_two_lost_scenes_the_one_that_arrived_is_adopted() -> None:
    world, _ = await two_lost_scenes("action")
    report = await world.service.recover()
    assert outcomes(report) == ["unknown", "adopted"]
    assert [each.prompt for each in report.operations] == ["one", "two"]
    assert await prompts(world) == ["two", "master"]
    await settled(world)


async def test_a_slow_scene_is_not_the_next_ones() -> None:
    """As seen on the real server: the older one is drawn after the newer one was asked for."""
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.odd[SCENE] = lambda answer: evolve(answer, broken="lost", seconds=0)
    clock = simulator.stop_clock()
    simulator.switches.generation_seconds = 30
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "scene A", scene_type="action")
    simulator.switches.generation_seconds = 0
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "scene B", scene_type="dialogue")
    clock.now += 30
    report = await world.service.recover()
    assert [(each.prompt, each.outcome) for each in report.operations] == [
        ("scene A", "adopted"),
        ("scene B", "unknown"),
    ]
    (scene, _) = await world.images()
    assert "_scene_action_" in (scene.source_url or "")
    await settled(world)


async def test_a_scene_of_another_type_is_somebody_elses() -> None:
    world, simulator = await one_lost_scene()
    simulator.draw_scene(world.db_id, "theirs", "action")
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == ["master"]


@pytest.mark.parametrize("mood", ["tense", "calm"])
async def test_the_mood_tells_of_which_operation_a_scene_is(mood: str) -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "one", mood="tense")
    await world.service.library.generate_scene_image(world.db_id, "one", mood=mood)
    told = "adopted" if mood == "tense" else "unknown"
    assert outcomes(await world.service.recover()) == [told]


async def test_what_failed_for_sure_before_has_not_drawn_it() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_scene(LENA, "refused")
    assert not caught.value.outcome_unknown
    simulator.switches.clock_offset = 30
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "two")
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["two", "master"]


@pytest.mark.parametrize("lost", [1, 2])
async def test_where_media_documents_are_closed_the_gallery_tells_of_one_alone(lost: int) -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.switches.media_closed = True
    for scene_type in ("action", "dialogue")[:lost]:
        simulator.switches.lost_answers = 1
        with pytest.raises(CharacterLibraryError):
            await world.service.generate_scene(LENA, scene_type, scene_type=scene_type)
    # The second one finds the first.
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == [*("dialogue", "action")[2 - lost :], "master"]


async def test_two_at_once_are_not_told_apart_by_the_gallery_alone() -> None:
    world, simulator = await one_lost_scene()
    simulator.switches.media_closed = True
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "two")
    report = await world.service.recover()
    assert outcomes(report) == ["unknown", "unknown"]
    # A person may know whose it is.
    shown = [await world.service.candidates(each.operation_id) for each in report.operations]
    assert [len(each) for each in shown] == [1, 1]
    assert all("1 image is there that may be its own" in each.message for each in report.operations)
    two = next(each for each in await world.operations() if each.prompt == "two")
    await world.service.settle(two.id, media_id=shown[0][0].media_id)
    assert await prompts(world) == ["two", "master"]
    assert outcomes(await world.service.recover()) == ["unknown"]


async def test_a_request_that_was_refused_explains_nothing() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError) as refused:
        await world.service.generate_scene(LENA, "refused", scene_type="action")
    assert not refused.value.outcome_unknown
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "own", scene_type="action")
    foreign = simulator.draw_scene(world.db_id, "foreign", "action")
    (told,) = (await world.service.recover()).operations
    assert told.outcome == "unknown"
    candidates = await world.service.candidates(told.operation_id)
    (own,) = (each.media_id for each in candidates if each.media_id != foreign)
    await world.service.settle(told.operation_id, media_id=own)
    assert await prompts(world) == ["own", "master"]


async def test_a_request_that_was_refused_leaves_the_next_one_its_own() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "refused", scene_type="action")
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "own", scene_type="action")
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert await prompts(world) == ["own", "master"]


@pytest.mark.parametrize("stranger", [True, False])
async def test_what_comes_after_it_was_said_to_be_nothing_is_not_the_next_ones(
    stranger: bool,
) -> None:
    world, simulator = await one_lost_scene()
    (op,) = [each for each in await world.operations() if each.prompt == "one"]
    await world.service.settle(op.id)
    if stranger:
        simulator.draw_scene(world.db_id, "foreign", "dialogue")
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "two")
    late = simulator.draw_scene(world.db_id, "one", "dialogue")
    (told,) = (await world.service.recover()).operations
    assert told.outcome == "unknown"
    assert await prompts(world) == ["master"]
    await world.service.settle(op.id, media_id=late)
    assert await prompts(world) == ["one", "master"]


async def test_a_server_that_is_away_is_not_one_that_is_closed() -> None:
    world, simulator = await one_lost_scene()
    simulator.answer("GET media", lambda _: {"errors": [{"message": "x"}]}, status=500)
    assert outcomes(await world.service.recover()) == ["waiting"]


async def test_a_reference_that_is_the_master_no_more_is_not_made_it_again() -> None:
    world, simulator = await rigged()
    simulator.switches.lost_answers = 1
    keep = ReferencePolicy.KEEP_HISTORY
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="one", policy=keep)
    await world.service.library.delete_reference_image(world.db_id)
    assert outcomes(await world.service.recover()) == ["unknown"]


async def test_a_lost_scene_waits_until_the_newer_ones_were_looked_at() -> None:
    world, simulator = await two_lost_scenes("action")
    simulator.unheard.append("GET images")
    assert outcomes(await world.service.recover()) == ["unknown", "waiting"]
    assert await prompts(world) == ["master"]
    assert outcomes(await world.service.recover()) == ["unknown", "adopted"]
    assert await prompts(world) == ["two", "master"]
    await settled(world)


async def test_a_scene_that_is_drawn_late_is_still_found() -> None:
    world, _ = await one_lost_scene()
    await world.service.generate_scene(LENA, "two")
    # The request was only slow: it arrives now.
    await world.service.library.generate_scene_image(world.db_id, "one")
    assert outcomes(await world.service.recover()) == ["adopted"]
    assert sorted(await prompts(world)) == ["master", "one", "two"]
    await settled(world)


async def test_what_a_much_older_operation_has_is_taken() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    drawn = await world.service.library.generate_scene_image(world.db_id, "deleted since")
    item = OperationItem(key="k", index=0, state="stored", external_id=drawn.media_id)
    await left_behind(world, kind="scene", state=OperationState.DONE, items=(item,))
    for number in range(200):
        await left_behind(world, id=f"1{number:031d}", state=OperationState.DONE)
    await left_behind(world, kind="scene", id="f" * 32, state=OperationState.POSTING)
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await world.images() == []


async def test_two_new_scenes_cannot_be_told_apart() -> None:
    world, _ = await one_lost_scene()
    for _ in range(2):
        await world.service.library.generate_scene_image(world.db_id, "drawn by another program")
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == ["master"]


async def test_a_lost_reference_is_not_given_the_next_one() -> None:
    world, simulator = await rigged()
    keep = ReferencePolicy.KEEP_HISTORY
    simulator.unheard += [INITIAL]
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="one", policy=keep)
    simulator.unheard += [REFERENCE]
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_reference(LENA, prompt="two", policy=keep)
    assert caught.value.code == ErrorCode.UNAVAILABLE
    assert world.counts == (0, 0, 0, 0), "nothing is sent before the first one was looked at"
    await world.service.generate_reference(LENA, prompt="two", policy=keep)
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == ["two"]
    await settled(world)


@pytest.mark.parametrize("mode", ["job", "images"])
async def test_a_lost_portfolio_is_not_given_the_next_one(mode: str) -> None:
    world, simulator = await rigged()
    simulator.switches.set360_mode = mode
    await world.service.generate_reference(LENA, prompt="master")
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    result = await world.service.generate_portfolio(LENA)
    assert outcomes(await world.service.recover()) == ["unknown"]
    shots = (await world.service.list_images(LENA, kind="portfolioItem")).images
    assert {image.id for image in shots} == {image.id for image in result.images}
    assert len(shots) == 2
    assert world.counts == (1, 0, 1, 0)
    await settled(world)


async def test_a_lost_portfolio_is_not_given_what_a_waiting_job_has_drawn() -> None:
    world, simulator = await rigged(job_policy=PATIENT)
    await world.service.generate_reference(LENA, prompt="master")
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_portfolio(LENA)
    # The images are in the gallery already; the job does not say so yet.
    simulator.answer(STATUS, lambda job: {**job, "status": "processing", "results": None})
    await abandoned(world)
    simulator.switches.job_seconds = 0
    assert outcomes(await world.service.recover()) == ["unknown", "waiting"]
    assert await prompts(world) == ["master"]
    del simulator.odd[STATUS]
    report = await world.service.recover()
    assert outcomes(report) == ["unknown", "completed"]
    assert len(report.operations[1].images) == 2
    assert len(await world.images()) == 3
    await settled(world)


async def test_a_job_that_the_library_forgot_has_drawn_what_is_new_in_the_gallery() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    await world.service.generate_portfolio(LENA)
    job = await abandoned(world)
    simulator.switches.job_seconds = 0
    await world.service.library.get_job(job.job_id or "")
    simulator.answer(STATUS, lambda _: {"status": "failed", "error": "Job not found"}, status=404)
    report = await world.service.recover()
    assert outcomes(report) == ["completed"]
    assert len(report.operations[0].images) == 2
    assert len(await world.images()) == 5
    assert all(image.status == "succeeded" for image in await world.images())
    await settled(world)


async def test_a_completed_job_without_results_has_drawn_what_is_new_in_the_gallery() -> None:
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    first = await world.service.generate_portfolio(LENA)
    simulator.answer(STATUS, lambda job: {**job, "results": None})
    second = await world.service.generate_portfolio(LENA)
    assert (len(first.images), len(second.images), second.failures) == (2, 2, ())
    drawn = [image.external_id for image in (*first.images, *second.images)]
    assert len(set(drawn)) == 4
    await settled(world)


async def test_one_operation_that_raises_does_not_keep_recovery_from_the_others() -> None:
    world, simulator = await rigged()
    other = simulator.add_character(name="Zed")
    await world.link(ZED, library_db_id=other)
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(ZED, prompt="zed")
    # An operation of another program's making, without what every restore has.
    bad = await left_behind(world, kind="restore", state=OperationState.POSTING, id="f" * 32)
    report = await world.service.recover()
    assert sorted(outcomes(report)) == ["adopted", "error"]
    (failed,) = [each for each in report.operations if each.outcome == "error"]
    assert failed in report.unresolved
    assert (failed.operation_id, failed.message) == (bad.id, "KeyError")
    assert [image.prompt for image in await world.images(ZED)] == ["zed"]


@pytest.mark.parametrize("kind", ["reference", "scene"])
async def test_what_was_there_before_the_request_is_not_adopted(kind: str) -> None:
    world, simulator = await rigged()
    drawn = simulator.set_reference(world.db_id)
    if kind == "scene":
        answer = await world.service.library.generate_scene_image(world.db_id, "elsewhere")
        drawn = answer.media_id or ""
    await left_behind(world, kind=kind, state=OperationState.POSTING, baseline=(drawn,))
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == []
    await settled(world)


@pytest.mark.parametrize("mode", ["job", "images"])
async def test_a_set_that_was_there_before_the_request_is_not_adopted(mode: str) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.set360_mode = mode
    answer = await world.service.library.generate_360_set(world.db_id)
    gallery = await world.service.library.list_images(world.db_id, category="core")
    before = [f"image:{image.image_id}" for image in gallery.core]
    if answer.job_id is not None:
        await world.service.library.get_job(answer.job_id)
        gallery = await world.service.library.list_images(world.db_id, category="core")
        before = [f"image:{image.image_id}" for image in gallery.core] + [f"job:{answer.job_id}"]
    await left_behind(world, kind="portfolio", state=OperationState.POSTING, baseline=tuple(before))
    assert outcomes(await world.service.recover()) == ["unknown"]
    assert await prompts(world) == []
    await settled(world)


async def test_an_operation_of_another_kind_is_not_waited_for() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id, prompt="elsewhere")
    await left_behind(world, kind="scene", state=OperationState.POSTING, prompt="lost scene")
    await left_behind(world, id="0" * 31 + "2", state=OperationState.POSTING, prompt="reference")
    await world.service.library.generate_scene_image(world.db_id, "lost scene")
    simulator.unheard.append(REFERENCE)
    assert outcomes(await world.service.recover()) == ["adopted", "waiting"]
    assert await prompts(world) == ["lost scene"]


@pytest.mark.parametrize("which", ["first", "second"])
async def test_the_type_tells_of_which_operation_a_scene_is(which: str) -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    for number, (prompt, scene_type) in enumerate((("first", "action"), ("second", "dialogue"))):
        await left_behind(
            world,
            id="0" * 31 + str(number + 1),
            kind="scene",
            state=OperationState.POSTING,
            prompt=prompt,
            options={"scene_type": scene_type},
        )
    drawn = "action" if which == "first" else "dialogue"
    await world.service.library.generate_scene_image(world.db_id, which, scene_type=drawn)
    told = ["adopted", "unknown"] if which == "first" else ["unknown", "adopted"]
    assert outcomes(await world.service.recover()) == told
    assert await prompts(world) == [which]
    await settled(world)


@pytest.mark.parametrize("kind", ["reference", "scene", "portfolio", "older server"])
async def test_what_comes_after_two_were_looked_at_is_given_to_neither(kind: str) -> None:
    """They find nothing while the server is slow, odd or away, and are looked at again."""
    world, simulator = await rigged()
    simulator.set_reference(world.db_id, prompt="there before")
    if kind == "older server":
        simulator.switches.set360_mode = "images"
    shown = {"reference": REFERENCE, "portfolio": "GET jobs"}.get(kind, "GET images")
    what = kind if kind in ("reference", "scene") else "portfolio"
    before = await world.service.library.get_reference_image(world.db_id)
    baseline = (before.media_id or "",)
    for number, prompt in ((1, "older"), (2, "newer")):
        await left_behind(
            world,
            id="0" * 31 + str(number),
            kind=what,
            state=OperationState.UNKNOWN,
            prompt=prompt,
            baseline=baseline,
        )
    nothing = {
        REFERENCE: {"success": True, "updated": True},
        "GET jobs": {"success": True, "jobs": []},
        "GET images": {"success": True, "images": {}},
    }[shown]
    asked: list[object] = []

    def blind_once(document: object) -> object:
        asked.append(document)
        return nothing if len(asked) == 1 else document

    if kind == "reference":
        simulator.set_reference(world.db_id, prompt="newer")
    elif kind == "scene":
        await world.service.library.generate_scene_image(world.db_id, "newer")
    else:
        await world.service.library.generate_360_set(world.db_id)
    simulator.answer(shown, blind_once)
    for _ in range(2):
        assert set(outcomes(await world.service.recover())) <= {"unknown", "waiting"}
    assert outcomes(await world.service.recover()) == ["unknown", "unknown"]
    assert await prompts(world) == []
