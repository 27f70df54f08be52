# Generated from tests/_async/test_whose.py by tools/unasync.py. Do not edit.
"""What others draw, have drawn, or may still draw for a character is nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from attrs import evolve

from charimg import (
    CharacterLibraryError,
    CharacterReference,
    GenerationInProgress,
    InvalidArgument,
    JobError,
    OperationItem,
    OperationState,
    ReferencePolicy,
)
from charimg.models import utcnow

from .mishaps import (
    HASTY,
    INITIAL,
    PATIENT,
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
from .world import LENA, ZED, World

KEEP = ReferencePolicy.KEEP_HISTORY


def lose_a_set(world: World, simulator: Rigged) -> None:
    """Ask for a set; the request never arrives."""
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)


def lost_beside_theirs() -> tuple[World, Rigged]:
    """Lose a set while somebody else's job runs, which has ended since."""
    world, simulator = rigged(job_policy=PATIENT)
    simulator.set_reference(world.db_id)
    simulator.switches.job_seconds = 1_000_000
    theirs = world.service.library.generate_360_set(world.db_id)
    lose_a_set(world, simulator)
    simulator.switches.job_seconds = 0
    world.service.library.get_job(theirs.job_id or "")
    return world, simulator


def draw(world: World, kind: str, prompt: str) -> None:
    if kind == "scene":
        world.service.generate_scene(LENA, prompt)
    else:
        world.service.generate_reference(LENA, prompt=prompt, policy=KEEP)


def settle_newest(world: World) -> str:
    op = (world.operations())[0]
    return (world.service.settle(op.id)).message


def remove_everything(world: World) -> None:
    world.service.delete_all_images(LENA)
    world.service.generate_reference(LENA, prompt="the next one")


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("give_up", [settle_newest, remove_everything])
def test_the_set_of_a_job_that_was_given_up_is_not_the_next_ones(
    give_up: Callable[[World], Any], listed: bool
) -> None:
    world, simulator = rigged(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="master")
    job = abandoned(world)
    give_up(world)
    lose_a_set(world, simulator)
    simulator.switches.job_seconds = 0
    world.service.library.get_job(job.job_id or "")
    if not listed:
        simulator.answer("GET jobs", lambda page: {**page, "jobs": []})
    before = len(world.images())
    assert outcomes(world.service.recover()) == ["unknown"]
    assert len(world.images()) == before
    settled(world)


@pytest.mark.parametrize("tells", [True, False])
def test_the_set_of_a_job_that_was_listed_before_is_not_the_next_ones(tells: bool) -> None:
    world, simulator = lost_beside_theirs()
    if not tells:
        simulator.answer(STATUS, lambda job: {**job, "results": None})
    assert outcomes(world.service.recover()) == ["unknown"]
    assert world.images() == []
    settled(world)


def test_a_job_that_ran_and_that_the_server_forgets_leaves_a_doubt() -> None:
    world, simulator = lost_beside_theirs()
    simulator.answer(STATUS, lambda _: {"status": "failed", "error": "Job not found"}, status=404)
    assert outcomes(world.service.recover()) == ["unknown"]
    simulator.answer(STATUS, lambda _: {"error": "away"}, status=500)
    assert outcomes(world.service.recover()) == ["waiting"]
    assert world.images() == []


def test_what_other_jobs_name_is_theirs_and_the_rest_is_the_sets_own() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.job_seconds = 1_000_000
    theirs = world.service.library.generate_360_set(world.db_id)
    baseline = (f"job:{theirs.job_id}",)
    left_behind(world, kind="portfolio", state=OperationState.POSTING, baseline=baseline)
    simulator.switches.job_seconds = 0
    world.service.library.get_job(theirs.job_id or "")
    simulator.switches.set360_mode = "images"
    world.service.library.generate_360_set(world.db_id)
    assert outcomes(world.service.recover()) == ["adopted"]
    assert len(world.images()) == 2
    settled(world)


