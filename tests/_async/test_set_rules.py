"""What is written down of a set, shot by shot, whatever it was that told of it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg import ItemState, JobError, JobPolicy, OperationItem, OperationState
from charimg._async.documents import Rescue
from charimg._async.lost_sets import LostSet
from charimg._async.operation import AsyncRun
from charimg._async.sets import (
    is_unfinished,
    nothing_more,
    place_late,
    received_forgotten,
    received_gallery,
    received_job,
    received_late,
    received_lost,
    received_set,
    received_shots,
    resolve_set,
    why_missing,
)
from charimg._library.values import (
    GalleryImage,
    Job,
    LibraryMedia,
    PortfolioAnswer,
    PortfolioFailure,
    PortfolioImage,
)
from charimg.models import Shot

from .lost_library import ASKED, ENDED, FAILED, LENA, OWN, SET, AsyncLook, refused

pytestmark = pytest.mark.anyio

URL = "https://library.test/media/"
DONE = Job(job_id=OWN, status="completed", total=3, current=3)


@pytest.fixture
def look() -> AsyncLook:
    return AsyncLook()


def shown(media_id: str, **fields: Any) -> GalleryImage:
    """Return an image as the gallery shows it."""
    known: dict[str, Any] = {"category": "core", "url": f"{URL}{media_id}.png"}
    return GalleryImage(image_id=media_id, **{**known, **fields})


def named(*names: str | None, **fields: Any) -> tuple[OperationItem, ...]:
    """Return shots of a set of which none was drawn."""
    given: dict[str, Any] = {"state": ItemState.FAILED, "error": "It was not drawn.", **fields}
    return tuple(
        OperationItem(
            key=f"{SET.id}-{index:03d}",
            index=index,
            shot=None if name is None else Shot(name=name),
            **given,
        )
        for index, name in enumerate(names)
    )


def told(run: AsyncRun) -> list[tuple[str, str | None, str | None]]:
    """Return of each item its state, its media id and the name of its shot."""
    return [
        (each.state, each.external_id, None if each.shot is None else each.shot.name)
        for each in run.op.items
    ]


async def test_a_gallerys_image_has_its_own_prompt_or_that_of_the_reference(
    look: AsyncLook,
) -> None:
    side = Shot(name="the side")
    images = [
        shown("1", prompt="her own", shot=side, angle="front"),
        shown("2", angle="front"),
        shown("3", url=None),
    ]
    run = await look.run(prompt="Lena")
    await received_gallery(run, images)
    assert [(each.prompt, each.prompt_origin) for each in run.op.items] == [
        ("her own", None),
        ("Lena", "reference"),
        ("Lena", "reference"),
    ]
    assert [each.shot for each in run.op.items] == [side, Shot(name="front"), None]
    assert [each.source_url for each in run.op.items] == [f"{URL}1.png", f"{URL}2.png", None]
    assert [each.external_id for each in run.op.items] == ["1", "2", "3"]
    assert [(each.key, each.index) for each in run.op.items] == [
        (f"{SET.id}-{number:03d}", number) for number in range(3)
    ]
    assert run.op.state == OperationState.RECEIVED
    assert run.op.received_at is not None
    # A reference that came without any has none to give.
    run = await look.run(prompt="")
    await received_gallery(run, images)
    assert [(each.prompt, each.prompt_origin) for each in run.op.items] == [
        ("her own", None),
        ("", None),
        ("", None),
    ]


async def test_a_job_that_does_not_say_what_it_drew_has_drawn_what_is_new_in_the_gallery(
    look: AsyncLook,
) -> None:
    look.library.pages = [[]]
    look.library.core = [shown("1"), shown("2", angle="left")]
    run = await look.run(baseline=("image:1",))
    await received_job(run, LENA, DONE)
    assert told(run) == [(ItemState.PENDING, "2", "left")]
    run = await look.run()
    failures = (PortfolioFailure(angle="back"),)
    await received_job(run, LENA, evolve(DONE, failures=failures))
    assert told(run) == [(ItemState.FAILED, None, "back")]
    run = await look.run()
    await received_job(run, LENA, evolve(DONE, images=(PortfolioImage(media_id="1"),)))
    assert told(run) == [(ItemState.PENDING, "1", None)]


async def test_of_a_job_that_is_forgotten_the_gallery_tells_or_nothing(look: AsyncLook) -> None:
    look.library.pages = [[]]
    run = await look.run()
    assert not await received_forgotten(run)
    assert (run.op.items, run.op.received_at) == ((), None)
    look.library.core = [shown("1")]
    assert await received_forgotten(run)
    assert told(run) == [(ItemState.PENDING, "1", None)]


async def test_a_finished_set_is_written_down_with_its_failures_and_true_urls(
    look: AsyncLook,
) -> None:
    side = Shot(name="the side", lens_mm=50)
    look.library.core = [shown("1", shot=side, prompt="her own"), shown("2", url=None)]
    look.library.draw(id="2", url=f"{URL}two.png")
    answer = PortfolioAnswer(
        job_id=OWN,
        images=(
            PortfolioImage(media_id="1", angle="front", url="dead"),
            PortfolioImage(media_id="2", angle="left", url="dead"),
            PortfolioImage(media_id="3", angle="back", url="dead"),
            PortfolioImage(url="old"),
        ),
        failures=(PortfolioFailure(angle="up", error="Lena is flagged"), PortfolioFailure()),
    )
    run = await look.run(prompt="Lena")
    await received_set(run, LENA, answer)
    assert told(run) == [
        (ItemState.PENDING, "1", "the side"),
        (ItemState.PENDING, "2", "left"),
        (ItemState.PENDING, "3", "back"),
        (ItemState.PENDING, None, None),
        (ItemState.FAILED, None, "up"),
        (ItemState.FAILED, None, None),
    ]
    assert [each.index for each in run.op.items] == [*range(6)]
    assert len({each.key for each in run.op.items}) == 6
    assert [each.source_url for each in run.op.items] == [
        *(f"{URL}1.png", f"{URL}two.png", "dead", "old"),
        *(None, None),
    ]
    assert [(each.prompt, each.prompt_origin) for each in run.op.items[:2]] == [
        ("her own", None),
        ("Lena", "reference"),
    ]
    errors = [each.error or "" for each in run.op.items]
    assert errors[:4] == [""] * 4
    assert "Lena" not in errors[4]
    assert "flagged" in errors[4]
    assert errors[5] == "The Character Library could not draw this shot."
    (warning,) = run.warnings
    assert warning.message.startswith("Media '3' is not in the gallery: ")
    assert warning.code == "NOT_FOUND"
    assert [each for each in look.library.asked if each.startswith("medium")] == [
        "medium 2",
        "medium 3",
    ]


async def test_what_has_no_id_or_is_in_already_is_not_asked_for(look: AsyncLook) -> None:
    stored = named("front", state=ItemState.STORED, external_id="1", error=None)
    run = await look.run(items=stored)
    await resolve_set(run, LENA)
    assert look.library.asked == []
    pending = evolve(stored[0], key="2", state=ItemState.PENDING, external_id=None, source_url="u")
    run = await look.run(items=(*stored, pending))
    await resolve_set(run, LENA)
    assert look.library.asked == []
    wanted = evolve(pending, key="3", external_id="2")
    look.library.core = [shown("1"), shown("2")]
    run = await look.run(items=(*stored, pending, wanted))
    await resolve_set(run, LENA)
    assert look.library.asked == ["core of a"]
    assert run.op.items == (*stored, pending, evolve(wanted, source_url=f"{URL}2.png"))


async def test_what_the_gallery_does_not_tell_stays_as_it_is(look: AsyncLook) -> None:
    item = evolve(
        named("front", state=ItemState.PENDING, external_id="1", source_url="old")[0],
        prompt="Lena",
        prompt_origin="reference",
    )
    look.library.core = [shown("1")]
    run = await look.run(items=(item,))
    await resolve_set(run, LENA)
    assert run.op.items == (evolve(item, source_url=f"{URL}1.png"),)
    # Nor is a document that tells no URL a reason to forget one.
    look.library.core = []
    look.library.draw(id="1")
    run = await look.run(items=(item,))
    await resolve_set(run, LENA)
    assert run.op.items == (item,)


def test_why_some_shots_are_missing_is_said_without_the_prompt() -> None:
    assert why_missing(evolve(FAILED, error="Lena is flagged."), "Lena") == (
        "Job own failed at 2 of 3: […] is flagged."
    )
    assert why_missing(FAILED, "") == "Job own failed at 2 of 3: no reason given."
    assert why_missing(evolve(FAILED, status="processing"), "") == (
        "Job own is processing (2/3) and stands still."
    )
    at_once = Job(job_id="", status="failed", error="It said so.")
    assert why_missing(at_once, "") == "It said so."
    assert why_missing(evolve(at_once, error=None), "") == ""


async def test_that_more_may_come_is_remembered_until_nothing_does(look: AsyncLook) -> None:
    run = await look.run(options={"kept": 1})
    assert not is_unfinished(run.op)
    side = Shot(name="the side")
    lost = LostSet(images=((LibraryMedia(id="1", url="u"), side),), missing=(None, Shot(name="up")))
    await received_shots(run, lost, "why", unfinished=True, more=2)
    assert is_unfinished(run.op)
    assert (run.op.options["kept"], run.op.options["more"]) == (1, 2)
    assert told(run) == [
        (ItemState.PENDING, "1", "the side"),
        (ItemState.FAILED, None, None),
        (ItemState.FAILED, None, "up"),
    ]
    assert [each.error for each in run.op.items] == [None, "why", "why"]
    assert [each.source_url for each in run.op.items] == ["u", None, None]
    assert [each.index for each in run.op.items] == [0, 1, 2]
    assert run.op.received_at is not None
    await nothing_more(run)
    assert not is_unfinished(run.op)
    assert run.op.options["kept"] == 1
    await received_shots(run, lost, "why")
    assert not is_unfinished(run.op)


@pytest.mark.parametrize("status", ["failed", "processing"])
async def test_what_a_lost_job_has_drawn_is_written_down(look: AsyncLook, status: str) -> None:
    drawn = look.library.draw()
    run = await look.run()
    assert await received_lost(run, evolve(FAILED, status=status)) == Rescue.FOUND
    assert told(run) == [
        (ItemState.PENDING, drawn, "the front"),
        (ItemState.FAILED, None, "the left"),
        (ItemState.FAILED, None, "the back"),
    ]
    assert is_unfinished(run.op) is (status == "processing")


async def test_what_may_be_somebody_elses_is_left_with_the_reason(look: AsyncLook) -> None:
    look.library.draw()
    look.library.order(ASKED, ENDED)
    run = await look.run()
    assert await received_lost(run, FAILED) == Rescue.UNSURE
    assert (run.op.state, run.op.items) == (OperationState.UNKNOWN, ())
    assert run.op.error == (
        "Job own failed at 2 of 3: no reason given. "
        "Job other drew for a character of the same name then, too."
    )
    # Once is enough.
    before = run.op
    assert await received_lost(run, FAILED) == Rescue.UNSURE
    assert run.op is before


@pytest.mark.parametrize("case", ["nobody", "closed", "off", "nothing"])
async def test_why_nothing_was_found_is_told(look: AsyncLook, case: str) -> None:
    if case == "nobody":
        look.library.names.clear()
    if case == "closed":
        look.library.refuses = refused(403)
    run = await look.run()
    look.parts.media_documents = case != "off"
    before = run.op
    rescue = await received_lost(run, FAILED)
    expected = {
        "nobody": Rescue.UNSOUGHT,
        "closed": Rescue.CLOSED,
        "off": Rescue.OFF,
        "nothing": Rescue.NOTHING,
    }
    assert rescue == expected[case]
    if case in ("off", "nothing"):
        assert run.op is before
        return
    assert run.op.state == OperationState.UNKNOWN
    assert run.op.error == f"Job own failed at 2 of 3: no reason given. {rescue}"


async def test_a_job_that_ended_well_after_all_says_what_it_drew(look: AsyncLook) -> None:
    # No file of theirs lies there.
    images = (
        PortfolioImage(media_id="1", angle="left"),
        PortfolioImage(media_id="2"),
        PortfolioImage(angle="lost"),
        PortfolioImage(media_id="0", angle="front"),
    )
    items = named("front", "left", None)
    first = evolve(items[0], state=ItemState.STORED, external_id="0", error=None)
    run = await look.run(items=(first, *items[1:]), options={"unfinished": True, "kept": 1})
    assert await received_late(run, evolve(DONE, images=images)) == ()
    assert told(run) == [
        (ItemState.STORED, "0", "front"),
        (ItemState.PENDING, "1", "left"),
        (ItemState.PENDING, "2", ""),
    ]
    assert not is_unfinished(run.op)
    assert run.op.options["kept"] == 1
    # Nor is one without an id taken where everything else is in.
    run = await look.run(items=(first,))
    assert await received_late(run, evolve(DONE, images=images[2:])) == ()
    assert run.op.items == (first,)


async def test_what_came_late_and_may_be_somebody_elses_changes_nothing(look: AsyncLook) -> None:
    drawn = look.library.draw()
    look.library.order(ASKED, ENDED)
    run = await look.run(items=named("front"), options={"unfinished": True})
    before = run.op
    (doubt,) = await received_late(run, FAILED)
    assert "Job other" in doubt
    assert run.op is before
    # Whose all are in, nobody doubts; and the job is over.
    run = await look.run(
        items=named("the front", state=ItemState.STORED, external_id=drawn, error=None),
        options={"unfinished": True},
    )
    assert await received_late(run, FAILED) == ()
    assert not is_unfinished(run.op)


@pytest.mark.parametrize("status", ["processing", "failed"])
async def test_a_job_that_goes_on_may_draw_more(look: AsyncLook, status: str) -> None:
    run = await look.run(items=named("the front"), options={"unfinished": True})
    job = evolve(FAILED, status=status)
    before = run.op
    assert await received_late(run, job) == ()
    assert is_unfinished(run.op) is (status == "processing")
    assert (run.op is before) is (status == "processing")
    drawn = look.library.draw()
    assert await received_late(run, job) == ()
    assert told(run) == [(ItemState.PENDING, drawn, "the front")]
    assert is_unfinished(run.op) is (status == "processing")


async def test_media_documents_that_are_closed_now_tell_nothing_new(look: AsyncLook) -> None:
    run = await look.run(items=named("the front"), options={"unfinished": True})
    look.library.refuses = refused(403)
    assert await received_late(run, evolve(FAILED, status="processing")) == ()
    assert told(run) == [(ItemState.FAILED, None, "the front")]


def lately(*names: str) -> list[tuple[str, Shot]]:
    """Late images of these shots, numbered from 1."""
    return [(str(number), Shot(name=name)) for number, name in enumerate(names, 1)]


async def test_late_images_take_the_places_of_their_shots_then_of_others_then_new_ones(
    look: AsyncLook,
) -> None:
    items = (
        *named("front", None, "left"),
        # An older server gives no id.
        evolve(named("down")[0], key="drawn", state=ItemState.STORED, index=3),
        # It came, and could not be stored: a retry brings it in.
        evolve(named("down")[0], key="broken", external_id="9", index=4),
    )
    run = await look.run(items=items, options={"kept": 1}, prompt="Lena")
    late = lately("new", "left", "front", "down", "down")
    await place_late(run, late, more=True, settled="ann")
    assert told(run) == [
        (ItemState.PENDING, "3", "front"),
        (ItemState.PENDING, "1", "new"),
        (ItemState.PENDING, "2", "left"),
        (ItemState.STORED, None, "down"),
        (ItemState.FAILED, "9", "down"),
        (ItemState.PENDING, "4", "down"),
        (ItemState.PENDING, "5", "down"),
    ]
    assert [each.key for each in run.op.items[:5]] == [each.key for each in items]
    assert [each.index for each in run.op.items] == [0, 1, 2, 3, 4, 5, 6]
    assert [each.error for each in run.op.items if each.state == ItemState.PENDING] == [None] * 5
    assert run.op.options == {"kept": 1, "settled": "ann", "unfinished": True}
    assert (run.op.items[5].prompt, run.op.items[5].prompt_origin) == ("Lena", "reference")


async def test_late_images_are_found_by_the_gallery(look: AsyncLook) -> None:
    look.library.core = [shown("1")]
    run = await look.run(items=named("front"))
    await place_late(run, lately("front"), more=False)
    assert run.op.items[0].source_url == f"{URL}1.png"
    assert look.library.asked == ["core of a"]


@pytest.mark.parametrize(("most", "fits"), [(3, True), (2, False)])
async def test_late_images_count_with_those_before(look: AsyncLook, most: int, fits: bool) -> None:
    run = await look.run(items=named("front", "left"))
    look.parts.job_policy = JobPolicy(max_images=most)
    late = lately("front")
    if fits:
        await place_late(run, late, more=False)
        return
    with pytest.raises(JobError, match="names 3 images"):
        await place_late(run, late, more=False)
