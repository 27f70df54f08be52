"""What stays unknown is settled by a person: this image, or none."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    IngestionError,
    InvalidArgument,
    Operation,
    OperationItem,
    OperationState,
    ReferencePolicy,
)

from .mishaps import (
    INITIAL,
    PATIENT,
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


async def two_scenes(mood: str | None = "tense") -> tuple[AsyncWorld, Rigged, Operation]:
    """Return a world with a scene of unknown outcome, where somebody else has drawn one, too."""
    world, simulator = await rigged()
    await world.service.generate_reference(LENA, prompt="master")
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "one", scene_type="action", mood=mood)
    simulator.draw_scene(world.db_id, "theirs", "action", mood or "")
    simulator.draw_scene(world.db_id, "theirs", "dialogue")
    assert outcomes(await world.service.recover()) == ["unknown"]
    return world, simulator, (await world.operations())[0]


async def test_the_candidates_are_told_with_what_speaks_for_them() -> None:
    world, _, op = await two_scenes()
    theirs, own = await world.service.candidates(op.id)
    for each in (theirs, own):
        assert "_scene_action_" in (each.url or "")
        assert each.drawn_at is not None
        assert each.evidence[:2] == (
            "It is of the type that was asked for, action.",
            "It has the mood that was asked for.",
        )
        assert "s after the request" in each.evidence[2]
    assert theirs.drawn_at is not None
    assert own.drawn_at is not None
    assert theirs.drawn_at >= own.drawn_at


async def test_no_mood_is_told_where_none_was_asked_for() -> None:
    world, _, op = await two_scenes(mood=None)
    evidence = [each.evidence for each in await world.service.candidates(op.id)]
    assert len(evidence) == 2
    assert "mood" not in str(evidence)


async def test_the_one_that_is_chosen_comes_in_as_the_operations_own() -> None:
    world, _, op = await two_scenes()
    (_, own) = await world.service.candidates(op.id)
    report = await world.service.settle(op.id, own.media_id, settled_by="mara")
    assert report.outcome == "completed"
    (scene, _) = await world.images()
    assert (scene.prompt, scene.external_id) == ("one", own.media_id)
    assert report.images == (scene.id,)
    journaled = (await world.operations())[0].options["settled"]
    assert journaled["by"] == "mara"
    assert journaled["media_ids"] == [own.media_id]
    assert journaled["at"]
    assert await world.service.candidates(op.id) == ()
    assert (await world.service.settle(op.id, own.media_id)).images == (scene.id,)
    assert world.counts == (1, 0, 0, 1)
    await settled(world)


async def test_nothing_closes_it_and_then_nobody_else_is_disturbed() -> None:
    world, _, op = await two_scenes()
    for _ in range(2):
        report = await world.service.settle(op.id)
        assert report.outcome == "failed"
    assert outcomes(await world.service.recover()) == []
    assert await prompts(world) == ["master"]
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        await world.service.settle(op.id, "f" * 24)
    (kept,) = [each for each in await world.operations() if each.id == op.id]
    assert kept.state == OperationState.FAILED


async def test_what_opens_a_candidate_is_not_shown() -> None:
    world, simulator, op = await two_scenes()
    sign = "?X-Amz-Signature=SECRET"

    def signed(document: Any) -> Any:
        for each in document["docs"]:
            each["url"] += sign
        return document

    simulator.answer("GET media", signed)
    found = await world.service.candidates(op.id)
    assert found
    assert all(each.url and "?" not in each.url for each in found)
    asked = len(simulator.requests)
    download = await world.service.fetch_candidate(op.id, found[0].media_id)
    download.close()
    assert len(simulator.requests) > asked
    assert simulator.requests[-1].path.startswith("/media/")
    assert simulator.requests[-1].query == {"X-Amz-Signature": "SECRET"}


async def test_who_settled_that_there_is_nothing_may_think_better_of_it() -> None:
    world, _, op = await two_scenes()
    await world.service.settle(op.id, settled_by="mara")
    (_, own) = await world.service.candidates(op.id)
    download = await world.service.fetch_candidate(op.id, own.media_id)
    download.close()
    report = await world.service.settle(op.id, own.media_id, settled_by="ann")
    assert report.outcome == "completed"
    (kept,) = [each for each in await world.operations() if each.id == op.id]
    word = kept.options["settled"]
    assert (word["by"], word["media_ids"]) == ("ann", [own.media_id])
    assert (word["before"]["by"], word["before"]["media_ids"]) == ("mara", [])
    with pytest.raises(InvalidArgument, match="is done already, as a person has settled it"):
        await world.service.settle(op.id)
    await settled(world)


async def test_what_was_brought_in_is_not_settled_as_nothing_afterwards() -> None:
    world, _, op = await two_scenes()
    (_, own) = await world.service.candidates(op.id)
    await world.service.settle(op.id, own.media_id)
    for _ in range(2):
        with pytest.raises(InvalidArgument, match="is done already, as a person has settled it"):
            await world.service.settle(op.id)
        assert (await world.service.settle(op.id, own.media_id)).outcome == "completed"
    assert len(await world.images()) == 2


async def test_one_that_ended_by_itself_is_settled_only_as_it_ended() -> None:
    world, _ = await rigged()
    drawn = await world.service.generate_reference(LENA, prompt="one")
    media_id = drawn.image.external_id
    assert media_id is not None
    assert (await world.service.settle(drawn.operation_id, media_id)).images == (drawn.image.id,)
    for other in (None, "f" * 24):
        with pytest.raises(InvalidArgument, match="is done already; only"):
            await world.service.settle(drawn.operation_id, other)


@pytest.mark.parametrize("given", [[], (), [5], [None], [b"m"], ["m", 5]])
async def test_only_none_says_nothing_and_only_texts_name_images(given: Any) -> None:
    world, _, op = await two_scenes()
    with pytest.raises(InvalidArgument, match="media_id must be"):
        await world.service.settle(op.id, given)
    assert outcomes(await world.service.recover()) == ["unknown"]


async def test_half_a_character_is_refused_wherever_it_would_be_kept() -> None:
    world, _, op = await two_scenes()
    half = "\ud800"
    with pytest.raises(InvalidArgument, match="settled_by holds half a character"):
        await world.service.settle(op.id, settled_by=half)
    with pytest.raises(InvalidArgument, match="media_id holds half a character"):
        await world.service.settle(op.id, half)
    before = (len(await world.operations()), world.counts)
    service = world.service
    for work in (
        lambda: service.generate_scene(LENA, "one", created_by=half),
        lambda: service.generate_scene(LENA, "one", mood=half),
        lambda: service.generate_scene(LENA, "one", additional_characters=[half]),
        lambda: service.generate_portfolio(LENA, created_by=half),
        lambda: service.delete_all_images(LENA, created_by=half),
    ):
        with pytest.raises(InvalidArgument, match="holds half a character"):
            await work()
    assert (len(await world.operations()), world.counts) == before


async def test_an_error_names_media_by_whole_ids_and_counts_the_rest() -> None:
    world, _, op = await two_scenes()
    ids = [f"{number:024x}" for number in range(9)]
    with pytest.raises(InvalidArgument, match="nothing that operation") as caught:
        await world.service.settle(op.id, ids)
    assert all(f"'{each}'" in str(caught.value) for each in ids[:6])
    assert "and 3 more: nothing" in str(caught.value)


async def test_who_else_may_have_drawn_it_is_told() -> None:
    world, simulator, op = await two_scenes()
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_scene(LENA, "two", scene_type="action", mood="tense")
    newest = (await world.service.candidates(op.id))[0]
    other = (await world.operations())[0]
    assert newest.evidence[-1] == f"Operation {other.id} may have drawn it, too."


async def test_what_is_no_image_of_the_operations_kind_is_refused() -> None:
    world, simulator, op = await two_scenes()
    for media_id in ("f" * 24, simulator.reference_of(world.db_id) or ""):
        with pytest.raises(InvalidArgument, match="nothing that operation"):
            await world.service.settle(op.id, media_id)
    for call in (world.service.candidates, world.service.settle):
        with pytest.raises(InvalidArgument, match="There is no operation"):
            await call("f" * 32)


@pytest.mark.parametrize("away", [False, True])
async def test_a_reference_becomes_the_master(away: bool) -> None:
    world, simulator = await rigged()
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(
            LENA, prompt="one", policy=ReferencePolicy.KEEP_HISTORY
        )
    await world.service.library.delete_reference_image(world.db_id)
    simulator.set_reference(world.db_id, "theirs")
    assert outcomes(await world.service.recover()) == ["unknown"]
    op = (await world.operations())[0]
    theirs, own = await world.service.candidates(op.id)
    assert theirs.evidence[-1] == "It is the Character Library's master reference."
    if away:
        simulator.unheard.append("PUT reference-image")
    await world.service.settle(op.id, own.media_id)
    (image,) = await world.images()
    assert image.external_id == own.media_id
    assert (simulator.reference_of(world.db_id) == own.media_id) is not away


async def test_a_job_that_never_ends_is_given_up_without_deleting_anything() -> None:
    world, _ = await rigged(job_policy=PATIENT)
    await world.service.generate_reference(LENA, prompt="master")
    await abandoned(world)
    assert outcomes(await world.service.recover()) == ["waiting"]
    op = (await world.operations())[0]
    assert await world.service.candidates(op.id) == ()
    assert (await world.service.settle(op.id)).outcome == "failed"
    assert outcomes(await world.service.recover()) == []
    assert await prompts(world) == ["master"]


async def test_what_is_known_is_not_settled_away() -> None:
    world, _ = await rigged()
    item = OperationItem(key="k", index=0, source_url="http://library.test/media/x")
    op = await left_behind(world, kind="scene", state=OperationState.RECEIVED, items=(item,))
    with pytest.raises(InvalidArgument, match=r"recover\(\) brings it in"):
        await world.service.settle(op.id)
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        await world.service.settle(op.id, "f" * 24)


async def test_an_operation_that_knows_no_time_tells_none() -> None:
    world, simulator = await rigged()
    simulator.set_reference(world.db_id)
    op = await left_behind(world, kind="scene", state=OperationState.UNKNOWN)
    simulator.draw_scene(world.db_id, "drawn", "action")
    (candidate,) = await world.service.candidates(op.id)
    assert candidate.evidence == ()


async def test_what_never_arrived_has_no_candidates() -> None:
    world, simulator = await rigged()
    simulator.unheard.append(INITIAL)
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="one")
    (op,) = await world.operations()
    assert await world.service.candidates(op.id) == ()


async def test_a_candidate_is_looked_at_before_it_is_chosen() -> None:
    world, simulator, op = await two_scenes()
    (_, own) = await world.service.candidates(op.id)
    download = await world.service.fetch_candidate(op.id, own.media_id)
    with download.file as file:
        assert len(file.read()) == download.size > 0
    assert len(await world.images()) == 1
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        await world.service.fetch_candidate(op.id, simulator.reference_of(world.db_id) or "")
    simulator.switches.html_files = 1
    with pytest.raises(IngestionError):
        await world.service.fetch_candidate(op.id, own.media_id)
