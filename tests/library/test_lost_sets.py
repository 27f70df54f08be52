"""Which shots the files of a lost set show: the right one, or no particular one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from charimg._library.filenames import ShotFile, shot_file, words
from charimg._library.lost_sets import is_retried, tell_shots
from charimg._library.values import ReferenceShot
from charimg.models import Shot
from charimg.testing.simulator.shots import SHOTS

BEGIN = datetime(2026, 11, 29, 20, 31, tzinfo=UTC)
SET = tuple(
    ReferenceShot(
        shot=Shot(name=each.name, lens_mm=each.lens_mm, crop=each.crop, expression=each.expression),
        angle=each.angle,
    )
    for each in SHOTS
)
FRONT = next(index for index, each in enumerate(SHOTS) if each.name == "50mm FRONT CU (Enhanced)")


def files(*places: int) -> list[ShotFile]:
    """Return the files of the shots at these places, drawn in that order."""
    return [
        ShotFile(
            who="lena",
            lens_mm=int(SET[place].shot.lens_mm or 0),
            look=f"{SET[place].angle}_{SET[place].shot.crop}_{SET[place].shot.expression}",
            attempt=1,
            moment=BEGIN + timedelta(seconds=number),
        )
        for number, place in enumerate(places)
    ]


@given(st.sets(st.integers(0, len(SET) - 1)))
def test_each_file_is_told_rightly_or_as_one_of_its_look(drawn: set[int]) -> None:
    told = tell_shots(files(*sorted(drawn)), SET)
    for place, shot in zip(sorted(drawn), told.shots, strict=True):
        true = SET[place].shot
        look = f"{SET[place].angle}_{true.crop}_{true.expression}".replace("_", " ")
        assert shot in (true, Shot(name=f"{true.lens_mm:g}mm {look}", lens_mm=true.lens_mm))
    assert not {each.name for each in told.missing} & {SET[place].shot.name for place in drawn}
    assert len(told.missing) + len(drawn) == len(SET)
    assert not told.too_many


@pytest.mark.parametrize("lost", range(len(SET)))
def test_one_that_is_missing_is_named_where_its_look_is_its_own(lost: int) -> None:
    told = tell_shots(files(*(place for place in range(len(SET)) if place != lost)), SET)
    (missing,) = told.missing
    look = [(each.shot.lens_mm, each.angle, each.shot.crop, each.shot.expression) for each in SET]
    if look.count(look[lost]) == 1:
        assert missing == SET[lost].shot
    assert len(set(told.shots) & {each.shot for each in SET}) >= len(SET) - 4


def test_order_tells_those_of_one_look_apart() -> None:
    assert tell_shots(files(2, 3), SET).shots == (SET[2].shot, SET[3].shot)
    # One of two, and nothing between them that would tell which.
    (shot,) = tell_shots(files(2), SET).shots
    assert shot.name == "85mm front cu neutral"
    # Between a later one of the order and its own end there is one place for it.
    assert tell_shots(files(20, FRONT), SET).shots[1] == SET[FRONT].shot


def test_out_of_order_only_looks_of_their_own_are_told() -> None:
    told = tell_shots(files(1, 0, 3), SET)
    assert told.shots[:2] == (SET[1].shot, SET[0].shot)
    assert told.shots[2].name == "85mm front cu neutral"


@pytest.mark.parametrize(
    ("drawn", "missing"),
    [
        # Which of the two of one look it is nobody knows, nor which of them is not there.
        ((1, 0, 3), ["85mm front cu neutral"]),
        # Both are there, in whichever order.
        ((1, 0, 2, 3), []),
        ((1, 0), ["2", "3"]),
        # The place of this one is sure, by what comes after it.
        ((2, 3), ["0", "1"]),
    ],
)
def test_what_is_missing_of_shots_of_one_look(drawn: tuple[int, ...], missing: list[str]) -> None:
    first = SET[:4]
    names = [SET[int(each)].shot.name if each.isdigit() else each for each in missing]
    assert [each.name for each in tell_shots(files(*drawn), first).missing] == names


def test_of_three_shots_of_one_look_as_many_are_missing_as_there_are_too_few_files() -> None:
    three = [
        evolve(SET[2], shot=evolve(SET[2].shot, name=each)) for each in ("first", "second", "third")
    ]
    vague = evolve(SET[2].shot, name="85mm front cu neutral", crop=None, expression=None)
    for number in range(4):
        told = tell_shots(files(*[2] * number), three)
        assert len(told.missing) == 3 - number
        assert not told.too_many
        if number in (1, 2):
            assert {*told.shots, *told.missing} == {vague}
    assert tell_shots(files(2, 2, 2), three).shots == tuple(each.shot for each in three)
    assert tell_shots(files(), three).missing == tuple(each.shot for each in three)


def test_more_files_than_shots_are_somebody_elses_too() -> None:
    assert tell_shots(files(0, 0), SET).too_many
    assert tell_shots(files(2, 3, 3), SET).too_many
    assert not tell_shots(files(2, 3), SET).too_many


def test_files_of_one_shot_are_told() -> None:
    assert tell_shots(files(0, 1, 0), SET).repeated == (0, 2)
    # Two shots of the set have this look.
    assert tell_shots(files(0, 2, 3), SET).repeated == ()
    assert tell_shots(files(0, 2, 3, 3), SET).repeated == (1, 2, 3)
    newer = evolve(files(0)[0], look="seen_by_nobody_yet")
    assert tell_shots([newer], SET).repeated == ()
    assert tell_shots([newer, newer], SET).repeated == (0, 1)
    assert tell_shots(files(0, 0), ()).repeated == ()


def test_a_shot_without_a_lens_is_that_of_a_file_that_names_none() -> None:
    bare = evolve(SET[0], shot=evolve(SET[0].shot, lens_mm=None))
    assert tell_shots([evolve(files(0)[0], lens_mm=0)], [bare]).shots == (bare.shot,)
    assert tell_shots(files(0), [bare]).missing == (bare.shot,)


def test_another_try_at_a_shot_is_told_from_another_shot() -> None:
    first, other = files(2, 3)
    assert not is_retried(first, other)
    assert not is_retried(first, None)
    assert is_retried(first, evolve(other, attempt=2))
    assert not is_retried(first, evolve(other, attempt=3))
    assert not is_retried(first, first)
    assert is_retried(evolve(first, attempt=2), evolve(first, attempt=3))
    for change in ({"who": "max"}, {"lens_mm": 50}, {"look": "front"}):
        assert not is_retried(first, evolve(other, attempt=2, **change))


def test_without_the_servers_list_the_files_names_are_what_is_known() -> None:
    told = tell_shots(files(0, 2), ())
    assert [each.name for each in told.shots] == [
        "50mm 3q right mcu neutral",
        "85mm front cu neutral",
    ]
    assert (told.missing, told.too_many) == ((), False)


def test_the_name_of_a_shots_file_is_read() -> None:
    found = shot_file(
        "http://x.test/media/lori_set_35mm_front_full_neutral_v1_1795984360550.png?a=b"
    )
    assert found == ShotFile(
        who="lori_set",
        lens_mm=35,
        look="front_full_neutral",
        attempt=1,
        moment=datetime(2026, 11, 29, 20, 32, 40, 550000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    "name",
    [
        None,
        "",
        "lori_set.png",
        "lori_35mm_front_v1_12.png",
        "6b0c8bac077ef729b42f9122_initial_1795984360550.jpg",
    ],
)
def test_other_names_are_none(name: str | None) -> None:
    assert shot_file(name) is None


def test_a_name_that_holds_a_lens_is_no_matter() -> None:
    found = shot_file("agent_35mm_smith_85mm_front_cu_neutral_v1_1795984360550.png")
    assert found is not None
    assert (found.who, found.lens_mm, found.look) == ("agent_35mm_smith", 85, "front_cu_neutral")


@pytest.mark.parametrize(
    ("name", "told"),
    [("Lori Set", "lori_set"), ("O'Neil  Jr.", "o_neil_jr"), ("玲", ""), ("R2-D2", "r2_d2")],
)
def test_a_name_as_words(name: str, told: str) -> None:
    assert words(name) == told