def test_a_job_that_was_over_before_is_in_nobodys_way() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.switches.clock_offset = -3600
    theirs = world.service.library.generate_360_set(world.db_id)
    world.service.library.get_job(theirs.job_id or "")
    simulator.switches.clock_offset = 0
    simulator.switches.set360_mode = "images"
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    simulator.answer(STATUS, lambda job: {**job, "results": None})
    assert outcomes(world.service.recover()) == ["adopted"]
    assert len(world.images()) == 2


def late(kind: str) -> tuple[World, Rigged, str]:
    """Return a world where "one" is settled with nothing, "two" never arrives, and "one" is drawn.

    Also what was said to who settled it.
    """
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="master")
    clock = simulator.stop_clock()
    said = ""
    for prompt in ("one", "two"):
        request = SCENE if kind == "scene" else INITIAL
        if prompt == "one":
            simulator.odd[request] = lambda answer: evolve(answer, broken="lost", seconds=0)
            simulator.switches.generation_seconds = 30
        else:
            simulator.unheard.append(request)
        with pytest.raises(CharacterLibraryError):
            draw(world, kind, prompt)
        if prompt == "one":
            said = settle_newest(world)
            del simulator.odd[request]
            simulator.switches.generation_seconds = 0
    clock.now += 30
    return world, simulator, said


@pytest.mark.parametrize("kind", ["scene", "reference"])
def test_what_was_settled_with_nothing_and_comes_late_is_not_the_next_ones(kind: str) -> None:
    world, _, said = late(kind)
    assert "may draw it until" in said
    (report,) = (world.service.recover()).operations
    assert report.outcome == "unknown"
    two, one, *_ = world.operations()
    assert report.message.startswith("1 image is there that may be its own")
    assert f"Operation {one.id} may have drawn it, too. candidates()" in report.message
    assert two.error == report.message
    (candidate,) = world.service.candidates(two.id)
    assert candidate.evidence[-1] == f"Operation {one.id} may have drawn it, too."
    assert prompts(world) == ["master"]
    settled(world)


def test_after_a_day_nothing_comes_of_what_was_settled_with_nothing() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    ago = utcnow() - timedelta(days=1, minutes=1)
    left_behind(
        world,
        kind="scene",
        state=OperationState.UNKNOWN,
        posted_at=ago,
        posted_on_server=ago,
        created_at=ago,
    )
    assert "may draw it" not in settle_newest(world)
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "two")
    assert outcomes(world.service.recover()) == ["adopted"]
    assert prompts(world) == ["two"]


def shared(directory: type[Any] | None = None) -> tuple[World, Rigged]:
    """Return a world where Zed is linked to Lena's character of the Library."""
    world, simulator = rigged()
    world.link(ZED, library_db_id=world.db_id)
    if directory is not None:
        world.service = world.assemble(directory=directory(world.directory))
    world.service.generate_reference(LENA, prompt="master")
    return world, simulator


class Reading:
    """A directory that can only be read."""

    def __init__(self, directory: Any) -> None:
        self._directory = directory

    def get(self, character_id: str, /) -> CharacterReference | None:
        found: CharacterReference | None = self._directory.get(character_id)
        return found


class Listing(Reading):
    """One that can list its characters."""

    def list_all(self) -> tuple[CharacterReference, ...]:
        found: tuple[CharacterReference, ...] = self._directory.list_all()
        return found


@pytest.mark.parametrize("directory", [None, Listing])
def test_a_lost_scene_is_not_given_another_characters(directory: type[Any] | None) -> None:
    world, simulator = shared(directory)
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "one")
    world.service.generate_scene(ZED, "Zed's")
    (report,) = (world.service.recover()).operations
    assert report.outcome == "unknown"
    assert "nothing is there that may be its own" in report.message
    assert world.service.candidates(report.operation_id) == ()
    taken = (world.images(ZED))[0].external_id or ""
    with pytest.raises(InvalidArgument, match="no other operation has"):
        world.service.settle(report.operation_id, taken)
    assert outcomes(world.service.recover()) == ["unknown"]
    assert prompts(world) == ["master"]


