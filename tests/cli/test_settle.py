from __future__ import annotations

from typing import Any

import attrs
import pytest

from charimg import CharacterImageService, CharacterLibraryError, Operation, OperationItem
from charimg.cli.session import Settings
from charimg.stores import SqliteGenerationLedger


@pytest.fixture
def unknown(world: Any) -> str:
    """Leave a scene of unknown outcome; return the end of its operation's id."""
    world.reference()
    world.switch(lost_answers=1)
    world.run("generate", "scene", "mara", "She waits.")
    world.server.simulator.draw_scene(world.db_id, "theirs", "dialogue")
    answer = world.run("recover", "--json")
    assert answer.code == 8
    ((operation_id, found),) = answer.json["candidates"].items()
    assert len(found) == 2
    assert "`charimg settle" in answer.err
    return str(operation_id)[-8:]


def test_the_candidates_are_shown_and_one_is_brought_in(world: Any, unknown: str) -> None:
    shown = world.run("settle", unknown)
    assert shown.code == 0, shown.err
    assert "It is of the type that was asked for, dialogue." in " ".join(shown.out.split())
    assert "2 images may be its." in shown.err
    assert "She waits." in shown.out
    assert world.run("settle", unknown, "--json").json["prompt"] == "She waits."
    found = world.run("settle", unknown, "--json").json["candidates"]
    answer = world.run("settle", unknown, "--image", found[-1]["mediaId"], "--json")
    assert answer.code == 0, answer.err
    scene = world.images()[0]
    assert (scene["prompt"], scene["externalId"]) == ("She waits.", found[-1]["mediaId"])
    assert world.run("recover", "--json").json["unresolved"] == 0
    assert world.counters["scenePosts"] == 1


def test_what_has_no_candidates_is_told_what_can_be_done(
    world: Any, unknown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CharacterImageService, "candidates", lambda *_: ())
    shown = world.run("settle", unknown, "--json")
    assert "No image fits now." in shown.err
    assert "--image" not in shown.err
    assert "No image is known to be of operation" in world.run("recover").err
    world.run("settle", unknown, "--nothing")
    closed = world.run("settle", shown.json["operationId"])
    assert "is failed: there is nothing to settle." in closed.err


def test_what_is_known_to_be_drawn_is_not_to_be_settled(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Operation(
        id="f" * 32,
        kind="scene",
        character_id="mara",
        state="received",
        items=(OperationItem(key="k", index=0),),
    )
    monkeypatch.setattr(SqliteGenerationLedger, "get", lambda *_: known)
    assert "`charimg recover` brings it in" in world.run("settle", known.id).err


def test_two_that_are_open_are_told_apart_by_their_prompts(world: Any, unknown: str) -> None:
    world.switch(lost_answers=1)
    world.run("generate", "scene", "mara", "She runs. " * 20)
    answer = world.run("recover")
    assert answer.code == 8
    shown = " ".join(answer.out.split())
    assert "She waits." in shown
    assert "She runs." in shown
    assert "…" in shown
    assert "()" not in shown


def test_nothing_closes_it(world: Any, unknown: str) -> None:
    answer = world.run("settle", unknown, "--nothing")
    assert answer.code == 0, answer.err
    assert "nothing to bring in" in answer.err
    assert world.run("recover", "--json").json["operations"] == []


def test_who_gives_up_may_take_what_comes_later(world: Any, unknown: str) -> None:
    answer = world.run("settle", unknown, "--give-up")
    assert answer.code == 0, answer.err
    assert "()" not in answer.out + answer.err
    assert f"`charimg settle --image MEDIA {answer.err.split()[1]}`" in " ".join(answer.out.split())
    (operation_id,) = [each for each in answer.err.split() if len(each) == 32]
    shown = world.run("settle", operation_id, "--json")
    assert "2 images may be its." in shown.err
    media = shown.json["candidates"][-1]["mediaId"]
    assert world.run("settle", operation_id, "--image", media).code == 0
    assert world.images()[0]["externalId"] == media


def test_a_set_is_settled_image_by_image(world: Any) -> None:
    world.reference()
    world.switch(strand_jobs=True, shots=5)
    drawn = world.run("generate", "portfolio", "mara", "--poll", "0.05", "--deadline", "1")
    assert drawn.code == 7
    assert "`charimg recover mara` brings in what is drawn later." in drawn.err
    assert "retry" not in drawn.err
    (open_one,) = world.run("recover", "--json").json["operations"]
    operation_id = open_one["operationId"]
    assert world.run("settle", operation_id, "--give-up").code == 0
    world.switch(strand_jobs=False)
    shown = world.run("settle", operation_id, "--json")
    more = len(shown.json["candidates"])
    assert more == 2
    assert f"{more} more images may be its." in shown.err
    assert "once for each image of the set, all at once or one after another." in shown.err
    for each in shown.json["candidates"]:
        done = world.run("settle", operation_id, "--image", each["mediaId"])
        assert done.code == 0, done.err
    images = [each for each in world.images() if each["kind"] == "portfolioItem"]
    assert [each["status"] for each in images] == ["succeeded"] * 5
    assert len({each["metrics"]["shot"]["name"] for each in images}) == 5


def test_what_makes_no_sense_is_refused(world: Any, unknown: str) -> None:
    both = world.run("settle", unknown, "--nothing", "--image", "f" * 24)
    assert both.code == 2
    assert "not both" in both.err
    other = world.run("settle", unknown, "--image", "f" * 24)
    assert other.code == 2
    assert "nothing that operation" in other.err
    none = world.run("settle", "none")
    assert none.code == 2
    assert "`charimg recover` shows those that are open" in none.err


def test_an_ending_that_says_too_little_is_refused(world: Any, unknown: str) -> None:
    for ending in ("", unknown[-1], unknown[-3:]):
        answer = world.run("settle", ending, "--nothing")
        assert answer.code == 2
        assert "There is no operation" in answer.err
    assert world.run("recover", "--json").json["unresolved"] == 1
    assert world.run("settle", unknown[-4:]).code == 0


def test_an_ending_of_several_is_refused(world: Any, unknown: str) -> None:
    with Settings(given_directory=world.directory).offline() as service:
        (op,) = service.ledger.unfinished()
        lease = service.ledger.acquire("mara", owner="test", ttl=60)
        service.ledger.write(attrs.evolve(op, id=f"f{op.id[1:]}"), lease=lease)
    answer = world.run("settle", unknown)
    assert answer.code == 2
    assert "2 open operations end with" in answer.err


def test_a_library_out_of_reach_does_not_keep_recover_from_its_report(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.reference()
    world.switch(lost_answers=1)
    world.run("generate", "scene", "mara", "She waits.")
    world.server.simulator.draw_scene(world.db_id, "theirs", "dialogue")

    def away(*_: object) -> None:
        raise CharacterLibraryError("away", code="UNAVAILABLE")

    monkeypatch.setattr(CharacterImageService, "candidates", away)
    answer = world.run("recover", "--json")
    assert list(answer.json["candidates"].values()) == [[]]
