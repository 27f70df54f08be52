# Generated from tests/_async/test_settlement.py by tools/unasync.py. Do not edit.
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
from .world import LENA, World


def two_scenes(mood: str | None = "tense") -> tuple[World, Rigged, Operation]:
    """Return a world with a scene of unknown outcome, where somebody else has drawn one, too."""
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="master")
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "one", scene_type="action", mood=mood)
    simulator.draw_scene(world.db_id, "theirs", "action", mood or "")
    simulator.draw_scene(world.db_id, "theirs", "dialogue")
    assert outcomes(world.service.recover()) == ["unknown"]
    return world, simulator, (world.operations())[0]


def test_the_candidates_are_told_with_what_speaks_for_them() -> None:
    world, _, op = two_scenes()
    theirs, own = world.service.candidates(op.id)
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


def test_no_mood_is_told_where_none_was_asked_for() -> None:
    world, _, op = two_scenes(mood=None)
    evidence = [each.evidence for each in world.service.candidates(op.id)]
    assert len(evidence) == 2
    assert "mood" not in str(evidence)


def test_the_one_that_is_chosen_comes_in_as_the_operations_own() -> None:
    world, _, op = two_scenes()
    (_, own) = world.service.candidates(op.id)
    report = world.service.settle(op.id, own.media_id, settled_by="mara")
    assert report.outcome == "completed"
    (scene, _) = world.images()
    assert (scene.prompt, scene.external_id) == ("one", own.media_id)
    assert report.images == (scene.id,)
    journaled = (world.operations())[0].options["settled"]
    assert journaled["by"] == "mara"
    assert journaled["media_ids"] == [own.media_id]
    assert journaled["at"]
    assert world.service.candidates(op.id) == ()
    assert (world.service.settle(op.id, own.media_id)).images == (scene.id,)
    assert world.counts == (1, 0, 0, 1)
    settled(world)


def test_nothing_closes_it_and_then_nobody_else_is_disturbed() -> None:
    world, _, op = two_scenes()
    for _ in range(2):
        report = world.service.settle(op.id)
        assert report.outcome == "failed"
    assert outcomes(world.service.recover()) == []
    assert prompts(world) == ["master"]
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        world.service.settle(op.id, "f" * 24)
    (kept,) = [each for each in world.operations() if each.id == op.id]
    assert kept.state == OperationState.FAILED


def test_what_opens_a_candidate_is_not_shown() -> None:
    world, simulator, op = two_scenes()
    sign = "?X-Amz-Signature=SECRET"

    def signed(document: Any) -> Any:
        for each in document["docs"]:
            each["url"] += sign
        return document

    simulator.answer("GET media", signed)
    found = world.service.candidates(op.id)
    assert found
    assert all(each.url and "?" not in each.url for each in found)
    asked = len(simulator.requests)
    download = world.service.fetch_candidate(op.id, found[0].media_id)
    download.close()
    assert len(simulator.requests) > asked
    assert simulator.requests[-1].path.startswith("/media/")
    assert simulator.requests[-1].query == {"X-Amz-Signature": "SECRET"}


def test_who_settled_that_there_is_nothing_may_think_better_of_it() -> None:
    world, _, op = two_scenes()
    world.service.settle(op.id, settled_by="mara")
    (_, own) = world.service.candidates(op.id)
    download = world.service.fetch_candidate(op.id, own.media_id)
    download.close()
    report = world.service.settle(op.id, own.media_id, settled_by="ann")
    assert report.outcome == "completed"
    (kept,) = [each for each in world.operations() if each.id == op.id]
    word = kept.options["settled"]
    assert (word["by"], word["media_ids"]) == ("ann", [own.media_id])
    assert (word["before"]["by"], word["before"]["media_ids"]) == ("mara", [])
    with pytest.raises(InvalidArgument, match="is done already, as a person has settled it"):
        world.service.settle(op.id)
    settled(world)


def test_what_was_brought_in_is_not_settled_as_nothing_afterwards() -> None:
    world, _, op = two_scenes()
    (_, own) = world.service.candidates(op.id)
    world.service.settle(op.id, own.media_id)
    for _ in range(2):
        with pytest.raises(InvalidArgument, match="is done already, as a person has settled it"):
            world.service.settle(op.id)
        assert (world.service.settle(op.id, own.media_id)).outcome == "completed"
    assert len(world.images()) == 2


def test_one_that_ended_by_itself_is_settled_only_as_it_ended() -> None:
    world, _ = rigged()
    drawn = world.service.generate_reference(LENA, prompt="one")
    media_id = drawn.image.external_id
    assert media_id is not None
    assert (world.service.settle(drawn.operation_id, media_id)).images == (drawn.image.id,)
    for other in (None, "f" * 24):
        with pytest.raises(InvalidArgument, match="is done already; only"):
            world.service.settle(drawn.operation_id, other)


@pytest.mark.parametrize("given", [[], (), [5], [None], [b"m"], ["m", 5]])
def test_only_none_says_nothing_and_only_texts_name_images(given: Any) -> None:
    world, _, op = two_scenes()
    with pytest.raises(InvalidArgument, match="media_id must be"):
        world.service.settle(op.id, given)
    assert outcomes(world.service.recover()) == ["unknown"]