@pytest.mark.parametrize("directory", [None, Listing, Reading])
def test_what_either_of_two_characters_may_have_drawn_is_given_to_neither(
    directory: type[Any] | None,
) -> None:
    world, simulator = shared(directory)
    simulator.unheard.append(SCENE)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "one")
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(ZED, "Zed's")
    assert outcomes(world.service.recover()) == ["unknown", "unknown"]
    assert [prompts(world), world.images(ZED)] == [["master"], []]


def test_at_the_same_time_one_image_is_given_to_one_of_two_characters() -> None:
    world, simulator = shared(Listing)
    simulator.unheard += [SCENE, SCENE]
    for who in (LENA, ZED):
        with pytest.raises(CharacterLibraryError):
            world.service.generate_scene(who, who)
    media_id = simulator.draw_scene(world.db_id, "theirs", "dialogue")
    one, two = world.ledger.unfinished()
    lease = world.ledger.acquire(f"library:{world.db_id}", owner="another", ttl=60)
    with pytest.raises(GenerationInProgress):
        world.service.settle(one.id, media_id)
    assert set(outcomes(world.service.recover())) == {"in-progress"}
    world.ledger.release(lease)
    world.service.settle(one.id, media_id)
    with pytest.raises(InvalidArgument, match="no other operation has"):
        world.service.settle(two.id, media_id)


def test_a_lost_set_is_not_given_another_characters() -> None:
    world, simulator = shared()
    simulator.switches.set360_mode = "images"
    lose_a_set(world, simulator)
    world.service.generate_portfolio(ZED)
    assert outcomes(world.service.recover()) == ["unknown"]
    assert prompts(world) == ["master"]


def test_a_second_character_is_not_put_on_the_same_one_of_the_library() -> None:
    world, _ = rigged()
    other = CharacterReference(id=ZED, name="Zed", library_db_id=world.db_id)
    with pytest.raises(InvalidArgument, match=f"{LENA!r} is linked to {world.db_id} already"):
        world.service.put_character(other)
    assert world.service.directory.get(ZED) is None
    world.service.put_character(evolve(other, library_db_id=None))
    world.service.put_character(evolve(other, id=LENA, name="Lena again"))
    world.link(ZED, library_db_id=world.db_id)
    world.service.put_character(evolve(other, name="stands already"))


def two_lost_sets() -> tuple[World, Rigged, list[str]]:
    """Return a world where sets of two characters of one name failed, and their operations."""
    world, simulator = rigged(job_policy=HASTY)
    simulator.switches.shots = 5
    world.link(ZED, library_db_id=simulator.add_character(name="Lena Marlow"))
    clock = simulator.stop_clock()
    for character_id in (LENA, ZED):
        world.service.generate_reference(character_id, prompt=character_id)
    simulator.switches.job_seconds = 10
    for character_id in (LENA, ZED):
        simulator.switches.lost_shots = 2
        with pytest.raises(JobError):
            world.service.generate_portfolio(character_id)
    clock.now += 60
    simulator.switches.clock_offset += 60
    report = world.service.recover()
    assert outcomes(report) == ["unknown", "unknown"]
    return world, simulator, [each.operation_id for each in report.operations]


