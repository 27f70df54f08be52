from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


def file_of(world: Any, image: dict[str, Any]) -> Path:
    """Return where an image's file lies."""
    (path,) = world.directory.glob(f"media/*/{image['key']}/{image['media']['filename']}")
    return Path(path)


def test_where_all_is_well_it_says_so_without_a_library(world: Any) -> None:
    world.reference()
    answer = world.read("verify")
    assert (answer.code, answer.out) == (0, "")
    assert "1 images" in answer.err
    assert "1 files in the store: 0 repaired, 0 removed, 0 left." in answer.err
    report = world.read("verify", "mara", "--json").json
    assert (report["images"], report["files"], report["findings"]) == (1, None, [])


def test_a_file_that_is_gone_is_told_and_brought_back(world: Any) -> None:
    path = file_of(world, world.reference())
    data = path.read_bytes()
    path.unlink()
    told = world.read("verify")
    assert told.code == 7
    assert "lost" in told.out
    assert "--repair" in told.err
    assert not path.exists()
    answer = world.run("verify", "mara", "--repair", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["repaired"] == 1
    assert answer.json["findings"][0]["outcome"] == "repaired"
    assert "lost: " in answer.err
    assert path.read_bytes() == data
    assert world.counters["initialImagePosts"] == 1


def test_what_cannot_be_brought_back_is_left_with_its_reason(world: Any) -> None:
    path = file_of(world, world.reference())
    path.unlink()
    world.switch(file_errors=9)
    answer = world.run("verify", "--repair")
    assert answer.code == 7
    assert "could not be brought back" in " ".join(answer.out.split())
    assert "--repair" not in answer.err


def test_operations_that_are_open_alone_have_a_code_of_their_own(world: Any) -> None:
    world.reference()
    world.switch(lost_answers=1)
    world.run("generate", "scene", "mara", "She waits.")
    answer = world.read("verify")
    assert answer.code == 8
    assert "open-operation" in answer.out
    assert "1 operations are open" in answer.err


def test_files_of_others_are_counted_and_stay(world: Any) -> None:
    world.reference()
    foreign = world.directory / "media" / "holiday.png"
    foreign.write_bytes(b"sun")
    answer = world.read("verify")
    assert (answer.code, answer.out) == (0, "")
    assert "1 files are not charimg's; they stay." in answer.err
    assert foreign.exists()


def test_files_whose_database_is_gone_are_told_and_kept(world: Any) -> None:
    path = file_of(world, world.reference())
    for each in world.directory.glob("charimg.sqlite*"):
        each.rename(f"{each}.away")
    answer = world.read("verify")
    assert answer.code == 2
    assert "There is no database at" in answer.err
    assert "there are files in" in answer.err
    assert "Keep them" in answer.err
    assert path.exists()
    (world.directory / "media").rename(world.directory / "elsewhere")
    (world.directory / "media").mkdir()
    assert "There is nothing of charimg's" in world.read("verify").err


def test_a_file_that_an_older_database_does_not_know_is_kept(world: Any, tmp_path: Path) -> None:
    older = tmp_path / "older"
    shutil.copytree(world.directory, older)
    path = file_of(world, world.reference())
    shutil.copytree(world.directory / "media", older / "media", dirs_exist_ok=True)
    where = ("--directory", older, "--library-url", world.server.url)
    answer = world.run_command("verify", "--repair", *where)
    assert answer.code == 7
    assert "unknown-file" in answer.out
    told = " ".join(answer.out.split())
    assert "Keep it" in told
    assert "delete" not in told
    assert (older / path.relative_to(world.directory)).exists()


@pytest.mark.parametrize("how", [["nobody"], ["--repair"]])
def test_what_makes_no_sense_is_refused(world: Any, how: list[str]) -> None:
    answer = world.read("verify", *how)
    assert answer.code == (2 if how == ["--repair"] else 3)
