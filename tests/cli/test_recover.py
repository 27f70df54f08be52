from __future__ import annotations

from typing import Any


def test_nothing_to_do(world: Any) -> None:
    answer = world.run("recover", "--json")
    assert answer.code == 0
    assert answer.json == {"operations": [], "unresolved": 0, "candidates": {}}
    assert "0 operations looked at, 0 still open." in answer.err


def test_a_lost_answer_is_adopted(world: Any) -> None:
    world.switch(lost_answers=1)
    failed = world.run("generate", "reference", "mara", "--prompt", "SECRET face", "--json")
    assert failed.code == 4
    assert failed.json["error"]["outcomeUnknown"] is True
    answer = world.run("recover", "mara")
    assert answer.code == 0, answer.err
    assert "adopted" in answer.out
    assert "Looking at what was left unfinished" in answer.err
    assert "SECRET" not in answer.out + answer.err
    assert [image["prompt"] for image in world.images()] == ["SECRET face"]
    assert world.run("recover", "--json").json["operations"] == []
    assert world.counters["initialImagePosts"] == 1


def test_what_nobody_can_tell_stays_open(world: Any) -> None:
    # The connection breaks at the POST itself: health, reference-image and POST are the requests.
    world.switch(broken_connections=0)
    world.reference()
    world.switch(lost_answers=1)
    world.run("generate", "scene", "mara", "She waits.")
    world.switch(gallery_errors_after=0)
    answer = world.run("recover", "--json")
    assert answer.code == 8
    assert answer.json["unresolved"] == 1
    assert answer.json["operations"][0]["outcome"] == "waiting"
