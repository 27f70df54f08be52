# Generated from tests/_async/test_received.py by tools/unasync.py. Do not edit.
"""What is written down of what the server has drawn, and what was there before."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    ItemState,
    OperationItem,
    OperationState,
    Shot,
)
from charimg._library.values import (
    Gallery,
    GalleryImage,
    Job,
    LibraryMedia,
    PortfolioFailure,
    PortfolioImage,
)
from charimg._sync.generate import check_health, received
from charimg._sync.operation import Run
from charimg._sync.sets import received_gallery, received_job, resolve_set
from charimg.models import utcnow

from .mishaps import INITIAL, SET, left_behind, outcomes, rigged, settled
from .world import LENA, World

WIDE = Shot(name="wide", lens_mm=35)
NEAR = Shot(name="near")


def a_run(world: World, *items: OperationItem) -> Run:
    """Return a portfolio whose set was posted and, if there are items, received."""
    op = left_behind(
        world,
        kind="portfolio",
        prompt="the master's",
        state=OperationState.RECEIVED if items else OperationState.POSTING,
        items=items,
    )
    lease = world.ledger.acquire(LENA, owner="me", ttl=1000)
    return Run(world.service._parts, op, lease)


def item(index: int, **fields: Any) -> OperationItem:
    given = {"prompt": "asked", "source_url": "http://library.test/old.png", **fields}
    return OperationItem(key=f"{'0' * 31}1-{index:03d}", index=index, **given)


def image(image_id: str, **fields: Any) -> GalleryImage:
    given = {"category": "core", "url": f"http://library.test/{image_id}.png", **fields}
    return GalleryImage(image_id=image_id, **given)


def shows(world: World, *core: GalleryImage, **media: LibraryMedia) -> list[str]:
    """Have the gallery show these, and media documents be these; return what is asked for."""
    asked: list[str] = []

    def list_images(db_id: str, **_: Any) -> Gallery:
        asked.append("gallery")
        return Gallery(character_id=db_id, core=core)

    def get_media(media_id: str) -> LibraryMedia:
        asked.append(media_id)
        if media_id not in media:
            raise CharacterLibraryError("not there", code=ErrorCode.NOT_FOUND, status_code=404)
        return media[media_id]

    library: Any = world.service.library
    library.list_images, library.get_media = list_images, get_media
    return asked


def written(run: Run) -> list[tuple[Any, ...]]:
    return [
        (each.external_id, each.prompt, each.shot, str(each.source_url).rpartition("/")[2])
        for each in run.op.items
    ]


def test_one_image_is_item_0() -> None:
    world, _ = rigged()
    run = a_run(world)
    received(run, url="http://library.test/x.png", media_id="m")
    (only,) = run.op.items
    assert (only.index, only.key, only.prompt) == (0, f"{run.op.id}-000", "the master's")
    assert (run.op.state, only.state) == (OperationState.RECEIVED, ItemState.PENDING)
    assert run.op.received_at is not None
    assert world.ledger.get(run.op.id) == run.op


def test_a_set_of_the_gallery_says_of_each_image_what_is_known() -> None:
    world, _ = rigged()
    run = a_run(world)
    images = [
        image("a", prompt="told", shot=WIDE, angle="left"),
        image("b", angle="right"),
        image("c"),
    ]
    received_gallery(run, images)
    assert written(run) == [
        ("a", "told", WIDE, "a.png"),
        ("b", "the master's", Shot(name="right"), "b.png"),
        ("c", "the master's", None, "c.png"),
    ]
    assert [each.index for each in run.op.items] == [0, 1, 2]


def test_a_job_says_what_was_drawn_and_what_was_not() -> None:
    world, _ = rigged()
    asked = shows(world, image("a", shot=WIDE), image("new"))
    run = a_run(world)
    job = Job(
        job_id="j",
        status="completed",
        images=(
            PortfolioImage(angle="left", url="http://library.test/dead.png", media_id="a"),
            PortfolioImage(angle="right", url="http://library.test/live.png"),
            PortfolioImage(url="http://library.test/plain.png"),
        ),
        failures=(
            PortfolioFailure(angle="back", error="too dark"),
            PortfolioFailure(error="the master's face"),
            PortfolioFailure(),
        ),
    )
    received_job(run, world.db_id, job)
    assert asked == ["gallery"]
    assert written(run)[:3] == [
        ("a", "the master's", WIDE, "a.png"),
        (None, "the master's", Shot(name="right"), "live.png"),
        (None, "the master's", None, "plain.png"),
    ]
    failed = run.op.items[3:]
    assert [each.state for each in failed] == [ItemState.FAILED] * 3
    assert [each.shot for each in failed] == [Shot(name="back"), None, None]
    assert failed[0].error == "too dark"
    assert "master" not in str(failed[1].error)
    assert failed[2].error == "The Character Library could not draw this shot."
    assert [each.index for each in run.op.items] == list(range(6))
    assert len({each.key for each in run.op.items}) == 6


def test_a_job_of_failures_alone_is_told_by_these_and_not_by_the_gallery() -> None:
    world, _ = rigged()
    asked = shows(world, image("another's"))
    run = a_run(world)
    job = Job(job_id="j", status="completed", failures=(PortfolioFailure(angle="back"),))
    received_job(run, world.db_id, job)
    assert [each.state for each in run.op.items] == [ItemState.FAILED]
    assert asked == []


def test_a_job_that_tells_nothing_is_told_by_the_gallery() -> None:
    world, _ = rigged()
    shows(world, image("a"), image("b"))
    run = a_run(world)
    received_job(run, world.db_id, Job(job_id="j", status="completed"))
    assert [each.external_id for each in run.op.items] == ["a", "b"]


def test_true_urls_come_from_the_gallery_or_the_media_document_or_stay() -> None:
    world, _ = rigged()
    stored = item(4, external_id="stored", state=ItemState.STORED)
    run = a_run(
        world,
        item(0, external_id="a", shot=NEAR),
        item(1, external_id="b", shot=NEAR),
        item(2, external_id="c"),
        item(3),
        stored,
        item(5, external_id="d"),
        item(6, external_id="e"),
    )
    asked = shows(
        world,
        image("a", shot=WIDE, prompt="told"),
        image("b"),
        image("c", url=None),
        image("stored"),
        c=LibraryMedia(id="c", url="http://library.test/by-id.png"),
        d=LibraryMedia(id="d"),
    )
    resolve_set(run, world.db_id)
    assert written(run) == [
        ("a", "told", WIDE, "a.png"),
        ("b", "asked", NEAR, "b.png"),
        ("c", "asked", None, "by-id.png"),
        (None, "asked", None, "old.png"),
        ("stored", "asked", None, "old.png"),
        ("d", "asked", None, "old.png"),
        ("e", "asked", None, "old.png"),
    ]
    assert run.op.items[4] == stored
    assert asked == ["gallery", "c", "d", "e"]
    (warning,) = run.warnings
    assert (warning.code, "'e'" in warning.message) == (ErrorCode.NOT_FOUND, True)
    assert world.ledger.get(run.op.id) == run.op


@pytest.mark.parametrize("state", [ItemState.PENDING, ItemState.STORED])
def test_nothing_is_asked_where_there_is_nothing_to_resolve(state: str) -> None:
    world, _ = rigged()
    named = None if state == ItemState.PENDING else "a"
    run = a_run(world, item(0, external_id=named, state=state))
    before = run.op
    asked = shows(world)
    resolve_set(run, world.db_id)
    assert (asked, run.op) == ([], before)


def test_a_library_that_is_not_well_says_so_and_may_be_asked_again() -> None:
    world, simulator = rigged()
    check_health(world.service.library)
    simulator.answer("GET health", lambda document: {**document, "status": "failing"})
    with pytest.raises(CharacterLibraryError, match="'failing'") as caught:
        check_health(world.service.library)
    error = caught.value
    assert (error.code, error.status_code, error.retryable) == (ErrorCode.UNAVAILABLE, 200, True)


# What was there before


def test_a_reference_that_was_there_before_is_not_taken_for_the_lost_one() -> None:
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    simulator.unheard.append(INITIAL)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="lost")
    assert outcomes(world.service.recover()) == ["unknown"]
    assert world.images() == []
    settled(world)


@pytest.mark.parametrize("lists_jobs", [True, False])
def test_a_set_that_was_there_before_is_not_taken_for_the_lost_one(lists_jobs: bool) -> None:
    """Neither by its job, nor by its images where the Library lists no jobs."""
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    library = world.service.library
    answer = library.generate_360_set(world.db_id)
    library.wait_for_job(str(answer.job_id))
    if not lists_jobs:
        simulator.answer("GET jobs", lambda document: {**document, "jobs": []})
    simulator.unheard.append(SET)
    with pytest.raises(CharacterLibraryError):
        world.service.generate_portfolio(LENA)
    assert outcomes(world.service.recover()) == ["unknown"]
    assert world.images() == []
    settled(world)


def test_a_generation_lasts_from_the_request_that_drew_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not from the one that the Library had refused because of another reference."""
    world, simulator = rigged()
    simulator.set_reference(world.db_id)
    library: Any = world.service.library
    delete = library.delete_reference_image
    deleted = []

    def told(db_id: str) -> Any:
        answer = delete(db_id)
        deleted.append(utcnow())
        return answer

    monkeypatch.setattr(library, "delete_reference_image", told)
    world.service.generate_reference(LENA, prompt="one")
    (operation,) = world.operations()
    assert operation.posted_at is not None
    assert operation.posted_at >= deleted[0]