def test_half_a_character_is_refused_wherever_it_would_be_kept() -> None:
    world, _, op = two_scenes()
    half = "\ud800"
    with pytest.raises(InvalidArgument, match="settled_by holds half a character"):
        world.service.settle(op.id, settled_by=half)
    with pytest.raises(InvalidArgument, match="media_id holds half a character"):
        world.service.settle(op.id, half)
    before = (len(world.operations()), world.counts)
    service = world.service
    for work in (
        lambda: service.generate_scene(LENA, "one", created_by=half),
        lambda: service.generate_scene(LENA, "one", mood=half),
        lambda: service.generate_scene(LENA, "one", additional_characters=[half]),
        lambda: service.generate_portfolio(LENA, created_by=half),
        lambda: service.delete_all_images(LENA, created_by=half),
    ):
        with pytest.raises(InvalidArgument, match="holds half a character"):
            work()
    assert (len(world.operations()), world.counts) == before


def test_an_error_names_media_by_whole_ids_and_counts_the_rest() -> None:
    world, _, op = two_scenes()
    ids = [f"{number:024x}" for number in range(9)]
    with pytest.raises(InvalidArgument, match="nothing that operation") as caught:
        world.service.settle(op.id, ids)
    assert all(f"'{each}'" in str(caught.value) for each in ids[:6])
    assert "and 3 more: nothing" in str(caught.value)


def test_who_else_may_have_drawn_it_is_told() -> None:
    world, simulator, op = two_scenes()
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "two", scene_type="action", mood="tense")
    newest = (world.service.candidates(op.id))[0]
    other = (world.operations())[0]
    assert newest.evidence[-1] == f"Operation {other.id} may have drawn it, too."


def test_what_is_no_image_of_the_operations_kind_is_refused() -> None:
    world, simulator, op = two_scenes()
    for media_id in ("f" * 24, simulator.reference_of(world.db_id) or ""):
        with pytest.raises(InvalidArgument, match="nothing that operation"):
            world.service.settle(op.id, media_id)
    for call in (world.service.candidates, world.service.settle):
        with pytest.raises(InvalidArgument, match="There is no operation"):
            call("f" * 32)


@pytest.mark.parametrize("away", [False, True])
def test_a_reference_becomes_the_master(away: bool) -> None:
    world, simulator = rigged()
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="one", policy=ReferencePolicy.KEEP_HISTORY)
    world.service.library.delete_reference_image(world.db_id)
    simulator.set_reference(world.db_id, "theirs")
    assert outcomes(world.service.recover()) == ["unknown"]
    op = (world.operations())[0]
    theirs, own = world.service.candidates(op.id)
    assert theirs.evidence[-1] == "It is the Character Library's master reference."
    if away:
        simulator.unheard.append("PUT reference-image")
    world.service.settle(op.id, own.media_id)
    (image,) = world.images()
    assert image.external_id == own.media_id
    assert (simulator.reference_of(world.db_id) == own.media_id) is not away


def test_a_job_that_never_ends_is_given_up_without_deleting_anything() -> None:
    world, _ = rigged(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="master")
    abandoned(world)
    assert outcomes(world.service.recover()) == ["waiting"]
    op = (world.operations())[0]
    assert world.service.candidates(op.id) == ()
    assert (world.service.settle(op.id)).outcome == "failed"
    assert outcomes(world.service.recover()) == []
    assert prompts(world) == ["master"]


def test_what_is_known_is_not_settled_away() -> None:
    world, _ = rigged()
    item = OperationItem(key="k", index=0, source_url="http://library.test/media/x")
    op = left_behind(world, kind="scene", state=OperationState.RECEIVED, items=(item,))
    with pytest.raises(InvalidArgument, match=r"recover\(\) brings it in"):
        world.service.settle(op.id)
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        world.service.settle(op.id, "f" * 24)


def test_an_operation_that_knows_no_time_tells_none() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    op = left_behind(world, kind="scene", state=OperationState.UNKNOWN)
    simulator.draw_scene(world.db_id, "drawn", "action")
    (candidate,) = world.service.candidates(op.id)
    assert candidate.evidence == ()


def test_what_never_arrived_has_no_candidates() -> None:
    world, simulator = rigged()
    simulator.unheard.append(INITIAL)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="one")
    (op,) = world.operations()
    assert world.service.candidates(op.id) == ()


def test_a_candidate_is_looked_at_before_it_is_chosen() -> None:
    world, simulator, op = two_scenes()
    (_, own) = world.service.candidates(op.id)
    download = world.service.fetch_candidate(op.id, own.media_id)
    with download.file as file:
        assert len(file.read()) == download.size > 0
    assert len(world.images()) == 1
    with pytest.raises(InvalidArgument, match="nothing that operation"):
        world.service.fetch_candidate(op.id, simulator.reference_of(world.db_id) or "")
    simulator.switches.html_files = 1
    with pytest.raises(IngestionError):
        world.service.fetch_candidate(op.id, own.media_id)
