"""A drawing is given to an operation only where every explanation gives it to that one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from charimg._library.claims import Claim, Drawing, could_be, given
from charimg._library.clock import ServerClock
from charimg._library.filenames import FileName, file_name

BEGIN = datetime(2026, 11, 29, 20, 31, tzinfo=UTC)
DB_ID = "6b0c8bac077ef729b42f9122"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def scene(media_id: str, moment: float, scene_type: str = "action", mood: str = "") -> Drawing:
    return Drawing(id=media_id, moment=at(moment), scene_type=scene_type, mood=mood)


def lost(operation_id: str, begun: float, scene_type: str = "action", **more: object) -> Claim:
    return Claim(operation_id=operation_id, begun=at(begun), scene_type=scene_type, **more)  # type: ignore[arg-type]


def test_the_older_one_that_still_drew_gets_its_own() -> None:
    claims = [lost("A", 0), lost("B", 7, "dialogue")]
    assert given(claims, [scene("x", 9)]) == {"A": "x"}
    assert given(claims, [scene("x", 9), scene("y", 8, "dialogue")]) == {"A": "x", "B": "y"}


def test_two_that_asked_for_the_same_are_told_apart_by_time_alone() -> None:
    claims = [lost("A", 0), lost("B", 7)]
    assert given(claims, [scene("x", 9)]) == {}
    assert given(claims, [scene("x", 3), scene("y", 9)]) == {"A": "x", "B": "y"}
    assert given(claims, [scene("x", 8), scene("y", 9)]) == {}
    # The one that was answered before the second began drew nothing later.
    answered = lost("A", 0, ended=at(5))
    assert given([answered, lost("B", 7)], [scene("x", 9)]) == {"B": "x"}


def test_what_somebody_else_has_drawn_makes_nothing_sure() -> None:
    assert given([lost("A", 5)], [scene("x", 9), scene("y", 9)]) == {}
    assert given([lost("A", 5)], [scene("x", 9), scene("old", 1)]) == {}
    assert given([lost("A", 5)], [scene("x", 9, "dialogue")]) == {}
    assert given([lost("A", 5, mood="tense")], [scene("x", 9, mood="calm")]) == {}
    assert given([lost("A", 5, known=frozenset({"x"}))], [scene("x", 9)]) == {}


@pytest.mark.parametrize("told", ["", "neutral"])
def test_where_no_mood_was_asked_for_the_server_tells_none_or_neutral(told: str) -> None:
    assert given([lost("A", 5)], [scene("x", 9, mood=told)]) == {"A": "x"}
    assert given([lost("A", 5, mood="neutral")], [scene("x", 9, mood=told)]) == {"A": "x"}
    assert given([lost("A", 5, mood="tense")], [scene("x", 9, mood=told)]) == {}


CLAIMS = st.lists(
    st.builds(
        Claim,
        operation_id=st.sampled_from("ABCDE"),
        begun=st.none() | st.integers(0, 9).map(at),
        ended=st.none() | st.integers(0, 9).map(at),
        scene_type=st.sampled_from([None, "action", "dialogue"]),
        mood=st.sampled_from([None, "tense"]),
        known=st.frozensets(st.sampled_from("uvwxy"), max_size=2),
        denied=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: each.operation_id,
)
DRAWINGS = st.lists(
    st.builds(
        Drawing,
        id=st.sampled_from("uvwxy"),
        moment=st.none() | st.integers(0, 9).map(at),
        scene_type=st.sampled_from([None, "action", "dialogue"]),
        mood=st.sampled_from([None, "", "tense"]),
    ),
    max_size=4,
    unique_by=lambda each: each.id,
)


@for_any(CLAIMS, DRAWINGS)
def test_it_is_what_all_explanations_have_in_common(
    claims: list[Claim], drawings: list[Drawing]
) -> None:
    found = [
        owners
        for owners in permutations(claims, len(drawings))
        if all(map(could_be, owners, drawings))
    ]
    explanations = [
        {(owner.operation_id, each.id) for owner, each in zip(owners, drawings, strict=True)}
        for owners in found
    ]
    told = any(not any(owner.denied for owner in owners) for owners in found)
    sure = set.intersection(*explanations) if told else set()
    assert given(claims, drawings) == dict(sure)


def test_who_is_said_to_have_drawn_nothing_explains_nothing() -> None:
    denied = lost("A", 0, denied=True)
    assert given([denied, lost("B", 7)], [scene("x", 9)]) == {}
    assert given([denied, lost("B", 7)], [scene("x", 3), scene("y", 9)]) == {}
    assert given([denied, lost("B", 7, "dialogue")], [scene("x", 9, "dialogue")]) == {"B": "x"}


def test_the_servers_clock_is_never_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock = ServerClock()
    assert clock.now() is None
    for nonsense in (None, "", "yesterday"):
        clock.note(nonsense)
        assert clock.now() is None
    clock.note("Sun, 29 Nov 2026 20:31:41 GMT")
    now += 2.3456
    assert clock.now() == datetime(2026, 11, 29, 20, 31, 43, 345000, UTC)
    clock.note("nonsense")
    assert clock.now() == datetime(2026, 11, 29, 20, 31, 43, 345000, UTC)


def test_names_of_files_tell_kind_type_and_moment() -> None:
    moment = datetime(2026, 11, 29, 20, 31, 41, 366000, UTC)
    read = FileName(db_id=DB_ID, kind="scene", scene_type="dialogue", moment=moment)
    name = f"{DB_ID}_scene_dialogue_1795984301366.jpg"
    assert file_name(name) == read
    assert file_name(f"http://127.0.0.1:9703/media/{name}?x=1") == read
    assert file_name(f"/api/media/file/{name.removesuffix('.jpg')}") == read
    initial = file_name(f"{DB_ID}_initial_1795984300194.jpg")
    assert initial is not None
    assert (initial.kind, initial.scene_type) == ("initial", None)


def test_other_names_tell_nothing() -> None:
    for name in (
        *(None, "", "a.jpg", f"{DB_ID}_scene_1795984301366.jpg", f"{DB_ID}_initial_x_1.jpg"),
        *(
            "lori_set_35mm_front_full_neutral_v1_1795984360550.png",
            f"{DB_ID}_smart_179598430136.jpg",
        ),
    ):
        assert file_name(name) is None