@pytest.mark.parametrize("after", [True, False])
def test_what_one_namesake_has_taken_is_not_offered_to_the_other(after: bool) -> None:
    world, simulator, (ours, theirs) = two_lost_sets()
    op, other = [world.ledger.get(each) for each in (ours, theirs)]
    mine, rest = [set(simulator._state.jobs[each.job_id].images) for each in (op, other)]
    assert {each.media_id for each in world.service.candidates(theirs)} == mine | rest
    world.service.settle(ours, sorted(mine))
    op = world.ledger.get(ours)
    if after:
        # The minute that went by on the server has gone by here, too.
        received_at = op.received_at + timedelta(minutes=1)
        left_behind(world, **attrs.asdict(evolve(op, received_at=received_at), recurse=False))
    assert {each.media_id for each in world.service.candidates(theirs)} == rest
    with pytest.raises(InvalidArgument, match="no other operation has"):
        world.service.settle(theirs, sorted(mine))
    # One that was settled before its job ended may have drawn more.
    assert outcomes(world.service.recover()) == ["completed" if after else "unknown"]
    for character_id, own in ((LENA, mine), (ZED, rest if after else set())):
        assert {image.external_id for image in world.images(character_id)} - {None} >= own
    stored = {image.external_id for image in world.images(ZED)}
    assert stored.isdisjoint(mine)


def test_a_namesakes_job_that_does_not_say_what_it_drew_leaves_a_doubt() -> None:
    world, simulator = rigged(job_policy=HASTY)
    simulator.set_reference(world.db_id)
    other = simulator.add_character(name="Lena Marlow")
    simulator.set_reference(other)
    simulator.switches.job_seconds = 10
    theirs = world.service.library.generate_360_set(other)
    clock = simulator.stop_clock()
    simulator.switches.lost_shots = 1
    with pytest.raises(JobError):
        world.service.generate_portfolio(LENA)
    clock.now += 60
    simulator.switches.clock_offset += 60
    world.service.library.get_job(theirs.job_id or "")
    simulator.answer(
        STATUS,
        lambda job: {**job, "results": None} if job.get("status") == "completed" else job,
    )
    assert outcomes(world.service.recover()) == ["unknown"]


@pytest.mark.parametrize("kind", ["scene", "reference"])
def test_how_long_it_took_is_not_told_of_what_was_found_later(kind: str) -> None:
    world, simulator = rigged()
    first = (world.service.generate_reference(LENA, prompt="master")).image
    assert first.metrics.generation_ms is not None
    simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        draw(world, kind, "one")
    assert outcomes(world.service.recover()) == ["adopted"]
    assert (world.images())[0].metrics.generation_ms is None


def test_nor_of_a_job_that_nobody_watched_or_an_image_that_was_chosen() -> None:
    world, simulator = rigged(job_policy=PATIENT)
    world.service.generate_reference(LENA, prompt="master")
    abandoned(world)
    simulator.switches.job_seconds = 0
    assert outcomes(world.service.recover()) == ["completed"]
    simulator.draw_scene(world.db_id, "chosen", "action")
    op = left_behind(
        world, kind="scene", state=OperationState.UNKNOWN, id="f" * 32, posted_at=utcnow()
    )
    (chosen,) = world.service.candidates(op.id)
    world.service.settle(op.id, chosen.media_id)
    times = [image.metrics.generation_ms for image in world.images()]
    assert [each is None for each in times] == [True, True, True, False]


def test_two_jobs_that_may_be_its_own_are_told() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    lose_a_set(world, simulator)
    for _ in range(2):
        world.service.library.generate_360_set(world.db_id)
    (report,) = (world.service.recover()).operations
    assert report.message.startswith("2 jobs are there that may be its own")
    assert "Somebody else has drawn for the character, too." in report.message
    assert "candidates() shows their images" in report.message


def test_an_image_of_a_character_that_was_linked_elsewhere_is_none_of_its_own() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    world.link(ZED, library_db_id=world.db_id)
    drawn = simulator.draw_scene(world.db_id, "here", "action")
    item = OperationItem(key="k", index=0, state="stored", external_id=drawn)
    left_behind(
        world,
        kind="scene",
        character_id=ZED,
        library_db_id="f" * 24,
        state=OperationState.DONE,
        items=(item,),
    )
    left_behind(world, kind="scene", id="f" * 32, state=OperationState.POSTING)
    assert outcomes(world.service.recover()) == ["adopted"]
