from __future__ import annotations

import csv
import json
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

from charimg import StorageError
from charimg.bulk import BulkResult
from charimg.bulk.manifest import Manifest
from charimg.cli.move import Move
from charimg.cli.session import Settings

from ..holding import held
from ..patience import until
from .process import finish, hear, on_terminal, start, without_escapes


@pytest.fixture
def cast(world: Any) -> Any:
    """A second linked character beside Mara."""
    world.read("characters", "add", "Bo", "--id", "bo")
    assert world.run("characters", "link", "bo", "--create").code == 0
    return world


def csv_of(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_references_then_portfolios_with_a_manifest(cast: Any, tmp_path: Path) -> None:
    rows = csv_of(tmp_path / "in.csv", 'character_id,prompt\nmara,"A face, exact."\nbo,\n')
    answer = cast.run("bulk", "reference", "--characters", rows, "--json", "--workers", "2")
    assert answer.code == 0, answer.err
    assert answer.json["outcomes"]["done"] == answer.json["total"] == 2
    assert answer.json["failures"] == []
    assert "reference of 2 characters" in answer.err
    assert cast.images()[0]["prompt"] == "A face, exact."
    rows = csv_of(
        tmp_path / "in.jsonl",
        '{"character_id": "mara", "max_retries": 1}\n\n{"character_id": "bo", "style": null}\n',
    )
    out, manifest = tmp_path / "out.jsonl", tmp_path / "run.jsonl"
    args = ("bulk", "portfolio", "--characters", rows, "--manifest", manifest, "--out", out)
    cast.switch(html_files=1)
    answer = cast.run(*args, "--limit", "1")
    assert answer.code == 7
    assert "partial: mara: " in answer.err
    assert "IMAGES_FAILED: 1" in answer.err
    assert "partial  1" in answer.out
    assert "Run the same command again" in answer.err
    assert [json.loads(line)["failed"] for line in out.read_text().splitlines()] == [1, 0]
    answer = cast.run(*args)
    assert answer.code == 0, answer.err
    assert "1 was done by an earlier run." in answer.err
    results = [json.loads(line) for line in out.read_text().splitlines()]
    assert [each["characterReference"] for each in results] == ["mara", "bo"]
    assert [len(each["images"]) for each in results] == [3, 3]
    assert cast.counters["set360Posts"] == 2


def test_results_as_csv_and_characters_from_stdin(cast: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.CSV"
    rows = (
        "\ufeffcharacter_id,scene_context,additional_characters\r\n"
        'mara,"She waits,\nlong.",Bo; Cy\r\nnobody,She runs.,\r\n'
    )
    cast.reference()
    answer = cast.run("bulk", "scene", "--characters", "-", "--out", out, stdin=rows)
    assert answer.code == 7
    assert "failed: nobody: " in answer.err
    with out.open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    (image,) = cast.images("--kind", "scene")
    assert (first["characterReference"], first["images"]) == ("mara", image["id"])
    assert image["prompt"] == "She waits,\nlong."
    assert (second["outcome"], second["code"]) == ("failed", "CHARACTER_NOT_FOUND")
    sent = [each.json for each in cast.server.simulator.requests if each.method == "POST"]
    assert sent[-1]["additionalCharacters"] == ["Bo", "Cy"]


@pytest.mark.parametrize(
    ("work", "text", "told"),
    [
        ("retry", "name,prompt\nmara,x\n", "no column character_id; its first line names: name, p"),
        ("retry", "character_id,x\n,more\n", "line 2 has no character_id"),
        ("retry", "", "names nobody"),
        ("recover", "\n", "names nobody"),
        ("recover", "character_id\n", "names nobody"),
        ("migrate", "character_id\n", "names nobody"),
        (
            "retry",
            "character_id\nmara\nbo\nmara\n",
            "line 4 is the same character as line 2: 'mara'",
        ),
        (
            "scene",
            "character_id,scene_context\nmara,x\nmara,y\nmara,x\n",
            "line 4 is the same scene as line 2",
        ),
        (
            "reference",
            "character_id,policy\nmara,\nbo,all\n",
            "line 3: reference of character 'bo'",
        ),
        (
            "scene",
            '{"character_id": "mara", "scene_context": "x", "scene_type": 7}',
            "choose one of",
        ),
        ("retry", "character_id\nmara,more\n", "line 2 has too many cells"),
        ("retry", 'character_id\n"mara\n', "is not CSV"),
        ("retry", '{"character_id": 7}\n', "line 1 has no character_id"),
        ("retry", '{"character_id": "mara"}\n{"\n', "line 2 is not JSON"),
        ("retry", '{"character_id": "mara"}\n7\n', "line 2 is not a JSON object"),
        (
            "retry",
            "character_id,prompt\nmara,A face.\n",
            "line 2: retry of character 'mara' has no op",
        ),
        (
            "portfolio",
            "character_id,max_retries\nmara,many\n",
            "line 2: max_retries must be an int",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    world: Any, tmp_path: Path, work: str, text: str, told: str
) -> None:
    rows = csv_of(tmp_path / "in", text)
    args = ("bulk", work, "--characters", rows, "--json")
    there = ("--to-directory", tmp_path / "there")
    answer = world.read(*args, *there) if work == "migrate" else world.run(*args)
    assert answer.code == 2
    assert told in answer.json["error"]["message"]


def test_files_that_cannot_be_used(world: Any, tmp_path: Path) -> None:
    missing = world.run("bulk", "retry", "--characters", tmp_path / "none.csv")
    assert (missing.code, "cannot be read: No such file" in missing.err) == (2, True)
    (tmp_path / "in.bin").write_bytes(b"\xff")
    binary = world.run("bulk", "retry", "--characters", tmp_path / "in.bin")
    assert (binary.code, "is not UTF-8 text" in binary.err) == (2, True)
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\n")
    written = world.run("bulk", "retry", "--characters", rows, "--out", tmp_path)
    assert (written.code, "cannot be written" in written.err) == (6, True)
    wrong = world.run_command("bulk", "retry", "--characters", rows, "-d", tmp_path / "nowhere")
    assert (wrong.code, "nothing of charimg's" in wrong.err) == (2, True)


@pytest.mark.parametrize("how", ["itself", "symlink", "hard link", "manifest"])
def test_files_that_are_one(world: Any, tmp_path: Path, how: str) -> None:
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\n")
    other = tmp_path / "other.csv"
    args: tuple[str | Path, ...] = ("--out", other)
    if how == "itself":
        args = ("--out", tmp_path / "x" / ".." / "in.csv")
    elif how == "symlink":
        other.symlink_to(rows)
    elif how == "hard link":
        other.hardlink_to(rows)
    else:
        args = ("--out", other, "--manifest", other)
    answer = world.run("bulk", "recover", "--characters", rows, *args)
    assert (answer.code, "are the same file" in answer.err) == (2, True)
    assert rows.read_text() == "character_id\nmara\n"


def test_a_run_again_is_told_where_it_helps(world: Any, tmp_path: Path) -> None:
    rows = csv_of(tmp_path / "in.csv", "character_id,scene_context\nnobody,She waits.\n")
    hopeless = world.run("bulk", "scene", "--characters", rows)
    assert hopeless.code == 7
    assert "scene of 1 character\n" in hopeless.err
    assert "Mend what is told above" in hopeless.err
    assert "Run the same command again" not in hopeless.err
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\n")
    world.switch(generation_errors=1)
    failed = world.run("bulk", "reference", "--characters", rows)
    assert "without --manifest it does again what is done, too" in failed.err


def test_a_bar_on_a_terminal(world: Any, tmp_path: Path) -> None:
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\n")
    code, shown = on_terminal(
        "bulk", "reference", "--characters", rows, "--directory", world.directory,
        "--library-url", world.server.url,
    )  # fmt: skip
    assert code == 0
    assert "1/1" in without_escapes(shown)
    assert "/s, 0:00:00 left" in without_escapes(shown)


def test_ctrl_c_loses_nothing(cast: Any, tmp_path: Path) -> None:
    cast.reference()
    assert cast.run("generate", "reference", "bo", "--prompt", "Another face.").code == 0
    rows = csv_of(tmp_path / "in.csv", "character_id,scene_context\nmara,She waits.\nbo,He runs.\n")
    args = (
        "bulk", "scene", "--characters", rows, "--manifest", tmp_path / "run.jsonl", "--limit", "1",
        "--json", "--out", tmp_path / "out.jsonl",
        "--directory", cast.directory, "--library-url", cast.server.url,
    )  # fmt: skip
    with held(cast.server.simulator) as release:
        process = start(*args)
        until(lambda: cast.counters["scenePosts"] == 1)
        process.send_signal(signal.SIGINT)
        hear(process, "Waiting for 1 in flight; Ctrl-C again stops at once.")
        release()
        ended = finish(process)
    assert ended.code == 130
    assert "Stopped: Interrupted. 1 is left." in ended.err
    assert "Run the same command again to take them up." in ended.err
    assert "Traceback" not in ended.err
    assert (ended.json["stopped"], ended.json["outcomes"]["done"]) == ("Interrupted.", 1)
    (result,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (result["characterReference"], result["outcome"]) == ("mara", "done")
    assert [image["kind"] for image in cast.images()] == ["scene", "reference"]
    again = cast.run_command(*args)
    assert again.code == 0, again.err
    assert (again.json["outcomes"]["done"], again.json["skipped"]) == (2, 1)
    assert "1 was done by an earlier run." in again.err
    assert cast.counters["scenePosts"] == 2


def test_a_second_ctrl_c_stops_at_once(cast: Any, tmp_path: Path) -> None:
    cast.reference()
    rows = csv_of(tmp_path / "in.csv", "character_id,scene_context\nmara,She waits.\n")
    out = tmp_path / "out.jsonl"
    args = (
        "bulk", "scene", "--characters", rows, "--manifest", tmp_path / "run.jsonl", "--out", out,
        "--directory", cast.directory, "--library-url", cast.server.url,
    )  # fmt: skip
    with held(cast.server.simulator):
        process = start(*args)
        until(lambda: cast.counters["scenePosts"] == 1)
        process.send_signal(signal.SIGINT)
        hear(process, "Ctrl-C again")
        process.send_signal(signal.SIGINT)
        ended = finish(process)
    assert ended.code == 130
    assert "Stopped: Interrupted. 1 is left." in ended.err
    assert "Traceback" not in ended.err
    assert out.read_text() == ""
    # The Library still draws; when it is done, it is found.
    until(lambda: bool(cast.run_command(*args).code == 0))
    assert cast.counters["scenePosts"] == 1


def test_results_are_there_whatever_ends_the_run(
    cast: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\nbo\n")
    out, manifest = tmp_path / "out.jsonl", tmp_path / "run.jsonl"
    args = ("bulk", "recover", "--characters", rows, "--manifest", manifest, "--out", out)
    add, added = Manifest.add, []

    def full(self: Manifest, result: BulkResult) -> None:
        if added:
            raise StorageError("The manifest takes nothing.")
        added.append(result)
        add(self, result)

    monkeypatch.setattr(Manifest, "add", full)
    answer = cast.run(*args, "--limit", "1")
    assert (answer.code, "takes nothing" in answer.err) == (6, True)
    assert len(out.read_text().splitlines()) == 1
    # Not what is refused before anything has begun.
    before = out.read_text()
    assert cast.run("bulk", "retry", *args[2:]).code == 2
    assert out.read_text() == before


def test_everybody_moves(cast: Any, tmp_path: Path) -> None:
    cast.reference()
    there, manifest = tmp_path / "there", tmp_path / "run.jsonl"
    args = ("bulk", "migrate", "--to-directory", there, "--manifest", manifest, "--json")
    answer = cast.read(*args)
    assert answer.code == 0, answer.err
    # Bo has no image, and goes along.
    assert (answer.json["total"], answer.json["outcomes"]["done"]) == (2, 2)
    assert f"media: {cast.directory}/media -> {there}/media" in answer.err
    moved = cast.run_command("list", "mara", "--json", "--directory", there).json["images"]
    assert [each["key"] for each in moved] == [each["key"] for each in cast.images()]
    assert "Bo" in cast.run_command("characters", "list", "--directory", there).out
    assert cast.read(*args).json["skipped"] == 2
    (tmp_path / "run.jsonl").unlink()
    assert cast.read(*args).json["outcomes"]["done"] == 2
    verified = cast.read("migrate", "--to-directory", there, "--json")
    assert verified.json["outcomes"] == {"copied": 0, "present": 1, "skipped": 0, "failed": 0}


def test_a_manifest_is_that_of_one_way(cast: Any, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    manifest = ("--manifest", tmp_path / "run.jsonl")
    assert cast.read("bulk", "migrate", "--to-directory", one, *manifest).code == 0
    answer = cast.read("bulk", "migrate", "--to-directory", other, *manifest, "--json")
    assert answer.code == 2
    told = answer.json["error"]["message"]
    assert "is that of migrate, metadata from " in told
    assert f"to {one.resolve()}/charimg.sqlite" in told
    assert f"to {other.resolve()}/charimg.sqlite" in told
    # The same place, spelled in another way.
    again = cast.read("bulk", "migrate", "--to-directory", one / ".." / "one", *manifest)
    assert "2 were done by an earlier run" in again.err
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\n")
    elsewhere = ("--manifest", tmp_path / "recover.jsonl", "--characters", rows)
    assert cast.run("bulk", "recover", *elsewhere).code == 0
    wrong = cast.run_command(
        "bulk", "recover", *elsewhere, "-d", one, "--library-url", cast.server.url
    )
    assert (wrong.code, "is that of recover, in " in wrong.err) == (2, True)


def test_one_that_nobody_knows_does_not_move(cast: Any, tmp_path: Path) -> None:
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\nnobody\n")
    args = ("bulk", "migrate", "--to-directory", tmp_path / "there", "--characters", rows)
    answer = cast.read(*args, "--json")
    assert (answer.code, answer.json["codes"]) == (7, {"CHARACTER_NOT_FOUND": 1})


def test_some_move_to_where_the_environment_says(
    cast: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast.reference()
    url = f"sqlite:///{tmp_path}/x.sqlite"
    monkeypatch.setenv("CHARIMG_TO_METADATA", url)
    rows = csv_of(tmp_path / "in.csv", "character_id\nmara\n")
    answer = cast.read("bulk", "migrate", "--characters", rows, "--out", tmp_path / "out.csv")
    assert answer.code == 0, answer.err
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["images"] == cast.images()[0]["key"]
    assert (tmp_path / "x.sqlite").is_file()
    # It is read where the work is done; a password in it is not sent there.
    move = Move.of(Settings.of(cast.directory), None, metadata=url, media="file:///elsewhere")
    assert move.urls == {"media": "file:///elsewhere"}
    copy = pickle.loads(pickle.dumps(move))
    assert copy == move
    assert str(copy.target().metadata) == f"{tmp_path}/x.sqlite"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("retry",), "Give --characters"),
        (("retry", "--to-directory", "x"), "retry copies nothing"),
        (("recover", "--to-media", "file:///x"), "recover copies nothing"),
        (("migrate",), "There is nothing to copy"),
    ],
)
def test_what_does_not_go_together(world: Any, args: tuple[str, ...], told: str) -> None:
    answer = world.run("bulk", *args, "--json")
    assert answer.code == 2
    assert told in answer.json["error"]["message"]


def test_a_result_that_cannot_be_written_is_told_before_anything_is_drawn(
    cast: Any, tmp_path: Path
) -> None:
    rows = csv_of(tmp_path / "in.csv", "character_id,prompt\nmara,A face.\n")
    answer = cast.run("bulk", "reference", "--characters", rows, "--out", tmp_path)
    assert (answer.code, "cannot be written" in answer.err) == (6, True)
    assert cast.counters["initialImagePosts"] == 0
