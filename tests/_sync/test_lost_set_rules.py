# Generated from tests/_async/test_lost_set_rules.py by tools/unasync.py. Do not edit.
"""Which files are a lost set's own, to the millisecond."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from attrs import evolve

from charimg import CharacterLibraryError, CharacterReference
from charimg._library.values import Job, PortfolioImage
from charimg._sync.lost_sets import NAMED, LostSet, at_once
from charimg._sync.operation import DRAWN_BY
from charimg.models import Shot

from .lost_library import (
    ANGLES,
    ASKED,
    DRAWN,
    ENDED,
    FAILED,
    HOURS,
    ITEM,
    JUST,
    LENA,
    MAX,
    NAMESAKE,
    OTHER,
    OWN,
    SECOND,
    SET,
    SHOTS,
    Look,
    refused,
)


@pytest.fixture
def look() -> Look:
    return Look()


@pytest.mark.parametrize(
    ("moment", "own"),
    [
        (ASKED - JUST, False),
        (ASKED, True),
        (ENDED, True),
        (ENDED + SECOND, True),
        (ENDED + SECOND + JUST, False),
    ],
)
def test_a_file_is_its_own_between_its_begin_and_its_end(
    look: Look, moment: datetime, own: bool
) -> None:
    drawn = look.library.draw(moment)
    assert look.ids() == ([drawn] if own else [])


def test_of_one_that_stands_still_nobody_knows_the_end(look: Look) -> None:
    drawn = look.library.draw(ENDED + HOURS)
    assert look.ids(evolve(FAILED, status="processing", completed_at=None)) == [drawn]


def test_the_job_itself_tells_better_when_it_was_asked_for_than_the_answer_before(
    look: Look,
) -> None:
    op = evolve(SET, posted_on_server=ASKED - 3 * SECOND)
    drawn = look.library.draw(ASKED - JUST)
    assert look.ids(op=op) == []
    # One that is in no list.
    look.library.pages = [[]]
    assert look.ids(op=op) == [drawn]


def test_where_nobody_knows_when_it_was_asked_for_all_may_be_its_own(look: Look) -> None:
    look.library.pages = [[]]
    drawn = look.library.draw(SET.created_at - HOURS)
    look.library.draw(SET.created_at - HOURS - JUST)
    found = look.found()
    assert [media.id for media, _ in found.images] == [drawn]
    assert found.doubts == ("When the set was asked for by the server's clock is not known.",)


def test_a_file_of_another_name_is_not_its_own(look: Look) -> None:
    for who in ("marlow", "anna_marlow", "lena_marlow_2", "agent_35mm_lena_marlow"):
        look.library.draw(who=who)
    drawn = look.library.draw(who="Lena.Marlow")
    look.library.draw(filename="lena_marlow.png")
    assert look.ids() == [drawn]


def test_a_document_without_a_name_is_told_by_its_url_and_one_without_both_by_nothing(
    look: Look,
) -> None:
    drawn = look.library.draw()
    (media,) = look.library.media
    url = f"https://cdn.test/{media.filename}?signature=1"
    look.library.media = [evolve(media, filename=None, url=url)]
    assert look.ids() == [drawn]
    # The name counts, wherever it is served.
    look.library.media = [evolve(media, url="https://cdn.test/opaque")]
    assert look.ids() == [drawn]


@pytest.mark.parametrize(
    ("name", "part"), [("Lena Marlow", "marlow"), ("Alexandra", "alexandra"), ("玲", "mm_")]
)
def test_the_longest_word_of_the_name_is_looked_for(look: Look, name: str, part: str) -> None:
    look.library.names[LENA] = name
    assert look.ids() == []
    assert [each for each in look.library.asked if "media" in each] == [f"media {part} 1"]


def test_the_name_of_then_counts_as_that_of_now(look: Look) -> None:
    op = evolve(SET, options={NAMED: "Lena Brandt"})
    first = look.library.draw(who="lena_brandt")
    second = look.library.draw(DRAWN + SECOND, angle="left")
    assert look.ids(op=op) == [first, second]
    del look.library.names[LENA]
    assert look.ids(op=op) == [first]


@pytest.mark.parametrize("db_id", ["gone", None])
def test_without_any_name_nothing_is_looked_for(look: Look, db_id: str | None) -> None:
    look.library.draw()
    found = look.found(op=evolve(SET, library_db_id=db_id))
    assert (found.sought, found.images, found.size) == (False, (), 0)
    assert len(look.library.asked) == (db_id is not None)


def test_a_character_that_cannot_be_asked_for_now_is_not_gone(look: Look) -> None:
    with pytest.raises(CharacterLibraryError):
        look.found(op=evolve(SET, library_db_id="down"))


def test_what_was_there_before_or_another_operation_has_is_not_its_own(
    look: Look,
) -> None:
    before, taken, namesakes = (
        look.library.draw(DRAWN + number * SECOND, angle=each) for number, each in enumerate(ANGLES)
    )
    op = evolve(SET, baseline=(f"image:{before}",))
    assert look.ids(op=op) == [taken, namesakes]
    item = evolve(ITEM, external_id=taken)
    look.keep(evolve(SET, id="2" * 32, job_id=None, items=(item,)))
    assert look.ids(op=op) == [namesakes]
    look.directory.put(CharacterReference(id="9", name="Lena", library_db_id=NAMESAKE))
    item = evolve(ITEM, external_id=namesakes)
    theirs = evolve(SET, id="9" * 32, character_id="9", library_db_id=NAMESAKE, items=(item,))
    look.keep(theirs)
    # It does not matter before a job says that a namesake was at it.
    assert look.ids(op=op) == [namesakes]
    look.library.order(ASKED, ENDED)
    look.library.results[OTHER] = ()
    assert look.ids(op=op) == []


def test_who_has_all_of_its_job_leaves_no_doubt(look: Look) -> None:
    drawn = look.library.draw()
    look.library.order(ASKED, DRAWN)
    assert look.doubted()
    look.directory.put(CharacterReference(id="9", name="Lena", library_db_id=NAMESAKE))
    theirs = evolve(
        SET,
        id="9" * 32,
        character_id="9",
        library_db_id=NAMESAKE,
        job_id=OTHER,
        items=(ITEM,),
        posted_at=ASKED,
        posted_on_server=ASKED,
        received_at=DRAWN,
    )
    look.keep(theirs)
    # Another operation of theirs says nothing of the job.
    look.keep(evolve(theirs, id="8" * 32, job_id="older"))
    assert look.ids() == [drawn]


@pytest.mark.parametrize(
    ("created", "completed", "meets"),
    [
        (ASKED, DRAWN, True),
        (ASKED, DRAWN - SECOND, True),
        (ASKED, DRAWN - SECOND - JUST, False),
        (DRAWN + SECOND, ENDED, True),
        (DRAWN + SECOND + JUST, ENDED, False),
        # It may draw for hours, unless it has ended.
        (ASKED, None, True),
        (DRAWN - HOURS - SECOND, None, True),
        (DRAWN - HOURS - SECOND - JUST, None, False),
        (DRAWN - 2 * HOURS, DRAWN, True),
        # Nobody knows when it began.
        (None, None, True),
        (None, DRAWN - SECOND, True),
        (None, DRAWN - SECOND - JUST, False),
    ],
)
def test_a_namesakes_job_leaves_a_doubt_while_it_may_have_drawn(
    look: Look, created: datetime | None, completed: datetime | None, meets: bool
) -> None:
    look.library.draw()
    look.library.order(created, completed)
    assert look.doubted() is meets
    # The own job's end does not matter for one that stands still.
    assert look.doubted(evolve(FAILED, completed_at=None)) is meets


@pytest.mark.parametrize(
    ("created", "completed", "asked"),
    [
        (ASKED - HOURS, ASKED - SECOND, True),
        (ASKED - HOURS, ASKED - SECOND - JUST, False),
        (ENDED + SECOND, ENDED + HOURS, True),
        (ENDED + SECOND + JUST, ENDED + HOURS, False),
    ],
)
def test_a_job_of_another_time_is_not_asked_for(
    look: Look, created: datetime, completed: datetime, asked: bool
) -> None:
    look.library.draw(ENDED + SECOND)
    look.library.order(created, completed)
    look.library.results[OTHER] = ()
    look.found()
    assert (f"job {OTHER}" in look.library.asked) is asked
    assert ("character b" in look.library.asked) is asked


@pytest.mark.parametrize("character", [NAMESAKE, LENA, "gone", None])
def test_what_another_job_names_is_its_own_and_the_rest_is_the_sets(
    look: Look, character: str | None
) -> None:
    theirs = look.library.draw()
    own = look.library.draw(DRAWN + SECOND, angle="left")
    look.library.order(ASKED, DRAWN, character_id=character)
    # An older server gives no id.
    look.library.results[OTHER] = (PortfolioImage(media_id=theirs), PortfolioImage())
    assert look.ids() == [own]
    look.library.results.clear()
    assert len((look.found()).doubts) == 1


@pytest.mark.parametrize("status", ["failed", "processing"])
def test_a_job_that_names_nothing_may_have_drawn_any(look: Look, status: str) -> None:
    look.library.draw()
    look.library.order(ASKED, ENDED, status=status)
    look.library.results[OTHER] = (PortfolioImage(media_id="m0"),) * (status == "processing")
    assert look.doubted()
    # None of an image that it has not drawn.
    look.library.media.clear()
    assert (look.found()).doubts == ()


def test_a_job_of_another_name_is_no_matter(look: Look) -> None:
    drawn = look.library.draw()
    look.library.order(ASKED, ENDED, character_id=MAX)
    look.library.results[OTHER] = (PortfolioImage(media_id=drawn),)
    assert look.ids() == [drawn]


def test_the_name_of_a_character_is_asked_for_once(look: Look) -> None:
    for number in range(3):
        look.library.order(ASKED, ENDED, job_id=str(number))
        look.library.order(ASKED, ENDED, job_id=f"own {number}", character_id=LENA)
    look.found()
    assert sorted(each for each in look.library.asked if "character" in each) == [
        "character a",
        "character b",
    ]


def test_images_come_in_the_order_of_drawing_then_of_their_ids(look: Look) -> None:
    for moment, media_id in ((SECOND, "4"), (0 * SECOND, "7"), (SECOND, "5"), (2 * SECOND, "1")):
        look.library.draw(DRAWN + moment, angle=f"new_{media_id}", id=media_id)
    look.library.shots = ()
    assert look.ids() == ["7", "4", "5", "1"]
    assert look.ids(only=["1", "7", "9"]) == ["7", "1"]
    assert look.ids(only=[]) == []


def test_of_two_tries_at_a_shot_the_later_is_the_sets(look: Look) -> None:
    look.library.draw()
    again = look.library.draw(DRAWN + SECOND, attempt=2)
    other = look.library.draw(DRAWN + 2 * SECOND, angle="left")
    assert look.ids() == [again, other]
    # Whoever chooses the first has not chosen the other.
    assert look.ids(only=["m0", other]) == [other]


@pytest.mark.parametrize(("jobs", "told"), [(499, 0), (500, 1), (501, 1)])
def test_a_list_of_jobs_that_is_cut_off_leaves_a_doubt(look: Look, jobs: int, told: int) -> None:
    drawn = look.library.draw()
    for number in range(jobs - 1):
        look.library.order(ASKED, ENDED, character_id=MAX, job_id=str(number))
    look.library.pages += [[]]
    found = look.found()
    assert [media.id for media, _ in found.images] == [drawn]
    assert (
        found.doubts
        == ("There are 500 newer jobs, and older ones may have drawn some of it, too.",) * told
    )
    # Those that come then are not asked for.
    assert ("jobs 2 of 50" in look.library.asked) is (jobs < 500)


@pytest.mark.parametrize(
    ("oldest", "goes_on"),
    [
        (ASKED - HOURS - JUST, False),
        (ASKED - HOURS, False),
        (ASKED - HOURS + JUST, True),
        (None, True),
        ("an empty page", True),
    ],
)
def test_jobs_are_listed_back_to_those_that_cannot_draw_any_more(
    look: Look, oldest: Any, goes_on: bool
) -> None:
    own = look.library.pages[0]
    newest = [Job(job_id="last", status="completed", created_at=oldest, completed_at=ASKED)]
    look.library.pages = [newest if oldest != "an empty page" else [], own, []]
    look.found(op=evolve(SET, created_at=ENDED, posted_on_server=ASKED))
    look.found(op=evolve(SET, created_at=ASKED))
    listed = ["jobs 1 of 50", *["jobs 2 of 50", "jobs 3 of 50"] * goes_on]
    assert [each for each in look.library.asked if "jobs" in each] == 2 * listed


def named(found: LostSet) -> tuple[list[str], list[str | None]]:
    """Return the names of the shots that are there, and of those that are not."""
    missing = [None if each is None else each.name for each in found.missing]
    return [shot.name for _, shot in found.images], missing


def test_the_shot_that_a_job_is_at_is_its_last(look: Look) -> None:
    look.library.draw(angle="left")
    job = evolve(FAILED, current=0)
    found = look.found(job)
    # It has not been at the left one: this is another's, or a newer one.
    assert named(found) == (["50mm left cu neutral"], ["the front", "the left", "the back"])
    assert "more images than a set has" in found.doubts[0]
    found = look.found(evolve(job, current=1))
    assert named(found) == (["the left"], ["the front", "the back"])
    assert (found.doubts, found.size) == ((), 3)


def test_a_shot_that_is_there_twice_is_somebodys(look: Look) -> None:
    for number in range(2):
        look.library.draw(DRAWN + number * SECOND)
    look.library.draw(DRAWN + 2 * SECOND, angle="left")
    found = look.found()
    assert "somebody drew some of them, too" in found.doubts[0]
    assert [media.id for media, _ in found.repeated] == ["m0", "m1"]
    assert found.missing == (SHOTS[2].shot,)


def test_a_set_has_as_many_of_the_core_shots_as_the_job_says(look: Look) -> None:
    look.library.draw()
    extra = [evolve(SHOTS[0], shot=Shot(name=each), pack=each) for each in ("scene", "")]
    look.library.shots = [extra[0], evolve(SHOTS[0], pack=None), extra[1], *SHOTS[1:]]
    job = evolve(FAILED, total=2, current=1)
    assert named(look.found(job)) == (["the front"], ["the left"])
    assert named(look.found()) == (["the front"], ["the left", "the back"])


def test_how_many_a_job_was_to_draw_may_not_be_known(look: Look) -> None:
    look.library.draw(angle="left")
    found = look.found(evolve(FAILED, total=0, current=0))
    assert (named(found), found.size) == ((["the left"], []), 3)
    # Nor which.
    look.library.shots = refused(404)
    found = look.found()
    assert (named(found), found.size) == ((["50mm left cu neutral"], [None, None]), 3)
    found = look.found(evolve(FAILED, total=0))
    assert (found.missing, found.size) == ((), 0)
    look.library.draw()
    assert (look.found(evolve(FAILED, total=1))).missing == ()


def test_a_list_of_shots_that_is_out_of_reach_is_none_that_is_not_there(
    look: Look,
) -> None:
    look.library.shots = refused(503)
    with pytest.raises(CharacterLibraryError):
        look.found()


def test_a_set_that_failed_within_its_request_ended_a_little_after_the_answer() -> None:
    op = evolve(SET, job_id=None, error="no", posted_on_server=ASKED)
    assert at_once(op) is None
    op = evolve(op, options={DRAWN_BY: DRAWN.isoformat()})
    assert at_once(op) == Job(
        job_id="",
        status="failed",
        error="no",
        created_at=ASKED,
        completed_at=DRAWN + 2 * SECOND,
    )
    assert at_once(evolve(op, job_id=OWN)) is None
    assert at_once(evolve(op, kind="scene")) is None
