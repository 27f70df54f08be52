from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from charimg.cli import images as images_module
from charimg.cli.session import Settings
from charimg.models import CharacterImage, ImageMetrics
from charimg.testing import Simulator

from ..ingest.adorned import adorn


class Terminal:
    """A stdin that is a terminal."""

    def isatty(self) -> bool:
        return True


def _fill(world: Any, count: int) -> None:
    with Settings.of(world.directory).stores() as stores:
        for number in range(count):
            stores.metadata.add(
                CharacterImage(
                    key=f"key-{number:04d}",
                    character_id="mara",
                    kind="scene" if number % 2 else "portfolioItem",
                    status="failed",
                    prompt="p",
                )
            )


def test_listing_pages_by_itself(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_module, "_PAGE", 4)
    _fill(world, 11)
    answer = world.read("list", "mara", "--json")
    assert answer.json["total"] == 11
    assert len({image["id"] for image in answer.json["images"]}) == 11
    assert "11 of 11 images." in answer.err


@pytest.mark.parametrize("limit", [1, 4, 5, 8])
def test_the_limit_is_exact(world: Any, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(images_module, "_PAGE", 4)
    _fill(world, 8)
    answer = world.read("list", "mara", "--limit", str(limit), "--json")
    assert len(answer.json["images"]) == limit
    assert answer.json["total"] == 8


def test_listing_filters(world: Any) -> None:
    _fill(world, 5)
    reference = world.reference()
    assert len(world.images("--kind", "scene")) == 0  # a new reference removes all before it
    assert [image["id"] for image in world.images("--status", "succeeded")] == [reference["id"]]
    assert world.images("--status", "failed") == []
    assert world.read("list", "mara", "--kind", "doodle").code == 2


def test_the_list_is_a_table_of_short_ids(world: Any) -> None:
    reference = world.reference()
    answer = world.read("list", "mara")
    assert answer.code == 0
    assert reference["id"][-10:] in answer.out
    assert reference["id"] not in answer.out
    assert "A face." not in answer.out


def test_the_list_of_a_character_without_images_is_empty(world: Any) -> None:
    assert world.read("list", "mara", "--json").json == {"images": [], "total": 0}
    answer = world.read("list", "mara")
    assert (answer.code, answer.out, answer.err) == (0, "", "0 of 0 images.\n")


@pytest.mark.parametrize(
    "args",
    [
        ("list", "nobody"),
        ("show", "nobody", "an-image"),
        ("delete", "nobody", "an-image", "--yes"),
        ("delete", "nobody", "--all", "--yes"),
        ("retry", "nobody", "an-image"),
        ("retry", "nobody", "--all"),
        ("recover", "nobody"),
    ],
)
def test_a_slip_of_the_pen_is_told(world: Any, args: tuple[str, ...]) -> None:
    run = world.read if args[0] in ("list", "show") else world.run
    answer = run(*args, "--json")
    assert answer.code == 3
    assert answer.json["error"]["code"] == "CHARACTER_NOT_FOUND"
    assert "'nobody'" in answer.err


def test_images_of_a_character_that_is_no_longer_here_can_still_be_used(world: Any) -> None:
    with Settings.of(world.directory).stores() as stores:
        left = stores.metadata.add(
            CharacterImage(key="left-over", character_id="gone", kind="scene", status="failed")
        )
    assert world.read("list", "gone", "--json").json["total"] == 1
    assert world.run("delete", "gone", left.id, "--yes").code == 0
    assert world.read("list", "gone").code == 3


def test_what_the_table_shows_can_be_used(world: Any) -> None:
    world.reference()
    drawn = world.run("generate", "portfolio", "mara", "--poll", "0.05")
    assert drawn.code == 0, drawn.err
    shown = [
        line.split()[0] for line in drawn.out.splitlines() if "portfolioItem" in line.split()[1:2]
    ]
    assert len(set(shown)) == 3
    listed = world.read("list", "mara").out
    for short in shown:
        assert short in listed
        assert world.read("show", "mara", short, "--json").json["image"]["id"].endswith(short)
        assert world.run("delete", "mara", short, "--yes").code == 0
    assert [image["kind"] for image in world.images()] == ["reference"]


def test_an_image_is_shown_by_the_end_of_its_id(world: Any) -> None:
    reference = world.reference()
    answer = world.read("show", "mara", reference["id"][-10:])
    assert answer.code == 0
    for text in (reference["id"], "A face.", "image/", reference["media"]["sha256"]):
        assert text in answer.out
    whole = world.read("show", "mara", reference["id"], "--json").json["image"]
    assert whole["characterReference"] == "mara"
    assert whole["media"]["url"].startswith("file://")


def test_whose_prompt_a_shot_shows_is_said(world: Any) -> None:
    metrics = ImageMetrics(prompt_origin="reference")
    shot = CharacterImage(
        key="k" * 9,
        character_id="mara",
        kind="portfolioItem",
        status="failed",
        prompt="A face.",
        metrics=metrics,
    )
    with Settings.of(world.directory).stores() as stores:
        stores.metadata.add(shot)
    assert re.search(r"prompt of\W+reference", world.read("show", "mara", "k" * 9).out)


@pytest.mark.parametrize("given", ["nowhere-to-be-found", "x"])
def test_showing_what_is_not_there(world: Any, given: str) -> None:
    answer = world.read("show", "mara", given, "--json")
    assert answer.code == 3
    assert answer.json["error"]["code"] == "IMAGE_NOT_FOUND"


def test_an_end_that_fits_several_is_refused(world: Any) -> None:
    with Settings.of(world.directory).stores() as stores:
        for key in ("one-same-end", "two-same-end"):
            image = CharacterImage(key=key, character_id="mara", kind="scene", status="failed")
            stores.metadata.add(image)
    answer = world.read("show", "mara", "same-end")
    assert answer.code == 2
    assert "fits 2 images" in answer.err


def test_another_characters_image_is_refused(world: Any) -> None:
    reference = world.reference()
    world.read("characters", "add", "Bo")
    assert world.read("show", "bo", reference["id"]).code == 3
    answer = world.run("delete", "bo", reference["id"], "--yes", "--json")
    assert answer.code == 3
    assert answer.json["error"]["code"] == "IMAGE_MISMATCH"
    assert len(world.images()) == 1


def test_deleting_without_a_terminal_needs_yes(world: Any) -> None:
    reference = world.reference()
    answer = world.run("delete", "mara", reference["id"])
    assert answer.code == 2
    assert "--yes" in answer.err
    assert len(world.images()) == 1
    assert world.counters["referenceDeletes"] == 0


def test_deleting_with_yes(world: Any) -> None:
    reference = world.reference()
    answer = world.run("delete", "mara", reference["id"][-10:], "--yes")
    assert answer.code == 0
    assert answer.out == "1 removed; the remote reference was deleted.\n"
    assert world.images() == []
    twice = world.run("delete", "mara", reference["id"], "--yes")
    assert twice.code == 3


@pytest.mark.parametrize(("answer", "left", "code"), [("y\n", 0, 0), ("n\n", 1, 3)])
def test_deleting_asks_on_a_terminal(
    world: Any,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    left: int,
    code: int,
) -> None:
    reference = world.reference()
    asked: list[str] = []

    def confirm(question: str, *, err: bool) -> bool:
        assert err
        asked.append(question)
        return answer == "y\n"

    monkeypatch.setattr(typer, "confirm", confirm)
    monkeypatch.setattr(images_module, "_has_terminal", lambda: True)
    told = world.run("delete", "mara", reference["id"][-10:])
    assert told.code == code
    assert asked == [f"Delete reference {reference['id']} of mara?"]
    assert len(world.images()) == left


def test_a_remote_delete_that_fails_is_a_warning(world: Any) -> None:
    reference = world.reference()
    world.switch(reference_delete_errors=1)
    answer = world.run("delete", "mara", reference["id"], "--yes", "--json")
    assert answer.code == 0
    assert answer.json["remoteDeleted"] is False
    assert "Warning: The remote reference was not deleted" in answer.err
    assert world.images() == []


def test_deleting_all(world: Any) -> None:
    world.reference()
    _fill(world, 2)
    asked = world.run("delete", "mara", "--all")
    assert asked.code == 2
    answer = world.run("delete", "mara", "--all", "--yes", "--json")
    assert answer.json["removed"] == 3
    assert world.images() == []


@pytest.mark.parametrize("command", ["delete", "retry"])
@pytest.mark.parametrize("extra", [(), ("an-image", "--all")])
def test_either_an_image_or_all(world: Any, command: str, extra: tuple[str, ...]) -> None:
    answer = world.run(command, "mara", *extra)
    assert answer.code == 2
    assert "--all" in answer.err


def test_retrying_what_did_not_fail_is_refused(world: Any) -> None:
    reference = world.reference()
    assert world.run("retry", "mara", reference["id"]).code == 3


def test_retrying_one_shows_it(world: Any) -> None:
    world.switch(html_files=1)
    failed = world.run("generate", "reference", "mara", "--prompt", "A face.")
    assert failed.code == 5
    image_id = world.images()[0]["id"]
    answer = world.run("retry", "mara", image_id)
    assert answer.code == 0
    assert answer.out.startswith(f"{image_id}  reference  succeeded")


def test_retrying_all_that_failed(world: Any) -> None:
    world.switch(html_files=1)
    world.run("generate", "reference", "mara", "--prompt", "A face.")
    answer = world.run("retry", "mara", "--all")
    assert answer.code == 0
    assert "1 stored, 0 failed again." in answer.err
    assert answer.out.count("succeeded") == 1
    assert "The failed downloads again" in answer.err
    nothing = world.run("retry", "mara", "--all", "--json")
    assert nothing.code == 0
    assert nothing.json == {"retried": [], "failures": [], "notDrawn": [], "warnings": []}


def test_what_was_not_drawn_did_not_fail_again(world: Any) -> None:
    world.reference()
    world.switch(shots=3, failing_shots=1)
    world.run("generate", "portfolio", "mara")
    (lacking,) = world.images("--status", "failed")
    answer = world.run("retry", "mara", "--all")
    assert answer.code == 0
    assert "0 stored, 0 failed again." in answer.err
    assert "Nothing to download of 1:" in answer.err
    assert world.run("retry", "mara", "--all", "--json").json["notDrawn"] == [lacking["id"]]


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_retry_obeys_what_is_said_of_more_than_an_image(
    world: Any, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    sent = Simulator.handle

    def handle(*args: Any) -> Any:
        return adorn(sent(*args))

    monkeypatch.setattr(Simulator, "handle", handle)
    drawing = ("generate", "reference", "mara", "--prompt", "A face.")
    refused = world.run(*drawing, "--foreign", "refuse")
    assert refused.code == 5
    assert "`--foreign clean` lets it in" in " ".join(refused.err.split())
    image_id = world.images()[0]["id"]
    if way == "option":
        answer = world.run("retry", "mara", image_id, "--foreign", "keep")
    else:
        monkeypatch.setenv("CHARIMG_FOREIGN", "keep")
        answer = world.run("retry", "mara", image_id)
    assert answer.code == 0
    assert world.images()[0]["metrics"]["cleaned"] == []
    assert world.run(*drawing, "--foreign", "drop").code == 2
    monkeypatch.delenv("CHARIMG_FOREIGN", raising=False)
    assert world.run(*drawing).code == 0
    shown = world.read("show", "mara", world.images()[0]["id"])
    assert "trailer (2 bytes)" in " ".join(shown.out.split())


def test_no_library_is_configured(world: Any) -> None:
    answer = world.read("delete", "mara", "--all", "--yes", "--json")
    assert answer.code == 2
    assert "CHARACTER_LIBRARY_API_URL" in answer.err


def test_the_terminal_is_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    assert images_module._has_terminal()


def test_records_are_kept_as_json_that_reads_back(world: Any, tmp_path: Path) -> None:
    reference = world.reference()
    shown = world.read("show", "mara", reference["id"], "--json")
    assert json.loads(shown.out)["image"]["metrics"]["sha256"] == reference["media"]["sha256"]
